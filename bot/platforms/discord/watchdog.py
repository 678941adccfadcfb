"""Reconnects a shard whose heartbeats are answered no more; where that does not help, the process ends."""

import asyncio
import time

import structlog

from bot.errors import PlatformLost
from bot.platforms.discord.shards import Sharded

log = structlog.get_logger()

GRACE = 15.0  # seconds in which a shard that was cut must be back
ANOTHER = 5.0  # seconds more for each other one: Discord takes one new session in 5 s
EVERY = 1.0  # seconds between looks


class Watchdog:
    """Looks after the shards of a client."""

    def __init__(self, client: Sharded, *, grace: float = GRACE, every: float = EVERY) -> None:
        self._client = client
        self._grace = grace
        self._every = every
        self._cut: dict[int, float] = {}  # by shard, when

    async def watch(self) -> None:
        """Look after the shards for ever. Raises PlatformLost where one stays silent though it was reconnected."""
        while True:
            await asyncio.sleep(self._every)
            self.look()

    def look(self) -> None:
        """Cut what has fallen silent, once. Raises PlatformLost where that did not help."""
        now = time.perf_counter()
        client = self._client
        ages = {shard: client.silence(shard) for shard in client.shards}
        silent = {shard: age for shard, age in ages.items() if age > client.stale_after}
        self._cut = {shard: at for shard, at in self._cut.items() if shard in silent}
        for shard, age in silent.items():
            if shard not in self._cut:
                log.warning("shard silent, reconnecting", shard=shard, seconds=round(age))
                self._cut[shard] = now
                client.cut(shard)
        patience = self._grace + ANOTHER * (len(silent) - 1)
        if client.launched and any(now - at > patience for at in self._cut.values()):
            shards = ", ".join(map(str, sorted(silent)))
            raise PlatformLost(f"Discord is not heard on shard {shards}, though it was reconnected; start again")
