"""Cached vectors, by tenant, model and content: texts that come again are not embedded again."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from memory.batch import Answer, Batch
from memory.keys import EMBEDDING_TTL, Keys
from memory.scope import Scope

T = TypeVar("T")
Vector = np.ndarray[Any, np.dtype[np.float32]]


def look_up(
    batch: Batch, keys: Keys, scope: Scope, embedder: str, text: str, *, read: Callable[[Vector | None], T]
) -> Answer[T]:
    """Ask for a text's vector; None where it is not cached."""
    key = keys.embedding(scope.tenant, embedder, text)
    return batch.ask("GET", key, read=lambda raw: read(None if raw is None else np.frombuffer(raw, dtype=np.float32)))


def keep(batch: Batch, keys: Keys, scope: Scope, embedder: str, text: str, vector: Vector) -> None:
    """Cache a text's vector, as float32 so that it comes back exact."""
    key = keys.embedding(scope.tenant, embedder, text)
    batch.ask("SET", key, vector.astype(np.float32).tobytes(), "EX", EMBEDDING_TTL, read=bool)
