"""Passages that lack a vector get one: of what was said while the embedder was away, and all for a new embedder."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import redis.asyncio

from memory.batch import Batch, command
from memory.embedder import Embedder, Vector
from memory.errors import LoreError, VectorError
from memory.index import Generation, Progress, mismatch
from memory.keys import Keys
from memory.query import PATIENCE, parameters, values
from memory.views import packed, read_card, said, vector_field

TOGETHER = 64  # passages embedded in one call

# The text is compared, as somebody may edit the turn meanwhile. A passage that no vector can stand for is marked as
# done too: it would come again for ever.
_EMBEDDED = """
local text = redis.call('HGET', KEYS[2], 'text')
if not text or redis.sha1hex(text) ~= ARGV[1] or redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
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

    Taken up again where it was interrupted. Raises what the embedder raises where it embeds nothing at all, and
    EmbedderMismatch where its vectors have another size.
    """
    made = generation.made
    done = skipped = 0
    while True:
        total, lacking = await _lacking(client, keys, generation, skipped)
        if not lacking:
            return done
        tell("embedding memory", done / max(done + total, 1))
        found = await _embedded(embedder, [one.said for one in lacking])
        for vector in found:
            if vector is not None and vector.shape != (made.dim,):  # a model of the same name, and of another size
                raise mismatch(made, replace(made, dim=vector.shape[-1]))
        batch = Batch(client)
        for one, vector in zip(lacking, found, strict=True):
            if vector is not None:
                _store(batch, one, generation, vector)
        await batch.send()
        done += sum(vector is not None for vector in found)
        skipped += sum(vector is None for vector in found)


@dataclass(frozen=True, slots=True)
class Lacking:
    """A passage without a vector. key, turn: its own key and its turn's; text: a digest of the turn's text."""

    key: bytes
    turn: str
    text: str
    said: str


async def _lacking(
    client: "redis.asyncio.Redis", keys: Keys, generation: Generation, skip: int
) -> tuple[int, list[Lacking]]:
    """Return how many passages lack a vector, and some of them."""
    reply = await command(
        client,
        *("FT.SEARCH", keys.generation(generation.number), "-@embedded:{$generation}"),
        *("RETURN", 1, "card", "LIMIT", skip, TOGETHER, "TIMEOUT", PATIENCE),
        *parameters({"generation": str(generation.number)}),
    )
    cards = {key: values(flat)[b"card"] for key, flat in zip(reply[1::2], reply[2::2], strict=True) if flat}
    batch = Batch(client)
    turns = {key: keys.turn_of(key) for key in cards}
    rows = {key: batch.ask("HGET", turn, "text", read=lambda text: text) for key, turn in turns.items()}
    await batch.send()
    found = []
    for key, row in rows.items():
        if row.value is not None:
            card, text = read_card(cards[key]), row.value.decode()
            part = text if card.span is None else text[slice(*card.span)]
            found.append(Lacking(key, turns[key], hashlib.sha1(row.value).hexdigest(), said(card.author, part)))
    return int(reply[0]), found


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


def _store(batch: Batch, one: Lacking, generation: Generation, vector: Vector) -> None:
    try:
        raw = packed(vector, generation.made.dim, generation.made.dtype)
    except VectorError:  # it is zero or not finite
        raw = b""
    number = generation.number
    batch.ask("EVAL", _EMBEDDED, 2, one.key, one.turn, one.text, number, vector_field(number), raw, read=int)
