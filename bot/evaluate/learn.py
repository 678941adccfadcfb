"""The weights of the signals that memory ranks by, learned from questions whose answers are known.

A linear model, so that a score can be explained: the listwise loss of ListNet (Cao et al., ICML 2007), whose minimum
Newton's method finds in a few steps. It is measured on what it has not seen: each conversation by the weights that all
others give.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from bot.evaluate.ranking import Ranking
from bot.evaluate.report import Scored
from bot.evaluate.run import Asked
from bot.ingest.cases import Question
from memory.rank import Weights

NAMES = tuple(field.name for field in fields(Weights))
POOL = 1000  # turns recalled a question: all that the searches find
STRENGTH = 1.0  # of the pull towards 0, as the sum of the weights' squares
STEPS = 30

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lesson:
    """One question and all that was found for it.

    table: signals, shape (turns, signals). right: each turn's share in the answer, all 0 where none was found.
    """

    group: str
    question: Question
    ranking: Ranking
    table: Floats
    right: Floats


def lesson(group: str, asked: Asked) -> Lesson:
    """Return what can be learned from a question."""
    relevant = set(asked.turns.relevant)
    right = np.array([one in relevant for one in asked.turns.ranked], dtype=float)
    table = np.array([[signals[name] for name in NAMES] for signals in asked.signals]).reshape(-1, len(NAMES))
    return Lesson(group, asked.question, asked.turns, table, right / max(right.sum(), 1.0))


def fitted(lessons: Sequence[Lesson]) -> Floats:
    """Return the weights that put the answers first, one a signal."""
    told = [one for one in lessons if one.right.any()]
    weights = np.zeros(len(NAMES))
    for _ in range(STEPS):
        slope, curve = 2 * STRENGTH * weights, 2 * STRENGTH * np.eye(len(NAMES))
        for one in told:
            shares = _shares(one, weights)
            mean = shares @ one.table
            slope += mean - one.right @ one.table
            curve += one.table.T @ (one.table * shares[:, None]) - np.outer(mean, mean)
        step = np.linalg.solve(curve, slope)
        loss = _loss(told, weights)
        while np.abs(step).max() > 1e-6 and _loss(told, weights - step) > loss:
            step /= 2  # it went too far
        weights = weights - step
        if np.abs(step).max() < 1e-4:
            break
    return weights


def _loss(lessons: Sequence[Lesson], weights: Floats) -> float:
    missed = sum(-float(one.right @ np.log(_shares(one, weights) + 1e-300)) for one in lessons)
    return missed + STRENGTH * float(weights @ weights)


def _shares(one: Lesson, weights: Floats) -> Floats:
    """Return how likely each turn is to be the answer, all together 1."""
    scores = one.table @ weights
    odds = np.exp(scores - scores.max())
    shares: Floats = odds / odds.sum()
    return shares


def held_out(lessons: Sequence[Lesson]) -> dict[str, list[Scored]]:
    """Return by group how well its questions fare with the weights that the other groups give."""
    groups = dict.fromkeys(one.group for one in lessons)
    found: dict[str, list[Scored]] = {}
    for group in groups:
        weights = fitted([one for one in lessons if one.group != group])
        found[group] = [(one.question, _ranked(one, weights).scores()) for one in lessons if one.group == group]
    return found


def table(weights: Floats) -> Mapping[str, float]:
    """Return the weights by name, scaled so that those above 0 add up to 1: no order changes by that."""
    scaled = weights / weights[weights > 0].sum()
    return {name: round(float(value), 3) for name, value in zip(NAMES, scaled, strict=True)}


def _ranked(one: Lesson, weights: Floats) -> Ranking:
    order = np.argsort(-(one.table @ weights), kind="stable")
    ranked, tokens = one.ranking.ranked, one.ranking.tokens
    return Ranking(one.ranking.relevant, tuple(ranked[at] for at in order), tuple(tokens[at] for at in order))
