"""Memory: what people import. It puts the rooms together and has no logic of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import redis.asyncio

from memory import cue, embeddings, index, query, rank, turns, views
from memory.batch import Answer, Batch
from memory.embedder import Embedder, Vector
from memory.index import Progress
from memory.keys import Keys
from memory.query import Listing
from memory.rank import Weights
from memory.records import Context, Recalled, Turn
from memory.scope import Scope
from memory.views import IndexOptions


@dataclass(frozen=True, slots=True)
class Glance:
    """What one look at Redis tells before a message is embedded."""

    text: str
    speakers: tuple[str, ...] = ()
    cached: Mapping[str, Vector] = field(default_factory=dict)  # by what was embedded: the text, its gist

    @property
    def gist(self) -> str:
        """What is searched for."""
        return cue.gist(self.text, self.speakers)


class Memory:
    """Turns that are remembered, recalled, listed.

    Every call carries its Scope. Raises RedisUnavailable where no server answers.
    """

    def __init__(
        self,
        client: "redis.asyncio.Redis",
        embedder: Embedder,
        dim: int,
        *,
        keys: Keys = Keys(),
        options: IndexOptions = IndexOptions(),
        weights: Weights = Weights(),
    ) -> None:
        self._client = client
        self.embedder = embedder
        self._dim = dim
        self.keys = keys
        self._options = options
        self._weights = weights

    @classmethod
    async def open(
        cls,
        client: "redis.asyncio.Redis",
        embedder: Embedder,
        *,
        keys: Keys = Keys(),
        options: IndexOptions = IndexOptions(),
        weights: Weights = Weights(),
        progress: Progress | None = None,
    ) -> Self:
        """Return memory once Redis has loaded and indexed all it holds.

        Raises RedisUnavailable, NoQueryEngine, EmbedderMismatch.
        """
        dim = await index.ready(client, embedder, keys, options, progress)
        return cls(client, embedder, dim, keys=keys, options=options, weights=weights)

    def batch(self, *, atomic: bool = False) -> Batch:
        """Return an empty batch, for commands that shall travel together; with `atomic`, all take effect or none."""
        return Batch(self._client, atomic=atomic)

    def glance(self, batch: Batch, scope: Scope, text: str) -> Answer[Glance]:
        """Ask for what `hear` and `recall` want to know first: the names heard here, the text's cached vector."""
        names = turns.speakers(batch, self.keys, scope)
        return embeddings.look_up(
            batch, self.keys, scope, self.embedder.name, text, read=lambda cached: Glance(text, names.value, cached)
        )

    async def hear(self, scope: Scope, turn: Turn, *, k: int, window: int, glance: Glance | None = None) -> Context:
        """Recall what belongs to a turn, read the recent window, and remember the turn: one round trip.

        The searches run first, so that the turn does not find itself.
        """
        glance = glance or await self._glanced(scope, turn.text)
        known = await self._embedded(glance, [glance.gist, turn.text])
        batch = self.batch()
        found = self._search(batch, scope, known[glance.gist], turn.text)
        recent = turns.recent(batch, self.keys, scope, window)
        new = self._write(batch, scope, turn, known[turn.text])
        self._keep(batch, scope, glance, known)
        await batch.send()
        itself = (scope.conversation, turn.id)
        ranked = [one for one in self._ranked(found, turn.text) if (one.turn.conversation, one.turn.id) != itself]
        return Context(tuple(ranked[:k]), tuple(one for one in recent.value if one.id != turn.id), new.value)

    async def recall(self, scope: Scope, text: str, k: int = 10) -> list[Recalled]:
        """Return the k turns that belong most to a text, best first, each with its score and signals."""
        glance = await self._glanced(scope, text)
        known = await self._embedded(glance, [glance.gist])
        batch = self.batch()
        found = self._search(batch, scope, known[glance.gist], text)
        self._keep(batch, scope, glance, known)
        await batch.send()
        return self._ranked(found, text)[:k]

    async def remember(
        self, scope: Scope, said: Sequence[Turn], *, batch: Batch | None = None, embed: bool = True
    ) -> list[bool]:
        """Embed and index turns in order; False for each whose id was known: it stays as it is.

        With a batch, its commands travel along. Without embed, turns are found by their words alone.
        """
        texts = [turn.text for turn in said]
        vectors = list(await self.embedder.embed(texts)) if embed else [None] * len(said)
        batch = batch or self.batch()
        new = [self._write(batch, scope, turn, vector) for turn, vector in zip(said, vectors, strict=True)]
        await batch.send()
        return [one.value for one in new]

    async def recent(self, scope: Scope, count: int = 20) -> tuple[Turn, ...]:
        """Return the conversation's last turns since it was begun anew, oldest first."""
        batch = self.batch()
        found = turns.recent(batch, self.keys, scope, count)
        await batch.send()
        return found.value

    async def known(self, scope: Scope, ids: Sequence[str]) -> list[bool]:
        """Tell for each id whether a turn of this conversation has it."""
        batch = self.batch()
        found = [turns.known(batch, self.keys, scope, one) for one in ids]
        await batch.send()
        return [one.value for one in found]

    async def get(self, scope: Scope, turn_id: str) -> Turn | None:
        """Return one turn of this conversation, or None."""
        batch = self.batch()
        found = turns.get(batch, self.keys, scope, turn_id)
        await batch.send()
        return found.value

    async def latest(self, scope: Scope, count: int = 20, skip: int = 0) -> Listing:
        """Return the latest turns that can be recalled here, the newest first."""
        batch = self.batch()
        found = query.latest(batch, self.keys, scope, count, skip)
        await batch.send()
        return found.value

    async def begin_anew(self, scope: Scope) -> None:
        """Empty the recent window; what was said is still recalled."""
        batch = self.batch()
        turns.begin_anew(batch, self.keys, scope)
        await batch.send()

    async def _glanced(self, scope: Scope, text: str) -> Glance:
        batch = self.batch()
        glance = self.glance(batch, scope, text)
        await batch.send()
        return glance.value

    async def _embedded(self, glance: Glance, texts: Sequence[str]) -> dict[str, Vector]:
        """Return the texts' vectors, those that are not cached embedded together."""
        missing = [text for text in dict.fromkeys(texts) if text not in glance.cached]
        vectors: Sequence[Vector] = list(await self.embedder.embed(missing)) if missing else []
        return {**glance.cached, **dict(zip(missing, vectors, strict=True))}

    def _keep(self, batch: Batch, scope: Scope, glance: Glance, known: Mapping[str, Vector]) -> None:
        if known.keys() != glance.cached.keys():
            embeddings.keep(batch, self.keys, scope, self.embedder.name, glance.text, known)

    def _search(self, batch: Batch, scope: Scope, vector: Vector, text: str) -> query.Search:
        return query.search(batch, self.keys, scope, vector, cue.terms(text), self._options)

    def _ranked(self, found: query.Search, text: str) -> list[Recalled]:
        return rank.fuse(found.hits, text, self._weights)

    def _write(self, batch: Batch, scope: Scope, turn: Turn, vector: Vector | None) -> Answer[bool]:
        stored = None if vector is None else views.packed(vector, self._dim, self._options.dtype)
        return turns.remember(batch, self.keys, scope, turn, stored)
