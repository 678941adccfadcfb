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
from memory.scope import Scope
from memory.views import IndexOptions, packed, unpacked

CANDIDATES = 150  # a search; 60 lose 4 points of recall against scoring everything


def search(
    batch: Batch,
    keys: Keys,
    scope: Scope,
    vector: Vector,
    terms: Sequence[str],
    options: IndexOptions,
    candidates: int = CANDIDATES,
) -> "Search":
    """Ask for the turns nearest in meaning and those that share words, all within the scope's reach."""
    within, held = _reach(scope)
    nearest = batch.ask(
        *("FT.SEARCH", keys.index, f"({within})=>[KNN {candidates} @vector $vector EF_RUNTIME $ef AS distance]"),
        *_returning("distance"),
        *("SORTBY", "distance", "LIMIT", 0, candidates),
        *_params({**held, "vector": packed(vector, len(vector), options.dtype), "ef": options.ef_runtime}),
        read=_rows,
    )
    sharing: Answer[list[Row]] | None = None
    if terms:
        sharing = batch.ask(
            *("FT.SEARCH", keys.index, _any_of(terms, within), "VERBATIM", "WITHSCORES", "SCORER", "BM25STD"),
            *_returning("vector"),
            *("LIMIT", 0, candidates),
            *_params(held),
            read=_scored_rows,
        )
    return Search(vector, options, nearest, sharing)


def latest(batch: Batch, keys: Keys, scope: Scope, count: int, skip: int = 0) -> "Answer[Listing]":
    """Ask for the latest turns within the scope's reach, the newest first."""
    within, held = _reach(scope)
    return batch.ask(
        *("FT.SEARCH", keys.index, within),
        *_returning(),
        *("SORTBY", "sent_at", "DESC", "LIMIT", skip, count),
        *_params(held),
        read=_listing,
    )


@dataclass(frozen=True, slots=True)
class Listing:
    """Some turns, the newest first, and how many there are in all."""

    turns: tuple[Turn, ...]
    total: int


def _listing(reply: Sequence[Any]) -> Listing:
    return Listing(tuple(row.turn for row in _rows(reply)), int(reply[0]))


def _reach(scope: Scope) -> tuple[str, dict[str, Argument]]:
    """Return the clause that every query carries, and its parameters: no query is built without a scope."""
    held: dict[str, Argument] = {f"reach{number}": tag for number, tag in enumerate(scope.held)}
    return "@reach:{" + "|".join(f"${name}" for name in held) + "}", held


def _any_of(terms: Sequence[str], within: str) -> str:
    """Return the text query: each term within the reach, not the terms' union within it.

    RediSearch (2.10.5) loses part of the score where it intersects a union with another clause: a turn with three
    of the words may count as if it had one, which cost 8 points of its recall@10. The reach scores nothing.
    """
    return "|".join(f"(({within})=>{{$weight:0}} {term})" for term in terms)


class Search:
    """What both searches will have found once the batch is sent."""

    def __init__(
        self,
        vector: Vector,
        options: IndexOptions,
        nearest: "Answer[list[Row]]",
        sharing: "Answer[list[Row]] | None",
    ) -> None:
        self._vector = vector / max(float(np.linalg.norm(vector)), 1e-12)
        self._options = options
        self._nearest = nearest
        self._sharing = sharing

    @property
    def hits(self) -> list[Hit]:
        """Every turn found, once; the cosine of those that only the words found is worked out here."""
        sharing = {row.key: row for row in (self._sharing.value if self._sharing else [])}
        nearest = {row.key: row for row in self._nearest.value}
        missed = [row for key, row in sharing.items() if key not in nearest]
        near = [
            Hit(row.turn, 1 - float(row.values[b"distance"]), sharing[key].bm25 if key in sharing else 0.0)
            for key, row in nearest.items()
        ]
        return near + [Hit(row.turn, self._cosine(row.values.get(b"vector")), row.bm25) for row in missed]

    def _cosine(self, stored: bytes | None) -> float:
        """Return the cosine with a stored vector; 0 for a turn that could not be embedded."""
        if stored is None:
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
        return turns.parse([self.values[name] for name in _FIELD_NAMES])


_FIELD_NAMES = tuple(name.encode() for name in turns.FIELDS)


def _returning(*more: str) -> list[Argument]:
    return ["RETURN", len(turns.FIELDS) + len(more), *turns.FIELDS, *more]


def _values(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _rows(reply: Sequence[Any]) -> list[Row]:
    """Read a RESP2 reply: the count, then key and fields of each document; a document just deleted has none."""
    return [Row(key, _values(flat)) for key, flat in zip(reply[1::2], reply[2::2], strict=True) if flat]


def _scored_rows(reply: Sequence[Any]) -> list[Row]:
    """Read a RESP2 reply with scores: the count, then key, score and fields of each document."""
    found = zip(reply[1::3], reply[2::3], reply[3::3], strict=True)
    return [Row(key, _values(flat), float(score)) for key, score, flat in found if flat]


def _params(params: Mapping[str, Argument]) -> list[Argument]:
    return ["PARAMS", 2 * len(params), *(item for pair in params.items() for item in pair), "DIALECT", 2]
