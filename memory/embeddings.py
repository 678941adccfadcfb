"""Cached vectors, by tenant, model and content: texts that come again are not embedded again.

A message is embedded whole, to be found, and as its gist, to find. Both are kept under the message, because its gist
depends on whose names are known and is not known when the cache is asked. No text is kept, only digests.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from memory.batch import Answer, Batch
from memory.embedder import Vector
from memory.keys import EMBEDDING_TTL, Keys, tag
from memory.scope import Scope

T = TypeVar("T")

Cached = Mapping[str, Vector]  # by the digest of what was embedded


def digest(text: str) -> str:
    """Name what was embedded."""
    return tag("embedded", text)


def look_up(
    batch: Batch, keys: Keys, scope: Scope, embedder: str, text: str, *, read: Callable[[Cached], T]
) -> Answer[T]:
    """Ask for the vectors that a text's embedding made; none where it is not cached."""
    key = keys.tenant(scope.tenant).embedding(embedder, text)
    return batch.ask("HGETALL", key, read=lambda stored: read(_vectors(stored)))


def keep(batch: Batch, keys: Keys, scope: Scope, embedder: str, text: str, vectors: Cached) -> None:
    """Cache a text's vectors in the place of what was cached, as float32 so that they come back exact.

    In their place: what many people say, such as "thanks", has as many vectors as there are names.
    """
    key = keys.tenant(scope.tenant).embedding(embedder, text)
    flat = [item for one, vector in vectors.items() for item in (one, vector.astype(np.float32).tobytes())]
    batch.ask("DEL", key, read=int)
    batch.ask("HSET", key, *flat, read=int)
    batch.ask("EXPIRE", key, EMBEDDING_TTL, read=bool)


def _vectors(stored: Mapping[bytes, bytes]) -> dict[str, Vector]:
    return {name.decode(): np.frombuffer(raw, dtype=np.float32) for name, raw in stored.items()}
