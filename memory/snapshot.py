"""The snapshot in which the embedded Redis hands over a backup: one backup's at a time, and gone after it.

Redis itself never reads it nor writes it anew, so what is forgotten would stay in it.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import redis.asyncio
from redis import exceptions

from memory import folder

NAME = "dump.rdb"
POLL = 0.05  # seconds between looks whether another one is through


@asynccontextmanager
async def alone(data: Path) -> AsyncIterator[None]:
    """Have the snapshot of a data folder to oneself; whoever comes second waits. backup.lock is freed by any end."""
    while True:
        lock = folder.lock(data / "backup.lock")
        if lock is not None:
            break
        await asyncio.sleep(POLL)
    try:
        yield
    finally:
        os.close(lock)


async def scrap(client: "redis.asyncio.Redis") -> None:
    """Delete what a backup that was killed left in the data folder; those of servers of one's own are left alone."""
    data = await _embedded(client)
    if data is None or not left(data):
        return
    async with alone(data):
        for found in left(data):
            found.unlink(missing_ok=True)


def left(data: Path) -> list[Path]:
    """Return what Redis writes a snapshot to, under the names that it gives; a backup that was put here is kept."""
    return [*data.glob(NAME), *data.glob("temp-*.rdb")]


async def _embedded(client: "redis.asyncio.Redis") -> Path | None:
    """Return the data folder of the embedded server; None where the server is another one."""
    if "path" not in client.connection_pool.connection_kwargs:  # not over a Unix socket
        return None
    try:
        found = await client.config_get("dir")
    except exceptions.ResponseError:
        return None
    data = Path(os.fsdecode(next(iter(found.values())) or ""))
    return data if (data / "redis.lock").exists() else None
