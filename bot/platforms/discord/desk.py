"""What people do in Discord with commands, menus and buttons, as the desk of all platforms takes it."""

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import discord

from bot import desk
from bot.channels import Channel
from bot.commands.base import Command, Switch
from bot.conversation import Asked
from bot.delivery.mentions import quiet_on_discord
from bot.delivery.parts import DISCORD
from bot.errors import CommandError
from bot.places import Shown, Who
from bot.platforms.discord import buttons, channels, dialogs, past
from bot.platforms.discord.audience import roles, scope
from bot.platforms.discord.outlet import FAILED, NOBODY, partial
from bot.platforms.discord.talks import Talks
from bot.records import Incoming, Seen
from bot.service import Service
from bot.settings import Settings
from memory.records import Turn
from memory.scope import Scope

NOT_HERE = "I may not write here. I need to see this channel, and to send messages in it"


class Desk:
    """Commands, menus and buttons. does: what they do on every platform."""

    def __init__(self, does: desk.Desk, service: Service, talks: Talks, settings: Settings) -> None:
        self.does = does
        self._service = service
        self._talks = talks
        self._settings = settings

    async def command(self, interaction: discord.Interaction, command: Command, words: str) -> None:
        """Carry out a command with what follows it, and show what it says."""
        await self.does.run(self.place(interaction), command, words)

    async def about(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Ask what somebody wants to know about a message."""

        async def ask(again: discord.Interaction, question: str) -> None:
            seen = Seen(message.author.display_name, message.clean_content)
            await self.does.ask(self.place(again), question, (seen,))

        await interaction.response.send_modal(dialogs.Question(ask))

    async def forget(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Forget a message. A question that a command asked is the bot's message on Discord, and one's own."""
        mine = interaction.client.user is not None and message.author.id == interaction.client.user.id
        asked = _asked(message) if mine else None
        await self.does.forget(self.place(interaction), str(message.id), str(asked) if asked else None)

    def place(self, interaction: discord.Interaction) -> "Place":
        """Return where somebody does something."""
        return Place(interaction, self._service, self._talks, self._settings)


class Place:
    """One interaction, and the channel that it is in."""

    limit = DISCORD

    def __init__(self, interaction: discord.Interaction, service: Service, talks: Talks, settings: Settings) -> None:
        self._interaction = interaction
        self._service = service
        self._talks = talks
        self._settings = settings

    def quiet(self, text: str) -> str:
        """Return a text that calls nobody."""
        return quiet_on_discord(text)

    async def who(self) -> Who:
        """Return who does it, and where."""
        interaction = self._interaction
        where = "@me" if interaction.guild_id is None else interaction.guild_id
        may = interaction.permissions if interaction.guild is not None else discord.Permissions.none()

        def link(turn: Turn) -> str:
            message = turn.id.removesuffix(".reply")
            return f"https://discord.com/channels/{where}/{turn.conversation}/{message}" if message.isdecimal() else ""

        return Who(
            self._scope(self._channel),
            self._name,
            manager=may.manage_guild,
            moderator=may.manage_messages,
            roles=roles(interaction.user),
            link=link,
        )

    async def wait(self, *, openly: bool) -> None:
        """Answer within three seconds."""
        await self._interaction.response.defer(ephemeral=not openly, thinking=True)

    async def show(self, shown: Shown, *, openly: bool = False) -> None:
        """Tell whoever does it, and nobody else unless openly."""
        options: dict[str, Any] = {"allowed_mentions": NOBODY, "ephemeral": not openly}
        if shown.confirm:
            options["view"] = dialogs.confirm(shown.confirm)
        if shown.file is not None:
            options["file"] = discord.File(io.BytesIO(shown.file.text.encode()), filename=shown.file.name)
        if self._interaction.response.is_done():
            await self._interaction.followup.send(shown.text, **options)
        else:
            await self._interaction.response.send_message(shown.text, **options)

    async def settle(self) -> None:
        """Take the buttons away of which one was pressed."""
        await self._interaction.response.edit_message(view=None)

    async def say(self, text: str) -> str:
        """Respond with a message, and return its id."""
        if self._interaction.channel is None or not _may_write(self._interaction):
            raise CommandError(NOT_HERE)
        response = await self._interaction.response.send_message(text, allowed_mentions=NOBODY)
        return str(response.message_id or (await self._interaction.original_response()).id)

    async def take(self, message: str, question: str, context: Sequence[Seen]) -> bool:
        """Let a message of ours be answered that says what somebody asks."""
        incoming = replace(self._incoming(message, question, self._scope(self._channel)), context=context)
        return self._talks.take(Asked(incoming, partial(self._channel, int(message))), self._channel)

    async def take_again(self, incoming: Incoming) -> bool:
        """Let a message be answered anew, as it is now. Raises LookupError where Discord does not know it any more."""
        if not self._interaction.response.is_done():
            await self._interaction.response.defer()
        try:
            asked = await self._talks.found(incoming)
        except FAILED as error:
            raise LookupError(incoming.id) from error
        return self._talks.take(replace(asked, anew=True), self._channel)

    async def stop(self, message: str) -> bool:
        """Stop the answer to a message."""
        await self._interaction.response.defer()
        talk = self._talks.of(self._interaction.channel_id or 0)
        return talk is not None and await talk.stop_answer(message)

    async def open_thread(self, topic: str) -> bool:
        """Open a thread in which every message is for the bot; with a topic, that is the first one."""
        channel = self._interaction.channel
        if not isinstance(channel, discord.TextChannel):
            raise CommandError("A thread can be opened in a text channel")
        if not channel.permissions_for(channel.guild.me).create_public_threads or not _may_write(self._interaction):
            raise CommandError("I may not open threads here")
        message = await self.say(f"**{self._name}** opens a chat" + (f": {topic}" if topic else "."))
        title = topic or f"{self._name} and {self._settings.name}"
        thread = await partial(channel, int(message)).create_thread(name=title[:100])
        if not topic:
            await thread.send("Every message here is for me; nobody needs to mention me.", allowed_mentions=NOBODY)
            return True
        first = await thread.send(f"**{self._name}**: {topic}"[: DISCORD.characters], allowed_mentions=NOBODY)
        return self._talks.take(Asked(self._incoming(str(first.id), topic, self._scope(thread)), first), thread)

    async def switch(self, wanted: Switch) -> Channel:
        """Switch on or off what the bot does in this channel."""
        channel, by, listening = self._readable[0], self._interaction.user, self._service.listening
        now = await listening.channels.get(scope(channel, by.id))
        if wanted.joins is not None:
            now = await channels.join(listening, channel, by, wanted.joins)
        if wanted.remembers:
            now = await channels.remember(listening, channel, by, reads=self._settings.discord_message_content)
        elif wanted.remembers is False:
            now = await channels.remember_no_more(listening, channel, by)
        return now

    async def learn(self) -> bool:
        """Begin to learn what was said in this channel."""
        channel, me = self._readable
        report = past.Shown(channel, self._settings.timezone)
        return await past.learn(self._service.listening, channel, me, self._settings.name, report)

    @property
    def _channel(self) -> "discord.abc.MessageableChannel":
        """Where it is; Discord tells that of every one of ours."""
        channel = self._interaction.channel
        assert isinstance(channel, discord.abc.Messageable)
        return channel

    @property
    def _readable(self) -> tuple[past.Readable, discord.ClientUser]:
        channel = self._interaction.client.get_channel(self._interaction.channel_id or 0)
        me = self._interaction.client.user
        if not isinstance(channel, past.Readable) or me is None:
            raise CommandError("That can be said in a channel of a server")
        return channel, me

    @property
    def _name(self) -> str:
        return self._interaction.user.display_name

    def _scope(self, channel: "discord.abc.MessageableChannel") -> Scope:
        narrow = self._settings.recall_from == "conversation"
        return scope(channel, self._interaction.user.id, narrow=narrow)

    def _incoming(self, message: str, text: str, here: Scope) -> Incoming:
        now = int(datetime.now(UTC).timestamp() * 1000)
        return Incoming(message, here, self._name, text, now, self._settings.timezone)


def _asked(message: discord.Message) -> int | None:
    """Return the message that one of ours answers; None where it is no answer."""
    asked = buttons.asked(message)
    return message.reference.message_id if asked is None and message.reference is not None else asked


def _may_write(interaction: discord.Interaction) -> bool:
    """Tell whether the bot may write where an interaction is."""
    may = interaction.app_permissions
    inside = isinstance(interaction.channel, discord.Thread)
    return interaction.guild is None or (
        may.view_channel and (may.send_messages_in_threads if inside else may.send_messages)
    )
