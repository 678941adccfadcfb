"""Ways to connect to a gateway that a test has opened."""

import asyncio
from collections.abc import Callable

import redis.asyncio

from bot.resp.server import Gateway


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
