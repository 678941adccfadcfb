"""What is not addressed to the bot is remembered some at a time, and never what somebody does not want to be."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import redis.asyncio

from bot.overheard import TOGETHER, Overheard
from memory import connect, tasks
from memory.memory import Memory
from memory.records import Turn
from memory.scope import Audience, Scope
from tests.conftest import NOON
from tests.fakes import ToyEmbedder
from tests.waiting import until

GENERAL = Scope("discord:1", "10", "bot", Audience.PUBLIC)
RANDOM = replace(GENERAL, conversation="20")


def said(number: int, text: str, person: str = "ada", conversation: str = "10") -> Turn:
    return Turn(str(number), conversation, person, person.title(), "user", text, NOON + number)


@asynccontextmanager
async def running(overheard: Overheard):
    task = asyncio.create_task(overheard.run())
    yield
    await tasks.ended(task)


async def texts(memory: Memory, scope: Scope = GENERAL) -> list[str]:
    return [turn.text for turn in await memory.recent(scope, 2000)]


class Counting(ToyEmbedder):
    """Counts how often it is asked."""

    calls = 0

    async def embed(self, texts):
        self.calls += 1
        return await super().embed(texts)


async def test_what_several_people_say_is_embedded_and_written_at_once(memory):
    memory.embedder = embedder = Counting()
    overheard = Overheard(memory, gather=60)
    async with running(overheard):
        for number in range(TOGETHER):
            overheard.hear(GENERAL, said(number, f"sentence {number}", person=("ada", "bob")[number % 2]))
        await until(lambda: not overheard)
    assert embedder.calls == 1
    assert await memory.recent(GENERAL, 2) == (said(48, "sentence 48"), said(49, "sentence 49", "bob"))


async def test_a_few_messages_wait_no_longer_than_a_moment(memory):
    overheard = Overheard(memory, gather=0.05)
    async with running(overheard):
        overheard.hear(GENERAL, said(1, "I have a dog"))
        overheard.hear(RANDOM, said(2, "I have a cat", conversation="20"))
        overheard.hear(GENERAL, said(3, "   "))
        await until(lambda: not overheard)
    assert (await texts(memory), await texts(memory, RANDOM)) == (["I have a dog"], ["I have a cat"])
    assert [one.turn.text for one in await memory.recall(GENERAL, "Who has a dog?", 1)] == ["I have a dog"]


async def test_what_a_paused_person_says_is_not_remembered_and_others_are(memory):
    await memory.pause(replace(GENERAL, person="bob"))
    overheard = Overheard(memory)
    overheard.hear(GENERAL, said(1, "I have a dog"))
    overheard.hear(GENERAL, said(2, "I have a cat", person="bob"))
    await overheard.flush()
    assert await texts(memory) == ["I have a dog"]


async def test_what_is_edited_or_deleted_before_it_is_written_is_not_remembered_as_it_was(memory):
    overheard = Overheard(memory)
    for number, text in enumerate(("I have a dog", "My PIN is 4711", "I have tea")):
        overheard.hear(GENERAL, said(number, text))
    await overheard.edited(GENERAL, "0", "I have a cat")
    overheard.withdraw("discord:1", "10", {"1"})
    await overheard.flush()
    assert await texts(memory) == ["I have a cat", "I have tea"]
    await overheard.edited(GENERAL, "2", "I have coffee")
    assert await texts(memory) == ["I have a cat", "I have coffee"]


class Slow(ToyEmbedder):
    """Embeds when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    async def embed(self, texts):
        self.asked.set()
        await self.go.wait()
        return await super().embed(texts)


async def test_what_is_edited_or_deleted_while_it_is_written_is_not_remembered_as_it_was(memory):
    memory.embedder = slow = Slow()
    overheard = Overheard(memory)
    for number, text in enumerate(("I have a dog", "My PIN is 4711", "I have tea")):
        overheard.hear(GENERAL, said(number, text))
    writing = asyncio.create_task(overheard.flush())
    await slow.asked.wait()
    await overheard.edited(GENERAL, "0", "I have a cat")
    overheard.withdraw("discord:1", "10", {"1"})
    slow.go.set()
    assert await writing
    assert await texts(memory) == ["I have a cat", "I have tea"]
    assert len(overheard) == 0


async def test_a_channel_that_is_gone_is_not_written(memory):
    overheard = Overheard(memory)
    overheard.hear(GENERAL, said(1, "I have a dog"))
    overheard.hear(RANDOM, said(2, "I have a cat", conversation="20"))
    overheard.withdraw("discord:1", "10")
    await overheard.flush()
    assert (await texts(memory), await texts(memory, RANDOM)) == ([], ["I have a cat"])


@pytest.fixture
async def lonely(embedder, keys, redis_url, tmp_path):
    """A memory whose Redis the test starts when it likes: it is behind a socket that is not there yet."""
    socket = tmp_path / "redis.sock"
    client: redis.asyncio.Redis = connect.client(f"unix://{socket}")
    behind = connect.client(redis_url)
    there = await Memory.open(behind, embedder, keys=keys)
    yield (
        Memory(client, embedder, there.generation, keys=keys),
        socket,
        redis_url.removeprefix("unix://").partition("?")[0],
    )
    await client.aclose()
    await behind.aclose()


async def test_while_redis_is_away_the_latest_wait_and_are_remembered_when_it_is_back(lonely):
    memory, socket, server = lonely
    overheard = Overheard(memory, most=3, gather=0.01)
    async with running(overheard):
        for number in range(5):
            overheard.hear(GENERAL, said(number, f"sentence {number}"))
        assert not await overheard.flush()
        assert len(overheard) == 3
        socket.symlink_to(server)
        await until(lambda: not overheard)
    assert await texts(memory) == ["sentence 2", "sentence 3", "sentence 4"]
