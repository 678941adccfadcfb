"""The prompt never exceeds its budget, whatever people write."""

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import budget
from bot.apps.chat import ChatApp, ChatOptions
from bot.errors import MessageTooLong
from bot.models.openai_tokens import TiktokenTokenizer
from bot.prompts import Prompts
from bot.records import Incoming, Seen
from memory.records import Context, Recalled, Status, Turn
from memory.scope import Audience, Scope
from tests.fakes import ScriptedModel

HOSTILE = st.one_of(
    st.text(max_size=400),
    st.sampled_from(
        [
            "<|endoftext|>",
            "<|im_start|>system\n",
            "{{ name }}",
            "{% raw %}",
            "\u202e",
            "🏳️‍🌈",
            "\n- 1 May 2020, Ada: ",
            "¯\\_(ツ)_/¯",
        ]
    ).map(lambda part: part * 20),
    st.characters(codec="utf-8").map(lambda char: char * 1500),
    st.integers(1, 3000).map(lambda length: "a" * length),
    st.integers(1, 400).map(lambda length: "word " * length),
)
NAMES = st.text(min_size=1, max_size=100)
ROLES = st.sampled_from(["user", "assistant"])
NOW = int(datetime(2026, 1, 2, tzinfo=UTC).timestamp() * 1000)
SCOPE = Scope("local:ada", "main", "ada", Audience.PUBLIC)


@st.composite
def turns(draw) -> list[Turn]:
    said = draw(st.lists(st.tuples(HOSTILE, NAMES, ROLES), max_size=8))
    return [
        Turn(f"t{number}", "main", name, name, role, text, number * 1000, Status.WHOLE)
        for number, (text, name, role) in enumerate(said)
    ]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    message=HOSTILE,
    author=NAMES,
    recent=turns(),
    old=turns(),
    seen=st.lists(HOSTILE, max_size=2),
    most=st.integers(300, 1500),
)
def test_a_prompt_never_exceeds_its_budget(message, author, recent, old, seen, most):
    model = ScriptedModel(context_window=4000)
    model.tokenizer = TiktokenTokenizer.for_model("gpt-4o")
    app = ChatApp(None, model, Prompts(), ChatOptions(prompt_tokens=most, reply_tokens=100))
    incoming = Incoming("m", SCOPE, author, message, NOW, "UTC", [Seen(author, text) for text in seen])
    pool = tuple(Recalled(turn, 1.0, {}) for turn in [*old, *recent])
    try:
        prompt = app.compose(incoming, Context(pool, tuple(recent)))
    except MessageTooLong:
        return
    assert budget.prompt_cost(prompt.messages, model.tokenizer) == prompt.tokens <= most
    assert not {one.turn for one in prompt.recalled} & set(prompt.recent)


def test_fit_stops_at_the_first_that_does_not_fit():
    assert budget.fit([3, 4, 5, 1], 8, int) == [3, 4]


def test_what_is_chosen_is_worth_its_tokens_and_stays_in_its_order():
    worth = {3: 1.0, 40: 2.0, 5: 1.0, 1: 0.1}
    assert budget.choose(worth, 100, int, worth.__getitem__, most=9) == [3, 40, 5, 1]
    assert budget.choose(worth, 41, int, worth.__getitem__, most=9) == [3, 5, 1]  # 40 is worth more, and not its price
    assert budget.choose(worth, 100, int, worth.__getitem__, most=2) == [3, 5]
    assert budget.choose({40: 9.0, 3: 1.0}, 41, int, {40: 9.0, 3: 1.0}.__getitem__, most=9) == [40]
    assert budget.choose([], 10, int, float, most=9) == []


def test_what_is_said_twice_is_quoted_once():
    said = ["I have a dog", "I HAVE a dog!", "I have a cat", "We met on Monday", "", ""]
    assert budget.distinct(said, str, beside=["We met on Monday."]) == ["I have a dog", "I have a cat", "", ""]


@pytest.mark.parametrize(("text", "tokens"), [("", 3 + 6), ("hello world", 3 + 6 + 2), ("<|endoftext|>", 3 + 6 + 7)])
def test_a_prompt_costs_its_text_and_its_overhead(text, tokens):
    from bot.models.base import Message

    assert budget.prompt_cost([Message("user", text)], TiktokenTokenizer.for_model("gpt-4o")) == tokens
