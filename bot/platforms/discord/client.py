"""Events of Discord in, the engine's answers out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress

import discord
import structlog

from bot import stopwatch
from bot.delivery.mentions import quiet_on_discord
from bot.delivery.noted import Noted
from bot.delivery.pace import Paces, SystemClock
from bot.delivery.parts import DISCORD
from bot.delivery.stream import Style, show
from bot.engine import Engine
from bot.errors import DeliveryError, MessageTooLong, ModelError
from bot.metrics import Metrics
from bot.models.base import Piece
from bot.platforms.discord import intake
from bot.platforms.discord.audience import Place, everyone_reads, scope
from bot.platforms.discord.conversation import Conversation, Heard
from bot.platforms.discord.outlet import NOBODY, Outlet
from bot.platforms.discord.shards import Sharded
from bot.records import Answered, Incoming, Notice, Seen
from bot.settings import Settings
from bot.stopwatch import Stopwatch
from memory.errors import LoreError
from memory.memory import Memory
from memory.records import Which

log = structlog.get_logger()

STYLE = Style(DISCORD, quiet=quiet_on_discord)


class Client(Sharded):
    """Answers what is addressed to it, in one conversation a channel."""

    def __init__(
        self,
        engine: Engine,
        memory: Memory,
        settings: Settings,
        intents: discord.Intents,
        joined: frozenset[int] = frozenset(),
        *,
        metrics: Metrics,
    ) -> None:
        """Take who answers; joined: channels in which it answers unasked."""
        super().__init__(
            intents=intents,
            metrics=metrics,
            allowed_mentions=NOBODY,
            max_messages=1000,
            shard_count=settings.discord_shards,
            shard_ids=settings.discord_shard_ids,
        )
        self._metrics = metrics
        self._engine = engine
        self._memory = memory
        self._settings = settings
        self._joined = joined
        self._paces = Paces(SystemClock())
        self._conversations: dict[int, Conversation] = {}
        self._ending = False

    @property
    def conversations(self) -> int:
        """How many conversations wait for an answer."""
        return len(self._conversations)

    async def on_ready(self) -> None:
        """Tell that Discord knows us."""
        log.info("online", name=str(self.user), guilds=len(self.guilds))

    async def on_guild_available(self, guild: discord.Guild) -> None:
        """Tell memory who reads the channels: that may have changed while we were away."""
        await self._audiences(guild)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Tell memory who reads the channels of a guild that is new."""
        await self._audiences(guild)

    async def on_guild_channel_update(self, before: discord.abc.GuildChannel, after: discord.abc.GuildChannel) -> None:
        """Tell memory where others read a channel now: it holds for the next recall."""
        if everyone_reads(before) != everyone_reads(after):
            await self._audience(after)

    async def on_guild_role_update(self, before: discord.Role, after: discord.Role) -> None:
        """Tell memory where others read the channels, now that everyone may do more or less."""
        if after.is_default() and before.permissions != after.permissions:
            await self._audiences(after.guild)

    async def on_message(self, message: discord.Message) -> None:
        """Answer a message that is addressed to the bot."""
        if self._ending or self.user is None or not intake.addressed(message, self.user, self._joined):
            return
        heard = Heard(message.id, message.author.id, intake.words(message, self.user), message)
        if not self._conversation(message.channel).take(heard):
            with suppress(discord.HTTPException):
                await message.reply(
                    "I am still answering what was said before; please ask again in a moment.", mention_author=False
                )

    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        """Answer an edited message anew where its answer is under way; else let memory hold what it says now."""
        message = event.message
        if self.user is None or message.author.bot or not intake.addressed(message, self.user, self._joined):
            return
        text = intake.words(message, self.user)
        conversation = self._conversations.get(event.channel_id)
        if conversation is not None and conversation.reword(event.message_id, text):
            return
        with suppress(LoreError):
            await self._engine.edited(self._incoming(message, text))

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        """Forget a message that is gone, and stop answering it."""
        await self._gone(event.channel_id, {event.message_id})

    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        """Forget messages that are gone, and stop answering them."""
        await self._gone(event.channel_id, event.message_ids)

    async def drain(self, seconds: float) -> None:
        """Take no more messages, and answer those that came, so many seconds at most."""
        self._ending = True
        running = [one.task for one in self._conversations.values()]
        if running:
            await asyncio.wait(running, timeout=seconds)
        for one in list(self._conversations.values()):
            await one.stop()

    def _conversation(self, channel: "discord.abc.MessageableChannel") -> Conversation:
        """Return the conversation of a channel; it ends by itself when nothing is left to answer."""
        if channel.id not in self._conversations:
            self._conversations[channel.id] = Conversation(
                self._answer, lambda: self._conversations.pop(channel.id, None)
            )
        return self._conversations[channel.id]

    async def _answer(self, heard: Heard) -> None:
        """Show the answer to a message. Whoever reads it sees a calm sentence where it fails; the log has the rest."""
        message = heard.message
        incoming = self._incoming(message, heard.text, tuple(await intake.seen(message)))
        outlet, pace = Outlet(message.channel, message), self._paces.of(str(message.channel.id))
        try:
            with stopwatch.answering(self._metrics, "discord", incoming.id, **_where(message)) as watch:
                async with message.channel.typing(), aclosing(self._pieces(incoming, heard.again, watch)) as pieces:  # type: ignore[type-var]
                    await show(pieces, Noted(outlet, watch.shown), incoming.id, STYLE, pace)
        except (ModelError, MessageTooLong) as error:
            log.warning("not answered", turn=incoming.id, error=str(error))
        except DeliveryError as error:
            log.warning("not delivered", turn=incoming.id, error=str(error))

    async def _pieces(self, incoming: Incoming, again: bool, watch: Stopwatch) -> AsyncIterator[str]:
        notices: list[str] = []
        engine = self._engine
        async with aclosing(engine.again(incoming) if again else engine.reply(incoming)) as events:  # type: ignore[type-var]
            async for event in events:
                match event:
                    case Piece(text):
                        yield text
                    case Notice(text):
                        notices.append(text)
                    case Answered():
                        watch.answered(event)
        for notice in notices:
            yield f"\n-# {notice}"

    def _incoming(self, message: discord.Message, text: str, context: tuple[Seen, ...] = ()) -> Incoming:
        narrow = self._settings.recall_from == "conversation"
        return Incoming(
            str(message.id),
            scope(message.channel, message.author.id, narrow=narrow),
            message.author.display_name,
            text,
            int(message.created_at.timestamp() * 1000),
            self._settings.timezone,
            context,
        )

    async def _audiences(self, guild: discord.Guild) -> None:
        """Tell memory who reads a guild's channels; open threads follow theirs."""
        for places in (guild.text_channels, guild.voice_channels, guild.stage_channels, guild.forums):
            for channel in places:
                await self._audience(channel)

    async def _audience(self, channel: discord.abc.GuildChannel) -> None:
        assert self.user is not None
        try:
            await self._memory.moved(scope(channel, self.user.id))
        except LoreError as error:
            log.warning("audience not told", channel=channel.id, error=str(error))

    async def _gone(self, channel_id: int, messages: set[int]) -> None:
        conversation = self._conversations.get(channel_id)
        if conversation is not None:
            await conversation.withdraw(messages)
        channel = self.get_channel(channel_id)
        if not isinstance(channel, Place) or self.user is None:
            return
        here = scope(channel, self.user.id)
        which = Which(turns=tuple((here.conversation, str(one)) for one in messages))
        try:
            await self._memory.forget(here, which)
        except LoreError as error:
            log.warning("not forgotten", error=str(error))


def _where(message: discord.Message) -> dict[str, int | None]:
    """Return what log lines about a message carry."""
    guild = message.guild
    return {
        "shard": guild.shard_id if guild else 0,
        "guild": guild.id if guild else None,
        "channel": message.channel.id,
    }
