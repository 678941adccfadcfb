"""Runs over LoCoMo: every turn through the product's own write path, every question through its own recall."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median, quantiles
from typing import Any

from bot.evaluate.metrics import ndcg_at, recall_at, reciprocal_rank
from bot.ingest.locomo import CATEGORIES, Conversation, Question
from memory.errors import LoreError
from memory.memory import Memory
from memory.scope import Audience, Scope

RANKED = 100  # ids kept a question
ADVERSARIAL = 5  # its questions name the wrong speaker; the field leaves it out of the overall figures

METRICS: Mapping[str, Callable[[Sequence[str], Sequence[str]], float]] = {
    "recall@5": lambda relevant, ranked: recall_at(5, relevant, ranked),
    "recall@10": lambda relevant, ranked: recall_at(10, relevant, ranked),
    "recall@20": lambda relevant, ranked: recall_at(20, relevant, ranked),
    "ndcg@10": lambda relevant, ranked: ndcg_at(10, relevant, ranked),
    "mrr": reciprocal_rank,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One question and what recall found. recalled: ids in rank order. seconds: the recall's, embedding included."""

    conversation: str
    question: Question
    recalled: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Run:
    """All that a run measured. added: seconds a turn, embedding included."""

    asked: tuple[Asked, ...]
    added: tuple[float, ...]

    def report(self) -> dict[str, Any]:
        """Return the figures as they are printed."""
        kept = [one for one in self.asked if one.question.category != ADVERSARIAL]
        categories = sorted({one.question.category for one in self.asked})
        return {
            "turns": len(self.added),
            "overall": _scores(kept),
            "by_category": {
                CATEGORIES.get(number, str(number)): _scores(
                    [one for one in self.asked if one.question.category == number]
                )
                for number in categories
            },
            "latency_ms": {
                "add": _latency(self.added),
                "recall": _latency([one.seconds for one in self.asked]),
            },
        }

    def rows(self) -> Iterable[dict[str, Any]]:
        """Yield a row a question, for a file of one's own."""
        for one in self.asked:
            yield {
                "conversation": one.conversation,
                "question": one.question.text,
                "category": one.question.category,
                "relevant": list(one.question.relevant),
                "recalled": list(one.recalled),
            }


async def run(memory: Memory, conversations: Sequence[Conversation], progress: Callable[[int], None]) -> Run:
    """Import each conversation into a tenant of its own and ask its questions there."""
    asked: list[Asked] = []
    added: list[float] = []
    for conversation in conversations:
        scope = Scope(f"locomo:{conversation.id}", conversation.id, "reader", Audience.PUBLIC)
        for turn in conversation.turns:
            began = time.perf_counter()
            await memory.remember(scope, [turn])
            added.append(time.perf_counter() - began)
            progress(1)
        await _embedded(memory)
        for question in conversation.questions:
            began = time.perf_counter()
            found = await memory.recall(scope, question.text, RANKED)
            seconds = time.perf_counter() - began
            asked.append(Asked(conversation.id, question, tuple(one.turn.id for one in found), seconds))
            progress(1)
    return Run(tuple(asked), tuple(added))


async def _embedded(memory: Memory) -> None:
    """Make sure that what is measured is whole: the embedder may have been away for a while."""
    if memory.chores.is_set() and (trouble := (await memory.upkeep()).trouble):
        raise LoreError(trouble)


def work(conversations: Sequence[Conversation]) -> int:
    """Return how many steps `run` will tell."""
    return sum(len(one.turns) + len(one.questions) for one in conversations)


def _scores(asked: Sequence[Asked]) -> dict[str, float]:
    found: dict[str, float] = {"questions": len(asked)}
    for name, metric in METRICS.items():
        values = [metric(one.question.relevant, one.recalled) for one in asked]
        found[name] = round(mean(values), 4) if values else 0.0
    return found


def _latency(seconds: Sequence[float]) -> dict[str, float]:
    if len(seconds) < 2:
        return {"p50": 0.0, "p95": 0.0}
    return {"p50": round(median(seconds) * 1000, 2), "p95": round(quantiles(seconds, n=20)[-1] * 1000, 2)}
