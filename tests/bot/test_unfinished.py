"""What a process left unanswered is taken up by another; what cannot be is given up."""

import asyncio

from bot.records import Incoming
from bot.unfinished import Unfinished
from memory import tasks
from tests.waiting import until


async def test_a_message_that_cannot_be_taken_up_is_given_up_and_the_next_one_is_taken(talk):
    bot, taken = talk(), []
    for name in ("m1", "m2"):
        asked = bot.incoming("Hello", id=name)
        await bot.engine.inbox.take_in(asked)
        await bot.engine.inbox.leave(asked)

    async def take(incoming: Incoming) -> None:
        if incoming.id == "m1":
            raise ValueError("no such channel")
        taken.append(incoming.id)

    looking = asyncio.create_task(Unfinished(bot.engine, lambda: [bot.scope.tenant], take).run())
    await until(lambda: taken)
    await tasks.ended(looking)
    assert [one.id for one in await bot.engine.inbox.unfinished(bot.scope.tenant)] == ["m2"]
