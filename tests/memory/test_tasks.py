"""A task beside the work ends with it, whatever it does with a cancellation."""

import asyncio

from memory import tasks


async def test_a_task_that_swallows_a_cancellation_is_ended_all_the_same():
    async def stubborn() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    assert await tasks.ended(task) is None
    assert task.cancelled()


async def test_what_a_task_has_met_is_returned():
    async def broken() -> None:
        raise ValueError("broken")

    assert str(await tasks.ended(asyncio.create_task(broken()))) == "None"
    task = asyncio.create_task(broken())
    await asyncio.sleep(0)
    assert str(await tasks.ended(task)) == "broken"
