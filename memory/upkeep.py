"""What memory does when nobody waits for it: each chore can be interrupted, repeated, and done by several at once."""

from dataclasses import dataclass

import redis.asyncio

from memory import conversations, erasure, forgetting, index, selection, wishes, within
from memory.backfill import backfill
from memory.batch import command
from memory.embedder import Embedder
from memory.errors import LoreError
from memory.index import Generation
from memory.keys import Keys
from memory.records import Which
from memory.scope import Operator

DAY = 24 * 3600 * 1000  # milliseconds


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What was done. unerased: why the disk may still hold what is forgotten; unembedded: why turns await a vector."""

    retagged: int = 0
    embedded: int = 0
    expired: int = 0
    unerased: str = ""
    unembedded: str = ""

    @property
    def trouble(self) -> str:
        """Why something could not be done; empty where all was."""
        return "; ".join(filter(None, (self.unerased, self.unembedded)))


async def tidy(
    client: "redis.asyncio.Redis", keys: Keys, generation: Generation, embedder: Embedder, *, now: int
) -> Upkeep:
    """Tag moved conversations anew, forget what is too old, embed what could not be embedded, in this order."""
    retagged = sum([await conversations.retag(client, mine) for mine in await conversations.waiting(client, keys)])
    expired = await _expire(client, keys, embedder.name, now)
    unerased = await erasure.erase(client, keys)
    embedded, unembedded = 0, ""
    try:
        embedded = await backfill(client, keys, generation, embedder, index.silent)
    except LoreError as error:
        unembedded = str(error)
    return Upkeep(retagged, embedded, expired, unerased, unembedded)


async def _expire(client: "redis.asyncio.Redis", keys: Keys, embedder: str, now: int) -> int:
    """Forget the turns that are older than their tenant wants."""
    gone = 0
    async for key in client.scan_iter(match=keys.every("retention"), count=10_000):
        raw = await command(client, "GET", key)
        if raw is None:
            continue
        days, tenant = wishes.kept(raw)
        old = Which(until=now - days * DAY)
        places = await selection.select(client, keys, tenant, within.everything(Operator(tenant)), old)
        gone += await forgetting.forget(client, keys, tenant, embedder, places, lambda done: None, again=True)
    return gone
