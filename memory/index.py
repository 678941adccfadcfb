"""The index of turns: made when it is missing, checked against the embedder, waited for while it fills."""

import asyncio
from collections.abc import Callable
from typing import Any

import redis.asyncio
from redis import exceptions

from memory.batch import command, explained
from memory.embedder import Embedder
from memory.errors import EmbedderMismatch, NoQueryEngine, RedisError
from memory.keys import Keys
from memory.views import IndexOptions, schema

Progress = Callable[[str, float | None], None]  # what is being done, and how much of it (0 to 1, None: unknown)

POLL = 0.1  # seconds between looks at a server that is loading or indexing


async def ready(
    client: "redis.asyncio.Redis", embedder: Embedder, keys: Keys, options: IndexOptions, progress: Progress | None
) -> int:
    """Return the vectors' size once the index stands and holds every turn.

    Raises RedisUnavailable, NoQueryEngine, EmbedderMismatch.
    """
    tell = progress or (lambda what, done: None)
    dim = await embedder.dim()
    try:
        await _loaded(client, tell)
        await _ensure(client, embedder.name, dim, keys, options)
        await _filled(client, keys, tell)
    except exceptions.RedisError as error:
        raise explained(error) from error
    return dim


async def made_with(client: "redis.asyncio.Redis", keys: Keys, progress: Progress | None = None) -> str | None:
    """Return the name of the embedder that the index was made with; None where there is no index yet.

    Raises RedisUnavailable.
    """
    try:
        await _loaded(client, progress or (lambda what, done: None))
        known = await command(client, "GET", keys.embedder)
    except exceptions.RedisError as error:
        raise explained(error) from error
    return None if known is None else known.decode().rsplit(" ", 2)[0]


async def drop(client: "redis.asyncio.Redis", keys: Keys) -> None:
    """Delete everything under a namespace: for memories made to be thrown away."""
    if await client.exists(keys.embedder):
        await command(client, "FT.DROPINDEX", keys.index)
    while True:
        found = [key async for key in client.scan_iter(match=f"{keys.namespace}:*", count=1000)]
        if not found:
            return
        for start in range(0, len(found), 1000):
            await client.unlink(*found[start : start + 1000])


async def _loaded(client: "redis.asyncio.Redis", tell: Progress) -> None:
    """Wait while the server reads its data from disk: until then it would answer as if it were empty."""
    while True:
        info: dict[str, Any] = await client.info("persistence")
        if not info.get("loading"):
            return
        tell("loading memory", float(info.get("loading_loaded_perc", 0)) / 100)
        await asyncio.sleep(POLL)


async def _ensure(client: "redis.asyncio.Redis", name: str, dim: int, keys: Keys, options: IndexOptions) -> None:
    try:
        await command(client, "FT.INFO", keys.index)
    except exceptions.ResponseError as error:
        if "unknown command" in str(error).lower():
            raise NoQueryEngine(
                "this Redis has no query engine, so nothing could be recalled: use Redis 8 or newer, or Redis Stack, "
                "in REDIS_URL; or unset REDIS_URL to use the embedded one"
            ) from error
        await _make(client, dim, keys, options)
    configured = f"{name} {dim} {options.dtype}"
    await client.set(keys.embedder, configured, nx=True)
    known = (await command(client, "GET", keys.embedder)).decode()
    if known != configured:
        raise EmbedderMismatch(
            f"memory was indexed with the embedder {_described(known)}, but the configured one is "
            f"{_described(configured)}; set it back (LOREBOT_EMBEDDER, LOREBOT_EMBED_MODEL, LOREBOT_VECTOR_DTYPE), "
            "or set LOREBOT_NAMESPACE to begin another memory"
        )


def _described(embedder: str) -> str:
    name, dim, dtype = embedder.rsplit(" ", 2)
    return f"{name} ({dim} dimensions, {dtype})"


async def _make(client: "redis.asyncio.Redis", dim: int, keys: Keys, options: IndexOptions) -> None:
    from redisvl.exceptions import RedisSearchError
    from redisvl.index import AsyncSearchIndex  # heavy, and only needed where an index is made

    index = AsyncSearchIndex(schema(keys, dim, options), redis_client=client)
    try:
        await index.create(overwrite=False)
    except RedisSearchError as error:
        if "already exists" not in str(error).lower():  # another process was faster
            raise RedisError(f"the index of turns can't be made: {error}") from error
    await command(client, "FT.ALIASUPDATE", keys.index, keys.first_index)


async def _filled(client: "redis.asyncio.Redis", keys: Keys, tell: Progress) -> None:
    """Wait while turns read from disk are indexed again."""
    while True:
        reply = await command(client, "FT.INFO", keys.index)
        info = dict(zip(reply[::2], reply[1::2], strict=True))
        if not int(info[b"indexing"]):
            return
        tell("indexing memory", float(info[b"percent_indexed"]))
        await asyncio.sleep(POLL)
