"""A message in hand keeps its lease, whatever is let go beside it."""

import asyncio

from bot.leases import Leases
from bot.ledger import LEASE, Ledger
from tests.waiting import until_it


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
