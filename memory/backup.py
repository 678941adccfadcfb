"""Backups of the embedded Redis: all it holds in one file, taken while it runs; an empty data folder begins with it."""

import asyncio
import os
import shutil
from contextlib import suppress
from pathlib import Path

import redis.asyncio

from memory import erasure, folder, snapshot
from memory.batch import explaining
from memory.errors import RedisError

SAVING = "rdb_bgsave_in_progress"

# A server that keeps an append-only file ignores a dump.rdb, so the snapshot becomes the first part of that file.
BASE = "appendonly.aof.1.base.rdb"
MANIFEST = f"file {BASE} seq 1 type b\n"


async def save(client: "redis.asyncio.Redis", data: Path, file: Path) -> None:
    """Write all that the server of a data folder holds at this moment to a file; whoever uses it goes on meanwhile.

    The file appears whole or not at all, for its owner alone. Raises RedisError where Redis cannot write, OSError
    where the file cannot be written.
    """
    async with snapshot.alone(data):
        try:
            await explaining(erasure.afresh(client, "BGSAVE", SAVING))
            if (await explaining(client.info("persistence")))["rdb_last_bgsave_status"] != "ok":
                raise RedisError(f"Redis could not write the backup; {data / 'redis.log'} says why")
            await asyncio.to_thread(_copy, data / snapshot.NAME, file)
        except asyncio.CancelledError:
            with suppress(RedisError):  # Redis goes on writing it
                await explaining(erasure.over(client, SAVING))
            raise
        finally:
            (data / snapshot.NAME).unlink(missing_ok=True)  # nobody would erase from it what is forgotten later


def restore(file: Path, data: Path) -> None:
    """Let a data folder that has no memory yet begin with what a file holds; its server is started afterwards.

    Raises RedisError for another kind of file or where there is memory already, OSError where it cannot be written.
    """
    with file.open("rb") as opened:
        if opened.read(5) != b"REDIS":
            raise RedisError(f"{file} is no backup of Redis")
    folder.make_private(data)
    draft, place = data / "appendonlydir.part", data / "appendonlydir"
    if place.exists():
        raise RedisError(f"{data} has a memory already; stop its server and move it away, or choose another folder")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    _copy(file, draft / BASE)
    (draft / "appendonly.aof.manifest").write_text(MANIFEST)
    draft.rename(place)  # fails where a server has begun a memory meanwhile


def _copy(file: Path, to: Path) -> None:
    """Copy a file, whole or not at all: it is on the disk before it has its name."""
    draft = to.with_name(f".{to.name}.part")
    try:
        with (
            file.open("rb") as source,
            open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as copy,
        ):
            shutil.copyfileobj(source, copy)
            copy.flush()
            os.fsync(copy.fileno())
        draft.replace(to)
    finally:
        draft.unlink(missing_ok=True)
