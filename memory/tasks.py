"""Tasks that run beside something else."""

import asyncio
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
