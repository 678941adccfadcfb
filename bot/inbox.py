"""The messages in hand, written down so that none is lost and none answered twice, whatever dies meanwhile."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import structlog

from bot.apps import attached
from bot.backlog import Backlog
from bot.delivery.receipts import Receipt
from bot.leases import Leases
from bot.ledger import Burst, Claim, Ledger, Told
from bot.models.tokens import readable
from bot.records import Incoming, Seen
from memory.errors import LoreError, RedisError
from memory.memory import Memory
from memory.records import Which
from memory.scope import Scope

log = structlog.get_logger()


class Inbox:
    """Takes messages in, and tells what became of them."""

    def __init__(self, memory: Memory, ledger: Ledger, backlog: Backlog) -> None:
        self._memory = memory
        self._ledger = ledger
        self._backlog = backlog
        self.leases = Leases(memory, ledger)

    async def take_in(self, incoming: Incoming) -> tuple[Receipt, ...] | None:
        """Write down that a message is to be answered, for whoever lives on; None where that is done, or being done.

        From now on it is ours: `reply` answers it, `done` says that it needs no answer, `leave` leaves it to others.
        Returns where parts of its answer stand that an earlier process gave.
        """
        incoming = cleaned(incoming)
        if incoming in self.leases:  # the platform has told it twice
            return None
        self.leases.hold(incoming)
        batch = self._memory.batch()
        claim = self._ledger.claim(batch, incoming, now(), waiting=True)
        told = self._ledger.told(batch, incoming.scope, incoming.id)
        try:
            await batch.send()
            if claim.value in (Claim.SENT, Claim.ANSWERING):
                await self.leases.let_go(incoming)
                return None
            known = told.value.receipts
        except RedisError as error:
            self._backlog.went(error)
            known = ()
        return known

    async def join(self, first: Incoming, others: Sequence[Incoming]) -> bool:
        """Answer messages of one conversation together: the first says what all of them say.

        False where one of them has its answer already, which says nothing to the others.
        """
        first = cleaned(first)
        batch = self._memory.batch()
        joined = self._ledger.join(batch, first, [one.id for one in others])
        with suppress(RedisError):
            await batch.send()
            if not joined.value:
                return False
        for one in others:
            await self.leases.let_go(one)
        if first in self.leases:
            self.leases.hold(first)
        return True

    async def done(self, incoming: Incoming) -> None:
        """Tell that nothing more is to be done about a message: its answer is shown, or it needs none."""
        await self.leases.let_go(incoming)
        batch = self._memory.batch()
        self._ledger.settle(batch, incoming)
        with suppress(RedisError):  # its lease will run out
            await batch.send()

    async def leave(self, incoming: Incoming) -> None:
        """Leave a message to whoever takes it up next: another process, or our next life."""
        await self.leases.let_go(incoming)
        batch = self._memory.batch()
        self._ledger.release(batch, incoming)
        with suppress(RedisError):
            await batch.send()

    async def gone(self, incoming: Incoming) -> None:
        """Tell that the platform has a message no more: it needs no answer, and is forgotten."""
        await self.done(incoming)
        with suppress(LoreError):
            await self._memory.forget(incoming.scope, Which(turns=((incoming.scope.conversation, incoming.id),)))

    async def receipt(self, incoming: Incoming, part: int, receipt: Receipt) -> None:
        """Write down which message a part of the answer is, as far as memory serves."""
        batch = self._memory.batch()
        self._ledger.place(batch, incoming, part, receipt)
        try:
            await batch.send()
        except RedisError as error:
            log.warning("receipt not kept", turn=incoming.id, error=str(error))

    async def told(self, scope: Scope, message: str) -> Told:
        """Return where the answer to a message stands, and what it was made from. Raises RedisError."""
        batch = self._memory.batch()
        found = self._ledger.told(batch, scope, message)
        await batch.send()
        return found.value

    async def burst(self, scope: Scope, message: str) -> Burst:
        """Return with which messages one is, or was, answered. Raises RedisError."""
        batch = self._memory.batch()
        found = self._ledger.burst(batch, scope, message)
        await batch.send()
        return found.value

    async def unfinished(self, *tenants: str) -> list[Incoming]:
        """Return the tenants' messages that a process left unanswered, or not shown; reply to each to make it good.

        Raises RedisError.
        """
        if not await self._backlog.caught_up():  # what has been answered meanwhile must be told first
            return []
        batch = self._memory.batch()
        found = [self._ledger.unfinished(batch, tenant, now()) for tenant in tenants]
        await batch.send()
        return [one for some in found for one in some.value if one not in self.leases]

    async def owing(self, tenant: str) -> bool:
        """Tell whether any of the tenant's messages has been taken in and not been answered yet. Raises RedisError."""
        batch = self._memory.batch()
        found = self._ledger.owing(batch, tenant)
        await batch.send()
        return found.value


def now() -> int:
    """Return the time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def cleaned(incoming: Incoming) -> Incoming:
    """Return the message with text that can be stored."""
    return replace(
        incoming,
        text=readable(incoming.text),
        author=readable(incoming.author),
        context=[Seen(readable(seen.author), readable(seen.text), seen.id) for seen in incoming.context],
        attachments=[attached.storable(one) for one in incoming.attachments],
    )
