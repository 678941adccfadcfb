"""Turns that lack a vector get one: what was said while the embedder was away, and all of them for a new embedder."""

from collections.abc import Sequence

import redis.asyncio

from memory.batch import Batch, command
from memory.embedder import Embedder, Vector
from memory.errors import LoreError, VectorError
from memory.index import Generation, Progress
from memory.keys import Keys
from memory.query import PATIENCE, parameters, values
from memory.views import packed, vector_field

TOGETHER = 64  # turns embedded in one call

# The text is compared, as somebody may edit the turn meanwhile. A turn whose text no vector can stand for is marked as
# done too: it would come again for ever.
_EMBEDDED = """
if redis.call('HGET', KEYS[1], 'text') ~= ARGV[1] then return 0 end
local known = redis.call('HGET', KEYS[1], 'embedded')
local now = known and known ~= '' and known .. ',' .. ARGV[2] or ARGV[2]
if ARGV[4] == '' then redis.call('HSET', KEYS[1], 'embedded', now)
else redis.call('HSET', KEYS[1], 'embedded', now, ARGV[3], ARGV[4]) end
return 1
"""


async def backfill(
    client: "redis.asyncio.Redis", keys: Keys, generation: Generation, embedder: Embedder, tell: Progress
) -> int:
    """Embed the turns that lack a vector of this generation; return how many got one.

    Taken up again where it was interrupted. Raises what the embedder raises where it embeds nothing at all.
    """
    done = skipped = 0
    while True:
        total, texts = await _lacking(client, keys, generation, skipped)
        if not texts:
            return done
        tell("embedding memory", done / max(done + total, 1))
        found = await _embedded(embedder, list(texts.values()))
        batch = Batch(client)
        for (key, text), vector in zip(texts.items(), found, strict=True):
            if vector is not None:
                _store(batch, key, text, generation, vector)
        await batch.send()
        done += sum(vector is not None for vector in found)
        skipped += sum(vector is None for vector in found)


async def _lacking(
    client: "redis.asyncio.Redis", keys: Keys, generation: Generation, skip: int
) -> tuple[int, dict[bytes, str]]:
    """Return how many turns lack a vector, and the keys and texts of some."""
    reply = await command(
        client,
        *("FT.SEARCH", keys.generation(generation.number), "-@embedded:{$generation}"),
        *("RETURN", 1, "text", "LIMIT", skip, TOGETHER, "TIMEOUT", PATIENCE),
        *parameters({"generation": str(generation.number)}),
    )
    rows = zip(reply[1::2], reply[2::2], strict=True)
    return int(reply[0]), {key: values(flat)[b"text"].decode() for key, flat in rows if flat}


async def _embedded(embedder: Embedder, texts: Sequence[str]) -> list[Vector | None]:
    """Return the texts' vectors; None for one that the embedder refuses by itself while it takes others."""
    try:
        return list(await embedder.embed(texts))
    except LoreError as error:
        found: list[Vector | None] = []
        for text in texts:
            try:
                found += list(await embedder.embed([text]))
            except LoreError:
                found.append(None)
                if len(found) == 3 and not any(one is not None for one in found):
                    raise error from None  # it is away: not one text's fault
        if not any(one is not None for one in found):
            raise
        return found


def _store(batch: Batch, key: bytes, text: str, generation: Generation, vector: Vector) -> None:
    try:
        raw = packed(vector, generation.made.dim, generation.made.dtype)
    except VectorError:
        raw = b""
    batch.ask("EVAL", _EMBEDDED, 1, key, text, generation.number, vector_field(generation.number), raw, read=int)
