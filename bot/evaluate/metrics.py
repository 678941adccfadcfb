"""Retrieval metrics over ranked ids, for one question; and how sure a mean over many questions is.

`relevant`: the ids that should be found; `ranked`: what was found, best first. An id that is ranked twice counts where
it stands first. Every metric is between 0 and 1, more is better, and raises ValueError where nothing is relevant: then
no figure is right, so ask such questions for how much they recall instead.
"""

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 10_000
LEVEL = 0.95

_CELLS = 2_000_000  # numbers drawn at once; keeps a bootstrap below 50 MB
_NOISE = 1e-12  # means that differ by less are equal: sums of floats depend on their order


def precision_at(k: int, relevant: Collection[Hashable], ranked: Sequence[Hashable]) -> float:
    """Return the share of the first k places that hold a relevant id; places left empty count too.

    Manning, Raghavan & Schütze, 2008, Introduction to Information Retrieval, 8.4.
    """
    return len(_ranks(relevant, ranked, k)) / k


def recall_at(k: int, relevant: Collection[Hashable], ranked: Sequence[Hashable]) -> float:
    """Return the share of the relevant ids among the first k."""
    return len(_ranks(relevant, ranked, k)) / len(set(relevant))


def hit_at(k: int, relevant: Collection[Hashable], ranked: Sequence[Hashable]) -> float:
    """Return 1 where any relevant id is among the first k, else 0: LongMemEval's recall_any (Wu et al., 2024)."""
    return float(bool(_ranks(relevant, ranked, k)))


def all_at(k: int, relevant: Collection[Hashable], ranked: Sequence[Hashable]) -> float:
    """Return 1 where every relevant id is among the first k, else 0: LongMemEval's recall_all (Wu et al., 2024)."""
    return float(len(_ranks(relevant, ranked, k)) == len(set(relevant)))


def ndcg_at(k: int, relevant: Collection[Hashable], ranked: Sequence[Hashable]) -> float:
    """Return the normalised discounted cumulative gain with binary relevance (Järvelin & Kekäläinen, 2002)."""
    gain = sum(1 / log2(rank + 1) for rank in _ranks(relevant, ranked, k))
    return gain / sum(1 / log2(rank + 1) for rank in range(1, min(k, len(set(relevant))) + 1))


def reciprocal_rank(relevant: Collection[Hashable], ranked: Sequence[Hashable]) -> float:
    """Return one over the rank of the first relevant id; 0 where none is ranked (Voorhees, 1999, TREC-8)."""
    ranks = _ranks(relevant, ranked, max(1, len(ranked)))
    return 1 / ranks[0] if ranks else 0.0


def recall_within(
    tokens: int, relevant: Collection[Hashable], ranked: Sequence[Hashable], cost: Mapping[Any, int]
) -> float:
    """Return the share of the relevant ids that fit into so many tokens when the ranking is read from its top.

    cost: the tokens of each id. Reading stops at the first id that goes over, as a prompt would be filled; so systems
    that keep pieces of different lengths can be compared. Raises KeyError where a ranked id has no cost.
    """
    wanted = _wanted(relevant)
    found, room = 0, tokens
    for one in dict.fromkeys(ranked):
        room -= cost[one]
        if room < 0:
            break
        found += one in wanted
    return found / len(wanted)


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better the second of two runs is, over the same questions. low, high: the interval; p: two-sided."""

    mean: float
    low: float
    high: float
    p: float


def interval(
    values: ArrayLike, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean (Efron & Tibshirani, 1993, chapter 13).

    values: one a question, which are drawn with replacement. The same seed gives the same interval. Raises ValueError
    where there are no values.
    """
    [found] = intervals(_column(values), level=level, resamples=resamples, seed=seed)
    return found


def intervals(
    values: ArrayLike, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> list[tuple[float, float]]:
    """Return `interval` of each column of (questions, metrics): all from the same draws, which is much quicker."""
    means = _resampled(values, resamples, seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def difference(
    a: ArrayLike, b: ArrayLike, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> Difference:
    """Return how much higher the mean of b is than that of a, by the paired bootstrap over questions.

    a, b: a value a question, in the same order. p: twice the share of resamples on the other side of no difference,
    counting the sample itself (Davison & Hinkley, 1997, 4.2), so at least 2 / (resamples + 1), and 1 for equal runs.
    Below some twenty questions, p and the interval are surer of themselves than they should be. Raises ValueError where
    there are no values or not as many.
    """
    [found] = differences(_column(a), _column(b), level=level, resamples=resamples, seed=seed)
    return found


def differences(
    a: ArrayLike, b: ArrayLike, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> list[Difference]:
    """Return `difference` of each column of two tables (questions, metrics)."""
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if first.shape != second.shape:
        raise ValueError(f"runs are compared over the same questions; got {len(first)} and {len(second)} values")
    gained = second - first
    means = _resampled(gained, resamples, seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    below, above = (means <= _NOISE).sum(axis=0), (means >= -_NOISE).sum(axis=0)
    p = np.minimum(1.0, 2 * (np.minimum(below, above) + 1) / (resamples + 1))
    columns = zip(gained.mean(axis=0), low, high, p, strict=True)
    return [Difference(*(float(value) for value in column)) for column in columns]


def _ranks(relevant: Collection[Hashable], ranked: Sequence[Hashable], k: int) -> list[int]:
    """Return the ranks, from 1, at which the first k places show a relevant id for the first time."""
    if k < 1:
        raise ValueError(f"k must be 1 or more; got {k}")
    wanted = set(_wanted(relevant))
    return list(_first(wanted, ranked[:k]))


def _first(wanted: set[Hashable], ranked: Sequence[Hashable]) -> Iterator[int]:
    for rank, one in enumerate(ranked, 1):
        if one in wanted:
            wanted.remove(one)
            yield rank


def _wanted(relevant: Collection[Hashable]) -> frozenset[Hashable]:
    if not relevant:
        raise ValueError("nothing is relevant to this question, so no share of it can be found")
    return frozenset(relevant)


def _column(values: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(values, dtype=float)[:, None]


def _resampled(values: ArrayLike, resamples: int, seed: int) -> NDArray[np.float64]:
    """Return the mean of each column in each resample of the rows, shape (resamples, columns)."""
    table = np.asarray(values, dtype=float)
    if len(table) == 0:
        raise ValueError("there are no values to resample")
    draws = np.random.default_rng(seed)
    chunk = max(1, _CELLS // table.size)
    sizes = [min(chunk, resamples - done) for done in range(0, resamples, chunk)]
    return np.concatenate([table[draws.integers(0, len(table), (size, len(table)))].mean(axis=1) for size in sizes])
