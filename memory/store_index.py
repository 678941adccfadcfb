"""The index of a vector store: its options, its schema, made when missing."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import redis.asyncio
from redis import exceptions
from redis.commands.search.index_definition import IndexDefinition, IndexType

from memory import index
from memory.batch import command
from memory.errors import RedisError, StoreError
from memory.keys import StoreKeys
from memory.store_items import LARGEST, DType, Metric, number_field, sound
from memory.words import ENGLISH, languages

if TYPE_CHECKING:
    from redisvl.schema import IndexSchema


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """How a store is made; names and defaults are those of redis-llm where it has them.

    max_elements: the most items. m: links a node. ef_construction, ef_runtime: candidates looked at when adding and
    when searching; 100 find 99.8% of the ten nearest of 100,000, where hnswlib's 10 find 88%. dim: numbers in a vector;
    0: as many as the first one has. language: whose stems a search by words knows, one of `words.languages`. numeric:
    the metadata that ranges can be asked of. Raises StoreError for what no store can be made with.
    """

    max_elements: int = 100_000
    m: int = 16
    ef_construction: int = 200
    ef_runtime: int = 100
    dim: int = 0
    metric: Metric = "l2"
    dtype: DType = "float32"
    language: str = ENGLISH
    numeric: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what the server would refuse only once the first item comes."""
        _between(1, self.max_elements, 2**32, "max_elements")
        _between(2, self.m, 512, "m")
        _between(1, self.ef_construction, 4096, "ef_construction")
        _between(1, self.ef_runtime, 4096, "ef_runtime")
        _between(0, self.dim, LARGEST, "dim")
        _one_of(("l2", "cosine", "ip"), self.metric, "metric")
        _one_of(("float16", "float32", "float64"), self.dtype, "dtype")
        _one_of(languages(), self.language, "language")
        if isinstance(self.numeric, str):
            raise StoreError(f"numeric is a list of names, not the one string {self.numeric!r}")
        for name in self.numeric:
            sound(name, "a name of numeric metadata")


def _between(least: int, value: int, most: int, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise StoreError(f"{name} is a whole number from {least} to {most}, not {value!r}")


def _one_of(known: tuple[str, ...], value: str, name: str) -> None:
    if value not in known:
        raise StoreError(f"{name} is one of {', '.join(known)}, not {value!r}")


def schema(keys: StoreKeys, dim: int, options: StoreOptions) -> "IndexSchema":
    """Return the schema of a store's index, for vectors of `dim` numbers."""
    from redisvl.schema import IndexSchema  # heavy, and only needed where an index is made

    return IndexSchema.from_dict(
        {
            "index": {
                "name": keys.made_index,
                "prefix": keys.items,
                "key_separator": "",
                "storage_type": "hash",
                "stopwords": [],
            },
            "fields": [
                {"name": "tags", "type": "tag", "attrs": {"separator": ",", "case_sensitive": True}},
                {"name": "words", "type": "text", "attrs": {"no_stem": True}},
                *({"name": number_field(name), "type": "numeric"} for name in dict.fromkeys(options.numeric)),
                {
                    "name": "vector",
                    "type": "vector",
                    "attrs": {
                        "algorithm": "hnsw",
                        "datatype": options.dtype,
                        "dims": dim,
                        "distance_metric": options.metric,
                        "m": options.m,
                        "ef_construction": options.ef_construction,
                        "ef_runtime": options.ef_runtime,
                    },
                },
            ],
        }
    )


async def ensure(client: "redis.asyncio.Redis", keys: StoreKeys, dim: int, options: StoreOptions) -> None:
    """Make the index where it is missing; it stands behind its alias once it holds every item.

    Raises RedisError where the server cannot make it, and what redis-py raises.
    """
    definition = IndexDefinition(prefix=[keys.items], index_type=IndexType.HASH)  # type: ignore[no-untyped-call]
    try:
        await client.ft(keys.made_index).create_index(
            schema(keys, dim, options).redis_fields, definition=definition, stopwords=[], no_term_offsets=True
        )
    except exceptions.ResponseError as error:
        if "already exists" not in str(error).lower():  # another process was faster
            raise RedisError(f"the index of the store can't be made: {error}") from error
    await index.filled(client, keys.made_index, index.silent)
    try:
        await command(client, "FT.ALIASADD", keys.index, keys.made_index)
    except exceptions.ResponseError as error:
        if "already exists" not in str(error).lower():
            raise


async def drop(client: "redis.asyncio.Redis", keys: StoreKeys) -> None:
    """Drop the index and its alias, not its items; nothing happens where it is missing."""
    try:
        await command(client, "FT.DROPINDEX", keys.made_index)
    except exceptions.ResponseError as error:
        if not any(said in str(error).lower() for said in ("unknown index", "no such index", "index not found")):
            raise
