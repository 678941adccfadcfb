"""Runs over tiny files: what is asked where, what is counted where, what is written and drawn."""

import json
from contextlib import asynccontextmanager

import pytest

from bot.evaluate import compare, plot
from bot.evaluate.once import EmbedsOnce
from bot.evaluate.ranking import METRICS
from bot.evaluate.report import report, rows
from bot.evaluate.run import RANKED, run, run_apart, work
from bot.ingest import cases, locomo, longmemeval, questions
from memory import index, views
from memory.errors import TransferError
from memory.keys import Keys
from memory.memory import Memory
from memory.scope import Audience, Scope
from tests.bot.data_sets import TURN, haystack, jsonl, longmemeval_file
from tests.fakes import ToyEmbedder


def count(text: str) -> int:
    return len(text.split())


def ignored(steps: int) -> None:
    pass


async def test_a_run_goes_through_memory_and_reports_by_category(memory, locomo_file):
    tenants = [locomo.case(one) for one in locomo.read(locomo_file)]
    steps: list[int] = []
    done = await run(memory, tenants, count, steps.append, timed=True)
    assert sum(steps) == work(tenants) == 6
    found = report(done)
    assert list(found) == [
        "turns", "overall", "intervals", "by_category", "intervals_by_category", "latency_ms"
    ]  # fmt: skip
    expected = dict.fromkeys(METRICS, 1.0) | {"questions": 2, "precision@5": 0.2, "precision@10": 0.1}
    assert found["overall"] == expected
    assert found["intervals"]["recall@10"] == [1.0, 1.0]
    assert list(found["by_category"]) == ["multi-hop", "single-hop", "adversarial"]
    assert set(found["latency_ms"]) == {"add", "recall"}
    written = list(rows(done))
    assert written[0]["relevant"] == ["D1:1"]
    assert written[0]["recalled"][0] == "D1:1"
    assert written[0]["metrics"]["mrr"] == 1.0
    assert [(one["category"], one["overall"]) for one in written] == [(4, True), (1, True), (5, False)]


async def test_turns_are_counted_with_the_tokens_of_what_was_found_of_them(memory, tmp_path):
    long = "dog " * 600
    file = jsonl(
        tmp_path,
        {**TURN, "id": "1", "text": long},
        {**TURN, "id": "2", "text": "My dog is Rex"},
        {"question": "dog", "relevant": ["1", "2"]},
    )
    [asked] = (await run(memory, questions.read(file), count, ignored)).asked
    assert dict(zip(asked.turns.ranked, asked.turns.tokens, strict=True)) == {"1": 250, "2": 4}
    scores = asked.turns.scores()
    assert scores["recall@500t"] == 1.0  # not the 600 of the whole turn


async def test_small_talk_is_told_by_itself_and_in_no_other_figure(memory, tmp_path):
    file = jsonl(
        tmp_path,
        {**TURN, "text": "My dog is called Rex."},
        {"question": "What is my dog called?", "relevant": ["1"], "category": "pets"},
        {"question": "Good morning!", "relevant": []},
    )
    done = await run(memory, questions.read(file), count, ignored)
    found = report(done)
    recalled = len(done.asked[1].turns.ranked)
    assert found["small_talk"] == {"questions": 1, "recalled": recalled}
    assert found["overall"]["questions"] == 1
    assert list(found["by_category"]) == ["pets"]
    assert "add" not in found["latency_ms"]
    assert list(rows(done))[1]["metrics"] == {"recalled": recalled}


async def test_small_talk_alone_makes_a_report_too(memory, tmp_path):
    file = jsonl(tmp_path, TURN, {"question": "Good morning!", "relevant": []})
    found = report(await run(memory, questions.read(file), count, ignored))
    assert (found["overall"]["questions"], found["intervals"], found["by_category"]) == (0, {}, {})


class Listening(Memory):
    """Notes what is asked, and finds nothing."""

    asked: list[tuple[Scope, str, int, int | None]]

    async def recall(self, scope, text, k=10, *, at=None, anyway=False):
        self.asked.append((scope, text, k, at))
        return []


async def test_questions_are_asked_as_their_person_and_where_they_are_asked(client, keys, tmp_path):
    listening = await Listening.open(client, ToyEmbedder(), keys=keys)
    listening.asked = []
    file = jsonl(
        tmp_path,
        {**TURN, "audience": "private"},
        {**TURN, "conversation": "thread", "audience": "private", "parent": "c", "open_to_parent": True},
        {"question": "Here?", "relevant": [["c", "1"]], "person": "ada", "asked_at": 5},
        {"question": "There?", "relevant": [["thread", 1]], "conversation": "thread"},
        {"question": "Elsewhere?", "relevant": [["c", "1"]], "conversation": "new"},
    )
    done = await run(listening, questions.read(file), count, ignored)
    assert listening.asked == [
        (Scope("questions", "c", "ada", Audience.PRIVATE), "Here?", RANKED, 5),
        (Scope("questions", "thread", "reader", Audience.PRIVATE, "c", True), "There?", RANKED, None),
        (Scope("questions", "new", "reader", Audience.PUBLIC), "Elsewhere?", RANKED, None),
    ]
    assert [one.turns.relevant for one in done.asked] == [(("c", "1"),), (("thread", "1"),), (("c", "1"),)]
    assert report(done)["overall"]["recall@20"] == 0.0


async def test_turns_of_a_private_conversation_are_not_found_from_elsewhere(memory, tmp_path):
    file = jsonl(
        tmp_path,
        {**TURN, "text": "My dog is called Rex.", "audience": "private"},
        {"question": "dog", "relevant": ["1"]},
        {"question": "dog", "relevant": ["1"], "conversation": "elsewhere"},
    )
    done = await run(memory, questions.read(file), count, ignored)
    assert [one.turns.ranked for one in done.asked] == [("1",), ()]


async def test_each_haystack_is_a_memory_of_its_own_measured_by_turns_and_sessions(client, tmp_path):
    opened: list[Keys] = []
    embedder = ToyEmbedder()
    once = EmbedsOnce(embedder)

    @asynccontextmanager
    async def another():
        opened.append(Keys(f"test-haystack-{id(opened)}-{len(opened)}"))
        yield await Memory.open(client, once, keys=opened[-1])
        await index.drop(client, opened[-1])

    first, second = haystack("q1"), haystack("q2")
    for turn in second["haystack_sessions"][1]:
        turn.pop("has_answer", None)
    steps: list[int] = []
    tenants = longmemeval.read(longmemeval_file(tmp_path, first, second))
    done = await run_apart(another, tenants, count, steps.append)
    assert sum(steps) == work(tenants) == 10
    assert len(opened) == 2
    texts = {views.said(one.turn.author, one.turn.text) for case in tenants for one in case.said}
    assert sorted(one for one in embedder.embedded if one in texts) == sorted(texts)  # once each, over both haystacks
    assert done.asked[0].sessions.relevant == ("s2",)
    assert set(done.asked[0].sessions.ranked) == {"s1", "s2"}
    assert dict(zip(done.asked[0].sessions.ranked, done.asked[0].sessions.tokens, strict=True)) == {"s1": 7, "s2": 8}
    found = report(done)
    assert found["turns"] == 8
    assert found["overall"]["questions"] == 1  # q2 has no turn that is marked
    assert found["sessions"]["overall"]["questions"] == 2
    assert found["sessions"]["overall"]["mrr"] == 1.0
    assert "small_talk" not in found
    written = list(rows(done))
    assert written[1]["metrics"] == {}
    assert written[1]["sessions"]["metrics"]["hit@5"] == 1.0
    assert [key async for key in client.scan_iter(match="test-haystack-*")] == []


def test_a_few_questions_are_the_first_or_spread():
    asked = [cases.Question(str(number), (), "c") for number in range(10)]
    tenants = [cases.Case(str(number), (), tuple(asked[number * 2 : number * 2 + 2])) for number in range(5)]
    few = cases.first(tenants, 3)
    assert [[question.text for question in one.questions] for one in few] == [["0", "1"], ["2"]]
    assert cases.first(tenants, None) == tenants
    assert [one.tenant for one in cases.spread(tenants, 2)] == ["0", "2"]
    assert cases.spread(tenants, 9) == tenants


async def test_the_same_text_is_embedded_once_and_vectors_stay_the_same():
    toy = ToyEmbedder()
    once = EmbedsOnce(toy)
    texts = ["a dog", "a cat", "a dog", ""]
    first = await once.embed(texts)
    again = await once.embed([*reversed(texts), "tea"])
    assert (first == await ToyEmbedder().embed(texts)).all()
    assert (again[:4] == first[::-1]).all()
    assert toy.embedded == ["a dog", "a cat", "", "tea"]
    assert (once.name, await once.dim()) == ("toy", 7)
    toy.error = ValueError("away")
    with pytest.raises(ValueError, match="away"):
        await once.embed(["a dog", "new"])


async def test_vectors_kept_are_bounded_and_the_oldest_go():
    toy = ToyEmbedder()
    once = EmbedsOnce(toy, room=2 * (7 * 4 + 150))
    await once.embed(["a", "b"])
    await once.embed(["a"])
    await once.embed(["c"])
    await once.embed(["a", "b", "c"])
    assert toy.embedded == ["a", "b", "c", "b"]


# Comparing two runs


def row(question: str, value: float, **changes: object) -> dict[str, object]:
    found = {"conversation": "c", "question": question, "relevant": ["1"], "recalled": [], "metrics": {"mrr": value}}
    return {**found, **changes}


def outcome(tmp_path, name: str, *found: dict[str, object]):
    file = tmp_path / name
    file.write_text("".join(json.dumps(one) + "\n" for one in found))
    return compare.read(file)


def test_two_runs_are_compared_on_what_both_have_asked(tmp_path):
    a = outcome(tmp_path, "a", *(row(f"q{number}", 0.2) for number in range(30)), row("other", 1.0))
    b = outcome(tmp_path, "b", *(row(f"q{number}", 0.2 + number / 100) for number in reversed(range(30))))
    found = compare.compare(a, b)
    assert (found.shared, found.only_a, found.only_b, found.aside) == (30, 1, 0, 0)
    mrr = found.metrics["mrr"]
    assert (mrr.a, mrr.b, mrr.difference) == pytest.approx((0.2, 0.345, 0.145))
    assert mrr.interval[0] < 0.145 < mrr.interval[1]
    assert mrr.p < 0.001
    back = compare.compare(b, a)
    assert (back.only_a, back.only_b) == (0, 1)
    assert back.metrics["mrr"].difference == pytest.approx(-0.145)


def test_a_run_compared_with_itself_does_not_differ(tmp_path):
    a = outcome(tmp_path, "a", row("q", 0.5), row("q", 0.7), row("r", 0.1, overall=False))
    found = compare.compare(a, a)
    assert (found.shared, found.aside) == (3, 1)
    assert found.metrics["mrr"] == compare.Compared(2, 0.6, 0.6, 0.0, (0.0, 0.0), 1.0)


def test_small_talk_and_sessions_are_compared_by_their_own_metrics(tmp_path):
    talk = row("hi", 0, relevant=[], metrics={"recalled": 9})
    quiet = row("hi", 0, relevant=[], metrics={"recalled": 1})
    session = {"relevant": ["s"], "recalled": ["s"], "metrics": {"mrr": 1.0}}
    a = outcome(tmp_path, "a", row("q", 0.5, sessions=session), talk)
    b = outcome(tmp_path, "b", row("q", 0.5, sessions=session), quiet)
    found = compare.compare(a, b)
    assert [(name, one.questions, one.difference) for name, one in found.metrics.items()] == [
        ("mrr", 1, 0.0),
        ("recalled", 1, -8.0),
    ]
    assert found.sessions["mrr"].a == 1.0


def test_runs_that_share_nothing_cannot_be_compared(tmp_path):
    with pytest.raises(TransferError, match="share no question"):
        compare.compare(outcome(tmp_path, "a", row("q", 1)), outcome(tmp_path, "b", row("q", 1, relevant=["2"])))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "not JSON"),
        ("", "not JSON"),
        ("[]", "not a row"),
        ('{"question": "q"}', "not a row"),
        ('{"conversation": "c", "question": "q", "relevant": []}', "it has no metrics"),
        ('{"conversation": "c", "question": "q", "relevant": [], "metrics": {"mrr": "1"}}', "it has no metrics"),
        ('{"conversation": "c", "question": "q", "relevant": [], "metrics": {"mrr": NaN}}', "it has no metrics"),
        ('{"conversation": "c", "question": "q", "relevant": [], "metrics": {}, "sessions": 1}', "it has no metrics"),
    ],
)
def test_what_is_not_a_row_is_named_by_file_and_line(tmp_path, line, told):
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(row("q", 1)) + "\n" + line + "\n")
    with pytest.raises(TransferError, match=f"rows.jsonl, line 2: {told}"):
        compare.read(file)
    with pytest.raises(TransferError, match=r"none\.jsonl cannot be read"):
        compare.read(tmp_path / "none.jsonl")


# Pictures


async def test_a_picture_is_drawn_whatever_the_categories_are_called(memory, tmp_path):
    names = ["$x_1$", "$", "", "a-very-long-name-without-an-end" * 3, "two words", "[/red]"]
    asked = [{"question": "dog", "relevant": ["1"], "category": name or None} for name in names]
    file = jsonl(tmp_path, {**TURN, "text": "My dog"}, *asked)
    found = report(await run(memory, questions.read(file), count, ignored))
    for suffix in plot.FORMATS:
        plot.draw({**found, "sessions": found}, "50 $ and 60 $", tmp_path / f"picture{suffix}")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "picture.svg").read_bytes()


def test_there_is_a_picture_of_no_questions_too(tmp_path):
    none = {"overall": dict.fromkeys(METRICS, 0.0) | {"questions": 0}, "intervals": {}}
    plot.draw({**none, "by_category": {}, "intervals_by_category": {}}, "none", tmp_path / "none.png")
    assert (tmp_path / "none.png").stat().st_size > 1000
