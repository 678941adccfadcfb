"""A reranker reads the best of the ranking again: its scores are mixed in, and without them the ranking stands."""

import pytest

from memory.errors import LoreError
from memory.memory import Memory
from memory.records import Recalled
from memory.reranker import DEPTH, WEIGHT, reranked
from tests.fakes import ToyReranker


@pytest.fixture
def found(say):
    """Turns as ranking gives them: found(tea=0.8, cake=0.2), a text of one word each."""
    return lambda **scores: [Recalled(say(text), score, {"vector": score}) for text, score in scores.items()]


async def test_scores_are_mixed_and_the_order_follows_them(found):
    done = await reranked(ToyReranker(cake=1.0), "What is there to eat?", found(tea=0.8, cake=0.7, milk=0.6))
    assert [(one.turn.text, one.score, one.signals) for one in done.recalled] == [
        ("cake", round((0.7 + WEIGHT) / (1 + WEIGHT), 6), {"vector": 0.7, "reranker": 1.0}),
        ("tea", round(0.8 / (1 + WEIGHT), 6), {"vector": 0.8, "reranker": 0.0}),
        ("milk", round(0.6 / (1 + WEIGHT), 6), {"vector": 0.6, "reranker": 0.0}),
    ]
    assert done.trouble == ""


async def test_it_cannot_outweigh_all_that_ranking_knows(found):
    done = await reranked(ToyReranker(cake=1.0), "?", found(tea=0.9, cake=0.1))
    assert [one.turn.text for one in done.recalled] == ["tea", "cake"]


async def test_it_reads_who_says_what_and_only_the_passage_that_was_found(say):
    reranker = ToyReranker()
    text = "A long story. My dog is called Rex. And so on."
    await reranked(reranker, "What is my dog called?", [Recalled(say(text), 0.5, {}, (14, 35))])
    assert reranker.asked == [("What is my dog called?", ["Ada: My dog is called Rex."])]


async def test_only_the_best_are_read_and_the_rest_stay_below_in_their_order(found):
    names = {f"t{number:02}": 0.5 - number / 1000 for number in range(DEPTH + 3)}
    reranker = ToyReranker(**{f"t{DEPTH - 1:02}": 1.0, f"t{DEPTH + 2:02}": 1.0})
    done = await reranked(reranker, "?", found(**names))
    [(_, read)] = reranker.asked
    assert len(read) == DEPTH
    best, *others = [one.turn.text for one in done.recalled]
    assert best == f"t{DEPTH - 1:02}"
    assert others == sorted(others)
    assert [one.score for one in done.recalled] == sorted((one.score for one in done.recalled), reverse=True)
    assert [one for one in done.recalled if "reranker" in one.signals] == done.recalled[:DEPTH]


async def test_where_it_fails_the_ranking_stands(found):
    reranker = ToyReranker(cake=1.0)
    reranker.error = LoreError("no model")
    ranking = found(tea=0.8, cake=0.7)
    done = await reranked(reranker, "?", ranking)
    assert (done.recalled, done.trouble) == (ranking, "no model")


async def test_nothing_found_is_nothing_to_order(found):
    reranker = ToyReranker()
    assert (await reranked(reranker, "?", [])).recalled == []
    assert reranker.asked == []


async def test_memory_recalls_in_its_order(client, keys, embedder, here, say):
    plain = await Memory.open(client, embedder, keys=keys)
    await plain.remember(here, [say("I have a dog"), say("My dog likes tea"), say("The dog sleeps")])
    ranked = [one.turn.text for one in await plain.recall(here, "dog")]
    reranker = ToyReranker(**{ranked[-1]: 1.0})
    memory = await Memory.open(client, embedder, keys=keys, reranker=reranker)
    recalled = await memory.recall(here, "dog", k=2)
    assert [one.turn.text for one in recalled] == [ranked[-1], ranked[0]]
    assert [one.signals["reranker"] for one in recalled] == [1.0, 0.0]
    assert [len(passages) for _, passages in reranker.asked] == [3]  # more than are wanted


async def test_the_question_is_as_whoever_it_names_would_put_it(client, keys, embedder, here, say):
    reranker = ToyReranker()
    memory = await Memory.open(client, embedder, keys=keys, reranker=reranker)
    await memory.remember(here, [say("I have a dog")])
    await memory.recall(here, "What is Ada's dog called?")
    assert reranker.asked == [("What is my dog called?", ["Ada: I have a dog"])]


async def test_a_turn_is_heard_and_remembered_also_where_the_reranker_fails(client, keys, embedder, here, say):
    reranker = ToyReranker()
    memory = await Memory.open(client, embedder, keys=keys, reranker=reranker)
    await memory.remember(here, [say("I have a dog")])
    assert (await memory.hear(here, say("dog"), k=2, window=2)).unread == ""
    reranker.error = LoreError("no model")
    context = await memory.hear(here, say("dog?"), k=1, window=2)
    assert (len(context.recalled), context.unread, context.trouble, context.new) == (1, "no model", "", True)
    assert "reranker" not in context.recalled[0].signals
    reranker.error = None
    assert (await memory.recall(here, "dog", k=3))[0].signals["reranker"] == 0.0
