"""One connection to Redis that many share, for what must be quick: no pool, no retries, replies as they come.

redis-py's pipeline takes about as long as the search that it carries. What the line cannot do while it is down,
redis-py does.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import hiredis
import redis.asyncio
import structlog
from redis import exceptions

from bot.resp import address
from memory import tasks
from memory.batch import Answer, Argument, Batch
from memory.errors import LoreError, RedisUnavailable

T = TypeVar("T")

log = structlog.get_logger()

LONGEST = 30.0  # seconds that Redis may owe a reply; then the line is taken for dead
NAME = "lorebot-line"
PAUSE = 1.0  # seconds between attempts to connect


class Line:
    """The connection: it makes itself again whenever it is gone."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        """Nothing is connected yet. client: tells where Redis is, and does what the line cannot."""
        self._client = client
        self._wire: _Wire | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Keep connected from now on, until `close`."""
        self._keeping = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Let go."""
        if self._keeping is not None:
            await tasks.ended(self._keeping)
        if self._wire is not None:
            self._wire.abort()

    def batch(self) -> Batch:
        """Return an empty batch, whose commands travel on the line if it is up."""
        wire = self._wire
        return _LineBatch(wire) if wire is not None and wire.up else Batch(self._client)

    async def _keep(self) -> None:
        while True:
            try:
                if self._wire is None or not self._wire.up:
                    self._wire = await self._connected()
                self._wire.check()
            except (LoreError, exceptions.RedisError) as error:  # redis-py will say what is wrong to whoever asks
                log.info("line not connected", error=type(error).__name__)
            await asyncio.sleep(PAUSE)

    async def _connected(self) -> "_Wire":
        wire = await address.connect(self._client, _Wire())
        facts = self._client.connection_pool.connection_kwargs
        if password := facts.get("password"):
            user = facts.get("username")
            await wire.ask([("AUTH", *([user] if user else []), password)])
        if database := facts.get("db"):
            await wire.ask([("SELECT", database)])
        await wire.ask([("CLIENT", "SETNAME", NAME)])
        return wire


class _LineBatch(Batch):
    """A batch whose commands travel on a line."""

    def __init__(self, wire: "_Wire") -> None:
        self._wire = wire
        self._commands: list[tuple[Argument, ...]] = []
        self._answers = []

    def ask(self, *command: Argument, read: Callable[[Any], T]) -> Answer[T]:
        """Add a command."""
        answer = Answer(read)
        self._commands.append(command)
        self._answers.append(answer)
        return answer

    async def send(self) -> None:
        """Send everything asked so far. Raises RedisUnavailable where the line goes down meanwhile."""
        replies = await self._wire.ask(self._commands)
        for answer, reply in zip(self._answers, replies, strict=True):
            answer.take(reply)


class _Wire(asyncio.Protocol):
    """Bytes to Redis, replies from it, in one order."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader(replyError=exceptions.ResponseError)
        self._transport: asyncio.Transport | None = None
        self._owed: deque[tuple[asyncio.Future[list[Any]], int, float]] = deque()
        self._come: list[Any] = []  # of the first that is owed

    @property
    def up(self) -> bool:
        """Whether it is connected."""
        return self._transport is not None and not self._transport.is_closing()

    def ask(self, commands: "list[tuple[Argument, ...]]") -> "asyncio.Future[list[Any]]":
        """Send commands; the future brings a reply each, errors among them."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Any]] = loop.create_future()
        if self._transport is None:
            future.set_exception(_lost())
            return future
        self._owed.append((future, len(commands), loop.time()))
        packed = [hiredis.pack_command(command) for command in commands]  # type: ignore[arg-type]  # of any length
        self._transport.write(b"".join(packed))
        return future

    def check(self) -> None:
        """Hang up where Redis has owed a reply for too long."""
        if self._owed and self._owed[0][2] + LONGEST < asyncio.get_running_loop().time():
            self.abort()

    def abort(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand out replies."""
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            self._come.append(reply)
            if len(self._come) == self._owed[0][1]:
                future, _, _ = self._owed.popleft()
                come, self._come = self._come, []
                if not future.done():  # nobody waits any more
                    future.set_result(come)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell all who wait."""
        self._transport = None
        while self._owed:
            future, _, _ = self._owed.popleft()
            if not future.done():
                future.set_exception(_lost())


def _lost() -> RedisUnavailable:
    return RedisUnavailable("the connection to Redis was lost; try again")
