"""A gateway in front of the test's Redis, with objects and `LLM.*` of the test's own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import redis.asyncio

from bot.resp.server import Gateway
from memory.keys import Keys
from tests.fakes import ToyCommands


class Wire:
    """A bare connection: what is sent and read is what a test says."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def read(self, expected: bytes) -> None:
        """Read exactly this."""
        assert await asyncio.wait_for(self.reader.readexactly(len(expected)), 10) == expected

    async def rest(self) -> bytes:
        """Read all there is until the gateway hangs up."""
        try:
            return await asyncio.wait_for(self.reader.read(), 10)
        except ConnectionResetError:
            return b""

    async def ask(self, line: str) -> bytes:
        """Send a line, and read the first line of the reply."""
        self.send(line.encode() + b"\r\n")
        return await asyncio.wait_for(self.reader.readline(), 10)

    def close(self) -> None:
        self.writer.transport.abort()


class Door:
    """Connects to a gateway, and closes it all in the end."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.opened: list[Wire | redis.asyncio.Redis] = []

    async def wire(self) -> Wire:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", self.gateway.port))
        self.opened.append(wire)
        return wire

    def client(self, **options: object) -> "redis.asyncio.Redis":
        client = redis.asyncio.Redis(port=self.gateway.port, **{"protocol": 2, **options})  # type: ignore[arg-type]
        self.opened.append(client)
        return client

    async def close(self) -> None:
        for one in self.opened:
            if isinstance(one, Wire):
                one.close()
            else:
                await one.aclose()


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.005)


@pytest.fixture
def commands() -> ToyCommands:
    return ToyCommands()


@pytest.fixture
async def gate(
    client: "redis.asyncio.Redis", keys: Keys, commands: ToyCommands
) -> AsyncIterator[Callable[..., Awaitable[Door]]]:
    """Open gateways with options: `await gate(password=...)`; clean up the plain keys of the test."""
    doors: list[Door] = []

    async def make(**options: object) -> Door:
        gateway = Gateway(commands, client, keys.namespace, port=0, **options)  # type: ignore[arg-type]
        await gateway.start()
        doors.append(Door(gateway))
        return doors[-1]

    yield make
    for door in doors:
        await door.close()
        await door.gateway.drain(0)


@pytest.fixture
async def door(gate: Callable[..., Awaitable[Door]]) -> Door:
    return await gate()


@pytest.fixture
async def plain(client: "redis.asyncio.Redis", keys: Keys) -> AsyncIterator[str]:
    """What the test's plain keys begin with: they are not memory's, and are deleted in the end."""
    prefix = f"plain-{keys.namespace}:"
    yield prefix
    async for key in client.scan_iter(f"{prefix}*", count=1000):
        await client.delete(key)
