"""Events of Discord in, the engine's answers out."""

import asyncio
from contextlib import suppress

import discord
import structlog
from discord import app_commands

from bot.conversation import BURST, Asked
from bot.engine import Engine
from bot.metrics import Metrics
from bot.platforms.discord import buttons, commands, intake
from bot.platforms.discord.audience import DIRECT, Place, everyone_reads, scope, tenant
from bot.platforms.discord.desk import BUSY, Desk
from bot.platforms.discord.missed import Missed
from bot.platforms.discord.outlet import NOBODY
from bot.platforms.discord.permissions import Silence
from bot.platforms.discord.shards import Sharded
from bot.platforms.discord.talks import Talks
from bot.service import Service
from bot.settings import Settings
from bot.unfinished import Unfinished
from memory import tasks
from memory.errors import LoreError
from memory.memory import Memory
from memory.records import Which

log = structlog.get_logger()

COMMANDS = "discord-commands"  # what the ledger's note is called that says which commands Discord knows


class Client(Sharded):
    """Answers what is addressed to it, in one conversation a channel."""

    def __init__(
        self,
        engine: Engine,
        memory: Memory,
        service: Service | None,
        settings: Settings,
        intents: discord.Intents,
        joined: frozenset[int] = frozenset(),
        burst: float = BURST,
        *,
        metrics: Metrics,
    ) -> None:
        """Take who answers, and how.

        service: what commands show and change; joined: channels in which it answers unasked; burst: seconds of silence
        that end one.
        """
        super().__init__(
            intents=intents,
            metrics=metrics,
            allowed_mentions=NOBODY,
            max_messages=1000,
            shard_count=settings.discord_shards,
            shard_ids=settings.discord_shard_ids,
        )
        self._engine = engine
        self._memory = memory
        self._joined = joined
        self._talks = Talks(self, engine, settings, metrics, burst)
        self._silence = Silence()
        self._missed = Missed(self, engine, lambda message: self._hear(message, anyway=True))
        self._beside: set[asyncio.Task[None]] = set()
        self.desk = Desk(engine, memory, service, self._talks, settings)
        self.tree = app_commands.CommandTree(self)
        commands.offer(self.tree, self.desk)
        self.add_dynamic_items(buttons.Button)
        self._ending = False

    @property
    def conversations(self) -> int:
        """How many conversations wait for an answer."""
        return len(self._talks)

    async def setup_hook(self) -> None:
        """Tell Discord our commands, if they are others than those that it knows; begin what is done beside."""
        await self._missed.recall()
        assert self.application_id is not None
        known, now = await self._engine.noted(COMMANDS, str(self.application_id)), commands.digest(self.tree)
        if known != now:
            await self.tree.sync()
            await self._engine.note(COMMANDS, str(self.application_id), now)
        # Last, and so once: where Discord fails before, logging in is tried again, and we are called again.
        unfinished = Unfinished(self._engine, self._tenants, self._talks.take_up)
        for work in (self._missed.beat(), unfinished.run()):
            self._beside.add(asyncio.create_task(work))

    async def on_ready(self) -> None:
        """Tell that Discord knows us."""
        log.info("online", name=str(self.user), guilds=len(self.guilds))
        await self._missed.catch_up()

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
        await self._hear(message)

    async def _hear(self, message: discord.Message, *, anyway: bool = False) -> None:
        """Take in a message that is addressed to the bot. anyway: also where too much waits already."""
        if self._ending or self.user is None or not intake.addressed(message, self.user, self._joined):
            return
        if self._silence.kept(message.channel, message.guild.me if message.guild else self.user):
            return
        self._missed.heard(message)
        incoming = self._talks.incoming(message, intake.words(message, self.user))
        if not self._talks.take(Asked(incoming, message), message.channel, anyway=anyway):
            with suppress(discord.HTTPException):
                await message.reply(BUSY, mention_author=False)

    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        """Answer an edited message anew where its answer is under way; else let memory hold what it says now."""
        message = event.message
        if self.user is None or message.author.bot or not intake.addressed(message, self.user, self._joined):
            return
        text = intake.words(message, self.user)
        conversation = self._talks.of(event.channel_id)
        if conversation is not None and conversation.reword(str(event.message_id), text):
            return
        with suppress(LoreError):
            await self._talks.edited(message, text)

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        """Forget a message that is gone, and stop answering it."""
        await self._gone(event.channel_id, {event.message_id})

    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        """Forget messages that are gone, and stop answering them."""
        await self._gone(event.channel_id, event.message_ids)

    async def drain(self, seconds: float) -> None:
        """Take no more messages, and answer those that came, so many seconds at most."""
        self._ending = True
        for work in self._beside:
            await tasks.ended(work)
        await self._talks.drain(seconds)

    def _tenants(self) -> list[str]:
        """Return the tenants that this process serves; direct messages come to the first shard alone."""
        direct = [DIRECT] if not self.shard_ids or 0 in self.shard_ids else []
        return [*direct, *(tenant(guild) for guild in self.guilds)]

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
        ids = {str(one) for one in messages}
        conversation = self._talks.of(channel_id)
        if conversation is not None:
            await conversation.withdraw(ids)
        channel = self.get_channel(channel_id)
        if not isinstance(channel, Place) or self.user is None:
            return
        here = scope(channel, self.user.id)
        try:
            firsts = {(await self._engine.burst(here, one)).first for one in ids}
            await self._memory.forget(here, Which(turns=tuple((here.conversation, one) for one in ids | firsts)))
        except LoreError as error:
            log.warning("not forgotten", error=str(error))
