"""A gateway in front of the test's Redis, with objects and `LLM.*` of the test's own."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import redis.asyncio

from bot.resp.server import Gateway
from memory.keys import Keys
from tests.fakes import ToyCommands
from tests.resp.door import Door


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
