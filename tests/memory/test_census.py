"""What is counted before a search, and how the search is then asked."""

import pytest

from memory import Memory, Scope, census
from memory.census import Census, Plan

TAGS = ("here", "public")


class Counts(dict):
    """A census with known counts."""

    def census(self) -> Census:
        found = Census(clock=lambda: 0.0)
        found._counts = {one: (1.0, count) for one, count in self.items()}
        return found


def test_a_small_memory_is_searched_for_all_words_and_one_by_one():
    assert Census().plan(TAGS, ["dog", "lake"]) == Plan(("dog", "lake"))


def test_a_wide_reach_is_searched_for_its_rare_words_through_the_graph():
    counts = Counts({("", ""): 100_000, ("here", ""): 100, ("public", ""): 90_000})
    counts |= {("public", "dog"): 2_000, ("public", "day"): 9_000, ("public", "rex"): 3}
    assert counts.census().plan(TAGS, ["dog", "day", "rex"]) == Plan(("dog", "rex"), graph=True)


def test_a_common_word_is_searched_where_there_is_no_other_unless_it_costs_too_much():
    counts = Counts({("", ""): 100_000, ("public", ""): 90_000, ("public", "day"): 9_000, ("public", "go"): 30_000})
    assert counts.census().plan(TAGS, ["day"]).terms == ("day",)
    assert counts.census().plan(TAGS, ["go"]).terms == ()


def test_a_small_part_of_a_large_memory_is_compared_one_by_one():
    counts = Counts({("", ""): 100_000, ("here", ""): 1_000, ("public", ""): 5_000})
    assert not counts.census().plan(TAGS, ["dog"]).graph


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few turns be many."""
    monkeypatch.setattr(census, "SMALL", 2)
    monkeypatch.setattr(census, "POSTINGS", 3)
    monkeypatch.setattr(census, "WIDE", 3)


@pytest.mark.usefixtures("large")
async def test_what_is_counted_steers_the_search(memory: Memory, here: Scope, say, monkeypatch):
    await memory.remember(here, [say(f"a dog in room {number}") for number in range(6)])
    await memory.remember(here, [say("a dog at the lake")])
    await memory.recall(here, "dog at the lake")  # counts all
    await memory.recall(here, "dog at the lake")  # counts what is in reach
    (best, *rest) = await memory.recall(here, "dog at the lake")
    assert memory._census.plan(here.held, ["dog", "lake"]) == Plan(("lake",), graph=True)
    assert best.turn.text == "a dog at the lake"
    assert best.signals["own"] == 1.0  # all words are weighed
    assert len(rest) == 6  # found by meaning


@pytest.mark.usefixtures("large")
async def test_a_count_is_of_what_the_scope_may_read(memory: Memory, here: Scope, say):
    other = Scope("local:bob", "main", "bob", here.audience)
    await memory.remember(other, [say("a dog") for _ in range(9)])
    await memory.remember(here, [say("a lake") for _ in range(4)] + [say("a dog")])
    elsewhere = Scope(here.tenant, "elsewhere", "ada", here.audience)
    for _ in range(3):
        await memory.recall(elsewhere, "dog")
    assert {one: memory._census._count(one) for one in [("", ""), (here.public_tag, ""), (here.public_tag, "dog")]} == {
        ("", ""): 14, (here.public_tag, ""): 5, (here.public_tag, "dog"): 1
    }  # fmt: skip


async def test_a_count_is_asked_again_after_a_while(memory: Memory, here: Scope, say):
    now = [0.0]
    memory._census = Census(clock=lambda: now[0])
    await memory.recall(here, "dog")
    assert memory._census._count(("", "")) == 0
    await memory.remember(here, [say("a dog")])
    now[0] = census.KEPT - 1
    await memory.recall(here, "dog")
    assert memory._census._count(("", "")) == 0
    now[0] = census.KEPT + 1
    await memory.recall(here, "dog")
    assert memory._census._count(("", "")) == 1
