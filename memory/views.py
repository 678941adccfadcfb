"""What of a turn is indexed: the vector's text, the text fields, and the schema that holds them.

The vector sees the turn alone: a previous turn in it hurts. The text index sees speaker, date and the previous turn
too: people ask "what did Ada say in May about it?", and an answer seldom repeats the words of its question.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from memory.errors import VectorError
from memory.keys import Keys
from memory.words import stems

if TYPE_CHECKING:
    from redisvl.schema import IndexSchema

DType = Literal["float16", "float32"]

SCHEMA = 2  # of the fields below; an index of an older schema is migrated (see generations.py)


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """How the HNSW graph is built and searched.

    m: links a node. ef_construction: candidates looked at when adding. ef_runtime: candidates looked at when
    searching. dtype: float16 halves the memory at the same recall.
    """

    m: int = 16
    ef_construction: int = 64
    ef_runtime: int = 200
    dtype: DType = "float16"


def vector_field(generation: int) -> str:
    """Return the field that holds the vectors of one generation of the index: several may live side by side."""
    return f"vector{generation}"


def schema(keys: Keys, generation: int, dim: int, options: IndexOptions) -> "IndexSchema":
    """Return the schema of one generation of the index, for vectors of `dim` numbers."""
    from redisvl.schema import IndexSchema  # heavy, and only needed where an index is made

    tag = {"separator": ",", "case_sensitive": True}
    return IndexSchema.from_dict(
        {
            "index": {
                "name": keys.generation(generation),
                "prefix": keys.turns,
                "key_separator": "",
                "storage_type": "hash",
                "stopwords": [],
            },
            "fields": [
                {"name": "reach", "type": "tag", "attrs": tag},
                {"name": "tenant_tag", "type": "tag", "attrs": tag},
                {"name": "conversation_tag", "type": "tag", "attrs": tag},
                {"name": "person_tag", "type": "tag", "attrs": tag},
                {"name": "embedded", "type": "tag", "attrs": tag},  # the generations that it has a vector for
                {"name": "sent_at", "type": "numeric", "attrs": {"sortable": True}},
                {"name": "words", "type": "text", "attrs": {"no_stem": True}},
                {"name": "heading", "type": "text", "attrs": {"no_stem": True}},
                {"name": "before", "type": "text", "attrs": {"no_stem": True}},
                {
                    "name": vector_field(generation),
                    "type": "vector",
                    "attrs": {
                        "algorithm": "hnsw",
                        "datatype": options.dtype,
                        "dims": dim,
                        "distance_metric": "cosine",
                        "m": options.m,
                        "ef_construction": options.ef_construction,
                        "ef_runtime": options.ef_runtime,
                    },
                },
            ],
        }
    )


def heading(author: str, sent_at: int) -> str:
    """Return who spoke on which day, in the words people ask with: 'ada monday 8 may 2023', as stems."""
    moment = datetime.fromtimestamp(sent_at / 1000, UTC)
    return " ".join(stems(f"{author} {moment:%A} {moment.day} {moment:%B} {moment.year}"))


def body(text: str) -> str:
    """Return the turn's own words, as stems."""
    return " ".join(stems(text))


def findable(vector: np.ndarray[Any, Any]) -> bool:
    """Tell whether a search could find a vector: not where it is zero or not finite."""
    return bool(np.isfinite(vector).all() and vector.any())


def packed(vector: np.ndarray[Any, Any], dim: int, dtype: DType) -> bytes:
    """Return the vector as Redis stores it.

    Raises VectorError for what the index would drop without a word: another size, zero, not finite.
    """
    if vector.shape != (dim,):
        raise VectorError(f"the index holds vectors of {dim} numbers, this one has shape {vector.shape}")
    stored = vector.astype(np.dtype(dtype))
    if not findable(stored):
        raise VectorError("the embedder gave a vector that is zero or not finite, which no search would find")
    return stored.tobytes()


def unpacked(raw: bytes, dtype: DType) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return a stored vector as float32."""
    return np.frombuffer(raw, dtype=np.dtype(dtype)).astype(np.float32)
