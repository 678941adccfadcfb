"""Memory that is erased once a time of grace is over: of whoever comes back before, nothing is lost.

When each tenant's time is over stands in one sorted set; every process may look, and one that dies is made up for.
"""

import asyncio
import time
from collections.abc import Iterable

import structlog

from bot import unlearning
from bot.listening import Listening
from memory.batch import Answer, Batch
from memory.errors import LoreError
from memory.keys import Keys
from memory.memory import Memory

log = structlog.get_logger()

DAY = 24 * 3600 * 1000  # milliseconds
EVERY = 600.0  # seconds between looks; nobody waits for it
CLAIM = 15 * 60 * 1000  # milliseconds that a process has to erase a tenant before another begins anew

# One tenant whose time is over, which becomes due again if it is not done within the claim.
_CLAIM = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 1)[1]
if due then redis.call('ZADD', KEYS[1], ARGV[2], due) end
return due
"""

# Who came back meanwhile is not on the list any more, and who left once more stands there with another time.
_DONE = "if redis.call('ZSCORE', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('ZREM', KEYS[1], ARGV[1]) end"


def schedule(batch: Batch, keys: Keys, tenant: str, due: int) -> None:
    """Have a tenant erased at a time (milliseconds since 1970); a time that was told before holds."""
    batch.ask("ZADD", keys.purges, "NX", due, tenant, read=int)


def cancel(batch: Batch, keys: Keys, tenants: Iterable[str]) -> Answer[int]:
    """Keep some tenants after all; the answer is how many were to be erased."""
    return batch.ask("ZREM", keys.purges, *tenants, read=int)


async def due(memory: Memory, tenant: str) -> int | None:
    """Return when a tenant is to be erased, in milliseconds since 1970; None: it is not. Raises RedisError."""
    batch = memory.batch()
    found = batch.ask("ZSCORE", memory.keys.purges, tenant, read=lambda at: None if at is None else int(float(at)))
    await batch.send()
    return found.value


async def sweep(memory: Memory, listening: Listening, now: int) -> list[str]:
    """Erase the tenants whose time is over (now: milliseconds since 1970), and return them. Raises RedisError."""
    erased: list[str] = []
    while (tenant := await _claimed(memory, now)) is not None:
        listening.channels.unwatch(tenant)
        gone = await unlearning.tenant(memory, listening, tenant)
        await _done(memory, tenant, now)
        log.info("erased after its time of grace", tenant=tenant, turns=gone.turns, trouble=gone.trouble)
        erased.append(tenant)
    return erased


async def keep_up(memory: Memory, listening: Listening) -> None:
    """Erase what is due, now and from time to time, until cancelled."""
    while True:
        try:
            await sweep(memory, listening, time.time_ns() // 1_000_000)
        except LoreError as error:  # Redis has gone away: what was claimed is due again
            log.warning("not erased yet", error=str(error))
        await asyncio.sleep(EVERY)


async def _claimed(memory: Memory, now: int) -> str | None:
    batch = memory.batch()
    found = batch.ask(
        *("EVAL", _CLAIM, 1, memory.keys.purges, now, now + CLAIM),
        read=lambda tenant: None if tenant is None else str(tenant.decode()),
    )
    await batch.send()
    return found.value


async def _done(memory: Memory, tenant: str, now: int) -> None:
    batch = memory.batch()
    batch.ask("EVAL", _DONE, 1, memory.keys.purges, tenant, now + CLAIM, read=bool)
    await batch.send()
