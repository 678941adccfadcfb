"""Named vector stores: what memory/stores.py keeps, with a model that embeds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import redis.asyncio

from bot.errors import ObjectError
from bot.registry import parameters
from bot.registry.models import Models
from bot.registry.objects import OPERATOR, Created, How, Kind, Named, Objects
from bot.registry.parameters import Hnsw
from memory import stores
from memory.batch import Batch
from memory.embedder import Embedder, Vector
from memory.errors import StoreNotReady
from memory.keys import Keys
from memory.store_filters import Condition
from memory.store_index import StoreOptions
from memory.store_items import Found, Item, Near, New
from memory.stores import Store
from memory.words import languages

TYPES = ("hnsw",)
MOST_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Opened:
    """A named store, ready to be used."""

    named: Named
    made: Hnsw
    store: Store


class Stores:
    """Creates named vector stores, fills and searches them."""

    def __init__(
        self,
        client: "redis.asyncio.Redis",
        keys: Keys,
        objects: Objects,
        models: Models,
        batch: Callable[[], Batch] | None = None,
    ) -> None:
        """Take the rooms it works with; batch: what a search by vector travels in, where that must be quick."""
        self._batch = batch or (lambda: Batch(client))
        self._client = client
        self._keys = keys
        self._objects = objects
        self._models = models
        self._last: dict[tuple[str, str], Opened] = {}  # as last seen: believed only while the version is the same

    async def create(
        self,
        name: str,
        params: Mapping[str, Any],
        how: How = How(),
        *,
        type_: str = "hnsw",
    ) -> Created:
        """Make a named store, empty; one that is made anew loses what it held. Raises ObjectError, ObjectMissing."""
        if type_.lower() not in TYPES:
            raise ObjectError(f"{type_} is no type of vector store; these are: {', '.join(TYPES)}")
        made = parameters.read(Hnsw, params, f"the parameters of {name}")
        if made.language not in languages():
            raise ObjectError(f"language: no stems are known of it; these are: {', '.join(languages())}")
        if made.llm is not None:
            await self._models.find(made.llm.key, owner=how.owner)
        created = await self._objects.create(Kind.STORE, name, type_.lower(), params, how)
        if created.replaced:
            await self._store(created.replaced, made).drop()
        return created

    async def open(self, name: str, *, owner: str = OPERATOR) -> Opened:
        """Return a named store. Raises ObjectMissing, ObjectError."""
        named = await self._objects.get(Kind.STORE, name, owner=owner)
        return self._opened(named)

    async def add(self, name: str, items: Sequence[New], *, owner: str = OPERATOR) -> list[int]:
        """Put items in, those without a vector embedded by the store's model; return their ids.

        Raises ObjectMissing, ObjectError, StoreFull, VectorError and what the model raises.
        """
        opened = await self._own(name, owner)
        texts = [item.text for item in items if item.vector is None]
        if texts:
            rows = iter(await self._embed(opened, texts))
            items = [item if item.vector is not None else replace(item, vector=next(rows)) for item in items]
        return await opened.store.add(items)

    async def get(self, name: str, ids: Sequence[int], *, owner: str = OPERATOR) -> list[Item | None]:
        """Return the items of these ids, None for each that is not there."""
        return await (await self.open(name, owner=owner)).store.get(ids)

    async def remove_items(self, name: str, ids: Sequence[int], *, owner: str = OPERATOR) -> int:
        """Take items out; return how many were there."""
        return await (await self._own(name, owner)).store.remove(ids)

    async def size(self, name: str, *, owner: str = OPERATOR) -> int:
        """Return how many items a store holds. Raises ObjectMissing."""
        return await (await self.open(name, owner=owner)).store.size()

    async def knn(
        self,
        name: str,
        query: str | Vector,
        k: int = 10,
        where: Sequence[Condition] = (),
        *,
        owner: str = OPERATOR,
        texts: bool = True,
    ) -> list[Near]:
        """Return the k items nearest to a text or a vector, the nearest first; texts: with what they hold.

        One round trip for a vector where the store is the one that was last searched under this name.
        """
        if isinstance(query, str):
            opened = await self.open(name, owner=owner)
            return await opened.store.knn((await self._embed(opened, [query]))[0], k, where, texts=texts)
        while True:
            last = self._last.get((owner, name)) or await self._remembered(name, owner)
            batch = self._batch()
            seen = self._objects.ask_version(batch, last.named)
            shared = last.named.owner != owner
            own = self._objects.ask_version(batch, replace(last.named, owner=owner)) if shared else seen
            found = last.store.ask_knn(batch, query, k, where, texts=texts)
            await batch.send()
            if seen.value == last.named.version and not (shared and own.value):  # one's own comes before a shared one
                try:
                    return found.value
                except StoreNotReady:
                    return await last.store.knn(query, k, where, texts=texts)
            self._last.pop((owner, name), None)

    async def search(
        self, name: str, text: str, k: int = 10, where: Sequence[Condition] = (), *, owner: str = OPERATOR
    ) -> list[Found]:
        """Return the k items that share most of a text's words, the best first."""
        return await (await self.open(name, owner=owner)).store.search(text, k, where)

    async def remove(self, name: str, *, owner: str = OPERATOR) -> bool:
        """Remove a store with all it holds; False where there is none."""
        version = await self._objects.remove(name, kind=Kind.STORE, owner=owner)
        if version is None:
            return False
        await self._store(version, Hnsw()).drop()
        return True

    async def tidy(self) -> int:
        """Drop what stores hold that have been removed, or have ended; return how many there were."""
        places = await stores.places(self._client, self._keys)
        gone = places - await self._objects.versions()
        for place in gone:
            await self._store(place, Hnsw()).drop()
        return len(gone)

    async def embedder(self, opened: Opened) -> Embedder:
        """Return what embeds for a store. Raises ObjectError where it has no model, or has been filled by another."""
        named, ref = opened.named, opened.made.llm
        if ref is None:
            raise ObjectError(f"the vector store {named.name} has no model; give an embedding, or create it with --llm")
        embedder = await self._models.embedder(ref, owner=named.owner)
        filled_by = await self._objects.note(named, "embedder", embedder.name)
        if filled_by != embedder.name:
            raise ObjectError(
                f"the vector store {named.name} was filled with {filled_by}, but its model {ref.key} now embeds with "
                f"{embedder.name}; make the model what it was, or create the store anew"
            )
        return embedder

    async def _embed(self, opened: Opened, texts: Sequence[str]) -> list[Vector]:
        return list(await (await self.embedder(opened)).embed(texts))

    async def _own(self, name: str, owner: str) -> Opened:
        """Return an owner's own store: what is shared is read by tenants, not changed."""
        opened = await self.open(name, owner=owner)
        if opened.named.owner != owner:
            raise ObjectError(f"the vector store {name} belongs to whoever runs the bot; it can be read, not changed")
        return opened

    async def _remembered(self, name: str, owner: str) -> Opened:
        if len(self._last) > MOST_REMEMBERED:
            self._last.clear()
        opened = self._last[owner, name] = await self.open(name, owner=owner)
        return opened

    def _opened(self, named: Named) -> Opened:
        made = parameters.read(Hnsw, named.params, f"the parameters of {named.name}")
        return Opened(named, made, self._store(named.version, made))

    def _store(self, place: str, made: Hnsw) -> Store:
        told = made.model_dump(exclude={"llm", "numeric"})
        return Store(self._client, self._keys, place, StoreOptions(**told, numeric=tuple(made.numeric)))
