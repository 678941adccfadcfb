"""Ranking, worked out by eye: each signal by itself, then how they add up."""

import math
from dataclasses import fields

import pytest

from memory import cue as cues
from memory import rank
from memory.rank import Candidate, Weights
from memory.views import Card
from memory.words import stems

MAY_8 = 1_683_540_000_000  # 8 May 2023, 10:00 UTC
HOUR = 3_600_000


def turn(name: str, text: str = "", *, author: str = "Ada", similarity: float = math.nan, **more) -> Candidate:
    given = {
        "room": b"c",
        "person": author.lower().encode(),
        "role": "user",
        "sent_at": MAY_8,
        "asks": 0.0,
        "span": None,
    }
    before = " ".join(["?"] * more.pop("asked", False) + stems(more.pop("before", ""))).encode()
    card = Card(**{**given, **more}, author=author)
    return Candidate(f"lorebot:turn:{{t}}:{name}".encode(), card, " ".join(stems(text)).encode(), before, similarity)


def signal(name: str, question: str, *found: Candidate, **asked) -> list[float]:
    cue = cues.read(question, {one.card.author for one in found}, **asked)
    return [round(float(value), 3) for value in rank.signals(found, cue)[name]]


def test_meaning_is_scaled_to_what_was_found():
    assert signal("vector", "x", turn("a", similarity=0.9), turn("b", similarity=0.7), turn("c", similarity=0.5)) == [
        1.0, 0.5, 0.0
    ]  # fmt: skip
    assert signal("vector", "x", turn("a", similarity=0.7)) == [1.0]
    assert signal("vector", "x", turn("a"), turn("b")) == [0.0, 0.0]  # nothing could be embedded
    assert signal("vector", "x", turn("a", similarity=0.9), turn("b"), turn("c", similarity=0.5)) == [1.0, 0.5, 0.0]


def test_rare_words_tell_more():
    found = (turn("a", "a lake"), turn("b", "the dog"), turn("c", "my dog"), turn("d", "his dog"))
    rare, common, *_ = signal("text", "the dog at the lake", *found)
    assert rare == 1.0
    assert common == 0.0
    assert signal("own", "the dog at the lake", *found)[0] > 0.5


def test_words_of_the_turn_before_and_of_the_day_count_for_coverage_and_not_as_its_own():
    answer = turn("a", "Rex", before="What is your dog called?")
    assert signal("coverage", "your dog called", answer, turn("b", "tea")) == [1.0, 0.0]
    assert signal("own", "your dog called", answer, turn("b", "tea")) == [0.0, 0.0]
    assert signal("coverage", "Monday", turn("a", "tea")) == [1.0]
    assert signal("coverage", "Tuesday 2023", turn("a", "tea"))[0] == 0.5


def test_an_answer_is_told_by_the_question_before_it():
    answer = turn("a", "Rex", before="What is your dog called?", asked=True)
    other = turn("b", "Fine", before="How was the tea?", asked=True)
    assert signal("answers", "What is the dog called?", answer, other) == [1.0, 0.0]
    assert signal("answers", "What is the dog called?", turn("c", "Rex", before="a dog called Rex"))[0] == 0.0


def test_what_fits_lifts_the_rest_of_its_session():
    best = turn("a", "the dog", similarity=0.9)
    same = turn("b", "x", sent_at=MAY_8 + HOUR, similarity=0.1)
    later = turn("c", "x", sent_at=MAY_8 + 30 * HOUR, similarity=0.1)
    elsewhere = turn("d", "x", sent_at=MAY_8 + HOUR, room=b"other", similarity=0.1)
    assert signal("session", "dog", best, same, later, elsewhere) == [0.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("question", "who"),
    [
        ("What did Bob say?", ["Bob"]),
        ("Where do I live?", ["Ada"]),
        ("Can you remind me what Bob said?", ["Bob"]),
        ("Which inn did you recommend?", ["Lorebot"]),
        ("Which inn did you recommend to me?", ["Ada", "Lorebot"]),
        ("What is there to see?", []),
    ],
)
def test_the_speaker_is_a_name_or_the_asker_or_the_bot(question: str, who: list[str]):
    found = (turn("a"), turn("b", author="Bob"), turn("c", author="Lorebot", role="assistant"))
    spoken = signal("speaker", question, *found, person=b"ada")
    assert [one.card.author for one, named in zip(found, spoken, strict=True) if named] == who


def test_times_are_found_where_they_are_asked_for():
    found = (turn("a", "We went last week"), turn("b", "We went"))
    assert signal("dated", "When did you go?", *found) == [1.0, 0.0]
    assert signal("dated", "Why did you go?", *found) == [0.0, 0.0]
    june = turn("b", sent_at=MAY_8 + 40 * 24 * HOUR)
    assert signal("when", "What happened in May?", turn("a"), june) == [1.0, 0.0]
    assert signal("when", "What happened yesterday?", turn("a"), june, at=MAY_8 + 24 * HOUR) == [1.0, 0.0]


def test_short_turns_and_questions_hold_less():
    assert signal("length", "x", turn("a", "dog " * 40), turn("b", "dog lake"), turn("c")) == [1.0, 0.1, 0.0]
    assert signal("asks", "x", turn("a", asks=0.5), turn("b")) == [0.5, 0.0]


def test_how_things_are_now_was_said_last_and_by_people():
    found = (turn("a"), turn("b", sent_at=MAY_8 + HOUR, author="Lorebot", role="assistant"))
    assert signal("latest", "Where do I live now?", *found) == [0.0, 1.0]
    assert signal("latest", "Where did I live?", *found) == [0.0, 0.0]
    assert signal("bot", "Where do I live?", *found) == [0.0, 1.0]


def test_a_score_is_the_weighted_sum_of_its_signals():
    found = [turn("a", "the dog", similarity=0.9), turn("b", "the lake", similarity=0.3)]
    weights = Weights()
    for one in rank.rank(found, cues.read("the dog"), 10):
        assert set(one.signals) == {field.name for field in fields(Weights)}
        assert one.score == pytest.approx(sum(getattr(weights, name) * value for name, value in one.signals.items()))


def test_a_long_turn_is_found_once_by_its_best_passage():
    found = [
        turn("long", "tea", span=(0, 10), similarity=0.2),
        turn("long", "the dog", span=(10, 20), similarity=0.9),
        turn("other", "the dog", similarity=0.5),
    ]
    ranked = rank.rank(found, cues.read("the dog"), 10)
    assert [(one.candidate.turn, one.candidate.card.span) for one in ranked] == [("long", (10, 20)), ("other", None)]
    assert len(rank.rank(found, cues.read("the dog"), 1)) == 1
    assert rank.rank(found, cues.read("the dog"), 0) == []


def test_of_equals_the_later_comes_first_whatever_the_order():
    found = [turn("a"), turn("b", sent_at=MAY_8 + 1), turn("c")]
    for some in (found, found[::-1]):
        assert [one.candidate.turn for one in rank.rank(some, cues.read("x"), 10)] == ["b", "a", "c"]


def test_what_lies_below_the_floor_is_related_only_by_what_it_speaks_of():
    found = [turn("like", "x", similarity=0.5), turn("told", "the dog", similarity=0.1), turn("no", similarity=0.1)]
    ranked = rank.rank(found, cues.read("the dog"), 10, floor=0.45)
    assert {one.candidate.turn for one in ranked} == {"like", "told"}
    assert len(rank.rank(found, cues.read("the dog"), 10)) == 3
    unknown = [turn("later", "x"), turn("no", similarity=0.1)]
    assert [one.candidate.turn for one in rank.rank(unknown, cues.read("the dog"), 10, floor=0.45)] == ["later"]


def test_nothing_found_is_nothing_ranked():
    assert rank.rank([], cues.read("x"), 10) == []
