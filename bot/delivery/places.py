"""Where a message may end, and which place is the best."""

from bisect import bisect_left
from dataclasses import dataclass
from enum import IntEnum

from bot.delivery.inline import Span
from bot.delivery.parts import Open


class Rank(IntEnum):
    """How good a place is to cut at, the best first."""

    PARAGRAPH = 0
    BLOCK = 1  # before an item, a quotation, a fence, a table; after a fence
    LINE = 2
    ROW = 3  # in a table or in code; after a heading
    SENTENCE = 4
    WORD = 5
    INSIDE = 6  # in a link, in code, in emphasis; or what follows would look like an item


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part may end. used: the size of what comes before."""

    at: int
    rank: Rank
    used: int
    open: Open


def best(places: list[Place], half: int) -> Place | None:
    """Return the best place that leaves a message at least half full; else the last good one; else any."""
    whole = [place for place in places if place.rank < Rank.INSIDE]
    filling = [place for place in whole if place.used >= half]
    if filling:
        return min(filling, key=lambda place: (place.rank, -place.at))
    if whole:
        return max(whole, key=lambda place: (place.rank <= Rank.ROW, place.at))
    return max(places, key=lambda place: place.at, default=None)


class Inside:
    """Answers whether a place is inside something that must stay whole."""

    def __init__(self, kept: list[Span]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(kept):
            if self._ends and start < self._ends[-1]:
                self._ends[-1] = max(end, self._ends[-1])
            else:
                self._starts.append(start)
                self._ends.append(end)

    def start(self, at: int) -> int | None:
        """Return where that which a place is inside of begins; None where it is inside of nothing."""
        before = bisect_left(self._starts, at) - 1
        return self._starts[before] if before >= 0 and at < self._ends[before] else None
