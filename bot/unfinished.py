"""Takes up what a process that died left unanswered, or answered and not shown; every process looks for that."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog

from bot.engine import Engine
from bot.records import Incoming
from memory.errors import RedisError

log = structlog.get_logger()

EVERY = 3.0  # seconds; a dead process's leases last ten
MOST_OWNERS = 8  # processes that may have begun to answer a message
AT_ONCE = 200  # tenants asked about in one round trip


class Unfinished:
    """Looks for such messages. tenants: those that this process serves; take: takes one up."""

    def __init__(
        self,
        engine: Engine,
        tenants: Callable[[], Iterable[str]],
        take: Callable[[Incoming], Awaitable[object]],
    ) -> None:
        self._engine = engine
        self._tenants = tenants
        self._take = take

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            tenants = list(self._tenants())
            for start in range(0, len(tenants), AT_ONCE):
                try:
                    found = await self._engine.inbox.unfinished(*tenants[start : start + AT_ONCE])
                except RedisError as error:  # memory has gone away: the messages stay until it is back
                    log.warning("unfinished messages not looked for", error=str(error))
                    break
                for incoming in found:
                    try:
                        await self._take_up(incoming)
                    except Exception as error:  # one message's own fault: it must not end the others, nor come again
                        log.error("given up", turn=incoming.id, error=type(error).__name__, exc_info=error)
                        await self._engine.inbox.done(incoming)
            await asyncio.sleep(EVERY)

    async def _take_up(self, incoming: Incoming) -> None:
        """Take a message up, unless one process after another has begun to answer it: it may be what ends them."""
        try:
            known = await self._engine.inbox.told(incoming.scope, incoming.id)
        except RedisError:  # memory has just gone away: the message stays
            return
        if known.owners >= MOST_OWNERS:
            log.error("given up", turn=incoming.id, owners=known.owners)
            await self._engine.inbox.done(incoming)
        else:
            log.info("taken up", turn=incoming.id)
            await self._take(incoming)
