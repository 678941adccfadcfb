"""Carries out what people do with commands, menus and buttons."""

import contextlib
import io
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import discord
import structlog

from bot import admission, explained
from bot.channels import Channel
from bot.commands import table
from bot.commands.base import At, Command, Here, Named, Said, Switch
from bot.commands.places import does
from bot.conversation import Asked
from bot.delivery.mentions import quiet_on_discord
from bot.delivery.parts import DISCORD
from bot.delivery.split import split
from bot.engine import Engine
from bot.errors import CommandError, DeliveryError, ModelError
from bot.notices import BUSY, SORRY
from bot.platforms.discord import buttons, channels, dialogs, past
from bot.platforms.discord.audience import roles, scope
from bot.platforms.discord.outlet import FAILED, NOBODY, partial
from bot.platforms.discord.talks import Talks
from bot.records import Incoming, Seen
from bot.service import Service
from bot.settings import Settings
from memory.errors import LoreError
from memory.memory import Memory
from memory.records import Turn, Which, answer_id
from memory.scope import Operator, Scope

log = structlog.get_logger()

DENIED = "I may not answer you here."
NOT_HERE = "I may not write here. I need to see this channel, and to send messages in it."
MOST_LISTS = 500  # lists whose numbers are known
MOST_PARTS = 3  # messages that a command says; beyond it a file


class Desk:
    """Commands, menus and buttons."""

    def __init__(self, engine: Engine, memory: Memory, service: Service, talks: Talks, settings: Settings) -> None:
        self._engine = engine
        self._memory = memory
        self._service = service
        self._talks = talks
        self._settings = settings
        self._lists: OrderedDict[tuple[int, int], tuple[Named, ...]] = OrderedDict()

    async def command(self, interaction: discord.Interaction, command: Command, words: str) -> None:
        """Carry out a command with what follows it, and show what it says."""
        if command.name in ("ask", "chat"):  # their answer is the first sign
            said = await table.carried_out(command, self._here(interaction), words)
            if said.ask is not None:
                await self.ask(interaction, said.ask)
            elif said.chat is not None:
                await self._open_thread(interaction, said.chat)
            else:
                await self._tell(interaction, said)
            return
        if command.name == "lookup" and not await self._may_ask(interaction):
            return
        async with self._calm(interaction, seen=command.open):
            here = self._here(interaction)
            if command.name == "why":
                here = replace(here, last=await explained.last(self._engine, self._memory, here.scope))
            said = await table.carried_out(command, here, words)
            if said.switch is not None or said.learn:
                said = await self._changed(interaction, said)
            await self._tell(interaction, said)

    async def ask(self, interaction: discord.Interaction, question: str, context: tuple[Seen, ...] = ()) -> None:
        """Ask in front of everybody: the question becomes a message, and that is answered like any other."""
        channel = interaction.channel
        if channel is None or not _may_write(interaction):
            await interaction.response.send_message(NOT_HERE, ephemeral=True)
            return
        if not await self._may_ask(interaction):
            return
        shown = f"**{_name(interaction)}** asks: {question}"
        message = await _responded(interaction, next(split(quiet_on_discord(shown), DISCORD)).shown)
        incoming = replace(self._incoming(interaction, message, question), context=context)
        asked = Asked(incoming, partial(_place(channel), message))
        if not self._talks.take(asked, _place(channel)):
            await interaction.followup.send(BUSY, ephemeral=True)

    async def about(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Ask what somebody wants to know about a message."""

        async def ask(again: discord.Interaction, question: str) -> None:
            await self.ask(again, question, (Seen(message.author.display_name, message.clean_content),))

        await interaction.response.send_modal(dialogs.Question(ask))

    async def forget(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Forget a message: one's own and the answer to it, an answer to oneself, or as a moderator any.

        A question that a command asked is the bot's message on Discord, and one's own.
        """
        async with self._calm(interaction):
            here = self._here(interaction).scope
            mine = interaction.client.user is not None and message.author.id == interaction.client.user.id
            asked = _asked(message) if mine else None
            turn = answer_id(str(asked)) if asked else (await self._engine.inbox.burst(here, str(message.id))).first
            moderates = interaction.guild is not None and interaction.permissions.manage_messages
            whose = Operator(here.tenant) if moderates else here
            which = Which(turns=((here.conversation, turn),), person=None if moderates else here.person)
            gone = await self._memory.forget(whose, which)
            text = "Forgotten." if gone.turns else "There is nothing of yours to forget in it."
            await self._tell(interaction, Said(text))

    async def stop(self, interaction: discord.Interaction, message: int) -> None:
        """Stop the answer to a message."""
        await interaction.response.defer()
        talk = self._talks.of(interaction.channel_id or 0)
        if talk is None or not await talk.stop_answer(str(message)):
            await interaction.followup.send(buttons.STOPPED, ephemeral=True)

    async def regenerate(self, interaction: discord.Interaction, message: int, asker: int) -> None:
        """Answer a message anew, in the place of the answer that it has."""
        if not await self._may_ask(interaction):
            return
        await interaction.response.defer()
        place = _place(interaction.channel)
        here = scope(place, asker, narrow=self._narrow)
        asked = await self._as_asked(here, str(message))
        if asked is None:
            await interaction.followup.send("I can't find any more what was asked.", ephemeral=True)
            return
        if not self._talks.take(replace(asked, anew=True), place):
            await interaction.followup.send(BUSY, ephemeral=True)

    async def _as_asked(self, here: Scope, message: str) -> Asked | None:
        """Return what was asked, as memory and Discord know it; None where either does not any more."""
        try:
            turn = await self._memory.get(here, message)
            if turn is None:
                return None
            incoming = Incoming(turn.id, here, turn.author, turn.text, turn.sent_at, self._settings.timezone)
            return await self._talks.found(incoming)
        except (LoreError, *FAILED) as error:
            log.info("not found again", turn=message, error=type(error).__name__)
            return None

    async def why(self, interaction: discord.Interaction, message: int) -> None:
        """Show why the answer to a message says what it says."""
        async with self._calm(interaction):
            here = self._here(interaction)
            here = replace(here, last=await explained.explained(self._engine, self._memory, here.scope, str(message)))
            await self._tell(interaction, await table.why(here, ""))

    async def _may_ask(self, interaction: discord.Interaction) -> bool:
        """Count what the model is asked for; tell whoever is denied or beyond the limits, and nobody else."""
        here = self._here(interaction).scope
        if not admission.admitted(here, self._settings.allow, self._settings.deny, roles(interaction.user)):
            text = DENIED
        elif refusal := await self._service.limits.admit(here, int(datetime.now(UTC).timestamp() * 1000)):
            text = refusal.text
        else:
            return True
        await interaction.response.send_message(text, ephemeral=True)
        return False

    @contextlib.asynccontextmanager
    async def _calm(self, interaction: discord.Interaction, *, seen: bool = False) -> AsyncIterator[None]:
        """Answer within three seconds, and tell calmly what goes wrong after that. seen: everybody sees the answer."""
        await interaction.response.defer(ephemeral=not seen, thinking=True)
        try:
            yield
        except ModelError as error:
            log.warning("command not answered", interaction=interaction.id, error=str(error))
            await interaction.followup.send(error.calm)
        except LoreError as error:
            log.warning("command failed", interaction=interaction.id, error=str(error))
            await interaction.followup.send(SORRY.format(interaction.id))

    async def _tell(self, interaction: discord.Interaction, said: Said) -> None:
        """Show what a command says, to whom it is for."""
        if said.listed is not None:
            self._list(interaction, said.listed)
        if not interaction.response.is_done():
            await interaction.response.defer(ephemeral=True, thinking=True)
        options: dict[str, Any] = {"allowed_mentions": NOBODY, "ephemeral": True}
        if said.confirm is not None:
            options["view"] = dialogs.Confirm(said.confirm, lambda again, then: self._tell(again, then))
        if said.file is not None:
            options["file"] = _file(said.file.name, said.file.text)
        text = quiet_on_discord(said.text) or "Done."
        parts = list(split(text, DISCORD))
        if len(parts) > MOST_PARTS:
            options.setdefault("file", _file("answer.md", text))
            parts = parts[:1]
        for part in parts[:-1]:
            await interaction.followup.send(part.shown, allowed_mentions=NOBODY, ephemeral=True)
        await interaction.followup.send(parts[-1].shown, **options)

    def _here(self, interaction: discord.Interaction) -> Here:
        place = _place(interaction.channel)
        where = "@me" if interaction.guild_id is None else interaction.guild_id

        def link(turn: Turn) -> str:
            message = turn.id.removesuffix(".reply")
            return f"https://discord.com/channels/{where}/{turn.conversation}/{message}" if message.isdecimal() else ""

        return Here(
            scope(place, interaction.user.id, narrow=self._narrow),
            self._memory,
            self._settings.timezone,
            listed=self._lists.get((place.id, interaction.user.id), ()),
            at=At.CHAT,
            manager=interaction.guild is not None and interaction.permissions.manage_guild,
            link=link,
            service=self._service,
        )

    def _list(self, interaction: discord.Interaction, listed: tuple[Named, ...]) -> None:
        """Keep what numbers stand for."""
        self._lists[_place(interaction.channel).id, interaction.user.id] = listed
        if len(self._lists) > MOST_LISTS:
            self._lists.popitem(last=False)

    async def _changed(self, interaction: discord.Interaction, wanted: Said) -> Said:
        """Switch on or off what the bot does in a channel, or begin to learn its past."""
        channel = interaction.client.get_channel(interaction.channel_id or 0)
        listening, me = self._service.listening, interaction.client.user
        if not isinstance(channel, past.Readable) or me is None:
            return Said("That can be said in a channel of a server.")
        try:
            if wanted.switch is not None:
                return Said(does(await self._switched(channel, interaction.user, wanted.switch)))
            report = past.Shown(channel, self._settings.timezone)
            begun = await past.learn(listening, channel, me, self._settings.name, report)
        except CommandError as error:
            return Said(f"{error}.")
        except DeliveryError as error:
            return Said(f"That did not work: {error}.")
        return Said("I begin to learn what was said here." if begun else "I am learning that already.")

    async def _switched(self, channel: past.Readable, by: discord.User | discord.Member, wanted: Switch) -> Channel:
        listening = self._service.listening
        now = await listening.channels.get(scope(channel, by.id))
        if wanted.joins is not None:
            now = await channels.join(listening, channel, by, wanted.joins)
        if wanted.remembers:
            reads = self._settings.discord_message_content
            now = await channels.remember(listening, channel, by, reads=reads)
        elif wanted.remembers is False:
            now = await channels.remember_no_more(listening, channel, by)
        return now

    async def _open_thread(self, interaction: discord.Interaction, topic: str) -> None:
        """Open a thread in which every message is for the bot; with a topic, that is the first one."""
        channel = interaction.channel
        if not isinstance(channel, discord.TextChannel):
            await interaction.response.send_message("A thread can be opened in a text channel.", ephemeral=True)
            return
        if not channel.permissions_for(channel.guild.me).create_public_threads or not _may_write(interaction):
            await interaction.response.send_message("I may not open threads here.", ephemeral=True)
            return
        if not await self._may_ask(interaction):
            return
        name = _name(interaction)
        message = await _responded(interaction, f"**{name}** opens a chat" + (f": {topic}" if topic else "."))
        title = topic or f"{name} and {self._settings.name}"
        thread = await partial(channel, message).create_thread(name=title[:100])
        if not topic:
            await thread.send("Every message here is for me; nobody needs to mention me.", allowed_mentions=NOBODY)
            return
        first = await thread.send(f"**{name}**: {topic}"[: DISCORD.characters], allowed_mentions=NOBODY)
        here = scope(thread, interaction.user.id, narrow=self._narrow)
        incoming = replace(self._incoming(interaction, first.id, topic), scope=here)
        self._talks.take(Asked(incoming, first), thread)

    def _incoming(self, interaction: discord.Interaction, message: int, text: str) -> Incoming:
        here = scope(_place(interaction.channel), interaction.user.id, narrow=self._narrow)
        now = int(datetime.now(UTC).timestamp() * 1000)
        return Incoming(str(message), here, _name(interaction), text, now, self._settings.timezone)

    @property
    def _narrow(self) -> bool:
        return self._settings.recall_from == "conversation"


def _asked(message: discord.Message) -> int | None:
    """Return the message that one of ours answers; None where it is no answer."""
    asked = buttons.asked(message)
    return message.reference.message_id if asked is None and message.reference is not None else asked


def _name(interaction: discord.Interaction) -> str:
    return interaction.user.display_name


def _place(channel: Any) -> "discord.abc.MessageableChannel":
    """Return where an interaction is; Discord tells that of every one of ours."""
    assert isinstance(channel, discord.abc.Messageable)
    return channel  # type: ignore[return-value]


def _may_write(interaction: discord.Interaction) -> bool:
    """Tell whether the bot may write where an interaction is."""
    may = interaction.app_permissions
    inside = isinstance(interaction.channel, discord.Thread)
    return interaction.guild is None or (
        may.view_channel and (may.send_messages_in_threads if inside else may.send_messages)
    )


async def _responded(interaction: discord.Interaction, text: str) -> int:
    """Respond with a message, and return its id."""
    response = await interaction.response.send_message(text, allowed_mentions=NOBODY)
    if response.message_id is not None:
        return response.message_id
    return (await interaction.original_response()).id


def _file(name: str, text: str) -> discord.File:
    return discord.File(io.BytesIO(text.encode()), filename=name)
