"""What is said in a channel and not addressed to the bot: remembered some at a time, without an answer."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from itertools import islice

import structlog

from bot.models.tokens import readable
from memory.errors import LoreError, RedisError
from memory.memory import Memory
from memory.records import Turn, Which
from memory.scope import Scope

log = structlog.get_logger()

MOST = 1000  # messages that wait; while Redis is away for longer, the oldest are dropped
TOGETHER = 50  # messages that are embedded and written at once
GATHER = 1.0  # seconds that a message waits for others
AGAIN = 1.0  # seconds between tries while Redis is away

_Place = tuple[str, str, str]  # tenant, conversation, id


class Overheard:
    """Takes in what is said and remembers it soon. What paused people say is not remembered.

    A message stays here until it is written, so that what is edited or deleted meanwhile is not remembered as it was.
    """

    def __init__(self, memory: Memory, *, most: int = MOST, gather: float = GATHER) -> None:
        self._memory = memory
        self._most = most
        self._gather = gather
        self._waiting: dict[_Place, tuple[Scope, Turn]] = {}
        self._came = asyncio.Event()
        self._full = asyncio.Event()
        self._writing = asyncio.Lock()
        self._written: set[_Place] = set()  # what is on its way to memory
        self._away = False
        self._dropped = 0

    def __len__(self) -> int:
        """Count the messages that wait."""
        return len(self._waiting)

    def hear(self, scope: Scope, turn: Turn) -> None:
        """Take in a message; the oldest is dropped where too many wait. scope: the channel's, whoever it names."""
        if not turn.text.strip():
            return
        if len(self._waiting) >= self._most:
            oldest = next((place for place in self._waiting if place not in self._written), None)
            self._dropped += 1
            if oldest is None:
                return
            del self._waiting[oldest]
        said = replace(turn, author=readable(turn.author), text=readable(turn.text))
        self._waiting[_place(scope, turn.id)] = (scope, said)
        self._came.set()
        if len(self._waiting) >= TOGETHER:
            self._full.set()

    async def edited(self, scope: Scope, turn_id: str, text: str) -> None:
        """Let a message say something else, whether it waits or is remembered. Raises RedisError."""
        place = _place(scope, turn_id)
        if place in self._waiting:
            _, turn = self._waiting[place]
            self._waiting[place] = (scope, replace(turn, text=readable(text)))
        else:
            await self._memory.edit(scope, turn_id, readable(text), live=True)

    def withdraw(self, tenant: str, conversation: str, ids: "set[str] | None" = None) -> None:
        """Let these messages of a channel, or all of them, wait no more; those that are remembered stay."""
        for place in list(self._waiting):
            if place[:2] == (tenant, conversation) and (ids is None or place[2] in ids):
                del self._waiting[place]

    async def run(self) -> None:
        """Remember what comes, until cancelled."""
        while True:
            if not self._waiting:
                self._came.clear()
                await self._came.wait()
            await self._more()
            if not await self.flush():
                await asyncio.sleep(AGAIN)

    async def flush(self) -> bool:
        """Remember what waits; False where Redis is away. Begun by several at once, one waits for the other."""
        async with self._writing:
            try:
                while self._waiting:
                    await self._write()
            except RedisError as error:
                if not self._away:
                    log.warning("overheard messages wait for memory", waiting=len(self), error=str(error))
                self._away = True
                return False
            if self._away or self._dropped:
                log.warning("overheard messages remembered again", dropped=self._dropped)
            self._away, self._dropped = False, 0
            return True

    async def _more(self) -> None:
        """Wait a moment for more messages, or until there are enough."""
        self._full.clear()
        if len(self._waiting) < TOGETHER:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), self._gather)

    async def _write(self) -> None:
        """Remember the oldest messages of one channel; undo what was withdrawn while that was done."""
        _, (scope, first) = next(iter(self._waiting.items()))
        here = (scope.tenant, scope.conversation)
        some = dict(islice(((place, one) for place, one in self._waiting.items() if place[:2] == here), TOGETHER))
        scope, _ = some[next(reversed(some))]  # who reads the channel, as the latest message has it
        said = [turn for _, turn in some.values()]
        self._written = set(some)
        try:
            await self._memory.remember(scope, said, live=True)
        except RedisError:
            raise
        except LoreError as error:  # their own fault: the others must not wait for them for ever
            log.error("overheard messages not remembered", first=first.id, count=len(said), error=str(error))
        finally:
            self._written = set()
        await self._settle(scope, dict(zip(some, said, strict=True)))

    async def _settle(self, scope: Scope, written: dict[_Place, Turn]) -> None:
        """Let memory hold what the messages say now; what was withdrawn meanwhile is forgotten."""
        withdrawn = [turn.id for place, turn in written.items() if place not in self._waiting]
        if withdrawn:
            await self._memory.forget(scope, Which(turns=tuple((scope.conversation, one) for one in withdrawn)))
        for place, turn in written.items():
            text = turn.text
            while (now := self._waiting.get(place)) is not None and now[1].text != text:
                text = now[1].text
                await self._memory.edit(scope, turn.id, text, live=True)
            self._waiting.pop(place, None)


def _place(scope: Scope, turn_id: str) -> _Place:
    return scope.tenant, scope.conversation, turn_id
