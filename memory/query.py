"""The two searches of a recall, by meaning and by words, asked in one batch and read as one list of hits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from memory import turns
from memory.batch import Answer, Argument, Batch
from memory.embedder import Vector
from memory.keys import Keys
from memory.rank import Hit
from memory.records import Turn
from memory.views import IndexOptions, packed, unpacked, vector_field
from memory.within import Within

PATIENCE = 60_000  # milliseconds for a query that nobody waits for at a prompt; the server's limit is 500
CANDIDATES = 150  # a search; 60 lose 4 points of recall against scoring everything


def search(
    batch: Batch,
    keys: Keys,
    within: Within,
    generation: int,
    vector: Vector | None,
    terms: Sequence[str],
    options: IndexOptions,
    candidates: int = CANDIDATES,
) -> "Search":
    """Ask for the turns nearest in meaning and those that share words; without a vector, the latter alone."""
    field, index = vector_field(generation), keys.generation(generation)
    nearest: Answer[list[Row]] | None = None
    if vector is not None:
        nearest = batch.ask(
            *("FT.SEARCH", index, f"({within.clause})=>[KNN {candidates} @{field} $vector EF_RUNTIME $ef AS distance]"),
            *_returning("distance"),
            *("SORTBY", "distance", "LIMIT", 0, candidates),
            *parameters(
                {**within.params, "vector": packed(vector, len(vector), options.dtype), "ef": options.ef_runtime}
            ),
            read=_rows,
        )
    sharing: Answer[list[Row]] | None = None
    if terms:
        sharing = batch.ask(
            *("FT.SEARCH", index, _any_of(terms, within.clause), "VERBATIM", "WITHSCORES", "SCORER", "BM25STD"),
            *_returning(field),
            *("LIMIT", 0, candidates),
            *parameters(within.params),
            read=_scored_rows,
        )
    return Search(vector, field, options, nearest, sharing)


def latest(batch: Batch, keys: Keys, within: Within, count: int, skip: int = 0) -> "Answer[Listing]":
    """Ask for the latest turns, the newest first."""
    return batch.ask(
        *("FT.SEARCH", keys.index, within.clause),
        *_returning(),
        *("SORTBY", "sent_at", "DESC", "LIMIT", skip, count),
        *parameters(within.params),
        read=_listing,
    )


@dataclass(frozen=True, slots=True)
class Listing:
    """Some turns, the newest first, and how many there are in all."""

    turns: tuple[Turn, ...]
    total: int


def _listing(reply: Sequence[Any]) -> Listing:
    return Listing(tuple(row.turn for row in _rows(reply)), int(reply[0]))


def _any_of(terms: Sequence[str], within: str) -> str:
    """Return the text query: each term within the reach, not the terms' union within it.

    RediSearch (2.10.5) loses part of the score where it intersects a union with another clause: a turn with three
    of the words may count as if it had one, which cost 8 points of its recall@10.
    The reach stands in parentheses of its own: it takes a number that follows a negated clause for a part of that, so
    that "-(closed) 2023" would exclude only what is closed and says 2023.
    """
    return "|".join(f"(({within}) {term})" for term in terms)


class Search:
    """What both searches will have found once the batch is sent."""

    def __init__(
        self,
        vector: Vector | None,
        field: str,
        options: IndexOptions,
        nearest: "Answer[list[Row]] | None",
        sharing: "Answer[list[Row]] | None",
    ) -> None:
        self._vector = None if vector is None else vector / max(float(np.linalg.norm(vector)), 1e-12)
        self._field = field.encode()
        self._options = options
        self._nearest = nearest
        self._sharing = sharing

    @property
    def hits(self) -> list[Hit]:
        """Every turn found, once; the cosine of those that only the words found is worked out here."""
        sharing = {row.key: row for row in (self._sharing.value if self._sharing else [])}
        nearest = {row.key: row for row in (self._nearest.value if self._nearest else [])}
        missed = [row for key, row in sharing.items() if key not in nearest]
        near = [
            Hit(row.turn, 1 - float(row.values[b"distance"]), sharing[key].bm25 if key in sharing else 0.0)
            for key, row in nearest.items()
        ]
        return near + [Hit(row.turn, self._cosine(row.values.get(self._field)), row.bm25) for row in missed]

    def _cosine(self, stored: bytes | None) -> float:
        """Return the cosine with a stored vector; 0 where the turn or what is searched for could not be embedded."""
        if stored is None or self._vector is None:
            return 0.0
        vector = unpacked(stored, self._options.dtype)
        return float(vector @ self._vector / np.linalg.norm(vector))


@dataclass(frozen=True, slots=True)
class Row:
    """One document of a reply: its key, the fields asked for, and its BM25 score where one was asked for."""

    key: bytes
    values: Mapping[bytes, bytes]
    bm25: float = 0.0

    @property
    def turn(self) -> Turn:
        """The turn that the document is."""
        return turns.parse([self.values.get(name) for name in _FIELD_NAMES])


_FIELD_NAMES = tuple(name.encode() for name in turns.FIELDS)


def _returning(*more: str) -> list[Argument]:
    return ["RETURN", len(turns.FIELDS) + len(more), *turns.FIELDS, *more]


def values(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return a document's fields."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _rows(reply: Sequence[Any]) -> list[Row]:
    """Read a RESP2 reply: the count, then key and fields of each document; a document just deleted has none."""
    return [Row(key, values(flat)) for key, flat in zip(reply[1::2], reply[2::2], strict=True) if flat]


def _scored_rows(reply: Sequence[Any]) -> list[Row]:
    """Read a RESP2 reply with scores: the count, then key, score and fields of each document."""
    found = zip(reply[1::3], reply[2::3], reply[3::3], strict=True)
    return [Row(key, values(flat), float(score)) for key, score, flat in found if flat]


def parameters(params: Mapping[str, Argument]) -> list[Argument]:
    """Return a query's last words: its parameters, and the dialect that knows them."""
    return ["PARAMS", 2 * len(params), *(item for pair in params.items() for item in pair), "DIALECT", 2]
