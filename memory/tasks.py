"""Tasks that run beside something else."""

import asyncio
from collections.abc import Coroutine
from typing import Any

AGAIN = 0.1  # seconds


async def ended(task: "asyncio.Task[Any]") -> BaseException | None:
    """End a task and return what it has met, if anything.

    Cancelled until it is over: wait_for of Python 3.11, which redis-py sends with, may swallow a cancellation.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=AGAIN)
    return None if task.cancelled() else task.exception()


async def whole(doing: Coroutine[Any, Any, None]) -> None:
    """Do it to its end, however often we are cancelled meanwhile."""
    task = asyncio.ensure_future(doing)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.done():
                break
            cancelled = cancelled or error  # with what was said to `cancel` at first
        except BaseException:
            break
    if cancelled is not None:
        await asyncio.gather(task, return_exceptions=True)
        raise cancelled
    await task
