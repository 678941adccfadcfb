"""A run's figures: means with intervals for people and machines, and a row a question for a file of one's own."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean, median, quantiles
from typing import Any

from bot.evaluate.metrics import intervals
from bot.evaluate.ranking import METRICS, Ranking
from bot.evaluate.run import Asked, Run
from bot.ingest.cases import Question

Scored = tuple[Question, Mapping[str, float]]


def report(run: Run) -> dict[str, Any]:
    """Return the figures as they are printed; the intervals are of 95%, by the bootstrap over the questions.

    overall, intervals: without what the field leaves out. sessions: the same figures of whole conversations, where
    the data set is measured by them. small_talk: how many turns were recalled where none should be, on average.
    """
    found: dict[str, Any] = {"turns": run.turns}
    found |= figures([(one.question, _scores(one.turns)) for one in run.asked if one.turns.relevant])
    sessions = [(one.question, _scores(one.sessions)) for one in run.asked if one.sessions]
    if sessions:
        found["sessions"] = figures(sessions)
    idle = [one for one in run.asked if _is_small_talk(one)]
    if idle:
        recalled = mean(len(one.turns.ranked) for one in idle)
        found["small_talk"] = {"questions": len(idle), "recalled": round(recalled, 2)}
    found["latency_ms"] = {"recall": _latency([one.seconds for one in run.asked])}
    if run.added:
        found["latency_ms"] = {"add": _latency(run.added), **found["latency_ms"]}
    return found


def figures(scored: Sequence[Scored]) -> dict[str, Any]:
    """Return means and intervals, overall and by category, categories in the data set's order."""
    order = sorted({(one.number or 0, one.category) for one, _ in scored})
    by_category = {category: [one for one in scored if one[0].category == category] for _, category in order}
    kept = [one for one in scored if not one[0].aside]
    return {
        "overall": _means(kept),
        "intervals": _intervals(kept),
        "by_category": {category: _means(some) for category, some in by_category.items()},
        "intervals_by_category": {category: _intervals(some) for category, some in by_category.items()},
    }


def rows(run: Run) -> Iterable[dict[str, Any]]:
    """Yield a row a question, for a file of one's own; `compare` reads it."""
    for one in run.asked:
        question = one.question
        row: dict[str, Any] = {
            "conversation": question.conversation,
            "question": question.text,
            "category": question.category if question.number is None else question.number,
            "overall": not question.aside,
            **_ranked(one.turns),
        }
        if _is_small_talk(one):
            row["metrics"] = {"recalled": len(one.turns.ranked)}
        if one.sessions:
            row["sessions"] = _ranked(one.sessions)
        yield row


def _ranked(one: Ranking) -> dict[str, Any]:
    return {"relevant": list(one.relevant), "recalled": list(one.ranked), "metrics": _scores(one)}


def _scores(one: Ranking) -> dict[str, float]:
    """Return the metrics, and none where nothing is relevant: no figure would be right there."""
    return {name: round(value, 6) for name, value in one.scores().items()} if one.relevant else {}


def _is_small_talk(one: Asked) -> bool:
    return not one.turns.relevant and one.sessions is None


def _means(scored: Sequence[Scored]) -> dict[str, float]:
    found: dict[str, float] = {"questions": len(scored)}
    for name in METRICS:
        found[name] = round(mean(values[name] for _, values in scored), 4) if scored else 0.0
    return found


def _intervals(scored: Sequence[Scored]) -> dict[str, list[float]]:
    if not scored:
        return {}
    found = intervals([[values[name] for name in METRICS] for _, values in scored])
    return {name: [round(low, 4), round(high, 4)] for name, (low, high) in zip(METRICS, found, strict=True)}


def _latency(seconds: Sequence[float]) -> dict[str, float]:
    if len(seconds) < 2:
        return {"p50": 0.0, "p95": 0.0}
    return {"p50": round(median(seconds) * 1000, 2), "p95": round(quantiles(seconds, n=20)[-1] * 1000, 2)}
