"""What a running bot does beside answering: remember what was said while memory was away, and memory's own chores."""

import asyncio
import time

import structlog

from bot.backlog import Backlog
from memory.errors import LoreError
from memory.memory import Memory

log = structlog.get_logger()

TICK = 1.0  # seconds
SPACING = 30.0  # seconds between chores: an embedder that is away is not to be asked with every turn
EVERY = 3600.0  # seconds; for what other processes left undone, and for turns that have become too old


async def keep_up(memory: Memory, backlog: Backlog) -> None:
    """Look after memory until cancelled."""
    last = float("-inf")
    while True:
        if await backlog.caught_up():
            since = time.monotonic() - last
            if since > (SPACING if memory.chores.is_set() else EVERY):
                last = time.monotonic()
                await _chores(memory)
        await asyncio.sleep(TICK)


async def _chores(memory: Memory) -> None:
    try:
        done = await memory.upkeep()
    except LoreError as error:  # memory has gone away: its chores stay until it is back
        memory.chores.set()
        log.warning("upkeep broken", error=str(error))
        return
    if done.trouble:
        memory.chores.set()
        log.warning("upkeep incomplete", trouble=done.trouble)
    if done.retagged or done.embedded or done.expired:
        log.info("upkeep", retagged=done.retagged, embedded=done.embedded, expired=done.expired)
