"""A channel's past is learned in the background: once, resumed where it stopped, and only where that is switched on."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.channels import Channels
from bot.errors import CommandError, DeliveryError, DeliveryRefused
from bot.learning import Learning
from bot.lesson import TOGETHER, Cursor, Progress, Said, progress
from memory.memory import Memory
from memory.records import Turn, Which, answer_id
from memory.scope import Audience, Scope
from tests.conftest import NOON
from tests.waiting import until, until_it

GENERAL = Scope("discord:1", "10", "bot", Audience.PUBLIC)
MINUTE = 60_000  # milliseconds


def heard(number: int, text: str = "", person: str = "ada") -> Said:
    at = NOON + number * MINUTE
    turn = Turn(str(number), "10", person, person.title(), "user", text or f"sentence {number}", at)
    return Said(turn.id, at, turn)


def answered(number: int, question: int, text: str) -> Said:
    at = NOON + number * MINUTE
    turn = Turn(answer_id(str(question)), "10", "lorebot", "Lorebot", "assistant", text, at, to="ada")
    return Said(str(number), at, turn)


class Log:
    """A channel's messages; `gate` opens after so many, `error` is raised there once."""

    def __init__(self, *messages: Said) -> None:
        self.messages = messages
        self.asked_after: list[str | None] = []
        self.stop_at: int | None = None
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.waiting = False

    async def past(self, after: str | None) -> AsyncIterator[Said]:
        self.asked_after.append(after)
        for one in self.messages:
            if after is not None and int(one.id) <= int(after):
                continue
            if int(one.id) == self.stop_at:
                if self.error is not None:
                    error, self.error = self.error, None
                    raise error
                self.waiting = True
                await self.gate.wait()
            yield one


class Told:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.all: list[Progress] = []

    async def __call__(self, progress: Progress) -> None:
        self.all.append(progress)

    @property
    def over(self) -> bool:
        return bool(self.all) and self.all[-1].over


@pytest.fixture
async def channels(memory: Memory) -> Channels:
    channels = Channels(memory)
    await channels.set(GENERAL, remembers=True)
    return channels


def general() -> Scope:
    return GENERAL


async def learned(memory: Memory) -> list[str]:
    return [turn.text for turn in await memory.recent(GENERAL, 2000)]


async def test_what_was_said_is_learned_with_what_was_answered(memory, channels):
    told = Told()
    log = Log(heard(1, "I have a dog"), answered(2, 1, "What is it called?"), Said("3", NOON), heard(4, "Rex", "bob"))
    assert await Learning(memory, channels, "one").begin(general, log.past, told)
    await until(lambda: told.over)
    assert told.all[-1] == Progress(4, 4, NOON + 4 * MINUTE, over=True)
    assert await memory.recent(GENERAL) == (log.messages[0].turn, log.messages[1].turn, log.messages[3].turn)
    assert (await memory.recall(GENERAL, "Who has a dog?", 1))[0].turn.text == "I have a dog"


async def test_learning_it_again_adds_what_came_since_and_anew_adds_nothing(memory, channels, embedder):
    learning, log, told = Learning(memory, channels, "one"), Log(*map(heard, range(40))), Told()
    await learning.begin(general, log.past, told)
    await until(lambda: told.over)
    embedder.embedded.clear()
    for messages, anew in (((*log.messages, heard(40)), False), ((*log.messages, heard(40)), True)):
        log.messages, told = messages, Told()
        await learning.begin(general, log.past, told, anew=anew)
        await until(lambda told=told: told.over)
    assert log.asked_after == [None, "39", None]
    assert await learned(memory) == [f"sentence {number}" for number in range(41)]
    assert len(embedder.embedded) == 1


async def test_it_is_refused_where_the_channel_does_not_remember(memory):
    with pytest.raises(CommandError, match="/channel remembers on"):
        await Learning(memory, Channels(memory), "one").begin(general, Log().past)


async def test_it_stops_when_the_channel_is_not_to_be_remembered_any_more(memory, channels):
    log, told = Log(*map(heard, range(TOGETHER * 3))), Told()
    log.stop_at = TOGETHER * 2
    learning = Learning(memory, channels, "one")
    await learning.begin(general, log.past, told)
    await until(lambda: log.waiting)
    await channels.set(GENERAL, remembers=False)
    log.gate.set()
    await until(lambda: told.over)
    assert "not to be remembered any more" in told.all[-1].trouble
    assert len(await learned(memory)) == TOGETHER * 2
    assert await learning.unfinished("discord:1") == []


async def test_paused_people_and_the_answers_to_them_are_not_learned(memory, channels):
    await memory.pause(replace(GENERAL, person="bob"))
    told, log = Told(), Log(heard(1, "I have a cat", "bob"), heard(2, "I have a dog"))
    reply = Turn(answer_id("1"), "10", "lorebot", "Lorebot", "assistant", "A cat!", NOON, to="bob")
    log.messages += (Said("3", NOON, reply),)
    await Learning(memory, channels, "one").begin(general, log.past, told)
    await until(lambda: told.over)
    assert await learned(memory) == ["I have a dog"]


async def test_what_was_said_during_a_pause_is_not_learned_after_it(memory, channels):
    ada = replace(GENERAL, person="ada")
    await memory.pause(ada)
    during = time.time_ns() // 1_000_000 + 1
    await until(lambda: time.time_ns() // 1_000_000 > during)
    await memory.resume(ada)
    secret = replace(heard(1, "a secret").turn, sent_at=during)
    log, told = Log(heard(0, "said before"), Said("1", during, secret), answered(2, 1, "to a secret")), Told()
    await Learning(memory, channels, "one").begin(general, log.past, told)
    await until(lambda: told.over)
    assert await learned(memory) == ["said before"]


async def test_whoever_paused_before_pauses_were_kept_had_paused_for_ever(memory, channels, client, keys):
    ada = replace(GENERAL, person="ada")
    await client.sadd(keys.tenant(ada.tenant).paused, ada.person_tag)
    await memory.resume(ada)
    log, told = Log(heard(0), heard(1, "by Bob", "bob")), Told()
    await Learning(memory, channels, "one").begin(general, log.past, told)
    await until(lambda: told.over)
    assert await learned(memory) == ["by Bob"]


async def test_what_was_forgotten_is_not_learned_again_though_it_still_stands_there(memory, channels):
    learning, told = Learning(memory, channels, "one"), Told()
    log = Log(heard(0), answered(1, 0, "an answer"), heard(2), heard(3, "by Bob", "bob"))
    await learning.begin(general, log.past, told)
    await until(lambda: told.over)
    await memory.forget(replace(GENERAL, person="ada"), Which(person="ada"))
    told = Told()
    await learning.begin(general, log.past, told, anew=True)
    await until(lambda: told.over)
    assert await learned(memory) == ["by Bob"]


async def test_what_is_older_than_the_tenant_wants_to_keep_is_not_learned(memory, channels):
    now = time.time_ns() // 1_000_000
    fresh = replace(heard(2), at=now, turn=replace(heard(2).turn, sent_at=now))
    await memory.retain(GENERAL, 30)
    told = Told()
    await Learning(memory, channels, "one").begin(general, Log(heard(1), fresh).past, told)
    await until(lambda: told.over)
    assert await learned(memory) == ["sentence 2"]


async def test_what_was_left_unfinished_goes_on_where_it_stopped(memory, channels, embedder):
    log = Log(*map(heard, range(100)))
    log.stop_at = 50
    first = Learning(memory, channels, "one")
    await first.begin(general, log.past)
    await until(lambda: log.waiting)
    await first.close()
    log.gate.set()
    second, told = Learning(memory, channels, "two", again=0.01), Told()
    assert await second.unfinished("discord:1") == ["10"]
    second.resume(general, log.past, told)
    await until(lambda: told.over)
    assert log.asked_after == [None, str(50 // TOGETHER * TOGETHER - 1)]
    assert await learned(memory) == [f"sentence {number}" for number in range(100)]
    assert len(embedder.embedded) == 100
    assert await second.unfinished("discord:1") == []


async def test_one_process_learns_at_a_time_and_the_next_waits_for_its_lease(memory, channels, client, keys):
    log, told = Log(*map(heard, range(40))), Told()
    log.stop_at = 20
    first, second = Learning(memory, channels, "one"), Learning(memory, channels, "two", again=0.01)
    assert await first.begin(general, log.past)
    await until(lambda: log.waiting)
    assert not await second.begin(general, log.past, told)
    lease = keys.tenant("discord:1").teaching(GENERAL.conversation_tag)
    assert await client.get(lease) == b"one"
    assert log.asked_after == [None]
    await first.close()
    log.gate.set()
    await until(lambda: told.over)
    assert log.asked_after == [None, "15"]
    await until_it(lambda: _gone(client, lease))


async def _gone(client, key: str) -> bool:
    return not await client.exists(key)


async def test_another_process_can_stop_it(memory, channels):
    log, told = Log(*map(heard, range(40))), Told()
    log.stop_at = 20
    first, second = Learning(memory, channels, "one"), Learning(memory, channels, "two")
    await first.begin(general, log.past, told)
    await until(lambda: log.waiting)
    assert await second.stop("discord:1", "10")
    assert not await second.stop("discord:1", "10")
    log.gate.set()
    await until(lambda: told.over)
    assert told.all[-1].trouble == "it was stopped"
    assert len(await learned(memory)) == 16


async def test_whoever_stops_it_here_stops_it_at_once(memory, channels):
    log, told = Log(*map(heard, range(40))), Told()
    log.stop_at = 20
    learning = Learning(memory, channels, "one")
    await learning.begin(general, log.past, told)
    await until(lambda: log.waiting)
    assert await learning.stop("discord:1", "10")
    assert told.all[-1].trouble == "it was stopped"


async def test_a_platform_that_fails_is_asked_again_and_one_that_refuses_is_not(memory, channels):
    log, told = Log(*map(heard, range(40))), Told()
    log.stop_at, log.error = 20, DeliveryError("Discord failed on its side")
    learning = Learning(memory, channels, "one", again=0.01)
    log.gate.set()
    await learning.begin(general, log.past, told)
    await until(lambda: told.over)
    assert (log.asked_after, told.all[-1].done) == ([None, "15"], 40)
    log.stop_at, log.error, told = 0, DeliveryRefused("give it the permission"), Told()
    await learning.begin(general, log.past, told, anew=True)
    await until(lambda: told.over)
    assert "give it the permission" in told.all[-1].trouble
    assert await learning.unfinished("discord:1") == []


async def test_progress_that_cannot_be_told_does_not_stop_it(memory, channels):
    async def broken(progress: Progress) -> None:
        raise DeliveryRefused("no permission")

    learning = Learning(memory, channels, "one")
    await learning.begin(general, Log(*map(heard, range(40))).past, broken)
    await until_it(lambda: _none_left(learning))
    assert len(await learned(memory)) == 40


async def _none_left(learning: Learning) -> bool:
    return not await learning.unfinished("discord:1")


async def test_how_far_it_has_come_lies_in_redis_and_goes_with_the_channel(memory, channels, client, keys):
    learning, told = Learning(memory, channels, "one"), Told()
    await learning.begin(general, Log(*map(heard, range(3))).past, told)
    await until(lambda: told.over)
    cursor = Cursor(after="2", done=3, first=NOON, upto=NOON + 2 * MINUTE)
    assert Cursor(**json.loads(await client.hget(keys.tenant("discord:1").lessons, "10"))) == cursor
    await learning.forget("discord:1", "10")
    assert not await client.exists(keys.tenant("discord:1").lessons)


def test_progress_tells_about_how_many_messages_there_are_by_the_time_they_took():
    assert progress(Cursor("9", 100, 1000, 2000), now=11_000) == Progress(100, 1000, 2000)
    assert progress(Cursor("9", 1, 1000, 1000), now=11_000) == Progress(1, 1, 1000)
    assert progress(Cursor("9", 100, 1000, 2000), now=1500) == Progress(100, 100, 2000)
