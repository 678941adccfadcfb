"""Which turns people mean, when, and whose they may manage."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.commands import choice, table
from bot.commands.base import At, Here
from bot.commands.moments import moment
from bot.errors import CommandError
from memory.errors import LoreError
from memory.records import Which
from memory.scope import Audience, Scope

NOW = datetime(2026, 5, 10, 12, 30, tzinfo=UTC)
HOUR = 3600 * 1000


def at(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2026-05-01", at(2026, 4, 30, 22)),
        ("2026-05-01T14:30", at(2026, 5, 1, 12, 30)),
        ("2026-05-01 14:30", at(2026, 5, 1, 12, 30)),
        ("2026-05-01T14:30Z", at(2026, 5, 1, 14, 30)),
        ("today", at(2026, 5, 9, 22)),
        ("Yesterday", at(2026, 5, 8, 22)),
        ("90m", at(2026, 5, 10, 11)),
        ("12h", at(2026, 5, 10, 0, 30)),
        ("7d", at(2026, 5, 3, 12, 30)),
        ("2w", at(2026, 4, 26, 12, 30)),
    ],
)
def test_moments_are_said_as_people_say_them(said, meant):
    assert moment(said, "Europe/Berlin", NOW) == meant


@pytest.mark.parametrize("said", ["", "soon", "2026-13-01", "7 years", "999999w"])
def test_what_is_no_moment_is_named(said):
    with pytest.raises(CommandError, match="is no moment"):
        moment(said, "UTC", NOW)


@pytest.fixture
async def owner(memory, here, say) -> Here:
    await memory.remember(here, [say("a dog", id="x"), say("a cat", id="y/z")])
    return Here(here, memory, listed=(("main", "y/z"), ("main", "x")), owner=True)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("1 2", Which(turns=(("main", "y/z"), ("main", "x")))),
        ("x main/y/z y/z", Which(turns=(("main", "x"), ("main", "y/z"), ("main", "y/z")))),
        ("person Bob the Builder", Which(person="Bob the Builder")),
        ("all", Which()),
        ("conversation work since 2026-05-01 until 2026-05-02",
         Which(conversation="work", since=at(2026, 5, 1), until=at(2026, 5, 2))),
        ("person ada search a dog since long", Which(turns=(("main", "x"), ("main", "y/z")), person="ada")),
    ],
)  # fmt: skip
async def test_words_mean_turns(owner, words, meant):
    assert await choice.chosen(owner, words) == meant


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("", "say which turns"),
        ("3", "there is no turn 3"),
        ("person", "say what follows `person`"),
        ("all person", "say what follows `person`"),
        ("all of it", "`all` stands alone"),
        ("since whenever", "'whenever' is no moment"),
    ],
)
async def test_words_that_mean_no_turns_are_named(owner, words, told):
    with pytest.raises(CommandError, match=told):
        await choice.chosen(owner, words)


async def test_who_does_not_own_the_memory_manages_only_what_is_theirs(memory, say):
    scope = Scope("discord:1", "general", "ada", Audience.PUBLIC)
    await memory.remember(
        scope, [say("a dog", conversation="general"), say("bob's dog", "Bob", conversation="general")]
    )
    mine = Here(scope, memory)
    assert await choice.chosen(mine, "all") == Which(person="ada")
    with pytest.raises(CommandError, match="only what you said yourself"):
        await choice.chosen(mine, "person bob")
    said = await table.run("/memory forget all", mine)
    assert said.text.startswith("1 turn, and what was answered to it:")
    assert (await said.confirm()).text == "1 turn forgotten."
    assert [turn.text for turn in await memory.recent(scope)] == ["bob's dog"]
    assert "only whoever runs the bot" in (await table.run("/memory retain 3", mine)).text
    assert "`/memory list" in (await table.run("/memory import secrets.jsonl", mine)).text


async def test_a_file_that_is_imported_does_not_close_a_conversation_of_ones_own(memory, here, say, tmp_path):
    await memory.remember(here, [say("a dog")])
    file = tmp_path / "turns.jsonl"
    turn = {"id": "1", "conversation": "main", "author": "Ada", "text": "a cat", "sent_at": "2024-05-01"}
    file.write_text(json.dumps({**turn, "audience": "private", "parent": "staff", "open_to_parent": True}))
    said = await table.run(f"/memory import {file}", Here(here, memory, owner=True, at=At.TERMINAL))
    assert said.text == "1 turn remembered, 0 were known already."
    other = replace(here, conversation="other")
    assert {one.turn.text for one in await memory.recall(other, "dog or cat?")} == {"a dog", "a cat"}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("retain 0", "turns can be kept for 1 to 36,500 days"),
        ("retain 1000000", "turns can be kept for 1 to 36,500 days"),
        ("retain " + "9" * 5000, "turns can be kept for 1 to 36,500 days"),
        ("forget " + "9" * 5000, "there is no turn 999"),
        ("show " + "x " * 51, "name 50 turns at most"),
        ("export ~nosuchuser/x", "'~nosuchuser/x' is no file's name"),
        ("import ~nosuchuser/x", "'~nosuchuser/x' is no file's name"),
        ("export a\0b", "is no file's name"),
        ("import a\0b", "is no file's name"),
        ("export .", ". is a folder"),
        ("export \ud800", "is no file's name"),
        ("export " + "x" * 300, "can't be written: File name too long"),
    ],
)
async def test_what_cannot_be_carried_out_is_said(memory, here, line, told):
    said = await table.run(f"/memory {line}", Here(here, memory, owner=True, at=At.TERMINAL))
    assert told in said.text


async def test_that_turns_await_a_vector_is_not_told_as_their_lying_on_the_disk(memory, here, say):
    memory.embedder.error = LoreError("the embedding server does not answer")
    await memory.remember(here, [say("a dog")])
    said = await table.run("/memory retain 30", Here(here, memory, owner=True))
    await memory.remember(here, [say("a cat", sent_at=time.time_ns() // 10**6)])
    assert (await said.confirm()).text == "Turns are kept for 30 days now. 1 turn forgotten."
    assert (await memory.upkeep()).trouble == "the embedding server does not answer"
