"""What a question should find beside what it found, and every figure of that."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

from bot.evaluate import metrics


@dataclass(frozen=True, slots=True)
class Ranking:
    """relevant: ids that should be found. ranked: those that were, best first, none twice; tokens: what each takes."""

    relevant: tuple[Hashable, ...]
    ranked: tuple[Hashable, ...]
    tokens: tuple[int, ...]

    def scores(self) -> dict[str, float]:
        """Return every metric by its name; raises ValueError where nothing is relevant."""
        return {name: metric(self) for name, metric in METRICS.items()}


def _at(metric: Callable[..., float], k: int) -> Callable[[Ranking], float]:
    return lambda one: metric(k, one.relevant, one.ranked)


def _within(tokens: int) -> Callable[[Ranking], float]:
    return lambda one: metrics.recall_within(
        tokens, one.relevant, one.ranked, dict(zip(one.ranked, one.tokens, strict=True))
    )


METRICS: Mapping[str, Callable[[Ranking], float]] = {
    **{f"precision@{k}": _at(metrics.precision_at, k) for k in (5, 10)},
    **{f"recall@{k}": _at(metrics.recall_at, k) for k in (5, 10, 20)},
    **{f"hit@{k}": _at(metrics.hit_at, k) for k in (5, 10)},
    **{f"all@{k}": _at(metrics.all_at, k) for k in (5, 10)},
    **{f"ndcg@{k}": _at(metrics.ndcg_at, k) for k in (5, 10)},
    "mrr": lambda one: metrics.reciprocal_rank(one.relevant, one.ranked),
    **{f"recall@{tokens}t": _within(tokens) for tokens in (500, 1000, 2000)},
}
