"""Cached vectors, by tenant, model and content: texts that come again are not embedded again.

A message is embedded whole, to be found, and as its gist, to find. Both are kept under the message, because its gist
depends on whose names are known and is not known when the cache is asked.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from memory.batch import Answer, Batch
from memory.embedder import Vector
from memory.keys import EMBEDDING_TTL, Keys
from memory.scope import Scope

T = TypeVar("T")


def look_up(
    batch: Batch, keys: Keys, scope: Scope, embedder: str, text: str, *, read: Callable[[Mapping[str, Vector]], T]
) -> Answer[T]:
    """Ask for the vectors that a text's embedding made, by what was embedded; none where it is not cached."""
    key = keys.embedding(scope.tenant, embedder, text)
    return batch.ask("HGETALL", key, read=lambda stored: read(_vectors(stored)))


def keep(batch: Batch, keys: Keys, scope: Scope, embedder: str, text: str, vectors: Mapping[str, Vector]) -> None:
    """Cache a text's vectors, as float32 so that they come back exact."""
    key = keys.embedding(scope.tenant, embedder, text)
    flat = [item for one, vector in vectors.items() for item in (one, vector.astype(np.float32).tobytes())]
    batch.ask("HSET", key, *flat, read=int)
    batch.ask("EXPIRE", key, EMBEDDING_TTL, read=bool)


def _vectors(stored: Mapping[bytes, bytes]) -> dict[str, Vector]:
    return {text.decode("utf-8"): np.frombuffer(raw, dtype=np.float32) for text, raw in stored.items()}
