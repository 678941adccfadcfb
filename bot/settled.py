"""What lives as long as the process: loaded before somebody needs it, then left alone by the garbage collector."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from memory import tasks
from memory.errors import LoreError

log = structlog.get_logger()


@asynccontextmanager
async def settled(warm: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Warm something beside, then take all that lives by then for what stays, until the end.

    Python looks at everything that lives, time and again. The 200,000 objects of a bot that has just started hold it up
    for 0.1 s, on a busy machine for 0.4 s: every answer, and Slack, which is to be told at once what has come.
    """
    warming = asyncio.create_task(_settle(warm))
    try:
        yield
    finally:
        await tasks.ended(warming)
        gc.unfreeze()


async def _settle(warm: Callable[[], Awaitable[None]]) -> None:
    try:
        await warm()
    except LoreError as error:  # the first answer meets it again, and tells
        log.info("not warmed", error=str(error))
    gc.collect()
    gc.freeze()
