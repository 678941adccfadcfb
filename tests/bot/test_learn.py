"""Weights learned from questions whose answers are known."""

import numpy as np
import pytest

from bot.evaluate import learn
from bot.evaluate.learn import NAMES, Lesson
from bot.evaluate.ranking import Ranking
from bot.evaluate.run import Asked
from bot.ingest.cases import Question

QUESTION = Question("Who?", (("c", "a"),), "c")


def lessons(group: str, count: int = 20, *, telling: str = "vector", seed: int = 0) -> list[Lesson]:
    """Make questions whose answer has more of one signal than all else; the other signals are noise."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        table = random.random((10, len(NAMES)))
        table[:, NAMES.index(telling)] *= 0.5
        table[3, NAMES.index(telling)] = 1.0
        right = np.eye(10)[3]
        ranking = Ranking(("3",), tuple(str(at) for at in range(10)), (1,) * 10)
        made.append(Lesson(group, QUESTION, ranking, table, right))
    return made


def test_the_signal_that_tells_gets_the_weight():
    weights = learn.table(learn.fitted(lessons("one")))
    assert max(weights, key=weights.__getitem__) == "vector"
    assert sum(weight for weight in weights.values() if weight > 0) == pytest.approx(1.0, abs=0.01)


def test_the_weights_are_where_no_other_is_better():
    told = lessons("one") + lessons("two", telling="text", seed=1)
    best = learn.fitted(told)
    loss = learn._loss(told, best)
    for step in np.eye(len(NAMES)) * 0.01:
        assert learn._loss(told, best + step) > loss
        assert learn._loss(told, best - step) > loss


def test_each_group_is_measured_by_what_the_others_teach():
    told = lessons("one") + lessons("two", seed=1) + lessons("odd", telling="asks", seed=2)
    fared = learn.held_out(told)
    mrr = {group: np.mean([scores["mrr"] for _, scores in some]) for group, some in fared.items()}
    assert mrr["one"] > 0.8
    assert mrr["two"] > 0.8
    assert mrr["odd"] < 0.6  # what tells there was never taught


def test_a_question_whose_answer_was_not_found_counts_and_teaches_nothing():
    asked = Asked(QUESTION, Ranking(("a",), ("b",), (1,)), None, 0.0, (dict.fromkeys(NAMES, 0.5),))
    missed = learn.lesson("two", asked)
    told = lessons("one")
    assert np.allclose(learn.fitted([*told, missed]), learn.fitted(told))
    assert learn.held_out([*told, missed])["two"][0][1]["recall@10"] == 0.0
    nothing = learn.lesson("two", Asked(QUESTION, Ranking(("a",), (), ()), None, 0.0, ()))
    assert learn.held_out([*told, nothing])["two"][0][1]["recall@10"] == 0.0
