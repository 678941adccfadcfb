"""Memory brought into another shape: another embedder's vectors, or the fields of a newer schema.

Both make a new generation of the index beside the one in use, which answers until the new one is complete. Both go on
where they were interrupted.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import redis.asyncio
from redis import exceptions

from memory import index, tasks, turns, views
from memory.backfill import backfill
from memory.batch import Batch, command, explained
from memory.embedder import Embedder
from memory.index import Generation, Made, Progress
from memory.keys import Keys, digest_of
from memory.records import Turn, answer_id
from memory.views import SCHEMA, IndexOptions, Whose, vector_field

LEASE = 30_000  # milliseconds; renewed three times in it
PAGE = 200  # turns rewritten in one round trip


@dataclass(frozen=True, slots=True)
class Moved:
    """What a change of embedder did. before, now: the embedders; embedded: how many turns."""

    before: str
    now: str
    embedded: int


async def reembed(
    client: "redis.asyncio.Redis",
    embedder: Embedder,
    keys: Keys,
    options: IndexOptions,
    progress: Progress | None = None,
) -> Moved:
    """Embed all of memory with another embedder, into an index of its own, and switch to that once it is complete.

    The old index answers until then, and stays: with its embedder configured again, this goes back to it, and embeds
    only what has been said since. Raises RedisError, and what the embedder raises.
    """
    tell = progress or index.silent
    wanted = await index.made_by(embedder, options)
    try:
        await index.loaded(client, tell)
        async with _alone(client, keys, tell):
            before = await index.current(client, keys)
            generation = await _generation(client, keys, wanted)
            if before is not None and before.made.language != wanted.language:
                await _rewrite(client, keys, wanted.language, None, tell)
            await index.ensure(client, keys, generation, options)
            await index.filled(client, keys.generation(generation.number), tell)
            embedded = await backfill(client, keys, generation, embedder, tell)
            await index.switch(client, keys, generation.number)
    except exceptions.RedisError as error:
        raise explained(error) from error
    return Moved(str(before.made) if before else "nothing", str(wanted), embedded)


# Whoever asks for this generation again shall find that the turn has no vector of it.
_STRIP = """
local embedded = redis.call('HGET', KEYS[1], 'embedded')
redis.call('HDEL', KEYS[1], ARGV[2])
if not embedded then return 0 end
local kept = {}
for one in string.gmatch(embedded, '[^,]+') do if one ~= ARGV[1] then kept[#kept + 1] = one end end
if #kept == 0 then redis.call('HDEL', KEYS[1], 'embedded')
else redis.call('HSET', KEYS[1], 'embedded', table.concat(kept, ',')) end
return 1
"""


async def drop_others(client: "redis.asyncio.Redis", keys: Keys, progress: Progress | None = None) -> int:
    """Delete the indexes and vectors that are not in use, which frees their memory; return how many there were.

    Their numbers are not given again: a bot that still runs with one of them goes on writing its vectors.
    """
    tell = progress or index.silent
    try:
        async with _alone(client, keys, tell):
            known = await index.all_of(client, keys)
            used = await index.current(client, keys)
            others = [number for number in known if used is not None and number != used.number]
            await index.note_last(client, keys, max(known, default=0))
            for number in others:
                if keys.generation(number).encode() in await command(client, "FT._LIST"):
                    await command(client, "FT.DROPINDEX", keys.generation(number))
                for prefix in (keys.turns, keys.passages):
                    async for page in _pages(client, prefix):
                        batch = Batch(client)
                        for key in page:
                            batch.ask("EVAL", _STRIP, 1, key, number, vector_field(number), read=int)
                        await batch.send()
                        tell("deleting old vectors", None)
                await client.hdel(keys.generations, str(number))
    except exceptions.RedisError as error:
        raise explained(error) from error
    return len(others)


async def upgrade(
    client: "redis.asyncio.Redis", keys: Keys, options: IndexOptions, progress: Progress | None = None
) -> Generation:
    """Rewrite memory of an older schema, index it anew, and drop the old index."""
    tell = progress or index.silent
    async with _alone(client, keys, tell):
        old = await index.current(client, keys)
        assert old is not None
        if old.made.schema == SCHEMA:  # another process has been here meanwhile
            return old
        new = await _generation(client, keys, replace(old.made, schema=SCHEMA), after=old.number)
        if old.made.schema == 1:
            await _from_1_to_2(client, keys, new, tell)
        await _rewrite(client, keys, new.made.language, (old, new), tell)
        await index.ensure(client, keys, new, options)
        await index.filled(client, keys.generation(new.number), tell)
        await index.switch(client, keys, new.number)
        if keys.generation(old.number).encode() in await command(client, "FT._LIST"):
            await command(client, "FT.DROPINDEX", keys.generation(old.number))
        await client.delete(keys.first_embedder)
        return new


async def _generation(client: "redis.asyncio.Redis", keys: Keys, wanted: Made, after: int = 0) -> Generation:
    """Return the generation made so, perhaps begun earlier, or a new one; its number comes after that one."""
    known = await index.all_of(client, keys)
    for generation in known.values():
        if generation.made == wanted:
            return generation
    new = Generation(max([after, await index.last(client, keys), *known]) + 1, wanted)
    await index.note(client, keys, new)
    return new


# Schema 1 had one vector field, no tag for the tenant, none for whom an answer is for, and no records of conversations.
# A turn's reach names its conversation, the parent that its thread is open to, and the public tag, in this order. The
# public tag is not known here, since the tenant's name is not: a last tag that is no conversation's is taken for it.
_FROM_1 = """
local turn = redis.call('HMGET', KEYS[1], 'vector', 'asker_tag', 'conversation_tag', 'reach', 'author', 'role')
if not turn[3] then return 0 end
local fields = {'tenant_tag', ARGV[1]}
if turn[1] then
  for _, one in ipairs({'embedded', ARGV[2], ARGV[3], turn[1]}) do fields[#fields + 1] = one end
end
if turn[6] == 'assistant' and turn[2] then fields[#fields + 1] = 'person_tag'; fields[#fields + 1] = turn[2] end
if ARGV[6] ~= '' then fields[#fields + 1] = 'to'; fields[#fields + 1] = ARGV[6] end
redis.call('HSET', KEYS[1], unpack(fields))
redis.call('HDEL', KEYS[1], 'vector', 'asker_tag')
local record = ARGV[4] .. turn[3]
if redis.call('EXISTS', record) == 0 then
  redis.call('HSET', record, 'reach', turn[4], 'audience', '', 'parent', '', 'open', 0)
  local tags = {}
  for one in string.gmatch(turn[4], '[^,]+') do tags[#tags + 1] = one end
  local parent = tags[2]
  if parent and (tags[3] or redis.call('EXISTS', ARGV[8] .. parent) == 1) then
    redis.call('SADD', ARGV[7] .. parent, turn[3])
  end
end
if turn[6] == 'user' and turn[2] then redis.call('HINCRBY', ARGV[5] .. turn[3], turn[5], 1) end
return 1
"""


# What a turn is found by, written anew. Schema 2 had one passage a turn and did not know which turns ask; its vectors
# move to the new generation's field where the turn is still one passage: they were made of the text alone, which serves
# nearly as well, and embedding all of memory again may cost money. Passages of long turns are embedded by `upkeep`.
_REWRITE = (
    turns.BEFORE
    + turns.PASSAGES
    + """
local key, timeline = KEYS[1], KEYS[2]
local turns, passages, digest, old, new, number, text, count = unpack(ARGV, 1, 8)
local turn = redis.call('HMGET', key, 'text', 'place', 'reach', 'before', old, new)
if not turn[1] or redis.sha1hex(turn[1]) ~= text then return 0 end
scrap(turns, passages, digest)
redis.call('HDEL', key, 'asks', 'passages')
redis.call('HSET', key, unpack(ARGV, 9, 8 + count))
if old ~= '' then
  local vector = turn[5] or turn[6]
  redis.call('HDEL', key, 'embedded', old, new)
  if vector and redis.call('HEXISTS', key, 'passages') == 0 then
    redis.call('HSET', key, 'embedded', number, new, vector)
  end
end
store(passages, digest, turn[3], turn[4] or '', ARGV, 9 + count)
local rank = redis.call('ZRANK', timeline, turn[2])
if not rank then return 1 end
local last = rank > 0 and redis.call('ZRANGE', timeline, rank - 1, rank - 1)[1]
local following = redis.call('ZRANGE', timeline, rank + 1, rank + 1)[1]
follow(turns, passages, turn[2], last)
if following then follow(turns, passages, following, turn[2]) end
return 1
"""
)


Moving = tuple[Generation, Generation]  # from and to which generation vectors are moved


async def _rewrite(
    client: "redis.asyncio.Redis", keys: Keys, language: str, moving: Moving | None, tell: Progress
) -> None:
    """Write anew what every turn is found by: its passages, their words, and what it holds of the turn before it."""
    done = 0
    async for page in _pages(client, keys.turns):
        batch = Batch(client)
        rows = [batch.ask("HMGET", key, "conversation_tag", "person_tag", *turns.FIELDS, read=tuple) for key in page]
        await batch.send()
        for key, row in zip(page, rows, strict=True):
            room, person, *fields = row.value
            if room is not None and fields[0] is not None:
                whose = Whose(room.decode(), person.decode())
                _rewrite_one(batch, keys, key, whose, turns.parse(fields), language, moving)
        await batch.send()
        done += len(page)
        tell(f"rewriting memory, {done:,} turns", None)


def _rewrite_one(
    batch: Batch, keys: Keys, key: bytes, whose: Whose, turn: Turn, language: str, moving: Moving | None
) -> None:
    mine = keys.tenant_of(key.decode())
    indexed: list[turns.Indexed] = [(passage, None) for passage in views.passages(turn, language)]
    vectors: tuple[str | int, ...] = ("", "", "")
    if moving is not None:
        old, new = moving
        vectors = (vector_field(old.number), vector_field(new.number), new.number)
    batch.ask(
        *("EVAL", _REWRITE, 2, key, mine.timeline(whose.room), mine.turns, mine.passages, digest_of(key), *vectors),
        hashlib.sha1(turn.text.encode()).hexdigest(),
        *turns.counted(turns.found_by(whose, turn, indexed)),
        *turns.further(whose, turn, indexed),
        read=int,
    )


async def _from_1_to_2(client: "redis.asyncio.Redis", keys: Keys, new: Generation, tell: Progress) -> None:
    asked, total = await _asked(client, keys)
    done = 0
    async for page in _pages(client, keys.turns):
        batch = Batch(client)
        for key, (conversation, turn_id, _) in (await _named(client, page)).items():
            mine = keys.tenant_of(key.decode())
            batch.ask(
                *("EVAL", _FROM_1, 1, key, mine.digest, new.number, vector_field(new.number)),
                *(mine.of("conversation"), mine.of("spoken"), asked.get((mine.digest, conversation, turn_id), "")),
                *(mine.of("threads"), mine.of("timeline")),
                read=int,
            )
        await batch.send()
        done += len(page)
        tell("migrating memory", done / total)


async def _asked(client: "redis.asyncio.Redis", keys: Keys) -> tuple[dict[tuple[str, str, str], str], int]:
    """Return who asked, by the tenant, conversation and id that the answer would have; and how many turns there are."""
    asked: dict[tuple[str, str, str], str] = {}
    total = 0
    async for page in _pages(client, keys.turns):
        total += len(page)
        for key, (conversation, turn_id, person) in (await _named(client, page)).items():
            asked[keys.tenant_of(key.decode()).digest, conversation, answer_id(turn_id)] = person
    return asked, total


async def _named(client: "redis.asyncio.Redis", page: Sequence[bytes]) -> dict[bytes, tuple[str, str, str]]:
    """Return conversation, id and person of each turn that is still there."""
    batch = Batch(client)
    rows = [batch.ask("HMGET", key, "conversation", "id", "person", read=tuple) for key in page]
    await batch.send()
    found = ((key, [value.decode() for value in row.value if value]) for key, row in zip(page, rows, strict=True))
    return {key: (row[0], row[1], row[2]) for key, row in found if len(row) == 3}


async def _pages(client: "redis.asyncio.Redis", prefix: str) -> AsyncIterator[list[bytes]]:
    """Yield the keys of all turns, or of all further passages, some at a time."""
    page: list[bytes] = []
    async for key in client.scan_iter(match=f"{prefix}*", count=1000):
        page.append(key)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


@asynccontextmanager
async def _alone(client: "redis.asyncio.Redis", keys: Keys, tell: Progress) -> AsyncIterator[None]:
    """Be the only one who changes memory's shape; whoever comes second waits."""
    mark = secrets.token_hex(8)
    while not await client.set(keys.migrating, mark, nx=True, px=LEASE):
        tell("waiting for another process that migrates memory", None)
        await asyncio.sleep(index.POLL)
    renewing = asyncio.create_task(_renew(client, keys))
    try:
        yield
    finally:
        await tasks.ended(renewing)
        await client.delete(keys.migrating)


async def _renew(client: "redis.asyncio.Redis", keys: Keys) -> None:
    while True:
        await asyncio.sleep(LEASE / 3000)
        await client.pexpire(keys.migrating, LEASE)
