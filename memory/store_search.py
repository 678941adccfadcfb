"""What is asked of a vector store: a look at it, its items, those near a vector, those that share words with a text."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from memory.batch import ALSO_WHEN_FULL, Answer, Argument, Batch
from memory.errors import StoreError
from memory.keys import StoreKeys
from memory.query import parameters, values
from memory.store_filters import Condition, clause
from memory.store_index import StoreOptions
from memory.store_items import DType, Found, Item, Near, Value, Vector, digits, distance, terms
from memory.store_writes import NOW

MOST_TERMS = 24  # words that are searched for
MOST_FOUND = 1_000_000  # RediSearch's MAXSEARCHRESULTS
SWEPT = 100  # expired items deleted before a search; taking one out of the graph takes 0.2 ms

# Delete some of what has expired; tell what there is.
_LOOK = (
    ALSO_WHEN_FULL
    + NOW
    + """
local state, ids, expiring = unpack(KEYS)
for _, id in ipairs(redis.call('ZRANGE', expiring, '-inf', '(' .. now, 'BYSCORE', 'LIMIT', 0, ARGV[2])) do
  redis.call('UNLINK', ARGV[1] .. id)
  redis.call('ZREM', ids, id)
  redis.call('ZREM', expiring, id)
end
local told = redis.call('HMGET', state, 'dim', 'dropped')
local left = expired(expiring)
return {tonumber(told[1] or '0'), redis.call('ZCARD', ids) - left, left, told[2] and 1 or 0}
"""
)

_GET = """
return {redis.call('HMGET', KEYS[1], 'text', 'metadata', 'vector'), redis.call('PEXPIRETIME', KEYS[1])}
"""


@dataclass(frozen=True, slots=True)
class Look:
    """What there is of a store. dim: 0 before the first vector. left: expired items that are not deleted yet."""

    dim: int
    size: int
    left: int
    dropped: bool


def look(batch: Batch, keys: StoreKeys) -> Answer[Look]:
    """Ask what there is of a store; some of what has expired is deleted."""
    return batch.ask(
        *("EVAL", _LOOK, 3, keys.state, keys.ids, keys.expiring, keys.items, SWEPT),
        read=lambda reply: Look(int(reply[0]), int(reply[1]), int(reply[2]), bool(reply[3])),
    )


def get(batch: Batch, keys: StoreKeys, id: int, dtype: DType) -> Answer[Item | None]:
    """Ask for one item."""
    return batch.ask("EVAL", _GET, 1, keys.item(digits(id)), read=lambda reply: _item(int(id), reply, dtype))


def ids(batch: Batch, keys: StoreKeys, after: int | None, most: int) -> Answer[list[int]]:
    """Ask for the ids after one, in their order; those of items that have just expired may be among them."""
    first = "-" if after is None else f"({digits(after)}"
    return batch.ask(
        *("ZRANGE", keys.ids, first, "+", "BYLEX", "LIMIT", 0, most), read=lambda reply: [int(id) for id in reply]
    )


def nearest(
    batch: Batch,
    keys: StoreKeys,
    options: StoreOptions,
    vector: Vector,
    k: int,
    where: Sequence[Condition],
    *,
    texts: bool = True,
) -> Answer[list[Near]]:
    """Ask for the items nearest to a vector that was checked; texts: with what they hold, not only where they are."""
    within = clause(where, options.numeric)
    most = _most(k, options)
    # RediSearch writes 12 digits, which is all that a float32 has. It is less than a float64 has, and the cosine of a
    # float16 is that of what it rounds to once it has length 1: these are worked out here.
    returned: list[Argument] = ["distance", *(["text", "metadata"] if texts else [])]
    if options.dtype != "float32":
        returned.append("vector")
    return batch.ask(
        *("FT.SEARCH", keys.index),
        f"({within.text})=>[KNN {most} @vector $vector EF_RUNTIME $ef AS distance]",
        *("RETURN", len(returned), *returned),
        *("SORTBY", "distance", "LIMIT", 0, most),
        *parameters({**within.params, "vector": vector.tobytes(), "ef": options.ef_runtime}),
        read=lambda reply: sorted(_nears(reply, vector, options, texts=texts), key=_order),
    )


def _order(near: Near) -> tuple[float, int]:
    return near.distance, near.id


def _nears(reply: Sequence[Any], vector: Vector, options: StoreOptions, *, texts: bool) -> list[Near]:
    if not texts and options.dtype == "float32":  # a row is the distance alone
        rows = [(key, flat) for key, flat in zip(reply[1::2], reply[2::2], strict=True) if flat]
        distances = np.array([flat[1] for _, flat in rows]).astype(np.float32).tolist()
        return [Near(_id(key), distance, "", {}) for (key, _), distance in zip(rows, distances, strict=True)]
    found = [(_id(key), values(flat)) for key, flat in zip(reply[1::2], reply[2::2], strict=True) if flat]
    return [Near(id, _distance(row, vector, options), *_shown(row)) for id, row in found]


def _distance(row: Mapping[bytes, bytes], vector: Vector, options: StoreOptions) -> float:
    if options.dtype == "float32":
        return float(np.float32(row[b"distance"].decode()))
    return distance(vector, np.frombuffer(row[b"vector"], dtype=vector.dtype), options.metric)


def sharing(
    batch: Batch, keys: StoreKeys, options: StoreOptions, text: str, k: int, where: Sequence[Condition]
) -> Answer[list[Found]]:
    """Ask for the items that share words with a text: of very many words, with the longest, which are the rarest."""
    within = clause(where, options.numeric)
    most = _most(k, options)
    asked = sorted(dict.fromkeys(terms(text, options.language)), key=len, reverse=True)[:MOST_TERMS]
    words = {f"word{number}": word for number, word in enumerate(asked)} or {"nothing": "-"}
    # Each word within the conditions and not their union: see query.py. The conditions count for nothing: a rare one
    # would outweigh words.
    inside = f"({within.text})=>{{$weight: 0;}} " if where else ""
    query = "|".join(f"({inside}@words:(${name}))" for name in words) if asked else "@tags:{$nothing}"
    return batch.ask(
        *("FT.SEARCH", keys.index, query, "VERBATIM", "WITHSCORES", "SCORER", "BM25STD"),
        *("RETURN", 2, "text", "metadata", "LIMIT", 0, most),
        *parameters({**within.params, **words}),
        read=lambda reply: sorted(_founds(reply), key=lambda found: (-found.score, found.id)),
    )


def _founds(reply: Sequence[Any]) -> list[Found]:
    rows = zip(reply[1::3], reply[2::3], reply[3::3], strict=True)
    return [Found(_id(key), float(score), *_shown(values(flat))) for key, score, flat in rows if flat]


def _most(k: int, options: StoreOptions) -> int:
    if k < 1:
        raise StoreError(f"a search is for at least one item, not for {k}")
    return min(k, options.max_elements, MOST_FOUND)


def _id(key: bytes) -> int:
    return int(key.rpartition(b":")[2])


def _shown(row: Mapping[bytes, bytes]) -> tuple[str, dict[str, Value]]:
    return row.get(b"text", b"").decode(), json.loads(row.get(b"metadata", b"{}"))


def _item(id: int, reply: Sequence[Any], dtype: DType) -> Item | None:
    (text, metadata, vector), expires_at = reply
    if text is None:
        return None
    stored = None if vector is None else np.frombuffer(vector, dtype=np.dtype(dtype))
    return Item(id, text.decode(), json.loads(metadata), stored, expires_at if expires_at >= 0 else None)
