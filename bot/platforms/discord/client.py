"""Events of Discord in, the engine's answers out."""

import asyncio
import time
from contextlib import suppress

import discord
import structlog
from discord import app_commands

from bot import admission, desk
from bot.apps.chat import BOT
from bot.conversation import Asked
from bot.engine import Engine
from bot.notes import Notes
from bot.notices import BUSY
from bot.platforms.discord import buttons, channels, commands, dialogs, intake, leaving, past
from bot.platforms.discord.audience import DIRECT, everyone_reads, roles, scope, tenant
from bot.platforms.discord.desk import Desk
from bot.platforms.discord.missed import Missed
from bot.platforms.discord.outlet import FAILED, NOBODY
from bot.platforms.discord.permissions import Silence
from bot.platforms.discord.readers import Readers
from bot.platforms.discord.shards import Sharded
from bot.platforms.discord.talks import Talks
from bot.service import Service
from bot.settings import Settings
from bot.unfinished import Unfinished
from memory.errors import LoreError
from memory.memory import Memory
from memory.records import Which
from memory.scope import Audience, Operator, Scope

log = structlog.get_logger()

COMMANDS = "discord-commands"  # what the ledger's note is called that says which commands Discord knows


class Client(Sharded):
    """Answers what is addressed to it, in one conversation a channel."""

    def __init__(
        self,
        engine: Engine,
        memory: Memory,
        service: Service,
        settings: Settings,
        intents: discord.Intents,
    ) -> None:
        """Take who answers, and whom.

        service: limits, who listens, what commands show and change.
        """
        super().__init__(
            intents=intents,
            metrics=service.metrics,
            rate=settings.discord_rate,
            allowed_mentions=NOBODY,
            max_messages=1000,
            shard_count=settings.discord_shards,
            shard_ids=settings.discord_shard_ids,
        )
        self._engine = engine
        self._memory = memory
        self._listening = service.listening
        self._limits = service.limits
        self._settings = settings
        self._readers = Readers(memory)
        self._talks = Talks(self, engine, service, settings, self._readers)
        self._silence = Silence()
        self._notes = Notes(memory)
        self._missed = Missed(self, self._notes, self._missed_one)
        self.desk = Desk(desk.Desk(engine, memory, service, settings), service, self._talks, settings)
        self.tree = app_commands.CommandTree(self)
        commands.offer(self.tree, self.desk)
        self.add_dynamic_items(buttons.Button, dialogs.Confirm)
        self._ending = False

    @property
    def conversations(self) -> int:
        """How many conversations wait for an answer."""
        return len(self._talks)

    async def setup_hook(self) -> None:
        """Tell Discord our commands, if they are others than those that it knows."""
        await self._missed.recall()
        assert self.application_id is not None
        known, now = await self._notes.read(COMMANDS, str(self.application_id)), commands.digest(self.tree)
        if known != now:
            await self.tree.sync()
            await self._notes.write(COMMANDS, str(self.application_id), now)

    async def look_after(self) -> None:
        """Note that we are here, and take up what others left unanswered, until cancelled."""
        await self.wait_until_ready()
        unfinished = Unfinished(self._engine, self._tenants, self._talks.take_up)
        await asyncio.gather(self._missed.beat(), unfinished.run(), self._readers.run(lambda: self.guilds))

    async def on_ready(self) -> None:
        """Tell that Discord knows us."""
        log.info("online", name=str(self.user), guilds=len(self.guilds))
        await self._missed.catch_up()

    async def on_guild_available(self, guild: discord.Guild) -> None:
        """Tell memory who reads the channels: that may have changed while we were away."""
        await self._entered(guild)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Tell memory who reads the channels of a guild that is new."""
        await self._entered(guild)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Stop answering in a guild that the bot has left, and forget it or not."""
        self._readers.forget(guild)
        await self._stop(*(one.id for one in (*guild.channels, *guild.threads)))
        await leaving.left(self._memory, self._listening, guild, forget=self._settings.forget_left == "forget")

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Stop answering in a channel that is gone, and forget it with its threads."""
        await self._stop(channel.id)
        await leaving.channel_gone(self._memory, self._listening, channel)

    async def on_raw_thread_delete(self, event: discord.RawThreadDeleteEvent) -> None:
        """Stop answering in a thread that is gone, and forget it; one that goes with its channel is forgotten there."""
        await self._stop(event.thread_id)
        if self.get_channel(event.parent_id) is not None:
            await leaving.thread_gone(self._memory, self._listening, event)

    async def on_guild_channel_update(self, before: discord.abc.GuildChannel, after: discord.abc.GuildChannel) -> None:
        """Tell memory where others read a channel now: it holds for the next recall."""
        if everyone_reads(before) != everyone_reads(after):
            self._readers.changed(after)
            await self._readers.tell(after.guild)

    async def on_guild_role_update(self, before: discord.Role, after: discord.Role) -> None:
        """Tell memory where others read the channels, now that everyone may do more or less."""
        if after.is_default() and before.permissions != after.permissions:
            self._readers.describe(after.guild)
            await self._readers.tell(after.guild)

    async def on_message(self, message: discord.Message) -> None:
        """Answer a message that is addressed to the bot."""
        await self._hear(message)

    async def _missed_one(self, message: discord.Message) -> None:
        """Take in a message that came while nobody listened, if nobody knows it yet."""
        with suppress(LoreError):
            if (await self._engine.inbox.told(scope(message.channel, message.author.id), str(message.id))).state:
                return
        await self._hear(message, anyway=True)

    async def _hear(self, message: discord.Message, *, anyway: bool = False) -> None:
        """Take in a message that is addressed to the bot. anyway: also where too much waits already."""
        if self._ending or self.user is None or not self._admitted(message):
            return
        if not self._addressed(message):
            channels.overhear(self._listening, message, self.user)
            return
        if self._silence.kept(message.channel, message.guild.me if message.guild else self.user):
            return
        self._missed.heard(message)
        if not await self._within_limits(message):
            return
        incoming = self._talks.incoming(message, intake.words(message, self.user))
        if not self._talks.take(Asked(incoming, message), message.channel, anyway=anyway):
            with suppress(*FAILED):
                await message.reply(BUSY, mention_author=False)

    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        """Answer an edited message anew where its answer is under way; else let memory hold what it says now."""
        message = event.message
        if self.user is None or message.author.bot:
            return
        if not self._addressed(message):
            with suppress(LoreError):
                await channels.reword(self._listening, message, self.user)
            return
        if not self._admitted(message):
            return
        if message.edited_at is None:
            return  # nobody's words have changed: a link got its preview, or the message was pinned
        text = intake.words(message, self.user)
        conversation = self._talks.of(event.channel_id)
        if (
            conversation is not None
            and await self._within_limits(message)  # it may be the model's work once more
            and conversation.reword(str(event.message_id), text)
        ):
            return
        with suppress(LoreError):
            await self._talks.edited(message, text)

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        """Forget a message that is gone, and stop answering it."""
        await self._gone(event.guild_id, event.channel_id, {event.message_id})

    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        """Forget messages that are gone, and stop answering them."""
        await self._gone(event.guild_id, event.channel_id, event.message_ids)

    async def drain(self, seconds: float) -> None:
        """Take no more messages, and answer those that came, so many seconds at most."""
        self._ending = True
        await self._talks.drain(seconds)

    def _tenants(self) -> list[str]:
        """Return the tenants that this process serves; direct messages come to the first shard alone."""
        direct = [DIRECT] if not self.shard_ids or 0 in self.shard_ids else []
        return [*direct, *(tenant(guild) for guild in self.guilds)]

    def _admitted(self, message: discord.Message) -> bool:
        here = scope(message.channel, message.author.id)
        return admission.admitted(here, self._settings.allow, self._settings.deny, roles(message.author))

    async def _within_limits(self, message: discord.Message) -> bool:
        """Count a message; beyond the limits, tell whoever wrote it, once."""
        refusal = await self._limits.admit(scope(message.channel, message.author.id), time.time_ns() // 1_000_000)
        if refusal is not None and not refusal.told:
            with suppress(*FAILED):
                await message.reply(refusal.text, mention_author=False)
        return refusal is None and not self._ending

    async def _gone(self, guild_id: int | None, channel_id: int, messages: set[int]) -> None:
        ids = {str(one) for one in messages}
        conversation = self._talks.of(channel_id)
        if conversation is not None:
            await conversation.withdraw(ids)
        whose = Operator(DIRECT if guild_id is None else f"discord:{guild_id}")  # the channel may be an archived thread
        here = Scope(whose.tenant, str(channel_id), BOT, Audience.PRIVATE)
        self._listening.overheard.withdraw(here.tenant, here.conversation, ids)
        try:
            firsts = {(await self._engine.inbox.burst(here, one)).first for one in ids}
            if conversation is not None:  # answered anew without what is gone
                firsts = {one for one in firsts if one not in conversation}
            gone = Which(turns=tuple((here.conversation, one) for one in ids | firsts))
            await self._memory.forget(whose, gone, erase=False)
        except LoreError as error:
            log.warning("not forgotten", error=str(error))

    async def _stop(self, *channel_ids: int) -> None:
        """Answer nothing more in these channels."""
        for one in channel_ids:
            if (conversation := self._talks.of(one)) is not None:
                await conversation.stop(gone=True)

    def _addressed(self, message: discord.Message) -> bool:
        assert self.user is not None
        here = scope(message.channel, self.user.id)
        joins = channels.joins(self._listening, here, self._settings.discord_join)
        return intake.addressed(message, self.user, joins)

    async def _entered(self, guild: discord.Guild) -> None:
        """Know who reads a guild's channels and what is switched on there, and go on learning their past."""
        assert self.user is not None
        self._readers.describe(guild)
        await self._readers.tell(guild)
        await self._listening.channels.watch([tenant(guild)])
        try:
            await past.resume(self._listening, guild, self.user, self._settings.name)
        except LoreError as error:
            log.warning("learning not resumed", guild=guild.id, error=str(error))
