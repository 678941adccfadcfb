"""The searches of a recall, by meaning, by words and by time, asked in one batch and read as one list of candidates."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from memory import turns
from memory.batch import Answer, Argument, Batch
from memory.census import Plan
from memory.cue import Cue
from memory.embedder import Vector
from memory.keys import Keys
from memory.rank import Candidate
from memory.records import Turn
from memory.views import IndexOptions, packed, read_card, unpacked, vector_field
from memory.within import Within

PATIENCE = 60_000  # milliseconds for a query that nobody waits for at a prompt; the server's limit is 500
CANDIDATES = 150  # a search; 100 lose half a point of recall, 200 gain nothing
THEN = 50  # turns of a time that is asked for

# What ranking weighs. The turns' own texts are read later, of those that win: long ones cost more than the searches.
WEIGHED = ("card", "words", "before")


def search(
    batch: Batch,
    keys: Keys,
    within: Within,
    generation: int,
    vector: Vector | None,
    cue: Cue,
    plan: Plan,
    options: IndexOptions,
    candidates: int = CANDIDATES,
) -> "Search":
    """Ask for the passages nearest in meaning, those that share words, and those of the time that is asked for.

    Without a vector, there is no search by meaning.
    """
    field, index = vector_field(generation), keys.generation(generation)
    # Left to itself, the engine compares all that is in reach one by one, however much that is.
    nearest_by = f"KNN {candidates} @{field} $vector{' HYBRID_POLICY BATCHES' if plan.graph else ''} EF_RUNTIME $ef"
    nearest: Answer[list[Row]] | None = None
    if vector is not None:
        nearest = batch.ask(
            *(
                "FT.SEARCH",
                index,
                f"({within.clause})=>[{nearest_by} AS distance]",
            ),
            *_returning(*WEIGHED, "distance"),
            *("SORTBY", "distance", "LIMIT", 0, candidates),
            *parameters(
                {**within.params, "vector": packed(vector, len(vector), options.dtype), "ef": options.ef_runtime}
            ),
            read=_rows,
        )
    others: list[Answer[list[Row]]] = []
    if plan.terms:
        others.append(
            batch.ask(
                *("FT.SEARCH", index, _any_of(plan.terms, within.clause), "VERBATIM", "SCORER", "BM25STD"),
                *_returning(*WEIGHED, field),
                *("LIMIT", 0, candidates),
                *parameters(within.params),
                read=_rows,
            )
        )
    others += [
        batch.ask(
            *("FT.SEARCH", index, f"({within.clause}) @sent_at:[{window.since} ({window.until}]"),
            *_returning(*WEIGHED, field),
            *("SORTBY", "sent_at", "DESC", "LIMIT", 0, THEN),
            *parameters(within.params),
            read=_rows,
        )
        for window in cue.windows
        if window.until
    ]
    return Search(vector, field, options, nearest, others)


def latest(batch: Batch, keys: Keys, within: Within, count: int, skip: int = 0) -> "Answer[Listing]":
    """Ask for the latest turns, the newest first."""
    return batch.ask(
        *("FT.SEARCH", keys.index, within.clause),
        *_returning(*turns.FIELDS),
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
    """What the searches will have found once the batch is sent."""

    def __init__(
        self,
        vector: Vector | None,
        field: str,
        options: IndexOptions,
        nearest: "Answer[list[Row]] | None",
        others: "Sequence[Answer[list[Row]]]",
    ) -> None:
        self._vector = None if vector is None else vector / max(float(np.linalg.norm(vector)), 1e-12)
        self._field = field.encode()
        self._options = options
        self._nearest = nearest
        self._others = others

    @property
    def candidates(self) -> list[Candidate]:
        """Every passage found, once; the cosine of those that the search by meaning missed is worked out here."""
        nearest = {row.key: row for row in (self._nearest.value if self._nearest else [])}
        missed = {row.key: row for rows in self._others for row in rows.value if row.key not in nearest}
        return [_candidate(row, 1 - float(row.values[b"distance"])) for row in nearest.values()] + [
            _candidate(row, cosine) for row, cosine in zip(missed.values(), self._cosines(missed.values()), strict=True)
        ]

    def _cosines(self, rows: Collection["Row"]) -> list[float]:
        """Return the cosines with stored vectors; nan where the passage or what is asked could not be embedded."""
        if self._vector is None:
            return [math.nan] * len(rows)
        blank = bytes(len(self._vector) * np.dtype(self._options.dtype).itemsize)
        stored = unpacked(b"".join(row.values.get(self._field, blank) for row in rows), self._options.dtype)
        matrix = stored.reshape(len(rows), len(self._vector))
        norms = np.linalg.norm(matrix, axis=1)
        cosines: list[float] = (matrix @ self._vector / np.where(norms > 0, norms, math.nan)).tolist()
        return cosines


def _candidate(row: "Row", similarity: float) -> Candidate:
    found = row.values
    return Candidate(row.key, read_card(found[b"card"]), found[b"words"], found.get(b"before", b""), similarity)


class Row(NamedTuple):
    """One document of a reply: its key and the fields asked for."""

    key: bytes
    values: Mapping[bytes, bytes]

    @property
    def turn(self) -> Turn:
        """The turn that the document is."""
        return turns.parse([self.values.get(name) for name in _FIELD_NAMES])


_FIELD_NAMES = tuple(name.encode() for name in turns.FIELDS)


def _returning(*names: str) -> list[Argument]:
    return ["RETURN", len(names), *names]


def values(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return a document's fields."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _rows(reply: Sequence[Any]) -> list[Row]:
    """Read a RESP2 reply: the count, then key and fields of each document; a document just deleted has none."""
    return [Row(key, values(flat)) for key, flat in zip(reply[1::2], reply[2::2], strict=True) if flat]


def parameters(params: Mapping[str, Argument]) -> list[Argument]:
    """Return a query's last words: its parameters, and the dialect that knows them."""
    return ["PARAMS", 2 * len(params), *(item for pair in params.items() for item in pair), "DIALECT", 2]
