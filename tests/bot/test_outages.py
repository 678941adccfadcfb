"""Redis goes away, comes back, is full, is read-only: the bot answers, says so, and nothing said is lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis.asyncio

from bot import upkeep
from bot.engine import Engine
from bot.ledger import Ledger
from bot.records import Answered, Event, Notice
from memory import binary, connect, erasure, tasks
from memory.keys import Keys
from memory.memory import Memory
from memory.records import Forgotten, Which
from memory.scope import Audience, Scope
from memory.server import EmbeddedServer
from tests.conftest import Talk
from tests.fakes import ScriptedModel, ToyEmbedder

HERE = Scope("local:ada", "main", "ada", Audience.PUBLIC)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    server = EmbeddedServer(tmp_path / "redis")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(server: EmbeddedServer) -> AsyncIterator["redis.asyncio.Redis"]:
    client = connect.client(server.url)  # it does not start the server again
    yield client
    await connect.close(client)


@pytest.fixture
async def bot(client, monkeypatch) -> Talk:
    monkeypatch.setattr("bot.backlog.TRY_EVERY", 0.0)
    memory = await Memory.open(client, ToyEmbedder(), keys=Keys("test"))
    return Talk(memory, HERE, ScriptedModel(), "process")


async def heard(bot: Talk, text: str, answer: str = "I see.") -> list[Event]:
    bot.model.script.append(answer)
    return await bot.events(bot.incoming(text))


async def said(bot: Talk) -> list[str]:
    return [turn.text for turn in await bot.memory.recent(HERE, 100)]


async def test_while_redis_is_away_the_bot_answers_says_so_and_catches_up(bot, server):
    await heard(bot, "One")
    await server.stop()
    notice, piece, answered = await heard(bot, "Two")
    assert isinstance(notice, Notice)
    assert notice.text.startswith("Memory is off: Redis does not answer")
    assert isinstance(answered, Answered)
    await heard(bot, "Three")
    assert "Two" in bot.model.last_prompt  # the window is that of what waits
    await server.start()
    assert [type(event) for event in await heard(bot, "Four")] == [type(piece), Answered]
    answers = ["I see."] * 4
    assert await said(bot) == [
        text for pair in zip(["One", "Two", "Three", "Four"], answers, strict=True) for text in pair
    ]
    assert "Three" in {one.turn.text for one in await bot.memory.recall(HERE, "three", 2)}
    assert not await bot.engine.inbox.owing(HERE.tenant)


async def test_what_was_answered_while_redis_was_away_is_not_answered_again(bot, server):
    await server.stop()
    incoming = bot.incoming("Are you there?")
    bot.model.script.append("Yes.")
    await bot.events(incoming)
    await server.start()
    assert await bot.engine.inbox.unfinished(HERE.tenant) == []
    assert await bot.events(incoming) == []
    assert await said(bot) == ["Are you there?", "Yes."]


@pytest.mark.parametrize("piece", [0, 1])
async def test_redis_gone_amid_an_answer_loses_and_doubles_nothing(bot, server, piece):
    waiting = asyncio.Event()
    bot.model.script.append(["Yes", waiting, "."] if piece else [waiting, "Yes."])
    task = asyncio.create_task(bot.events(bot.incoming("Are you there?")))
    while not bot.model.prompts:
        await asyncio.sleep(0.01)
    await server.stop()
    waiting.set()
    assert isinstance((await task)[-1], Answered)
    await server.start()
    assert await bot.engine.inbox.unfinished(HERE.tenant) == []
    assert await said(bot) == ["Are you there?", "Yes."]


@pytest.mark.parametrize("claimed", [False, True])
async def test_redis_back_amid_an_answer_loses_and_doubles_nothing(bot, server, claimed, monkeypatch):
    monkeypatch.setattr("bot.upkeep.TICK", 0.01)
    incoming = bot.incoming("Are you there?")
    if claimed:
        batch = bot.memory.batch()
        Ledger(bot.memory.keys, "process").claim(batch, incoming, incoming.sent_at)
        await batch.send()
    waiting = asyncio.Event()
    bot.model.script.append(["Yes", waiting, "."])
    await server.stop()
    task = asyncio.create_task(bot.events(incoming))
    while not bot.model.prompts:
        await asyncio.sleep(0.01)
    await server.start()
    keeping_up = asyncio.create_task(upkeep.keep_up(bot.memory, bot.engine.backlog))
    async with asyncio.timeout(20):
        while bot.engine.backlog.away:
            await asyncio.sleep(0.01)
    waiting.set()
    assert isinstance((await task)[-1], Answered)
    assert await said(bot) == ["Are you there?", "Yes."]
    assert not await bot.engine.inbox.owing(HERE.tenant)
    assert await bot.events(incoming) == []
    await tasks.ended(keeping_up)


async def test_redis_gone_amid_an_answer_leaves_the_message_in_the_window_once(bot, server, client):
    for refuse in (lambda: client.config_set("maxmemory", 1), server.stop):
        waiting = asyncio.Event()
        bot.model.script.append([waiting, "Yes."])
        task = asyncio.create_task(bot.events(bot.incoming("Are you there?")))
        while bot.model.script:
            await asyncio.sleep(0.01)
        await refuse()
        waiting.set()
        await task
        await heard(bot, "And now?")
        assert [message.content for message in bot.model.prompts[-1][1:-1]][-2:] == ["Are you there?", "Yes."]
        await server.start()
        await client.config_set("maxmemory", 0)
        assert await bot.engine.backlog.caught_up(now=True)


async def test_what_is_forgotten_while_its_answer_waits_for_memory_does_not_come_back(bot, client):
    waiting = asyncio.Event()
    bot.model.script.append([waiting, "It is 4711."])
    task = asyncio.create_task(bot.events(bot.incoming("My bank account is 4711")))
    while not await said(bot):
        await asyncio.sleep(0.01)
    await client.config_set("maxmemory", 1)
    waiting.set()
    await task
    assert await bot.memory.forget(HERE, Which()) == Forgotten(1)
    await client.config_set("maxmemory", 0)
    assert await bot.engine.backlog.caught_up(now=True)
    assert await said(bot) == []
    assert not await bot.engine.inbox.owing(HERE.tenant)


async def test_a_backlog_is_bounded_and_what_is_lost_is_said(bot, server):
    bot.engine.backlog._most = 4
    await server.stop()
    for number in range(3):
        await heard(bot, f"Message {number}")
    assert "(2 turns were too many and are lost)" in (await heard(bot, "Message 3"))[0].text
    await server.start()
    await heard(bot, "Message 4")
    assert await said(bot) == ["Message 2", "I see.", "Message 3", "I see.", "Message 4", "I see."]


async def test_what_waits_is_remembered_without_another_message(bot, server, monkeypatch):
    monkeypatch.setattr("bot.upkeep.TICK", 0.01)
    await server.stop()
    await heard(bot, "Two")
    await server.start()
    keeping_up = asyncio.create_task(upkeep.keep_up(bot.memory, bot.engine.backlog))
    async with asyncio.timeout(20):
        while len(bot.engine.backlog):
            await asyncio.sleep(0.01)
    await tasks.ended(keeping_up)
    assert await said(bot) == ["Two", "I see."]


async def test_a_full_redis_is_read_said_and_caught_up_with(bot, client):
    await heard(bot, "I have a dog")
    await client.config_set("maxmemory", 1)
    notice, *_ = await heard(bot, "What is my dog called?")
    assert "Redis is full: raise its maxmemory" in notice.text
    assert "I have a dog" in bot.model.last_prompt
    await client.config_set("maxmemory", 0)
    await heard(bot, "And now?")
    assert await said(bot) == ["I have a dog", "I see.", "What is my dog called?", "I see.", "And now?", "I see."]


async def test_a_full_redis_forgets(bot, client):
    for text in ("I have a dog", "I have a cat", "I drink tea"):
        await heard(bot, text)
    await client.config_set("maxmemory", 1)
    first, *_ = await bot.memory.recent(HERE)
    assert await bot.memory.forget(HERE, Which(turns=(("main", first.id),))) == Forgotten(2)
    await client.config_set("maxmemory", 0)
    assert await said(bot) == ["I have a cat", "I see.", "I drink tea", "I see."]


async def test_a_read_only_replica_is_read_and_said(bot, client):
    await heard(bot, "I have a dog")
    await client.execute_command("REPLICAOF", "127.0.0.1", "1")
    notice, *_ = await heard(bot, "What is my dog called?")
    assert "Redis is a read-only replica" in notice.text
    assert "I have a dog" in bot.model.last_prompt
    await client.execute_command("REPLICAOF", "NO", "ONE")
    await heard(bot, "And now?")
    assert len(await said(bot)) == 6


async def test_a_redis_that_loads_is_not_taken_for_an_empty_one(bot, server, client):
    for number in range(20):
        await heard(bot, f"I have {number} dogs")
    await bot.memory.edit(HERE, (await bot.memory.recent(HERE, 1))[0].id, "I see")
    assert await erasure.erase(client, bot.memory.keys) == ""  # a rewritten file is served from while it is loaded
    await server.stop()
    found = binary.runnable(await binary.find(), server.folder)
    slowly = ("--key-load-delay", "30000", "--loading-process-events-interval-bytes", "1024")  # microseconds a key
    program, *arguments = binary.command(found, server.folder, server.socket)
    process = await asyncio.create_subprocess_exec(program, *slowly, *arguments)
    await process.wait()
    async with asyncio.timeout(20):
        while not server.socket.exists():
            await asyncio.sleep(0.01)
    notice, *_ = await heard(bot, "How many dogs?")
    assert "Redis is still loading its data" in notice.text
    async with asyncio.timeout(30):
        while not await bot.engine.backlog.caught_up(now=True):
            await asyncio.sleep(0.05)
    assert (await said(bot))[-2:] == ["How many dogs?", "I see."]
    await bot.memory._client.shutdown()


async def test_what_a_paused_person_says_while_redis_is_away_is_not_remembered_either(bot, server):
    await bot.memory.pause(HERE)
    await server.stop()
    await heard(bot, "My secret")
    await server.start()
    await bot.engine.backlog.caught_up(now=True)
    assert await said(bot) == []


async def test_a_forgotten_message_is_not_answered_later(bot):
    bot.model.script.append([asyncio.Event()])
    task = asyncio.create_task(bot.events(bot.incoming("My secret", id="lost")))
    while not bot.model.prompts:
        await asyncio.sleep(0.01)
    await bot.memory.forget(HERE, Which(person="ada"))
    assert not await bot.engine.inbox.owing(HERE.tenant)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await said(bot) == []
    assert not await bot.engine.inbox.owing(HERE.tenant)


async def test_an_edited_message_that_awaits_its_answer_is_answered_as_it_is_now(bot: Talk):
    engine: Engine = bot.engine
    bot.model.script.append([asyncio.Event()])
    incoming = bot.incoming("My dog is called Rex")
    task = asyncio.create_task(bot.events(incoming))
    while not bot.model.prompts:
        await asyncio.sleep(0.01)
    now = bot.incoming("My dog is called Max", id=incoming.id)
    assert await engine.edited(now)
    event = bot.memory.keys.event(HERE.tenant, HERE.conversation, incoming.id)
    batch = bot.memory.batch()
    payload = batch.ask("HGET", event, "payload", read=bytes.decode)
    await batch.send()
    assert "Max" in payload.value
    assert "Rex" not in payload.value
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await said(bot) == ["My dog is called Max"]
