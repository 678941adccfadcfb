"""What was said while the bot was away: told by nobody, so it is looked for where something is new."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime

import discord
import structlog

from bot.latest import Latest
from bot.notes import Notes
from bot.platforms.discord.outlet import FAILED

log = structlog.get_logger()

BEAT = 5.0  # seconds between notes that we are here
OVERLAP = 60.0  # seconds before the last note are looked at too: what came then may not have been heard
LONGEST = 3600.0  # seconds; what was asked longer ago is not answered any more
MOST_CHANNELS, MOST_MESSAGES, MOST_DIRECT = 200, 500, 100
MOST_HEARD = 5000  # messages; more than can be answered in OVERLAP
NOTE = "discord-here"

Hears = Callable[[discord.Message], Awaitable[object]]


class Missed:
    """Knows until when we were here, and brings what came after. hears: takes in a message as if it came now."""

    def __init__(self, client: discord.AutoShardedClient, notes: Notes, hears: Hears) -> None:
        self._client = client
        self._notes = notes
        self._hears = hears
        self._direct: Latest[int, None] = Latest(MOST_DIRECT)
        self._heard: Latest[int, None] = Latest(MOST_HEARD)
        self._since: float | None = None
        self._caught_up = False

    def heard(self, message: discord.Message) -> None:
        """Note a message that is heard, and where people write directly: Discord does not tell after a restart."""
        self._heard[message.id] = None
        if isinstance(message.channel, discord.DMChannel):
            self._direct[message.channel.id] = None

    async def recall(self) -> None:
        """Learn until when an earlier process was here."""
        note = json.loads(await self._notes.read(NOTE, self._name) or "{}")
        self._since = note.get("at")
        for channel in note.get("direct", ()):
            self._direct[channel] = None

    async def beat(self) -> None:
        """Note again and again that we are here, until cancelled."""
        while True:
            if self._client.is_ready() and not any(shard.is_closed() for shard in self._client.shards.values()):
                if self._caught_up or self._since is None:  # else our next life has to look back where we did not
                    self._since = time.time()
                note = {"at": self._since, "direct": list(self._direct)}
                await self._notes.write(NOTE, self._name, json.dumps(note))
            await asyncio.sleep(BEAT)

    async def catch_up(self) -> None:
        """Hear what was said since we were here last; what has been answered is known by its id."""
        self._caught_up = False
        if self._since is not None:
            await self._look_back(self._since)
        self._caught_up = True

    async def _look_back(self, until: float) -> None:
        since = max(until - OVERLAP, time.time() - LONGEST)
        after = discord.Object(discord.utils.time_snowflake(datetime.fromtimestamp(since, UTC)))
        found = 0
        async for channel in self._where(after.id):
            try:
                async for message in channel.history(after=after, limit=MOST_MESSAGES, oldest_first=True):
                    if message.id not in self._heard:  # the ledger may not tell: memory may be away
                        found += 1
                        await self._hears(message)
            except FAILED as error:
                log.warning("not looked back", channel=channel.id, error=type(error).__name__)
        log.info("caught up", messages=found, seconds=round(time.time() - since))

    async def _where(self, after: int) -> AsyncIterator["discord.abc.MessageableChannel"]:
        """Yield the channels where something is new, and those where people write directly."""
        places = [one for guild in self._client.guilds for one in _places(guild)]
        new = [one for one in places if (one.last_message_id or 0) > after]
        for place in sorted(new, key=lambda one: -(one.last_message_id or 0))[:MOST_CHANNELS]:
            me = place.guild.me
            allowed = place.permissions_for(me)
            if allowed.view_channel and allowed.read_message_history:
                yield place
        for one in list(self._direct):
            try:
                channel = self._client.get_channel(one) or await self._client.fetch_channel(one)
            except FAILED:
                continue
            if isinstance(channel, discord.DMChannel):
                yield channel

    @property
    def _name(self) -> str:
        return f"{self._client.application_id}:{self._client.shard_ids or 'all'}"


_Place = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread


def _places(guild: discord.Guild) -> Iterable[_Place]:
    return (*guild.text_channels, *guild.voice_channels, *guild.stage_channels, *guild.threads)
