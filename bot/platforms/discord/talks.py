"""The conversations that are going on, one a channel, and how their answers are shown."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import discord
import structlog
from structlog.contextvars import bound_contextvars

from bot.attachments import Limits, read
from bot.conversation import Asked, Conversation, Conversations
from bot.delivery.mentions import quiet_on_discord
from bot.delivery.parts import DISCORD
from bot.delivery.stream import Style
from bot.engine import Engine
from bot.platforms.discord import attachments as attached
from bot.platforms.discord import buttons, intake
from bot.platforms.discord.audience import scope
from bot.platforms.discord.outlet import FAILED, Outlet, partial
from bot.platforms.discord.readers import Readers
from bot.records import Attachment, Incoming
from bot.replies import Replies
from bot.service import Service
from bot.settings import Settings
from memory.errors import LoreError

log = structlog.get_logger()

STYLE = Style(DISCORD, quiet=quiet_on_discord, aside="-# {}", controls=True)
TYPING = 8.0  # seconds; Discord shows it for ten


class Talks:
    """Conversations by channel; one lives while something is to be answered in it."""

    def __init__(
        self,
        client: discord.Client,
        engine: Engine,
        service: Service,
        settings: Settings,
        readers: Readers,
    ) -> None:
        self._client = client
        self._engine = engine
        self._settings = settings
        self._readers = readers
        self._replies = Replies(engine, STYLE, service.limits, service.metrics)
        self._going_on = Conversations(engine, settings.burst)

    def __len__(self) -> int:
        """Count the conversations that are going on."""
        return len(self._going_on)

    def of(self, channel: int) -> Conversation | None:
        """Return what is being asked in a channel, if anything."""
        return self._going_on.of(str(channel))

    def take(self, asked: Asked, channel: "discord.abc.MessageableChannel", *, anyway: bool = False) -> bool:
        """Take in what is to be answered in a channel; False where too much waits there already, unless anyway."""
        return self._going_on.take(
            str(channel.id),
            asked,
            lambda one: self._answer(one, channel),
            lambda: _typing(channel),
            anyway=anyway,
        )

    async def take_up(self, incoming: Incoming) -> None:
        """Take in what an earlier process was asked, unless it is gone."""
        try:
            asked = await self.found(incoming)
        except (discord.NotFound, discord.Forbidden):
            await self._engine.inbox.gone(incoming)
        except (*FAILED, LoreError) as error:  # it is looked for again
            log.warning("not taken up", turn=incoming.id, error=type(error).__name__)
        else:
            self.take(asked, asked.origin.channel, anyway=True)

    async def found(self, incoming: Incoming) -> Asked:
        """Return what was asked as it is on Discord now: it may say something else, and others may read it.

        Raises FAILED, RedisError.
        """
        here = int(incoming.scope.conversation)
        channel = self._client.get_channel(here) or await self._client.fetch_channel(here)
        message = await partial(channel, int(incoming.id)).fetch()  # type: ignore[arg-type]
        person = int(incoming.scope.person)
        incoming = replace(incoming, scope=scope(message.channel, person, narrow=incoming.scope.narrow))
        burst = await self._engine.inbox.burst(incoming.scope, incoming.id)
        if not burst.others and message.author.id == person:
            assert self._client.user is not None
            incoming = replace(incoming, text=intake.words(message, self._client.user))
        return Asked(incoming, message)

    def incoming(self, message: discord.Message, text: str) -> Incoming:
        """Return a message as the engine takes it."""
        narrow = self._settings.recall_from == "conversation"
        return Incoming(
            str(message.id),
            scope(message.channel, message.author.id, narrow=narrow),
            message.author.display_name,
            text,
            int(message.created_at.timestamp() * 1000),
            self._settings.timezone,
        )

    async def edited(self, message: discord.Message, text: str) -> None:
        """Let memory hold what a message says now; one of a burst is part of what was said together.

        Raises LoreError.
        """
        incoming = self.incoming(message, text)
        burst = await self._engine.inbox.burst(incoming.scope, incoming.id)
        if burst.first != incoming.id:
            burst = await self._engine.inbox.burst(incoming.scope, burst.first)
        messages = [message]
        if burst.others:
            found = [await self._found(message, one) for one in (burst.first, *burst.others)]
            messages = [one for one in found if one is not None]
            text = "\n".join(filter(None, (intake.words(one, self._me) for one in messages)))
            incoming = replace(incoming, id=burst.first, text=text)
        await self._engine.edited(replace(incoming, attachments=await self._attached(incoming, messages)))

    async def drain(self, seconds: float) -> None:
        """Wait for what is being answered, so many seconds at most, and leave the rest to the next process."""
        await self._going_on.drain(seconds)

    async def _answer(self, asked: Asked, channel: "discord.abc.MessageableChannel") -> None:
        message = asked.origin
        if isinstance(message, discord.Message) and not asked.incoming.context:
            seen = tuple(await intake.seen(message))
            asked = replace(asked, incoming=replace(asked.incoming, context=seen))
        if isinstance(message, discord.Message):
            messages = [one for one in asked.origins or (message,) if str(one.id) in asked.ids]
            files = await self._attached(asked.incoming, messages, intake.replied_to(message, self._me))
            asked = replace(asked, incoming=replace(asked.incoming, attachments=files))
        asker = int(asked.incoming.scope.person)
        outlet = Outlet(channel, message, lambda controls: buttons.view(controls, asked.id, asker))
        guild = channel.guild if isinstance(channel, discord.abc.GuildChannel | discord.Thread) else None
        if guild is not None:
            await self._readers.tell(guild)  # before anything is recalled
        with bound_contextvars(guild=guild and guild.id, shard=guild.shard_id if guild else 0):
            await self._replies.give(asked, outlet, str(channel.id))

    async def _attached(
        self, incoming: Incoming, messages: Sequence[discord.Message], replied: discord.Message | None = None
    ) -> tuple[Attachment, ...]:
        """Return what is attached to messages, and to the one they reply to."""
        files = attached.files(messages, replied)
        if not files:
            return ()
        limits = Limits(self._settings.attachments_kb, await self._engine.sees(incoming.scope))
        return await read(files, limits)

    async def _found(self, message: discord.Message, one: str) -> discord.Message | None:
        """Return another message of the same channel; None where it is gone."""
        if str(message.id) == one:
            return message
        try:
            return await partial(message.channel, int(one)).fetch()
        except FAILED:
            return None

    @property
    def _me(self) -> discord.ClientUser:
        assert self._client.user is not None
        return self._client.user


async def _typing(channel: "discord.abc.MessageableChannel") -> None:
    """Show that something is being written, until cancelled."""
    while True:
        with suppress(*FAILED):
            await channel._state.http.send_typing(channel.id)
        await asyncio.sleep(TYPING)
