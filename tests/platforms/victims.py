"""What kill -9 is tried on: `lorebot repl` at a pipe, the embedded Redis, and what a person would check afterwards."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import redis.asyncio

from memory import connect, query, turns, within
from memory.batch import Batch, command
from memory.keys import Keys
from memory.records import Status, Turn
from memory.scope import Audience, Scope
from tests.bot.model_server import DONE, USAGE, ModelServer, Say, _chunked, _head, chunk
from tests.platforms.home import Home
from tests.platforms.sigkill import kill_server

PATIENCE = 60  # seconds until a condition counts as never met
HERE = Scope("local:ada", "main", "ada", Audience.PUBLIC, narrow=True)
KEYS = Keys()


def pieces(number: int) -> tuple[str, ...]:
    return "Answer", f" {number}", "."


class Echo(ModelServer):
    """Answers 'Message 7' with 'Answer 7.' in three pieces, and holds on before one of them when it is told to.

    asked: the numbers of the messages that arrived, in order, again where they were asked again.
    """

    def __init__(self, pace: Callable[[], float] = lambda: 0.0) -> None:
        super().__init__()
        self.will(Say())
        self.asked: list[int] = []
        self.holding: int | None = None
        self.finely = False  # a piece a character
        self.pace = pace
        self._go = asyncio.Event()

    def hold(self, piece: int) -> None:
        """Wait before this piece of the next answers until `go`; the pieces before it are sent."""
        self.holding = piece
        self._go.clear()

    def go(self) -> None:
        self.holding = None
        self._go.set()

    async def _answer(self, answer: Say, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = int(re.findall(r"Message (\d+)", self.seen[-1].body["messages"][-1]["content"])[-1])
        self.asked.append(number)
        with suppress(ConnectionError):  # whoever asked was killed
            writer.write(_head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"}))
            said = pieces(number)
            for place, piece in enumerate("".join(said) if self.finely else said):
                if place == self.holding:
                    await self._go.wait()
                await asyncio.sleep(self.pace())  # a model takes its time
                writer.write(_chunked(chunk(piece)))
                await writer.drain()
            for event in (chunk(finish="stop"), USAGE, DONE):
                writer.write(_chunked(event))
            writer.write(b"0\r\n\r\n")
            await writer.drain()


class Repl:
    """`lorebot repl` at a pipe. shown: its standard output so far; told: its standard error."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.shown = self.told = ""
        self.over = False
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, home: Home, *arguments: str) -> "Repl":
        return cls(await home.start("repl", *arguments))

    @classmethod
    async def open(cls, home: Home, *arguments: str) -> "Repl":
        """Start it and wait until it listens."""
        repl = await cls.start(home, *arguments)
        await repl.until(lambda: "turns remembered" in repl.told)
        return repl

    @property
    def errors(self) -> list[str]:
        """What it told beside its greeting and whom it answers late."""
        return [line for line in self.told.splitlines() if not line.startswith(("Lorebot ", "You were not answered"))]

    @property
    def outages(self) -> list[str]:
        """Those errors that say that memory is away, and that it is back."""
        return [line for line in self.errors if line.startswith("Memory is off: ") or '"event": "memory ' in line]

    def has_answered(self, number: int) -> bool:
        """Tell whether the answer stands there whole; its line ends once it has been remembered."""
        return f"{''.join(pieces(number))}\n" in self.shown

    def type(self, number: int) -> None:
        assert self._process.stdin
        with suppress(ConnectionError):  # it was killed: `over` will tell
            self._process.stdin.write(f"Message {number}\n".encode())

    async def say(self, number: int) -> None:
        """Type a message and wait for its whole answer."""
        self.type(number)
        await self.until(lambda: self.has_answered(number))

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition on what it shows and tells; that it ends or tells of an error first is a failure."""
        await self.until_or_over(lambda: condition() or self.errors)
        assert condition(), (self._process.returncode, self.shown[-500:], self.told[-2000:])

    async def until_or_over(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: self.over or condition())

    async def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self.end()

    async def leave(self) -> None:
        """End the input, and wait until it has ended."""
        assert self._process.stdin
        self._process.stdin.close()
        await self.end()

    async def end(self) -> None:
        await asyncio.wait_for(self._reading, PATIENCE)

    async def _read(self) -> None:
        out, err = self._process.stdout, self._process.stderr
        assert out
        assert err

        async def follow(stream: asyncio.StreamReader, name: str) -> None:
            while some := await stream.read(4096):
                async with self._news:
                    setattr(self, name, getattr(self, name) + some.decode())
                    self._news.notify_all()

        await asyncio.gather(follow(out, "shown"), follow(err, "told"))
        await self._process.wait()
        async with self._news:
            self.over = True
            self._news.notify_all()


@asynccontextmanager
async def housed(model: Echo) -> AsyncIterator[Home]:
    """Give folders to a bot whose model this is; its Redis is stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="lorebot-") as folder:
        home = Home(Path(folder))
        home.settings["OPENAI_BASE_URL"] = f"{model.address}/v1"
        try:
            yield home
        finally:
            await home.server.stop()


@asynccontextmanager
async def redis_of(home: Home) -> AsyncIterator["redis.asyncio.Redis"]:
    """Connect to the home's Redis, started again where it was killed."""
    server = home.server
    client = connect.client(await server.start())
    try:
        yield client
    finally:
        await client.aclose()
        server.leave()


async def kill_redis(home: Home) -> None:
    """Kill the home's Redis with -9 where one runs, whatever it is doing, and wait until it is gone."""
    await asyncio.to_thread(kill_server, home.server.folder)


async def let_leases_run_out(home: Home) -> None:
    """Age what dead processes hold, as LEASE milliseconds would."""
    async with redis_of(home) as client:
        unfinished = KEYS.tenant(HERE.tenant).unfinished
        for event in await command(client, "ZRANGE", unfinished, 0, -1):
            await command(client, "HSET", event, "until", 0)
            await command(client, "ZADD", unfinished, 0, event)
        await client.delete(KEYS.tenant(HERE.tenant).turn_taking(HERE.conversation_tag))


async def remembered(home: Home) -> list[Turn]:
    """Return the conversation's turns, oldest first, once all of them are in the index as well."""
    async with redis_of(home) as client, asyncio.timeout(PATIENCE):
        while True:
            batch = Batch(client)
            said = turns.recent(batch, KEYS, HERE, 1_000_000)
            listed = query.latest(batch, KEYS, within.reach(HERE, frozenset()), 1)
            await batch.send()
            if listed.value.total == len(said.value):
                return list(said.value)
            await asyncio.sleep(0.01)


def whole(*numbers: int) -> list[tuple[str, Status]]:
    """Return what a conversation of these messages, all answered, looks like."""
    said = ((f"Message {number}", "".join(pieces(number))) for number in numbers)
    return [(text, Status.WHOLE) for pair in said for text in pair]
