"""Tells memory who reads a guild's channels, before anything is answered there; again where memory was away."""

import asyncio
from collections.abc import Callable, Iterable
from itertools import islice
from weakref import WeakValueDictionary

import discord
import structlog

from bot.platforms.discord.audience import scope
from memory.errors import LoreError
from memory.memory import Memory

log = structlog.get_logger()

TOGETHER = 100  # channels in one round trip
PATIENCE = 2.0  # seconds that an answer waits for one; without memory nothing is recalled either
AGAIN = 2.0  # seconds between tries while memory is away


class Readers:
    """Knows what memory has not been told yet. A guild that Discord has described anew is told anew."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._known: dict[int, discord.Guild] = {}
        self._untold: dict[int, dict[int, discord.abc.GuildChannel]] = {}
        self._lines: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    def changed(self, *channels: discord.abc.GuildChannel) -> None:
        """Note that others may read these channels now."""
        for one in channels:
            self._untold.setdefault(one.guild.id, {})[one.id] = one

    def describe(self, guild: discord.Guild) -> None:
        """Note that others may read any channel of a guild now."""
        self._known[guild.id] = guild
        self.changed(*_channels(guild))

    def forget(self, guild: discord.Guild) -> None:
        """Note that the bot has left a guild."""
        self._known.pop(guild.id, None)
        self._untold.pop(guild.id, None)

    async def tell(self, guild: discord.Guild) -> bool:
        """Tell memory what it does not know of a guild; False where it is away. Open threads follow their channels."""
        async with self._lines.setdefault(guild.id, asyncio.Lock()):
            if self._known.get(guild.id) is not guild:
                self.describe(guild)
            while untold := self._untold.get(guild.id):
                some = dict(islice(untold.items(), TOGETHER))
                self._untold[guild.id] = {one: channel for one, channel in untold.items() if one not in some}
                if not await self._tell(some.values()):
                    self._untold[guild.id] = some | self._untold.get(guild.id, {})
                    return False
            self._untold.pop(guild.id, None)
            return True

    async def run(self, guilds: Callable[[], Iterable[discord.Guild]]) -> None:
        """Tell what could not be told before, until cancelled."""
        while True:
            for guild in guilds():
                if self._untold.get(guild.id) and not await self.tell(guild):
                    break
            await asyncio.sleep(AGAIN)

    async def _tell(self, some: Iterable[discord.abc.GuildChannel]) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._memory.moved(*(scope(one, one.guild.me.id) for one in some))
        except (LoreError, TimeoutError) as error:
            log.warning("audiences not told yet", error=type(error).__name__)
            return False
        return True


def _channels(guild: discord.Guild) -> list[discord.abc.GuildChannel]:
    return [*guild.text_channels, *guild.voice_channels, *guild.stage_channels, *guild.forums]
