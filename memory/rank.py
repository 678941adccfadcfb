"""Order what the searches found. Pure functions: the same on every server version, and worked out by eye in tests."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from memory import cue
from memory.records import Recalled, Turn


@dataclass(frozen=True, slots=True)
class Hit:
    """A turn that a search found. similarity: cosine, -1 to 1. bm25: 0 where the text search did not find it."""

    turn: Turn
    similarity: float
    bm25: float = 0.0


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each signal counts, every signal being 0 to 1.

    Half and half for meaning and words: score fusion found 16 points more of the evidence than reciprocal rank
    fusion, because it keeps how much better the best hit is. The speaker's weight stays small: questions that name
    the wrong speaker are common, and must still find their turn.
    """

    vector: float = 0.5
    text: float = 0.5
    speaker: float = 0.1


def fuse(hits: Sequence[Hit], question: str, weights: Weights = Weights()) -> list[Recalled]:
    """Return the hits best first, each with its score and the signals it is made of."""
    similarity = _scaled([hit.similarity for hit in hits])
    bm25 = _scaled([hit.bm25 for hit in hits])
    named = cue.named(question, {hit.turn.author for hit in hits})
    ranked = [
        _weighed(
            hit.turn,
            {
                "vector": (weights.vector, similarity(hit.similarity)),
                "text": (weights.text, bm25(hit.bm25)),
                "speaker": (weights.speaker, float(hit.turn.author in named)),
            },
        )
        for hit in hits
    ]
    return sorted(ranked, key=lambda found: (-found.score, -found.turn.sent_at, found.turn.id))


def _weighed(turn: Turn, signals: dict[str, tuple[float, float]]) -> Recalled:
    score = sum(weight * value for weight, value in signals.values())
    return Recalled(turn, round(score, 6), {name: round(value, 6) for name, (_, value) in signals.items()})


def _scaled(values: Iterable[float]) -> Callable[[float], float]:
    """Return the function that maps the lowest value to 0 and the highest to 1; where all are alike, to 1."""
    known = list(values)
    low, high = min(known, default=0.0), max(known, default=0.0)
    if high <= low:
        return lambda value: 1.0 if value > 0 else 0.0
    return lambda value: (value - low) / (high - low)
