"""A vector store: items with a text, a vector and metadata, in an index of their own.

The first vector decides how many numbers all vectors have. That is written down before the index is made: whoever finds
it without an index makes the index. An item whose time has come is deleted by the next search, right before it
searches; RediSearch would go on finding it until Redis has come to delete it.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import redis.asyncio

from memory import store_index, store_search, store_writes
from memory.batch import Answer, Batch, explaining
from memory.errors import IndexMissing, StoreError, StoreNotReady, VectorError
from memory.keys import Keys
from memory.store_filters import Condition
from memory.store_index import StoreOptions
from memory.store_items import Found, Item, Near, New, Numbers, Vector, checked, digits, fields, milliseconds, terms
from memory.store_search import Look
from memory.store_writes import TOGETHER

T = TypeVar("T")

TRIES = 3  # of a search that finds the store not ready

_PIECE = re.compile(r"(?s).{1,20000}(?!\S)|.{1,20000}")  # of a text, at white space: other tasks run between two


async def places(client: "redis.asyncio.Redis", keys: Keys) -> set[str]:
    """Return where there are stores, also such as are being dropped."""
    found = client.scan_iter(match=f"{keys.stores}{{*", count=1000)
    return {key.decode().removeprefix(keys.stores).strip("{}") async for key in found}


class Store:
    """The items at one place; any number of processes may have the same store open, with the same options."""

    def __init__(self, client: "redis.asyncio.Redis", keys: Keys, place: str, options: StoreOptions) -> None:
        """Open the store at a place, an id that no other store ever has; nothing is sent yet."""
        self.options = options
        self._client = client
        self._keys = keys.store(place)
        self._dim = 0  # of the vectors, once the index is known to stand

    async def add(self, items: Sequence[New]) -> list[int]:
        """Put items into the store and return their ids; an item whose id is there already is replaced wholly.

        All are checked before any is written, and each is written whole or not at all. Where room runs out, or Redis
        does, what was written until then stays. Raises VectorError and StoreError.
        """
        vectors = [self._checked(new.vector) for new in items]
        names = ["" if new.id is None else digits(new.id) for new in items]
        lives = [milliseconds(new.ttl) for new in items]
        found = [
            fields(new, vector, await self._words(new.text), self.options.numeric)
            for new, vector in zip(items, vectors, strict=True)
        ]
        if not items:
            return []
        dim = await self._begin([len(vector) for vector in vectors if vector is not None])
        most = self.options.max_elements
        written: list[str] = []
        for start in range(0, len(items), TOGETHER):
            some = slice(start, start + TOGETHER)
            batch = Batch(self._client)
            answers = [
                store_writes.write(batch, self._keys, dim, most, *one)
                for one in zip(names[some], lives[some], found[some], strict=True)
            ]
            await batch.send()
            written += [answer.value for answer in answers]
            if "dropped" in written:
                raise _dropped()
            if "full" in written:
                stored = len(written) - written.count("full")
                raise StoreError(
                    f"the store is full: it takes {most} items (max_elements), and {stored} of these {len(items)} "
                    "were stored; remove some, or make a larger store"
                )
        return [int(id) for id in written]

    def _checked(self, vector: Numbers | None) -> Vector | None:
        return None if vector is None else checked(vector, self.options.dtype, self.options.metric)

    async def _words(self, text: str) -> str:
        found: list[str] = []
        for piece in _PIECE.findall(text) if isinstance(text, str) else ():
            found += terms(piece, self.options.language)
            await asyncio.sleep(0)
        return " ".join(found)

    async def _begin(self, sizes: Sequence[int]) -> int:
        """Return how many numbers a vector has, once the index stands; where the sizes differ, nothing is decided."""
        wanted = self._dim or self.options.dim or (sizes[0] if sizes else 0)
        for size in sizes:
            _same(size, wanted)
        if self._dim:
            return self._dim
        dim, stands = await self._answer(store_writes.begin, wanted)
        if dim < 0:
            raise _dropped()
        if not dim:
            raise StoreError(
                "the store does not know yet how many numbers its vectors have; give the first item a vector, or make "
                "the store with dim"
            )
        for size in sizes:
            _same(size, dim)
        if not stands:
            await self._make_index(dim)
        self._dim = dim
        return dim

    async def _make_index(self, dim: int) -> None:
        with suppress(IndexMissing):  # gone while it was made: with its store, or the next search makes it
            await explaining(store_index.ensure(self._client, self._keys, dim, self.options))
        if not await self._answer(store_writes.indexed):
            await explaining(store_index.drop(self._client, self._keys))
            raise _dropped()

    async def get(self, ids: Sequence[int]) -> list[Item | None]:
        """Return the items of these ids, None for each that there is none of. Raises StoreError for what is no id."""
        found: list[Item | None] = []
        for start in range(0, len(ids), TOGETHER):
            batch = Batch(self._client)
            answers = [self.ask_get(batch, id) for id in ids[start : start + TOGETHER]]
            await batch.send()
            found += [answer.value for answer in answers]
        return found

    def ask_get(self, batch: Batch, id: int) -> Answer[Item | None]:
        """Ask for one item in a batch of the caller's."""
        return store_search.get(batch, self._keys, id, self.options.dtype)

    async def items(self, after: int | None = None, page: int = 100) -> AsyncIterator[Item]:
        """Yield the items in the order of their ids, those after an id; a page is read at a time."""
        last = after
        while ids := await self._answer(store_search.ids, last, page):
            for item in await self.get(ids):
                if item is not None:
                    yield item
            last = ids[-1]

    async def remove(self, ids: Sequence[int]) -> int:
        """Remove the items of these ids and return how many there were. Raises StoreError for what is no id."""
        names = [digits(id) for id in ids]
        pages = [names[start : start + TOGETHER] for start in range(0, len(names), TOGETHER)]
        return sum([await self._answer(store_writes.remove, page) for page in pages])

    async def expire(self, id: int, ttl: float | None) -> bool:
        """Let an item expire in so many seconds, or no more where ttl is None; tell whether there is such an item."""
        return await self._answer(store_writes.expire, digits(id), milliseconds(ttl))

    async def size(self) -> int:
        """Return how many items there are."""
        return (await self.look()).size

    async def look(self) -> Look:
        """Return what there is of the store."""
        return await self._answer(store_search.look)

    def ask_look(self, batch: Batch) -> Answer[Look]:
        """Ask what there is of the store, in a batch of the caller's."""
        return store_search.look(batch, self._keys)

    async def knn(
        self, vector: Numbers, k: int = 10, where: Sequence[Condition] = (), *, texts: bool = True
    ) -> list[Near]:
        """Return the k nearest items that meet every condition, the nearest first; of one distance, the smaller id.

        texts: False: without their texts and metadata, which is quicker.

        Raises VectorError, also for a vector of another size, and StoreError for a condition that cannot be asked.
        """
        return await self._asked(lambda batch: self.ask_knn(batch, vector, k, where, texts=texts))

    def ask_knn(
        self, batch: Batch, vector: Numbers, k: int = 10, where: Sequence[Condition] = (), *, texts: bool = True
    ) -> Answer[list[Near]]:
        """Ask what `knn` returns, in a batch of the caller's.

        Reading the answer raises StoreNotReady where the index is missing or many items have just expired: rarely, and
        `knn` then answers.
        """
        asked = checked(vector, self.options.dtype, self.options.metric)
        _same(len(asked), self.options.dim or len(asked))
        look = self.ask_look(batch)
        found = store_search.nearest(batch, self._keys, self.options, asked, k, where, texts=texts)
        return _Checked(look, found, len(asked))

    async def search(self, text: str, k: int = 10, where: Sequence[Condition] = ()) -> list[Found]:
        """Return the k items that share most with the words of a text, by BM25, the best first.

        Raises StoreError for a condition that cannot be asked.
        """
        return await self._asked(lambda batch: self.ask_search(batch, text, k, where))

    def ask_search(self, batch: Batch, text: str, k: int = 10, where: Sequence[Condition] = ()) -> Answer[list[Found]]:
        """Ask what `search` returns, in a batch of the caller's; raises as `ask_knn` does."""
        look = self.ask_look(batch)
        return _Checked(look, store_search.sharing(batch, self._keys, self.options, text, k, where))

    async def _asked(self, ask: Callable[[Batch], Answer[T]]) -> T:
        for _ in range(TRIES):
            batch = Batch(self._client)
            answer = ask(batch)
            await batch.send()
            try:
                return answer.value
            except StoreNotReady:
                await self._mend()
        return answer.value

    async def _mend(self) -> None:
        """Delete all that has expired, and make the index where it is missing."""
        look = await self.look()
        while look.left:
            look = await self.look()
        if look.dim:
            await self._make_index(look.dim)

    async def drop(self) -> None:
        """Delete the items, the index and all else; who has the store open cannot add to it any more.

        Where it was cut off, it may be asked again.
        """
        # The mark comes first: nothing is added any more, and no index made. The index goes before its items do, which
        # spares taking each out of the graph.
        await self._answer(store_writes.mark_dropped)
        await explaining(store_index.drop(self._client, self._keys))
        while await self._answer(store_writes.scrap):
            pass

    async def _answer(self, ask: Callable[..., Answer[T]], *about: object) -> T:
        """Send one command by itself."""
        batch = Batch(self._client)
        answer = ask(batch, self._keys, *about)
        await batch.send()
        return answer.value


class _Checked(Answer[list[T]]):
    """What a search found, once the look right before it says that it could find all."""

    def __init__(self, look: Answer[Look], found: Answer[list[T]], dim: int | None = None) -> None:
        self._look = look
        self._found = found
        self._asked_dim = dim

    @property
    def value(self) -> list[T]:
        look = self._look.value
        if look.dropped:
            raise _dropped()
        if not look.dim:
            return []
        if self._asked_dim is not None:
            _same(self._asked_dim, look.dim)
        if look.left:
            raise StoreNotReady("many items of the store have just expired; ask the store itself")
        try:
            return self._found.value
        except IndexMissing as error:
            raise StoreNotReady("the index of the store is missing; ask the store itself, which makes it") from error


def _same(size: int, dim: int) -> None:
    if size != dim:
        raise VectorError(
            f"the store holds vectors of {dim} numbers, this one has {size}; use the same embedder for all"
        )


def _dropped() -> StoreError:
    return StoreError("the store has been dropped; make it again, or use another")
