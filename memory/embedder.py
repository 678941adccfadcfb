"""What memory asks of an embedder: unit vectors for texts, always the same for the same text."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]  # shape (dim,)
Vectors = NDArray[np.float32]  # shape (texts, dim)


class Embedder(Protocol):
    """Turns texts into vectors."""

    @property
    def name(self) -> str:
        """The model's name; vectors of different names are never compared."""
        ...

    async def dim(self) -> int:
        """Return the vectors' size; may ask the model once, then knows."""
        ...

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one unit-length row a text, shape (len(texts), dim)."""
        ...

    async def close(self) -> None:
        """Let go of connections and threads."""
        ...
