"""What memory asks of a reranker, which reads the question and a passage together, and how much it counts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from memory.errors import LoreError
from memory.records import Recalled

Scores = np.ndarray[Any, np.dtype[np.float64]]  # shape (passages,)

DEPTH = 20  # turns that are read: of 10, none could come up from below, and 30 gain no more
WEIGHT = 0.25  # of its score, where ranking's best possible score is 1; by itself it orders worse than ranking does


class Reranker(Protocol):
    """Judges how well passages answer a question: slower than everything that ranking weighs, and not the same."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    async def rerank(self, question: str, passages: Sequence[str]) -> Scores:
        """Return how well each passage answers the question: shape (len(passages),), each from 0 to 1.

        A score stands for itself, whatever the other passages are: where none answers, all are low. The question is
        as whoever it names would put it, "What is my dog called?": by the name, what others say to its bearer would
        win. Passages begin with their author, "Ada: My dog is called Rex."; what is too long is cut. Raises LoreError
        where it cannot tell; then the ranking stands.
        """
        ...

    async def close(self) -> None:
        """Let go of connections and threads."""
        ...


@dataclass(frozen=True, slots=True)
class Reranked:
    """Turns in their order. trouble: why the reranker has not read them; empty: it has, or none was asked."""

    recalled: list[Recalled]
    trouble: str = ""


async def reranked(reranker: Reranker, question: str, recalled: Sequence[Recalled]) -> Reranked:
    """Mix the reranker's scores of the first DEPTH turns into theirs; what it has not read stays below, in its order.

    No score is above 1. Where the reranker fails, all stays as it is.
    """
    read = recalled[:DEPTH]
    if not read:
        return Reranked([])
    try:
        scores = await reranker.rerank(question, [f"{one.turn.author}: {one.excerpt}" for one in read])
    except LoreError as error:
        return Reranked(list(recalled), str(error))
    judged = [_judged(one, score) for one, score in zip(read, scores.tolist(), strict=True)]
    rest = [replace(one, score=_mixed(one.score, 0.0)) for one in recalled[DEPTH:]]
    return Reranked([*sorted(judged, key=lambda one: -one.score), *rest])


def _judged(one: Recalled, score: float) -> Recalled:
    return replace(one, score=_mixed(one.score, score), signals={**one.signals, "reranker": round(score, 6)})


def _mixed(score: float, judged: float) -> float:
    return round((score + WEIGHT * judged) / (1 + WEIGHT), 6)
