"""Keeps the leases of all messages that this process has in hand, in one round trip for all of them."""

import asyncio
import time
from collections.abc import Callable

import structlog

from bot.ledger import LEASE, Ledger
from bot.records import Incoming
from memory import tasks
from memory.errors import RedisError
from memory.memory import Memory

log = structlog.get_logger()

_Name = tuple[str, str, str]


class Leases:
    """The messages in hand."""

    def __init__(self, memory: Memory, ledger: Ledger) -> None:
        self._memory = memory
        self._ledger = ledger
        self._held: dict[_Name, Incoming] = {}
        self._told: dict[_Name, Callable[[], object]] = {}  # who is told that a lease is lost
        self._renewing: asyncio.Task[None] | None = None

    def __contains__(self, incoming: Incoming) -> bool:
        """Tell whether this process has the message in hand."""
        return _name(incoming) in self._held

    def hold(self, incoming: Incoming, lost: Callable[[], object] | None = None) -> None:
        """Keep a message's lease until it is let go, or lost to another process. lost: is told of that."""
        self._held[_name(incoming)] = incoming
        if lost is not None:
            self._told[_name(incoming)] = lost
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew())

    async def let_go(self, incoming: Incoming) -> None:
        """Keep it no more."""
        self._held.pop(_name(incoming), None)
        self._told.pop(_name(incoming), None)
        if not self._held and self._renewing is not None:
            renewing, self._renewing = self._renewing, None  # what is held meanwhile begins another
            await tasks.ended(renewing)

    async def _renew(self) -> None:
        while self._held:
            await asyncio.sleep(LEASE / 3000)
            batch = self._memory.batch()
            now = time.time_ns() // 1_000_000
            asked = [(one, self._ledger.renew(batch, one, now)) for one in self._held.values()]
            try:
                await batch.send()
                lost = [one for one, held in asked if not held.value and one in self]
            except RedisError as error:  # the next renewal may get through: the lease holds three
                log.warning("leases not renewed", error=str(error))
            else:
                if lost:
                    log.warning("leases lost", turns=[one.id for one in lost])
                for one in lost:
                    del self._held[_name(one)]
                    self._told.pop(_name(one), _nobody)()


def _nobody() -> None:
    """Tell nobody."""


def _name(incoming: Incoming) -> _Name:
    return incoming.scope.tenant, incoming.scope.conversation, incoming.id
