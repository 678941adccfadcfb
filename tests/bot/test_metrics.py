"""Metrics worked out by hand, and what a bootstrap must do whatever it is given."""

from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.evaluate import metrics
from bot.evaluate.ranking import METRICS, Ranking


def test_precision_counts_places_that_stay_empty():
    assert metrics.precision_at(2, ["a", "b"], ["x", "a", "b"]) == 0.5
    assert metrics.precision_at(5, ["a"], ["a"]) == 0.2


def test_recall_counts_what_is_among_the_first_k():
    assert metrics.recall_at(2, ["a", "b"], ["x", "a", "b"]) == 0.5
    assert metrics.recall_at(3, ["a", "b"], ["x", "a", "b"]) == 1.0


def test_a_hit_is_any_of_them_and_all_is_every_one():
    ranked = ["x", "a", "b"]
    assert [metrics.hit_at(k, ["a", "b"], ranked) for k in (1, 2, 3)] == [0, 1, 1]
    assert [metrics.all_at(k, ["a", "b"], ranked) for k in (1, 2, 3)] == [0, 0, 1]


def test_ndcg_discounts_by_rank():
    assert metrics.ndcg_at(10, ["a"], ["a"]) == 1.0
    assert metrics.ndcg_at(10, ["a", "b"], ["x", "a"]) == pytest.approx((1 / log2(3)) / (1 + 1 / log2(3)))
    assert metrics.ndcg_at(1, ["a"], ["x", "a"]) == 0.0
    assert metrics.ndcg_at(1, ["a", "b"], ["a", "b"]) == 1.0  # no ranking has two on one place


def test_reciprocal_rank_looks_at_the_first_hit():
    assert metrics.reciprocal_rank(["a", "b"], ["x", "b", "a"]) == 0.5
    assert metrics.reciprocal_rank(["a"], ["x"]) == 0.0
    assert metrics.reciprocal_rank(["a"], []) == 0.0


def test_recall_within_a_budget_stops_at_the_first_that_goes_over():
    cost = {"x": 40, "a": 60, "long": 100, "b": 1}
    assert metrics.recall_within(99, ["a", "b"], ["x", "a", "long", "b"], cost) == 0.0
    assert metrics.recall_within(100, ["a", "b"], ["x", "a", "long", "b"], cost) == 0.5
    assert (
        metrics.recall_within(150, ["a", "b"], ["x", "a", "long", "b"], cost) == 0.5
    )  # b would fit, but stands behind
    assert metrics.recall_within(201, ["a", "b"], ["x", "a", "long", "b"], cost) == 1.0
    with pytest.raises(KeyError):
        metrics.recall_within(10, ["a"], ["unknown"], cost)


def test_an_id_that_is_ranked_twice_counts_once():
    assert metrics.precision_at(2, ["a"], ["a", "a"]) == 0.5
    assert metrics.ndcg_at(2, ["a", "b"], ["a", "a"]) == metrics.ndcg_at(2, ["a", "b"], ["a"])
    assert metrics.recall_within(10, ["a", "b"], ["a", "a", "b"], {"a": 5, "b": 5}) == 1.0


def test_nothing_relevant_is_an_error_that_says_so():
    for name, metric in METRICS.items():
        with pytest.raises(ValueError, match="nothing is relevant"):
            metric(Ranking((), ("a",), (1,)))
        assert metric(Ranking(("a",), ("a",), (1,))) in (1.0, 0.2, 0.1), name
    with pytest.raises(ValueError, match="k must be 1 or more"):
        metrics.recall_at(0, ["a"], ["a"])


@given(st.sets(st.integers(0, 20), min_size=1), st.lists(st.integers(0, 20)))
def test_every_metric_is_a_share(relevant, ranked):
    ranked = list(dict.fromkeys(ranked))
    ranking = Ranking(tuple(relevant), tuple(ranked), tuple(100 for _ in ranked))
    found = ranking.scores()
    assert all(0 <= value <= 1 + 1e-9 for value in found.values())
    assert found["recall@5"] <= found["recall@10"] <= found["recall@20"]
    assert found["all@10"] <= found["recall@10"] <= found["hit@10"]
    assert found["recall@500t"] == found["recall@5"]  # a hundred tokens each
    assert found["recall@1000t"] == found["recall@10"]


def test_an_interval_is_where_theory_puts_it():
    values = np.random.default_rng(7).random(400)
    low, high = metrics.interval(values)
    reach = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - reach, values.mean() + reach), abs=0.002)


def test_intervals_hold_the_true_mean_as_often_as_they_say():
    draws = np.random.default_rng(3)
    held = sum(low <= 0.7 <= high for low, high in (
        metrics.interval(draws.random(100) < 0.7, resamples=500, seed=run) for run in range(300)
    ))  # fmt: skip
    assert 0.91 <= held / 300 <= 0.98


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_an_interval_lies_among_the_values_and_is_the_same_each_time(values):
    low, high = metrics.interval(values, resamples=200)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert metrics.interval(values, resamples=200) == (low, high)


def test_columns_are_resampled_together_and_come_out_as_alone(monkeypatch):
    table = np.random.default_rng(1).random((50, 3))
    alone = [metrics.interval(column) for column in table.T]
    assert metrics.intervals(table) == [pytest.approx(one, abs=0.003) for one in alone]
    monkeypatch.setattr(metrics, "_CELLS", 1000)  # in many small pieces
    assert metrics.intervals(table) == [pytest.approx(one, abs=0.003) for one in alone]


def test_no_values_have_no_interval():
    with pytest.raises(ValueError, match="no values"):
        metrics.interval([])
    with pytest.raises(ValueError, match="no values"):
        metrics.difference([], [])
    with pytest.raises(ValueError, match="got 1 and 2 values"):
        metrics.difference([1], [1, 2])


def test_equal_runs_do_not_differ():
    values = np.random.default_rng(5).random(100)
    assert metrics.difference(values, values) == metrics.Difference(0.0, 0.0, 0.0, 1.0)


def test_a_clearly_better_run_is_found_and_the_other_way_round():
    draws = np.random.default_rng(5)
    a = draws.random(200) < 0.5
    b = a | (draws.random(200) < 0.3)
    found, back = metrics.difference(a, b), metrics.difference(b, a)
    assert found.mean == pytest.approx(b.mean() - a.mean())
    assert 0 < found.low < found.mean < found.high
    assert found.p < 0.001
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low))
    assert back.p == found.p


def test_noise_is_called_significant_about_as_often_as_it_should():
    draws = np.random.default_rng(11)
    found = [
        metrics.difference(draws.random(100), draws.random(100), resamples=500, seed=run).p < 0.05 for run in range(300)
    ]
    assert 0.02 <= sum(found) / 300 <= 0.09


def test_pairs_tell_more_than_means():
    hard = np.linspace(0, 1, 100)
    better = hard + 0.02 + 0.01 * np.sin(np.arange(100))
    assert metrics.difference(hard, better).p < 0.001
    assert metrics.difference(hard, better[::-1]).p > 0.3
