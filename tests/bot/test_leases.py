"""A message in hand keeps its lease, whatever is let go beside it."""

import asyncio
import time
from contextlib import aclosing

import pytest

from bot.leases import Leases
from bot.ledger import LEASE, Ledger
from tests.waiting import until, until_it


async def test_what_is_taken_while_the_last_one_is_let_go_keeps_its_lease(talk, memory, client):
    bot, ledger = talk(), Ledger(memory.keys, "one")
    first, second = bot.incoming("first", id="m1"), bot.incoming("second", id="m2")
    batch = memory.batch()
    ledger.claim(batch, second, 0, waiting=True)
    await batch.send()
    leases = Leases(memory, ledger)
    leases.hold(first)
    await asyncio.sleep(0)  # it waits for the next renewal
    letting_go = asyncio.create_task(leases.let_go(first))
    await asyncio.sleep(0)
    leases.hold(second)
    await letting_go
    key = memory.keys.event(bot.scope.tenant, bot.scope.conversation, "m2")

    async def renewed() -> bool:
        return int(await client.hget(key, "until")) > LEASE  # it was taken at 0

    await until_it(renewed, 8)
    await leases.let_go(second)


async def test_an_answer_that_another_process_gives_by_now_is_left_to_it(talk, memory, client):
    """A process that was frozen for longer than its lease holds, and goes on."""
    bot, two = talk(["Re", asyncio.Event()]), Ledger(memory.keys, "two")
    asked = bot.incoming("What is my dog called?", id="m1")

    async def answer() -> None:
        async with aclosing(bot.engine.reply(asked, shown=False)) as events:
            async for _ in events:
                pass

    answering = asyncio.create_task(answer())
    await until(lambda: bot.model.prompts)
    batch = memory.batch()
    taken = two.claim(batch, asked, time.time_ns() // 10**6 + 2 * LEASE)
    await batch.send()
    assert taken.value != "answering"
    await asyncio.wait([answering], timeout=8)
    assert answering.cancelled()
    assert [turn.role for turn in await memory.recent(bot.scope)] == ["user"]


async def test_an_answer_goes_on_where_redis_has_lost_what_it_knew_of_it(talk, memory, client):
    goes_on = asyncio.Event()
    bot = talk(["Re", goes_on, "x."])
    saying = asyncio.create_task(bot.say("What is my dog called?", id="m1"))
    await until(lambda: bot.model.prompts)
    await client.delete(memory.keys.event(bot.scope.tenant, bot.scope.conversation, "m1"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(saying), LEASE / 2000)
    goes_on.set()
    assert (await saying).answer == "Rex."
