"""Several things timed round by round, so that what else the machine does hits them alike."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles
from typing import TypeVar

T = TypeVar("T")

WARM_UP = 5  # rounds that are not counted

Act = Callable[[], Awaitable[object]]
Prepare = Callable[[int], Act]  # makes what a round needs, and returns what is timed


@dataclass(frozen=True, slots=True)
class Times:
    """How long each round took, in milliseconds."""

    rounds: tuple[float, ...]

    @property
    def p50(self) -> float:
        """The median."""
        return median(self.rounds)

    @property
    def p95(self) -> float:
        """The 95th percentile."""
        return quantiles(self.rounds, n=20, method="inclusive")[-1]


async def interleaved(acts: Mapping[T, Prepare], rounds: int) -> dict[T, Times]:
    """Time each act once a round, in their order."""
    taken: dict[T, list[float]] = {what: [] for what in acts}
    for number in range(WARM_UP + rounds):
        for what, prepare in acts.items():
            act = prepare(number)
            began = time.perf_counter()
            await act()
            taken[what].append((time.perf_counter() - began) * 1000)
    return {what: Times(tuple(times[WARM_UP:])) for what, times in taken.items()}
