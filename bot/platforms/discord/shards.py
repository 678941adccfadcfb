"""A client that knows which of its shards hear Discord."""

import math
import sys
import time
from typing import Any

import aiohttp
import discord
import discord.gateway
import yarl

from bot.metrics import Metrics, Socket
from bot.platforms.discord.throttle import ALLOWED, throttling

STALE = 60.0  # seconds without an ACK; Discord has us send a heartbeat every 41.25 s
LAUNCH = 60.0  # seconds in which a shard must have been connected, or is tried anew


class Sharded(discord.AutoShardedClient):
    """discord.py's client, whose shards tell when they last heard Discord.

    discord.py takes any frame for life. Here a shard hears while its session stands (READY or RESUMED has come on this
    socket) and heartbeats are acknowledged: one that was never told of its session is online and deaf.
    """

    def __init__(self, *, intents: discord.Intents, metrics: Metrics, rate: int = ALLOWED, **options: Any) -> None:
        """Take discord.py's options; 429s of all requests are counted. rate: requests a second, at most."""
        trace = throttling(rate)
        _count_limits(trace, metrics)
        super().__init__(intents=intents, http_trace=trace, shard_connect_timeout=LAUNCH, **options)
        self.stale_after = STALE
        self._standing: set[int] = set()  # shards whose session stands
        self._known: set[int] = set()  # shards that have had a session
        self._heard: dict[int, float] = {}  # by shard: when it last heard Discord, of time.perf_counter
        self._launching: set[int] = set()

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Pass an event on; note those that tell whether a shard's session stands."""
        if event in ("shard_connect", "shard_resumed"):
            self._standing.add(args[0])
            self._known.add(args[0])
            self._heard[args[0]] = time.perf_counter()
        elif event == "shard_disconnect":
            self._standing.discard(args[0])
        super().dispatch(event, *args, **kwargs)

    async def launch_shard(self, gateway: yarl.URL, shard_id: int, *, initial: bool = False) -> None:
        """Connect a shard that is not yet; raises GatewayNotFound where that fails.

        discord.py itself would try again every 5 s for ever, one call deeper each time.
        """
        if self.get_shard(shard_id) is not None:
            return
        if shard_id in self._launching:
            raise discord.GatewayNotFound from sys.exception()
        self._launching.add(shard_id)
        try:
            await super().launch_shard(gateway, shard_id, initial=initial)
            self._heard.setdefault(shard_id, time.perf_counter())  # from now on its session may be waited for
        finally:
            self._launching.discard(shard_id)

    @property
    def launched(self) -> bool:
        """Whether all shards of this process have been connected once."""
        return self.shard_count is not None and len(self.shards) == len(self._wanted)

    def sockets(self) -> list[Socket]:
        """Return the shards of this process as they are now."""
        return [Socket(str(shard), not self._trouble(shard), self.silence(shard)) for shard in self._wanted]

    def silence(self, shard: int) -> float:
        """Return the seconds since a shard last heard Discord; infinite where it was never connected."""
        acked = _acked(self._get_websocket(shard_id=shard)) if shard in self._standing else None
        if acked is not None:
            self._heard[shard] = max(acked, self._heard[shard])
        return time.perf_counter() - self._heard.get(shard, -math.inf)

    def cut(self, shard: int) -> None:
        """Cut a shard's connection, so that discord.py makes another and resumes there.

        Closing it in good order would wait 30 s for a peer that is silent.
        """
        connection = self._get_websocket(shard_id=shard).socket._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()

    async def trouble(self) -> str:
        """Return which shards do not hear Discord; empty where all do."""
        if self.shard_count is None:
            return "not connected yet"
        return "; ".join(filter(None, map(self._trouble, self._wanted)))

    def _trouble(self, shard: int) -> str:
        if shard not in self._known:
            return f"shard {shard} has not connected yet"
        age = self.silence(shard)
        return f"shard {shard} has been silent for {age:.0f} s" if age > self.stale_after else ""

    @property
    def _wanted(self) -> list[int]:
        return list(self.shard_ids or range(self.shard_count or 0))


def _acked(socket: discord.gateway.DiscordWebSocket) -> float | None:
    """Return when a socket's heartbeat was last acknowledged; None where none was yet."""
    beats = socket._keep_alive
    return None if beats is None or math.isinf(beats.latency) else beats._last_ack


def _count_limits(trace: aiohttp.TraceConfig, metrics: Metrics) -> None:
    async def ended(session: aiohttp.ClientSession, context: Any, params: aiohttp.TraceRequestEndParams) -> None:
        if params.response.status == 429:
            metrics.limited("discord")

    trace.on_request_end.append(ended)
