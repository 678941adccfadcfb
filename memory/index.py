"""The index of turns, a generation for each embedder and schema: made when missing, checked, waited for while it fills.

The generation in use stands behind an alias. Each has a vector field of its own in the turns' hashes, so that an old
one goes on answering while a new one is made, and is there to go back to.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import redis.asyncio
from redis import exceptions
from redis.commands.search.index_definition import IndexDefinition, IndexType

from memory.batch import command, explained
from memory.embedder import Embedder
from memory.errors import EmbedderMismatch, NewerMemory, NoQueryEngine, RedisError
from memory.keys import Keys
from memory.views import SCHEMA, DType, IndexOptions, schema
from memory.words import ENGLISH

Progress = Callable[[str, float | None], None]  # what is being done, and how much of it (0 to 1, None: unknown)

POLL = 0.1  # seconds between looks at a server that is loading or indexing


@dataclass(frozen=True, slots=True)
class Made:
    """What a generation of the index was made with."""

    embedder: str
    dim: int
    dtype: DType
    schema: int = SCHEMA
    language: str = ENGLISH

    def __str__(self) -> str:
        """Describe its vectors, and its language unless that is English."""
        language = "" if self.language == ENGLISH else f", {self.language}"
        return f"{self.embedder} ({self.dim} dimensions, {self.dtype}{language})"


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation of the index."""

    number: int
    made: Made


async def ready(
    client: "redis.asyncio.Redis", embedder: Embedder, keys: Keys, options: IndexOptions, progress: Progress | None
) -> Generation:
    """Return the generation in use once it stands and holds every turn; memory of an older schema is migrated first.

    An embedder of the known name is not asked for its size: it may be away. Raises RedisUnavailable, NoQueryEngine,
    EmbedderMismatch, NewerMemory, and for a new memory what the embedder raises.
    """
    tell = progress or silent
    try:
        await loaded(client, tell)
        await _has_engine(client)
        known = await current(client, keys)
        if known is None:
            known = await _first(client, keys, await made_by(embedder, options))
        if known.made.schema > SCHEMA:
            raise NewerMemory("memory was written by a newer Lorebot; update this one")
        if known.made.schema < SCHEMA:
            from memory import migrate  # knows this module

            known = await migrate.upgrade(client, keys, options, tell)
        made = known.made
        if (made.embedder, made.dtype, made.language) != (embedder.name, options.dtype, options.language):
            raise mismatch(made, await made_by(embedder, options))
        await ensure(client, keys, known, options)
        await filled(client, keys.generation(known.number), tell)
    except exceptions.RedisError as error:
        raise explained(error) from error
    return known


async def made_by(embedder: Embedder, options: IndexOptions) -> Made:
    """Return what a generation is made with that is made now."""
    return Made(embedder.name, await embedder.dim(), options.dtype, language=options.language)


async def made_with(client: "redis.asyncio.Redis", keys: Keys, progress: Progress | None = None) -> str | None:
    """Return the name of the embedder that the index was made with; None where there is no index yet.

    Raises RedisUnavailable.
    """
    try:
        await loaded(client, progress or silent)
        known = await current(client, keys)
    except exceptions.RedisError as error:
        raise explained(error) from error
    return None if known is None else known.made.embedder


async def drop(client: "redis.asyncio.Redis", keys: Keys) -> None:
    """Delete everything under a namespace: for memories made to be thrown away."""
    for name in await command(client, "FT._LIST"):
        if name.decode().startswith((f"{keys.index}:", keys.stores)):
            await command(client, "FT.DROPINDEX", name)
    while True:
        found = [key async for key in client.scan_iter(match=f"{keys.namespace}:*", count=1000)]
        if not found:
            return
        for start in range(0, len(found), 1000):
            await client.unlink(*found[start : start + 1000])


async def current(client: "redis.asyncio.Redis", keys: Keys) -> Generation | None:
    """Return the generation in use; the first schema kept its embedder elsewhere."""
    found = await command(client, "HGET", keys.generations, "current")
    if found is not None:
        return (await all_of(client, keys))[int(found)]
    first = await command(client, "GET", keys.first_embedder)
    if first is None:
        return None
    name, dim, dtype = first.decode().rsplit(" ", 2)
    return Generation(1, Made(name, int(dim), dtype, schema=1))


async def all_of(client: "redis.asyncio.Redis", keys: Keys) -> dict[int, Generation]:
    """Return every generation by its number."""
    found = await client.hgetall(keys.generations)
    return {
        int(number): Generation(int(number), Made(**json.loads(made)))
        for number, made in sorted(found.items())
        if number.isdigit()
    }


async def note(client: "redis.asyncio.Redis", keys: Keys, generation: Generation) -> None:
    """Write down what a generation is made with; who writes it first wins."""
    await client.hsetnx(keys.generations, str(generation.number), json.dumps(asdict(generation.made)))


async def last(client: "redis.asyncio.Redis", keys: Keys) -> int:
    """Return the highest number that a generation had when some were dropped last; 0 where none ever was."""
    return int(await command(client, "HGET", keys.generations, "last") or 0)


async def note_last(client: "redis.asyncio.Redis", keys: Keys, number: int) -> None:
    """Write down the highest number that a generation has, before some are dropped."""
    await client.hset(keys.generations, "last", str(max(number, await last(client, keys))))


async def switch(client: "redis.asyncio.Redis", keys: Keys, number: int) -> None:
    """Put another generation behind the alias: all at once."""
    pipeline = client.pipeline(transaction=True)
    pipeline.execute_command("FT.ALIASUPDATE", keys.index, keys.generation(number))
    pipeline.hset(keys.generations, "current", str(number))
    await pipeline.execute()


async def ensure(client: "redis.asyncio.Redis", keys: Keys, generation: Generation, options: IndexOptions) -> None:
    """Make a generation's index where it is missing, and put it behind the alias if it is the one in use."""
    if keys.generation(generation.number).encode() not in await command(client, "FT._LIST"):
        await _make(client, keys, generation, options)
    await _name(client, keys, generation.number)


async def _make(client: "redis.asyncio.Redis", keys: Keys, generation: Generation, options: IndexOptions) -> None:
    wanted = schema(keys, generation.number, generation.made.dim, options)
    prefixes = [keys.turns, keys.passages]
    definition = IndexDefinition(prefix=prefixes, index_type=IndexType.HASH)  # type: ignore[no-untyped-call]
    try:
        # Where a word stands in its text is never asked: without that, a turn takes a quarter of a kilobyte less.
        await client.ft(keys.generation(generation.number)).create_index(
            wanted.redis_fields, definition=definition, stopwords=[], no_term_offsets=True
        )
    except exceptions.ResponseError as error:
        if "already exists" not in str(error).lower():  # another process was faster
            raise RedisError(f"the index of turns can't be made: {error}") from error


async def _name(client: "redis.asyncio.Redis", keys: Keys, number: int) -> None:
    """Put the generation in use behind the alias, unless it is: whoever made it may not have come to that, or died."""
    name = keys.generation(number)
    async with client.pipeline(transaction=True) as pipeline:
        while True:
            await pipeline.watch(keys.generations)  # another process may be switching to another one
            used = await command(client, "HGET", keys.generations, "current")
            if used != str(number).encode() or await _behind(client, keys) == name:
                return
            pipeline.multi()  # type: ignore[no-untyped-call]
            pipeline.execute_command("FT.ALIASUPDATE", keys.index, name)
            with suppress(exceptions.WatchError):
                await pipeline.execute()
                return


async def _behind(client: "redis.asyncio.Redis", keys: Keys) -> str:
    """Return the name of the index behind the alias; empty where there is none."""
    try:
        info = await _info(client, keys.index)
    except exceptions.ResponseError:
        return ""
    name: bytes = info[b"index_name"]
    return name.decode()


async def filled(client: "redis.asyncio.Redis", name: str, tell: Progress) -> None:
    """Wait while turns that were there before the index are put into it."""
    while int((info := await _info(client, name))[b"indexing"]):
        tell("indexing memory", float(info[b"percent_indexed"]))
        await asyncio.sleep(POLL)


async def _info(client: "redis.asyncio.Redis", name: str) -> dict[bytes, Any]:
    reply = await command(client, "FT.INFO", name)
    return dict(zip(reply[::2], reply[1::2], strict=True))


async def loaded(client: "redis.asyncio.Redis", tell: Progress) -> None:
    """Wait while the server reads its data from disk: until then it would answer as if it were empty."""
    while True:
        info: dict[str, Any] = await client.info("persistence")
        if not info.get("loading"):
            return
        tell("loading memory", float(info.get("loading_loaded_perc", 0)) / 100)
        await asyncio.sleep(POLL)


def mismatch(made: Made, wanted: Made) -> EmbedderMismatch:
    """Say that the embedder is not the one that memory was indexed with."""
    return EmbedderMismatch(
        f"memory was indexed with the embedder {made}, but the configured one is {wanted}; set it back "
        "(LOREBOT_EMBEDDER, LOREBOT_EMBED_MODEL, LOREBOT_VECTOR_DTYPE, LOREBOT_LANGUAGE), or embed all of it again "
        "with `lorebot memory reembed`"
    )


def silent(what: str, done: float | None) -> None:
    """Tell nobody."""


async def _has_engine(client: "redis.asyncio.Redis") -> None:
    try:
        await command(client, "FT._LIST")
    except exceptions.ResponseError as error:
        if "unknown command" not in str(error).lower():
            raise
        raise NoQueryEngine(
            "this Redis has no query engine, so nothing could be recalled: use Redis 8 or newer, or Redis Stack, "
            "in REDIS_URL; or unset REDIS_URL to use the embedded one"
        ) from error


async def _first(client: "redis.asyncio.Redis", keys: Keys, made: Made) -> Generation:
    """Begin with the first generation; of several who begin at once, all get what the first one wrote."""
    await note(client, keys, Generation(1, made))
    await client.hsetnx(keys.generations, "current", "1")
    return (await all_of(client, keys))[1]
