"""Metrics worked out by hand, and a run over a tiny file."""

from math import log2

import pytest

from bot.evaluate import metrics
from bot.evaluate.run import run, work
from bot.ingest import locomo


def test_recall_counts_what_is_among_the_first_k():
    assert metrics.recall_at(2, ["a", "b"], ["x", "a", "b"]) == 0.5
    assert metrics.recall_at(3, ["a", "b"], ["x", "a", "b"]) == 1.0


def test_ndcg_discounts_by_rank():
    assert metrics.ndcg_at(10, ["a"], ["a"]) == 1.0
    assert metrics.ndcg_at(10, ["a", "b"], ["x", "a"]) == pytest.approx((1 / log2(3)) / (1 + 1 / log2(3)))
    assert metrics.ndcg_at(1, ["a"], ["x", "a"]) == 0.0


def test_reciprocal_rank_looks_at_the_first_hit():
    assert metrics.reciprocal_rank(["a", "b"], ["x", "b", "a"]) == 0.5
    assert metrics.reciprocal_rank(["a"], ["x"]) == 0.0


async def test_a_run_goes_through_memory_and_reports_by_category(memory, locomo_file):
    conversations = locomo.read(locomo_file)
    steps: list[int] = []
    done = await run(memory, conversations, steps.append)
    assert sum(steps) == work(conversations) == 6
    report = done.report()
    assert report["overall"] == {
        "questions": 2, "recall@5": 1.0, "recall@10": 1.0, "recall@20": 1.0, "ndcg@10": 1.0, "mrr": 1.0
    }  # fmt: skip
    assert list(report["by_category"]) == ["multi-hop", "single-hop", "adversarial"]
    rows = list(done.rows())
    assert rows[0]["relevant"] == ["D1:1"]
    assert rows[0]["recalled"][0] == "D1:1"
    assert set(rows[0]) == {"conversation", "question", "category", "relevant", "recalled"}
