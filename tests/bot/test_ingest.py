"""Readers of data sets: what they make of a file, and what they say of one that is wrong."""

from pathlib import Path

import pytest

from bot.ingest import locomo, longmemeval, questions
from bot.ingest.cases import Question
from memory.conversations import Conversation
from memory.errors import TransferError
from memory.records import Turn
from memory.scope import Audience
from memory.transfer import Exported
from tests.bot.data_sets import TURN, haystack, jsonl, longmemeval_file

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


# LoCoMo


def test_a_locomo_conversation_is_a_tenant(locomo_file):
    [one] = [locomo.case(one) for one in locomo.read(locomo_file)]
    assert one.tenant == "locomo:conv-1"
    assert [said.turn.id for said in one.said] == ["D1:1", "D1:2", "D1:3"]
    assert {said.conversation for said in one.said} == {Conversation(Audience.PUBLIC)}
    assert [(asked.category, asked.number, asked.relevant, asked.aside) for asked in one.questions] == [
        ("single-hop", 4, (("conv-1", "D1:1"),), False),
        ("multi-hop", 1, (("conv-1", "D1:2"),), False),
        ("adversarial", 5, (("conv-1", "D1:2"),), True),
    ]


# LongMemEval


def test_a_haystack_is_a_tenant_and_its_sessions_are_conversations(tmp_path):
    [one] = longmemeval.read(longmemeval_file(tmp_path, haystack("q1")))
    began = 1684549260000  # 20 May 2023, 02:21 UTC
    assert one.tenant == "longmemeval:q1"
    assert one.said[1] == Exported(
        Turn("s1_2", "s1", "assistant", "assistant", "assistant", "So do I, often", began + 1000, to="user"),
        Conversation(Audience.PUBLIC),
    )
    assert [(said.turn.conversation, said.turn.id) for said in one.said] == [
        ("s1", "s1_1"), ("s1", "s1_2"), ("s2", "s2_1"), ("s2", "s2_2"),
    ]  # fmt: skip
    assert one.questions == (
        Question(
            text="What is my dog called?",
            relevant=(("s2", "s2_1"),),
            conversation="q1",
            category="single-session-user",
            person="user",
            author="user",
            asked_at=1685490000000,
            sessions=("s2",),
        ),
    )


def test_what_is_no_character_does_not_spoil_a_haystack(tmp_path):
    found = {**haystack("q"), "haystack_sessions": [[{"role": "user", "content": "\ud800 Hi"}], []]}
    [one] = longmemeval.read(longmemeval_file(tmp_path, {**found, "answer_session_ids": ["s1"]}))
    assert one.said[0].turn.text == "? Hi"


def test_abstention_questions_and_those_without_evidence_are_left_out(tmp_path):
    lost = {**haystack("q2"), "answer_session_ids": ["elsewhere"]}
    lost["haystack_sessions"] = [[{"role": "user", "content": "Hi"}], []]
    items = [haystack("q1_abs"), lost, haystack("q3")]
    assert [one.tenant for one in longmemeval.read(longmemeval_file(tmp_path, *items))] == ["longmemeval:q3"]


def test_sessions_are_said_in_their_order_and_one_that_comes_again_goes_on(tmp_path):
    found = haystack("q")
    found["haystack_session_ids"] = ["s1", "s1"]
    found["haystack_dates"] = ["2023/05/22 (Mon) 10:00", "2023/05/20 (Sat) 02:21"]
    found["answer_session_ids"] = ["s1", "s1"]
    [one] = longmemeval.read(longmemeval_file(tmp_path, found))
    assert [said.turn.text for said in one.said] == [
        "My dog is called Rex",
        "What a name!",
        "I drink tea",
        "So do I, often",
    ]
    assert [said.turn.id for said in one.said] == ["s1_1", "s1_2", "s1_3", "s1_4"]
    assert one.questions[0].relevant == (("s1", "s1_1"),)
    assert one.questions[0].sessions == ("s1",)


@pytest.mark.parametrize("text", ["", "[", "{}", '"text"', "\xff"])
def test_what_is_not_a_longmemeval_file_is_named(tmp_path, text):
    file = tmp_path / "wrong.json"
    file.write_bytes(text.encode("latin1"))
    with pytest.raises(TransferError, match=r"wrong\.json is not a LongMemEval file"):
        longmemeval.read(file)
    with pytest.raises(TransferError, match=r"none\.json cannot be read"):
        longmemeval.read(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"question": None}, "question must be text"),
        ({"question_date": "yesterday"}, "does not match format"),
        ({"question_date": None}, "expected string"),
        ({"haystack_dates": ["2023/05/20 (Sat) 02:21"]}, "argument 2 is longer"),
        ({"haystack_sessions": [[], [{"content": "Hi"}]]}, "'role' missing"),
        ({"haystack_sessions": [[], [{"role": "king", "content": "Hi"}]]}, "a role must be one of"),
        ({"haystack_sessions": [[], [{"role": "user", "content": 1}]]}, "content must be text"),
        ({"haystack_sessions": [[], ["Hi"]]}, "not in LongMemEval's form"),
        ({"haystack_sessions": [[], [{"role": "user"}]]}, "'content' missing"),
        ({"haystack_sessions": None}, "not in LongMemEval's form"),
        ({"answer_session_ids": "s1"}, "answer_session_ids must be a list"),
        ({"question_id": 1}, "question_id must be text"),
    ],
)
def test_a_malformed_longmemeval_question_is_named(tmp_path, changes, told):
    file = longmemeval_file(tmp_path, haystack("q1"), {**haystack("q2"), **changes})
    with pytest.raises(TransferError, match=f"longmemeval.json, question 2: .*{told}"):
        longmemeval.read(file)
    with pytest.raises(TransferError, match="question 1: not in LongMemEval's form"):
        longmemeval.read(longmemeval_file(tmp_path, ["no question"]))


# Questions of one's own


def test_turns_and_questions_share_a_file_in_any_order(tmp_path):
    asked = {
        "question": "What did I say?",
        "relevant": [2, ["d", "1"], "2"],
        "conversation": "d",
        "person": "u1",
        "author": "Ada",
        "category": "greetings",
        "asked_at": "2024-06-01",
        "answer": "anything else is kept out of the way",
    }
    file = jsonl(
        tmp_path,
        asked,
        TURN,
        "",
        {**TURN, "id": 2},
        {**TURN, "conversation": "d", "audience": "private"},
        {"question": "Hello!", "relevant": []},
    )
    [one] = questions.read(file)
    assert one.said == (
        Exported(Turn("1", "c", "Ada", "Ada", "user", "Hi", 1714555800000), Conversation(Audience.PUBLIC)),
        Exported(Turn("2", "c", "Ada", "Ada", "user", "Hi", 1714555800000), Conversation(Audience.PUBLIC)),
        Exported(Turn("1", "d", "Ada", "Ada", "user", "Hi", 1714555800000), Conversation(Audience.PRIVATE)),
    )
    assert one.questions == (
        Question("What did I say?", (("c", "2"), ("d", "1")), "d", "greetings", "u1", "Ada", 1717200000000),
        Question("Hello!", (), "c"),
    )


async def test_what_memory_exports_can_be_asked_about(memory, here, say, tmp_path):
    await memory.remember(here, [say("My dog is called Rex.")])
    lines = [one.line() async for one in memory.export(here)]
    [one] = questions.read(jsonl(tmp_path, *lines, {"question": "What is my dog called?", "relevant": ["t1"]}))
    assert [said.line() for said in one.said] == lines
    assert one.questions[0].relevant == (("main", "t1"),)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "not JSON"),
        ("[1]", "a JSON object is wanted"),
        ({**TURN, "sent_at": "yesterday"}, "sent_at must be ISO 8601"),
        (TURN, "the turn 1 of c is there already"),
        ({"question": "?"}, "relevant must be a list"),
        ({"question": "?", "relevant": "1"}, "relevant must be a list"),
        ({"question": "?", "relevant": ["9"]}, "there is no turn 9"),
        ({"question": "?", "relevant": [["c", "9"]]}, "there is no turn 9 in c"),
        ({"question": "?", "relevant": ["1"]}, "1 is a turn of c and of d; write"),
        ({"question": "?", "relevant": [None]}, "relevant must hold turn ids"),
        ({"question": "?", "relevant": [True]}, "relevant must hold turn ids"),
        ({"question": "?", "relevant": [["c", "1", "x"]]}, "relevant must hold turn ids"),
        ({"question": " ", "relevant": []}, "question must be text, and not empty"),
        ({"question": None, "relevant": []}, "question must be text, and not empty"),
        ({"question": ["?"], "relevant": []}, "question must be text, and not empty"),
        ({"question": "\ud800", "relevant": []}, "question holds a lone surrogate"),
        ({"question": "?", "relevant": [], "person": ""}, "person must be text"),
        ({"question": "?", "relevant": [], "conversation": {}}, "conversation must be text"),
        ({"question": "?", "relevant": [], "category": ["x"]}, "category must be text"),
        ({"question": "?", "relevant": [], "asked_at": "now"}, "asked_at must be ISO 8601"),
        ({"question": "?", "relevant": [], "asked_at": -1}, "asked_at must be ISO 8601"),
        ({"question": "?", "relevant": [], "text": "Hi"}, "either a turn"),
    ],
)
def test_a_malformed_line_is_named_by_file_and_line(tmp_path, line, told):
    file = jsonl(tmp_path, TURN, {**TURN, "conversation": "d"}, line, {"question": "?", "relevant": []})
    with pytest.raises(TransferError, match=f"mine.jsonl, line 3: .*{told}"):
        questions.read(file)


def test_a_file_needs_turns_and_questions(tmp_path):
    with pytest.raises(TransferError, match="holds no question; a line is wanted such as"):
        questions.read(jsonl(tmp_path, TURN))
    with pytest.raises(TransferError, match="holds no turn"):
        questions.read(jsonl(tmp_path, {"question": "?", "relevant": []}))
    with pytest.raises(TransferError, match="cannot be read"):
        questions.read(tmp_path / "none.jsonl")


def test_the_readme_shows_a_file_that_can_be_read(tmp_path):
    shown = [line for line in README.splitlines() if line.startswith(('{"id": ', '{"question": '))]
    [one] = questions.read(jsonl(tmp_path, *shown))
    assert [asked.relevant for asked in one.questions] == [(("main", "1"),), (("main", "2"),), ()]
