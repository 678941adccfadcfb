"""Files of turns: checked before anything is written, taken up again where they stopped."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bot.ingest import locomo
from memory import transfer
from memory.conversations import Conversation
from memory.errors import TransferError
from memory.records import Turn, Which
from memory.scope import Audience, Scope
from memory.transfer import Exported


def scope_of(one: Exported) -> Scope:
    return one.scope("local:ada", "ada")


def public(turn: Turn) -> Exported:
    return Exported(turn, Conversation(Audience.PUBLIC))


def written(tmp_path, *lines: object):
    file = tmp_path / "turns.jsonl"
    file.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return file


TURN = {
    "id": "1",
    "conversation": "c",
    "author": "Ada",
    "role": "user",
    "text": "Hi",
    "sent_at": "2024-05-01T09:30:00Z",
}


def test_a_line_is_a_turn(tmp_path):
    file = written(tmp_path, TURN, "", {**TURN, "id": 2, "sent_at": 1714555800000, "person": "u1", "role": "assistant"})
    assert list(transfer.read_jsonl(file)) == [
        public(Turn("1", "c", "Ada", "Ada", "user", "Hi", 1714555800000)),
        public(Turn("2", "c", "u1", "Ada", "assistant", "Hi", 1714555800000)),
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 2: not JSON"),
        ("[1]", "line 2: a JSON object is wanted"),
        ({**TURN, "text": None}, "line 2: text missing"),
        ({**TURN, "id": " "}, "line 2: id missing"),
        ({"id": "1"}, "line 2: conversation, sent_at, author, text missing"),
        ({**TURN, "role": "king"}, "role must be"),
        ({**TURN, "sent_at": "yesterday"}, "sent_at must be ISO 8601"),
        ({**TURN, "sent_at": -1}, "sent_at must be ISO 8601"),
        ({**TURN, "text": "\ud800"}, "lone surrogate"),
        ({**TURN, "text": ["a"]}, "text must be text"),
        ({**TURN, "parent": "c"}, "line 2: a conversation can't be its own parent"),
        ({**TURN, "parent": " "}, "line 2: a scope needs a parent"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, told):
    with pytest.raises(TransferError, match=told):
        list(transfer.read_jsonl(written(tmp_path, TURN, line)))


def test_bytes_that_are_no_text_are_named(tmp_path):
    file = tmp_path / "turns.jsonl"
    file.write_bytes(b'{"id": "\xff"}\n')
    with pytest.raises(TransferError, match="line 1: not UTF-8"):
        list(transfer.read_jsonl(file))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(TransferError, match=r"nothing\.jsonl cannot be read"):
        list(transfer.read_jsonl(tmp_path / "nothing.jsonl"))


async def test_an_interrupted_import_goes_on_and_gives_the_same(memory, client, keys, tmp_path):
    turns = [public(Turn(f"t{n}", "c", "Ada", "Ada", "user", f"dog number {n}", n)) for n in range(150)]
    steps: list[int] = []

    def stop_after(count: int):
        def step(done: int) -> None:
            steps.append(done)
            if len(steps) == count:
                raise KeyboardInterrupt

        return step

    with pytest.raises(KeyboardInterrupt):
        await transfer.bring_in(memory, turns, scope_of, stop_after(1))
    done = await transfer.bring_in(memory, turns, scope_of, steps.append)
    assert (done.new, done.known) == (86, 64)
    again = await transfer.bring_in(memory, turns, scope_of, steps.append)
    assert (again.new, again.known) == (0, 150)
    assert await memory.recent(scope_of(turns[0]), 200) == tuple(one.turn for one in turns)


async def test_a_thread_of_a_closed_channel_is_exported_as_what_it_is_whatever_its_turns_say(memory, say):
    closed = Scope("discord:1", "staff", "ada", Audience.PRIVATE)
    thread = Scope("discord:1", "staff/thread", "ada", Audience.PUBLIC, parent="staff", open_to_parent=True)
    await memory.moved(closed)
    await memory.remember(thread, [say("said late", conversation="staff/thread")])
    [one] = [one async for one in memory.export(closed)]
    assert one.conversation == Conversation(Audience.PRIVATE, "staff", True)


def test_locomo_files_are_read(locomo_file):
    [conversation] = locomo.read(locomo_file)
    assert [turn.id for turn in conversation.turns] == ["D1:1", "D1:2", "D1:3"]
    assert conversation.turns[2].text == "Look at my tea cup! [image: a green cup]"
    assert conversation.turns[0].sent_at == 1683554160000  # 8 May 2023, 13:56 UTC
    assert [(one.category, one.relevant) for one in conversation.questions] == [
        (4, ("D1:1",)),
        (1, ("D1:2",)),
        (5, ("D1:2",)),
    ]


@pytest.mark.parametrize("text", ["[1]", '[{"conversation": {"session_1": []}}]', "[", '["\\ud800"]'])
def test_what_is_not_a_locomo_file_is_named(tmp_path, text):
    file = tmp_path / "wrong.json"
    file.write_text(text)
    with pytest.raises(TransferError, match="is not a LoCoMo file"):
        locomo.read(file)


async def test_whatever_a_turn_holds_comes_back_the_same(memory, tmp_path):
    texts = [
        "",
        "  ",
        "a\nb\r\n\tc",
        "\u2028 and \u2029 and \x85",
        "\x00\x1b[31m",
        '"quoted" \\ {}',
        "日本語 ☕ e\u0301",
        "x" * 50_000,
    ]
    turns = [
        Turn(
            f"id/{number} |*",
            "room / one",
            "",
            "",
            "system" if number % 2 else "user",
            text,
            number,
            to=text[:5] or None,
        )
        for number, text in enumerate(texts)
    ]
    scope = Scope("local:ada", "room / one", "ada", Audience.PUBLIC)
    await memory.remember(scope, turns)
    file = tmp_path / "all.jsonl"
    lines = [one.line() async for one in memory.export(scope, vectors=True)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    other = Scope("local:bob", "room / one", "bob", Audience.PUBLIC)
    await memory.bring_in(transfer.read_jsonl(file), lambda one: one.scope("local:bob", "bob"))
    assert [one.line() async for one in memory.export(other, vectors=True)] == lines
    assert await memory.recent(other, 20) == await memory.recent(scope, 20)


@pytest.mark.parametrize(
    "vector", [b"", b"1234", np.zeros(7, np.float16).tobytes(), np.full(7, np.nan, np.float16).tobytes()]
)
async def test_a_vector_that_the_index_would_not_take_is_made_anew(memory, here, say, vector):
    made = str(memory.generation.made)
    turns = [say("a dog"), say("a cat"), say("tea")]
    await memory.bring_in(
        [Exported(turn, Conversation(Audience.PUBLIC), vector, made) for turn in turns], lambda one: here
    )
    assert (await memory.recall(here, "puppy"))[0].signals["vector"] == 1.0
    assert len(await memory.find(here, Which())) == 3


async def test_a_text_that_no_vector_stands_for_is_remembered_and_found_by_its_words(
    memory, embedder, here, say, monkeypatch
):
    async def nothing(texts):
        return np.zeros((len(texts), await embedder.dim()), np.float32)

    monkeypatch.setattr(embedder, "embed", nothing)
    await memory.remember(here, [say("a dog")])
    assert (await memory.recall(here, "dog"))[0].turn.text == "a dog"
    assert (await memory.upkeep()).embedded == 1
    assert (await memory.upkeep()).embedded == 0


async def test_what_the_person_thinks_of_an_answer_is_exported_to_them_alone(memory, here, say):
    await memory.remember(here, [say("My dog is called Rex.")])
    await memory.rate(here, "t1", good=False)
    await memory.rate(here, "t1", good=True)
    (mine,) = [one async for one in memory.export(here)]
    (others,) = [one async for one in memory.export(replace(here, person="bob"))]
    assert (mine.rating, others.rating) == ("good", None)
    assert '"rating": "good"' in mine.line()
    assert "rating" not in others.line()
