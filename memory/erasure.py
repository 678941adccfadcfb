"""Forgotten text off the disk: Redis appends every write to a file, so what is deleted stands there until a rewrite."""

import asyncio
from typing import Any

import redis.asyncio
from redis import exceptions

from memory import snapshot
from memory.batch import ALSO_WHEN_FULL, Batch, command
from memory.keys import Keys

POLL = 0.02  # seconds between looks at a rewrite


_MARK = ALSO_WHEN_FULL + "return redis.call('INCR', KEYS[1])"

# Something may have been forgotten since the rewrite began: that awaits another one.
_CLEAN = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


def mark(batch: Batch, keys: Keys) -> None:
    """Note that the files hold something that has been forgotten."""
    batch.ask("EVAL", _MARK, 1, keys.unclean, read=int)


async def erase(client: "redis.asyncio.Redis", keys: Keys) -> str:
    """Have Redis write its files anew if they hold what has been forgotten, and wait until it has.

    Returns why it could not; empty where all is well.
    """
    marked = await command(client, "GET", keys.unclean)
    if marked is None:
        return ""
    trouble = await _rewritten(client)
    if not trouble:
        await snapshot.scrap(client)
        await command(client, "EVAL", _CLEAN, 1, keys.unclean, marked)
    return trouble


async def _rewritten(client: "redis.asyncio.Redis") -> str:
    try:
        if (await _persistence(client))["aof_enabled"]:
            await afresh(client, "BGREWRITEAOF", "aof_rewrite_in_progress", "aof_rewrite_scheduled")
            if (await _persistence(client))["aof_last_bgrewrite_status"] != "ok":
                return "Redis could not rewrite its append-only file; see its log, then have it run BGREWRITEAOF"
        if await _keeps_snapshots(client):
            await afresh(client, "BGSAVE", "rdb_bgsave_in_progress")
            if (await _persistence(client))["rdb_last_bgsave_status"] != "ok":
                return "Redis could not write its snapshot anew; see its log, then have it run BGSAVE"
    except exceptions.ResponseError as error:
        return f"Redis does not let its files be rewritten ({error}); have its operator run BGREWRITEAOF and BGSAVE"
    return ""


async def afresh(client: "redis.asyncio.Redis", order: str, *signs: str) -> None:
    """Give the order and wait until it has been carried out; one under way began too early, so it does not count."""
    while True:
        try:
            await command(client, order)
        except exceptions.ResponseError as error:
            if "in progress" not in str(error).lower() and "right now" not in str(error).lower():
                raise
        else:
            break
        await over(client, "aof_rewrite_in_progress", "rdb_bgsave_in_progress")
    await over(client, *signs)


async def over(client: "redis.asyncio.Redis", *signs: str) -> None:
    """Wait until the server shows none of these signs that something is under way."""
    while True:
        found = await _persistence(client)
        if not any(found.get(sign) for sign in signs):
            return
        await asyncio.sleep(POLL)


async def _keeps_snapshots(client: "redis.asyncio.Redis") -> bool:
    """Tell whether Redis writes snapshots by itself; who may not ask (a managed one) has it write one to be sure."""
    try:
        found = await client.config_get("save")
    except exceptions.ResponseError:
        return True
    return bool(next(iter(found.values()), b""))


async def _persistence(client: "redis.asyncio.Redis") -> dict[str, Any]:
    found: dict[str, Any] = await client.info("persistence")
    return found
