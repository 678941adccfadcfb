"""Stopped, broken, repeated, crowded: nothing said is lost, and nothing is said twice."""

import asyncio
from contextlib import aclosing

import pytest

from bot.errors import MessageTooLong, ModelBusy, ReplyBroken, WeightsError
from bot.models.base import Piece
from bot.records import Notice
from memory.memory import Memory
from memory.records import Status
from tests.conftest import Talk
from tests.fakes import ScriptedModel, ToyReranker


async def turns(bot):
    return [(turn.text, turn.status) for turn in await bot.memory.recent(bot.scope)]


async def test_the_message_is_remembered_before_the_model_is_called(talk):
    bot = talk(ModelBusy("come back later"))
    with pytest.raises(ModelBusy):
        await bot.say("I have a dog")
    assert await turns(bot) == [("I have a dog", Status.WHOLE)]


async def test_a_broken_reply_is_remembered_as_broken(talk):
    bot = talk(["I was about to", ReplyBroken("the stream broke")])
    with pytest.raises(ReplyBroken):
        await bot.say("Go on")
    assert await turns(bot) == [("Go on", Status.WHOLE), ("I was about to", Status.BROKEN)]


async def test_closing_the_answer_cancels_the_model_and_is_remembered(talk):
    bot = talk(["One", asyncio.Event(), "never"])
    async with aclosing(bot.engine.reply(bot.incoming("Count"))) as events:
        assert await anext(events) == Piece("One")
    assert bot.model.cancelled == 1
    assert await turns(bot) == [("Count", Status.WHOLE), ("One", Status.CANCELLED)]


async def test_cancelling_the_task_cancels_the_model_and_is_remembered(talk):
    bot = talk(["One", asyncio.Event(), "never"])
    seen = asyncio.Event()

    async def listen():
        async for _ in bot.engine.reply(bot.incoming("Count")):
            seen.set()

    task = asyncio.create_task(listen())
    await seen.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bot.model.cancelled == 1
    assert await turns(bot) == [("Count", Status.WHOLE), ("One", Status.CANCELLED)]


async def test_a_repeated_message_is_answered_once(talk):
    bot = talk("Hello!")
    incoming = bot.incoming("Hi!")
    assert len(await bot.events(incoming)) == 2
    assert await bot.events(incoming) == []
    assert await turns(bot) == [("Hi!", Status.WHOLE), ("Hello!", Status.WHOLE)]


async def test_a_repeated_message_is_answered_once_by_two_processes(talk):
    waiting = asyncio.Event()
    one, other = talk([waiting, "Hello!"]), talk("Never")
    incoming = one.incoming("Hi!")
    first = asyncio.create_task(one.events(incoming))
    while not one.model.prompts:
        await asyncio.sleep(0)
    assert await other.events(incoming) == []
    waiting.set()
    assert len(await first) == 2


async def test_one_message_at_a_time_in_a_conversation_whoever_serves_it(talk):
    waiting = asyncio.Event()
    one, other = talk([waiting, "First!"]), talk("Second!")
    first = asyncio.create_task(one.say("1"))
    while not one.model.prompts:
        await asyncio.sleep(0)
    second = asyncio.create_task(other.say("2"))
    third = asyncio.create_task(one.say("3"))
    one.model.script.append("Third!")
    await asyncio.sleep(0.05)
    assert (len(one.model.prompts), len(other.model.prompts)) == (1, 0)
    waiting.set()
    answers = await asyncio.gather(first, second, third)
    assert [one.answer for one in answers] == ["First!", "Second!", "Third!"]


async def test_what_a_dead_process_left_unanswered_is_found_and_answered(talk):
    dead = talk([asyncio.Event()])
    task = asyncio.create_task(dead.events(dead.incoming("Are you there?", id="lost")))
    while not dead.model.prompts:
        await asyncio.sleep(0)
    alive = talk("Yes.")
    assert await alive.engine.inbox.unfinished("local:ada") == []  # its lease still holds
    batch = alive.memory.batch()
    [name] = [key async for key in alive.memory._client.scan_iter(match=f"{alive.memory.keys.namespace}:event:*")]
    batch.ask("HSET", name, "until", 0, read=bool)
    batch.ask("ZADD", alive.memory.keys.tenant("local:ada").unfinished, 0, name, read=bool)
    batch.ask("DEL", alive.memory.keys.tenant("local:ada").turn_taking(alive.scope.conversation_tag), read=bool)
    await batch.send()
    [incoming] = await alive.engine.inbox.unfinished("local:ada")
    assert (incoming.id, incoming.text, incoming.scope) == ("lost", "Are you there?", alive.scope)
    assert (await alive.events(incoming))[0] == Piece("Yes.")
    assert await turns(alive) == [("Are you there?", Status.WHOLE), ("Yes.", Status.WHOLE)]
    assert await alive.engine.inbox.unfinished("local:ada") == []
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_message_too_long_for_the_window_is_cut_and_said_so(talk):
    bot = talk("Long indeed.")
    events = await bot.events(bot.incoming("word " * 5000))
    assert isinstance(events[0], Notice)
    assert "too long" in events[0].text


async def test_a_context_too_small_for_any_message_names_the_fix(talk):
    bot = talk("Never", context_window=100)
    with pytest.raises(MessageTooLong, match="LOREBOT_CONTEXT_WINDOW"):
        await bot.say("Hi!")


async def test_a_ten_megabyte_paste_is_refused_with_its_limit(talk):
    bot = talk("Never")
    with pytest.raises(MessageTooLong, match="10,000,000 characters, the limit is 100,000"):
        await bot.say("x" * 10_000_000)


async def test_what_is_no_character_does_not_stop_a_message(talk):
    bot = talk("Fine.")
    await bot.say("a lone surrogate: \ud800")
    assert (await turns(bot))[0] == ("a lone surrogate: ?", Status.WHOLE)


async def test_a_message_that_could_not_be_embedded_is_answered_and_embedded_later(talk, embedder):
    bot = talk("Here I am.")
    incoming = bot.incoming("I have a dog")
    embedder.error = ModelBusy("come back later")
    said, *_ = await bot.events(incoming)
    assert said == Notice("Memory was searched by words alone: come back later")
    assert await turns(bot) == [("I have a dog", Status.WHOLE), ("Here I am.", Status.WHOLE)]
    assert (await bot.memory.recall(bot.scope, "dog"))[0].signals["vector"] == 0.0
    embedder.error = None
    assert (await bot.memory.upkeep()).embedded == 2
    assert (await bot.memory.recall(bot.scope, "dog"))[0].signals["vector"] == 1.0


async def test_a_message_is_answered_also_where_the_reranker_fails(client, keys, embedder, here, say):
    reranker = ToyReranker()
    reranker.error = WeightsError("no model")
    memory = await Memory.open(client, embedder, keys=keys, reranker=reranker)
    await memory.remember(here, [say("My dog is called Rex")])
    bot = Talk(memory, here, ScriptedModel("Here I am."), owner="me")
    said, *_, answered = await bot.events(bot.incoming("I have a dog"))
    assert said == Notice("What was recalled stands in its plain order, not reranked: no model")
    assert answered.answer == "Here I am."


async def test_a_reply_that_could_not_be_embedded_is_remembered_and_found_by_its_words(talk, embedder):
    waiting = asyncio.Event()
    bot = talk([waiting, "Wednesdays, as ever."])
    task = asyncio.create_task(bot.say("When do we meet?"))
    while not bot.model.prompts:
        await asyncio.sleep(0)
    embedder.error = ModelBusy("come back later")
    waiting.set()
    assert (await task).answer == "Wednesdays, as ever."
    embedder.error = None
    assert await turns(bot) == [("When do we meet?", Status.WHOLE), ("Wednesdays, as ever.", Status.WHOLE)]
    assert (await bot.memory.recall(bot.scope, "Wednesday"))[0].turn.text == "Wednesdays, as ever."


async def test_a_message_that_waits_in_line_survives_the_process(talk):
    bot = talk([asyncio.Event()])
    first = asyncio.create_task(bot.events(bot.incoming("1")))
    while not bot.model.prompts:
        await asyncio.sleep(0)
    second = asyncio.create_task(bot.events(bot.incoming("2", id="second")))
    batch = bot.memory.batch()
    event = bot.memory.keys.event("local:ada", "main", "second")
    while True:
        state = batch.ask("HGET", event, "state", read=lambda raw: raw)
        await batch.send()
        if state.value is not None:
            break
    assert state.value == b"received"
    for task in (second, first):
        task.cancel()
    await asyncio.gather(first, second, return_exceptions=True)


async def test_who_pauses_while_a_message_waits_is_answered_once_and_not_remembered(talk):
    waiting = asyncio.Event()
    bot = talk([waiting, "First!"], "Second!")
    first = asyncio.create_task(bot.events(bot.incoming("1")))
    while not bot.model.prompts:
        await asyncio.sleep(0)
    incoming = bot.incoming("My secret")
    second = asyncio.create_task(bot.events(incoming))
    event = bot.memory.keys.event("local:ada", "main", incoming.id)
    while not await bot.memory._client.exists(event):
        await asyncio.sleep(0)
    await bot.memory.pause(bot.scope)
    waiting.set()
    await first
    assert (await second)[0] == Piece("Second!")
    assert not await bot.engine.inbox.owing("local:ada")
    assert not await bot.memory._client.hexists(event, "payload")
    assert await bot.events(incoming) == []
    assert await turns(bot) == [("1", Status.WHOLE)]


async def test_who_pauses_just_before_a_message_is_remembered_is_answered_once(talk, monkeypatch):
    bot = talk("Aha.")
    recollect = bot.app.recollect

    async def pausing(incoming, glance):
        await bot.memory.pause(bot.scope)
        return await recollect(incoming, glance)

    monkeypatch.setattr(bot.app, "recollect", pausing)
    incoming = bot.incoming("My secret")
    assert (await bot.events(incoming))[0] == Piece("Aha.")
    assert not await bot.engine.inbox.owing("local:ada")
    assert await bot.events(incoming) == []


async def test_being_cancelled_twice_does_not_lose_what_was_said(talk):
    bot = talk(["One", asyncio.Event()])
    seen = asyncio.Event()

    async def listen():
        async for _ in bot.engine.reply(bot.incoming("Count")):
            seen.set()

    task = asyncio.create_task(listen())
    await seen.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await turns(bot) == [("Count", Status.WHOLE), ("One", Status.CANCELLED)]


async def test_a_cancelled_wait_leaves_no_lease_behind(talk):
    bot = talk(*["Soon."] * 7)
    for delay in range(6):
        task = asyncio.create_task(bot.events(bot.incoming("Hi!")))
        for _ in range(delay):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(5):
        assert (await bot.say("Are you free?")).answer


async def test_a_reply_with_half_a_character_is_remembered(talk):
    bot = talk("Fine \ud83d.")
    await bot.say("How are you?")
    assert await turns(bot) == [("How are you?", Status.WHOLE), ("Fine ?.", Status.WHOLE)]
