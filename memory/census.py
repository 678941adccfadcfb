"""How many passages are in reach, and hold a word: what a search will cost, so that it can be asked the cheaper way.

Within a conversation every search is cheap. Over all that a large community says in public, a common word costs as many
steps as it has passages, and so does comparing vectors one by one.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from memory.batch import Answer, Argument, Batch
from memory.errors import RedisError

SMALL = 3_000  # passages; below that every search is cheap, and nothing but their number is counted
KEPT = 3600.0  # seconds that a count is believed
MOST = 50_000  # counts kept
POSTINGS = 2_500  # passages that the text search may look at: 1 to 2 ms
WIDE = 3_000  # passages in reach times their share of all; beyond it the graph is searched rather than all compared

Counted = tuple[str, str]  # a tag, and a term within it; "" for all that carries the tag, and for all there is

_ALL: Counted = ("", "")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a search is asked. terms: those worth their cost; graph: through the HNSW graph, not one by one."""

    terms: tuple[str, ...]
    graph: bool = False


class Census:
    """Counts of an index, each asked when it is first needed and kept for a while, in this process alone.

    Words are counted within the reach of who asks: nothing that cannot be read from there has a part in them.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: dict[Counted, tuple[float, int]] = {}

    def ask(self, batch: Batch, index: str, tags: Sequence[str], terms: Sequence[str]) -> Callable[[], None]:
        """Ask for what is not known of a reach, given as the tags in it; call what is returned when that was sent."""
        wanted = [_ALL]
        if self._count(_ALL) > SMALL:
            wanted += [(tag, "") for tag in tags]
            wanted += [(self._widest(tags), term) for term in terms if self._reach(tags) > POSTINGS]
        asked = {one: batch.ask(*_counting(index, one), read=_number) for one in wanted if one not in self}
        return lambda: self._take(asked)

    def plan(self, tags: Sequence[str], terms: Sequence[str]) -> Plan:
        """Return how to ask for passages in a reach that hold one of the terms.

        The rarest terms are searched for; one at least, unless that alone would cost too much. All are weighed later.
        """
        everything, reach = self._count(_ALL), self._reach(tags)
        if everything <= SMALL:
            return Plan(tuple(terms))
        widest = self._widest(tags)
        cost = {term: self._count((widest, term)) for term in terms}
        kept: set[str] = set()
        room = POSTINGS
        for term in sorted(terms, key=lambda term: cost[term]):
            room -= cost[term]
            if room < 0 and (kept or room < -4 * POSTINGS):
                break
            kept.add(term)
        return Plan(tuple(term for term in terms if term in kept), reach * reach / everything > WIDE)

    def __contains__(self, one: Counted) -> bool:
        """Tell whether a count is known."""
        return one in self._counts and self._counts[one][0] > self._clock()

    def _count(self, one: Counted) -> int:
        return self._counts[one][1] if one in self else 0

    def _widest(self, tags: Sequence[str]) -> str:
        return max(tags, key=lambda tag: self._count((tag, "")))

    def _reach(self, tags: Sequence[str]) -> int:
        return min(sum(self._count((tag, "")) for tag in tags), self._count(_ALL))

    def _take(self, asked: dict[Counted, Answer[int]]) -> None:
        if len(self._counts) + len(asked) > MOST:
            self._counts.clear()
        until = self._clock() + KEPT
        for one, answer in asked.items():
            try:
                self._counts[one] = (until, answer.value)
            except RedisError:  # it only steers: the search itself will say what is wrong
                continue


def _counting(index: str, one: Counted) -> list[Argument]:
    tag, term = one
    how: list[Argument] = ["VERBATIM", "NOCONTENT", "LIMIT", 0, 0]
    if not tag:
        return ["FT.SEARCH", index, "*", *how]
    return ["FT.SEARCH", index, f"@reach:{{$reach}} {term}".rstrip(), *how, "PARAMS", 2, "reach", tag, "DIALECT", 2]


def _number(reply: Sequence[int]) -> int:
    return int(reply[0])
