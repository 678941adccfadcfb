"""What is said while memory is away: kept here in order, remembered once memory is back."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from bot.ledger import Ledger
from bot.records import Incoming
from memory.errors import LoreError, RedisError, RedisUnavailable
from memory.memory import Memory
from memory.pending import Due
from memory.records import Turn
from memory.scope import Scope

log = structlog.get_logger()

MOST = 1000  # turns; a bot that is without memory for longer forgets the oldest of them
TRY_EVERY = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class _Entry:
    """What waits. written: memory has the turn already and is to be told only that it needs no answer any more.

    due: when its conversation is to be summarised.
    """

    incoming: Incoming
    turn: Turn
    written: bool = False
    due: Due | None = None


class Backlog:
    """The turns that memory has not taken yet, oldest first. away: why, in a sentence; empty while memory serves."""

    def __init__(self, memory: Memory, ledger: Ledger, *, most: int = MOST) -> None:
        self._memory = memory
        self._ledger = ledger
        self._entries: deque[_Entry] = deque()
        self._most = most
        self._trying = asyncio.Lock()
        self._tried = 0.0
        self.away = ""
        self.readable = True
        self.lost = 0

    @property
    def notice(self) -> str:
        """Tell people that memory is away."""
        dropped = f" ({self.lost:,} turns were too many and are lost)" if self.lost else ""
        return f"Memory is off: {self.away}. What is said now is remembered when it is back{dropped}."

    def __len__(self) -> int:
        """Count the turns that wait."""
        return len(self._entries)

    def went(self, error: RedisError) -> None:
        """Note that memory is away."""
        if not self.away:
            log.warning("memory away", error=str(error))
        self.away = str(error)
        self.readable = not isinstance(error, RedisUnavailable)
        self._tried = time.monotonic()

    def add(
        self, incoming: Incoming, heard: Turn, said: Sequence[Turn], *, written: bool = False, due: Due | None = None
    ) -> None:
        """Keep a message and its answer, if any. written: memory has the message: if it forgets it, that is for good.

        What had been remembered without our knowing will be recognised by its id. due: as for `Memory.remember`.
        """
        incoming = replace(incoming, attachments=())  # a thousand messages with images would fill the machine
        for entry in (
            _Entry(incoming, heard, written, due),
            *(_Entry(incoming, turn, due=due) for turn in said),
        ):
            if len(self._entries) == self._most:
                self.lost += not self._entries.popleft().written
            self._entries.append(entry)

    def recent(self, scope: Scope) -> tuple[Turn, ...]:
        """Return what waits of a conversation, oldest first, and what of it cannot be read in memory."""
        shown = (one for one in self._entries if not (one.written and self.readable))
        return tuple(one.turn for one in shown if _same(one.incoming.scope, scope))

    async def caught_up(self, *, now: bool = False) -> bool:
        """Remember what waits, if memory is back; True where it serves. Tries at most every TRY_EVERY, or now."""
        async with self._trying:
            if not self.away and not self._entries:
                return True
            if not now and self.away and time.monotonic() - self._tried < TRY_EVERY:
                return False
            try:
                await self._take()
            except RedisError as error:
                self.went(error)
                return False
            if self.away:
                log.warning("memory back", lost=self.lost)
            self.away, self.lost = "", 0
            return True

    async def _take(self) -> None:
        batch = self._memory.batch()
        alive = batch.ask("PING", read=bool)
        await batch.send()
        assert alive.value
        while self._entries:
            entry = self._entries[0]
            batch = self._memory.batch(atomic=True)
            self._ledger.settle(batch, entry.incoming)
            try:
                said = [] if entry.written else [entry.turn]
                await self._memory.remember(entry.incoming.scope, said, batch=batch, live=True, due=entry.due)
            except RedisError:
                raise
            except LoreError as error:  # this turn's own fault: the others must not wait for it for ever
                log.error("turn not remembered", turn=entry.turn.id, error=str(error))
            if self._entries and self._entries[0] is entry:  # it may have been dropped for newer ones meanwhile
                self._entries.popleft()


def _same(one: Scope, other: Scope) -> bool:
    return (one.tenant, one.conversation) == (other.tenant, other.conversation)
