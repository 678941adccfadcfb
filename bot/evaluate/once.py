"""An embedder that embeds the same text once: data sets hold the same sessions many times over."""

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from memory.embedder import Embedder, Vector, Vectors

ROOM = 256 << 20  # bytes of vectors kept; 160,000 of 384 dimensions

_ENTRY = 150  # bytes that a vector's digest, its array and their place in the table take, about


class EmbedsOnce:
    """Passes on the texts that it has no vector of; keeps the latest used, up to `room` bytes."""

    def __init__(self, embedder: Embedder, room: int = ROOM) -> None:
        self._embedder = embedder
        self._room = room
        self._kept: OrderedDict[bytes, Vector] = OrderedDict()
        self._size = 0

    @property
    def name(self) -> str:
        """The embedder's own name: the vectors are its own."""
        return self._embedder.name

    async def dim(self) -> int:
        """Return the vectors' size."""
        return await self._embedder.dim()

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row a text; raises what the embedder raises."""
        digests = [blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        missing = {one: text for one, text in zip(digests, texts, strict=True) if one not in self._kept}
        rows = await self._embedder.embed(list(missing.values())) if missing else ()
        found = {one: self._kept[one] for one in digests if one not in missing} | dict(zip(missing, rows, strict=True))
        for one, vector in found.items():
            self._keep(one, vector)
        return np.stack([found[one] for one in digests]) if texts else await self._embedder.embed(texts)

    async def close(self) -> None:
        """Let go of the vectors and of the embedder."""
        self._kept.clear()
        self._size = 0
        await self._embedder.close()

    def _keep(self, digest: bytes, vector: Vector) -> None:
        if digest not in self._kept:
            self._kept[digest] = vector.copy()  # a row would hold on to its whole batch
            self._size += vector.nbytes + _ENTRY
        self._kept.move_to_end(digest)
        while self._size > self._room:
            _, gone = self._kept.popitem(last=False)
            self._size -= gone.nbytes + _ENTRY
