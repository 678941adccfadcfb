"""Messages in hand: taken in by one process, and by another where that one dies."""

import asyncio
from contextlib import aclosing

import pytest

from bot.delivery.receipts import Receipt
from bot.errors import ModelBusy
from bot.ledger import Burst
from bot.models.base import Piece
from bot.records import Answered
from memory import tasks
from memory.records import Status
from memory.scope import Audience, Scope
from tests.waiting import until


@pytest.fixture
def here() -> Scope:
    """A direct message: what is said there is nobody else's."""
    return Scope("discord:@me", "77", "5", Audience.DIRECT)


async def dead(bot, incoming) -> None:
    """Let go of a message as a process does that is killed, once its lease has run out."""
    await bot.engine.inbox.leases.let_go(incoming)
    keys, scope = bot.memory.keys, incoming.scope
    name = keys.event(scope.tenant, scope.conversation, incoming.id)
    batch = bot.memory.batch()
    batch.ask("HSET", name, "until", 0, read=bool)
    batch.ask("ZADD", keys.tenant(scope.tenant).unfinished, "XX", 0, name, read=bool)
    batch.ask("DEL", keys.tenant(scope.tenant).turn_taking(scope.conversation_tag), read=bool)
    await batch.send()


async def shown(bot, incoming) -> list[str]:
    """Show an answer as a platform does: until it is whole, and then it is done."""
    pieces = []
    async with aclosing(bot.engine.reply(incoming, shown=False)) as events:
        async for event in events:
            if isinstance(event, Piece):
                pieces.append(event.text)
            if isinstance(event, Answered):
                break
    await bot.engine.inbox.done(incoming)
    return pieces


async def event(bot, incoming) -> dict[bytes, bytes]:
    name = bot.memory.keys.event(incoming.scope.tenant, incoming.scope.conversation, incoming.id)
    return await bot.memory._client.hgetall(name)


async def test_what_one_has_in_hand_is_not_anothers_until_it_is_left(talk):
    one, other = talk("Hello!"), talk("Hello!")
    incoming = one.incoming("Hi")
    assert await one.engine.inbox.take_in(incoming) == ()
    assert await other.engine.inbox.take_in(incoming) is None
    assert await other.engine.inbox.unfinished(incoming.scope.tenant) == []
    await one.engine.inbox.leave(incoming)
    assert [found.id for found in await other.engine.inbox.unfinished(incoming.scope.tenant)] == [incoming.id]
    assert await shown(other, incoming) == ["Hello!"]
    assert await one.engine.inbox.take_in(incoming) is None
    assert await one.engine.inbox.unfinished(incoming.scope.tenant) == []


async def test_an_answer_that_was_remembered_and_not_shown_is_shown_by_the_next_without_asking_the_model(talk):
    one, other = talk("Rex, of course."), talk()
    incoming = one.incoming("What is my dog called?")
    async with aclosing(one.engine.reply(incoming, shown=False)) as events:
        async for event_ in events:
            if isinstance(event_, Answered):
                break
    await one.engine.inbox.receipt(incoming, 0, Receipt("m1"))
    await dead(one, incoming)
    [found] = await other.engine.inbox.unfinished(incoming.scope.tenant)
    assert await other.engine.inbox.take_in(found) == (Receipt("m1"),)
    assert await shown(other, found) == ["Rex, of course."]
    assert other.model.prompts == []
    assert await other.engine.inbox.unfinished(incoming.scope.tenant) == []


async def test_a_model_that_failed_before_a_word_is_asked_again_by_the_next(talk):
    one, other = talk(ModelBusy("later")), talk("Now.")
    incoming = one.incoming("Hi")
    with pytest.raises(ModelBusy):
        [_ async for _ in one.engine.reply(incoming, shown=False)]
    await dead(one, incoming)
    [found] = await other.engine.inbox.unfinished(incoming.scope.tenant)
    assert await shown(other, found) == ["Now."]


async def test_the_messages_of_a_burst_are_answered_once_with_the_first(talk):
    one, other = talk("Both."), talk()
    first, second = one.incoming("My dog"), one.incoming("is called Rex")
    for incoming in (first, second):
        await one.engine.inbox.take_in(incoming)
    whole = one.incoming("My dog\nis called Rex", id=first.id)
    await one.engine.inbox.join(whole, [second])
    assert await other.engine.inbox.take_in(second) is None
    burst = one.engine.inbox.burst
    assert await burst(first.scope, first.id) == Burst(first.id, (second.id,))
    assert await burst(first.scope, second.id) == Burst(first.id)
    await dead(one, first)
    assert [found.text for found in await other.engine.inbox.unfinished(first.scope.tenant)] == [whole.text]


async def test_an_answer_made_anew_takes_the_old_ones_place(talk):
    bot = talk("Rex.", "Bello.")
    incoming = bot.incoming("What is my dog called?")
    assert await shown(bot, incoming) == ["Rex."]
    await bot.engine.reopen(incoming)
    assert await shown(bot, incoming) == ["Bello."]
    recent = await bot.memory.recent(incoming.scope)
    assert [turn.text for turn in recent] == ["What is my dog called?", "Bello."]


async def test_a_stopped_answer_is_shown_as_far_as_it_was_by_the_next(talk):
    held = asyncio.Event()
    one, other = talk(["It was ", held, "night."]), talk()
    incoming = one.incoming("Tell me a story")

    async def read() -> None:
        [_ async for _ in one.engine.reply(incoming, shown=False)]

    reading = asyncio.create_task(read())
    while not one.model.prompts:
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await dead(one, incoming)
    [found] = await other.engine.inbox.unfinished(incoming.scope.tenant)
    events = [event_ async for event_ in other.engine.reply(found, shown=False)]
    assert events[0] == Piece("It was ")
    assert events[-1].status is Status.CANCELLED


async def test_what_is_done_keeps_no_word_of_it(talk):
    bot = talk("Rex, of course.")
    incoming = bot.incoming("My secret is 4711.")
    await bot.engine.inbox.take_in(incoming)
    assert b"4711" in (await event(bot, incoming))[b"payload"]
    await shown(bot, incoming)
    kept = b"".join((await event(bot, incoming)).values())
    assert (b"4711" in kept, b"Rex" in kept) == (False, False)
    assert (await bot.engine.inbox.told(incoming.scope, incoming.id)).why


async def test_of_who_has_paused_nothing_is_written_down(talk):
    bot = talk("Noted.")
    incoming = bot.incoming("My secret is 4711.")
    await bot.memory.pause(incoming.scope)
    await bot.engine.inbox.take_in(incoming)
    assert b"payload" not in await event(bot, incoming)
    assert await shown(bot, incoming) == ["Noted."]


async def test_a_message_counts_how_many_processes_have_begun_to_answer_it(talk):
    """One that waits behind what ends them must not be given up with it: a question would be lost."""
    bots, alive = [talk([asyncio.Event()]) for _ in range(3)], []
    asked, waiting = bots[0].incoming("Hi"), bots[0].incoming("Are you there?")
    for bot in bots:
        await bot.engine.inbox.take_in(asked)
        await bot.engine.inbox.take_in(waiting)
        answering = asyncio.create_task(shown(bot, asked))
        await until(lambda bot=bot: bot.model.prompts)
        alive.append(answering)
        for one in (asked, waiting):
            await dead(bot, one)
    counted = [(await bots[0].engine.inbox.told(one.scope, one.id)).owners for one in (asked, waiting)]
    for one in alive:
        await tasks.ended(one)
    assert counted == [3, 0]


async def test_a_message_that_is_answered_anew_is_counted_from_the_beginning(talk):
    bot = talk("Rex.", "Bello.")
    incoming = bot.incoming("Who is my dog?")
    assert await shown(bot, incoming) == ["Rex."]
    await bot.engine.reopen(incoming)
    assert await shown(bot, incoming) == ["Bello."]
    assert (await bot.engine.inbox.told(incoming.scope, incoming.id)).owners == 1
