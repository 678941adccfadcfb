"""What is asked in one channel: bursts taken together, answered one after another, a few waiting behind."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Set
from dataclasses import dataclass, replace
from typing import Any

import structlog

from bot.delivery.receipts import Receipt
from bot.delivery.stream import ANEW, QUIET
from bot.engine import Engine
from bot.records import Incoming
from memory import tasks

log = structlog.get_logger()

MOST_WAITING = 10
BURST = 1.5  # seconds of silence that end a burst of messages


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that is to be answered, or a burst of them: the first one's id, everything they say.

    origin: the platform's own message. already: where parts of the answer stand. messages: those of the burst. anew: it
    has had an answer, or the beginning of one. origins: the platform's own messages of a burst, as it was at first.
    """

    incoming: Incoming
    origin: Any
    already: tuple[Receipt, ...] = ()
    messages: tuple[Incoming, ...] = ()
    anew: bool = False
    origins: tuple[Any, ...] = ()

    @property
    def id(self) -> str:
        """The first message's id."""
        return self.incoming.id

    @property
    def ids(self) -> list[str]:
        """The ids of all its messages."""
        return [one.id for one in self.messages] or [self.id]

    def saying(self, messages: tuple[Incoming, ...]) -> "Asked":
        """Return the same with other messages; the first must be the same one."""
        text = "\n".join(one.text for one in messages if one.text)
        return replace(self, messages=messages, incoming=replace(self.incoming, text=text))

    def reworded(self, message: str, text: str) -> "Asked":
        """Return the same, one message of it saying something else."""
        messages = self.messages or (self.incoming,)
        return self.saying(tuple(replace(one, text=text) if one.id == message else one for one in messages))

    def without(self, gone: Set[str]) -> "Asked | None":
        """Return what is left of it; None where its first message is gone."""
        if self.id in gone:
            return None
        return self.saying(tuple(one for one in self.messages if one.id not in gone))


class _Waiting:
    """A message in the queue, and what the ledger says to it."""

    def __init__(self, engine: Engine, asked: Asked) -> None:
        self.asked = asked
        self._taking = asyncio.create_task(engine.inbox.take_in(asked.incoming)) if not asked.anew else None

    async def taken(self) -> Asked | None:
        """Return what is to be answered; None where that is done, or being done elsewhere."""
        if self._taking is None:
            return self.asked
        already = await self._taking
        return None if already is None else replace(self.asked, already=already)


class Conversation:
    """Answers what is asked; over when nothing is left."""

    def __init__(
        self,
        engine: Engine,
        answer: Callable[[Asked], Awaitable[None]],
        over: Callable[[], object],
        burst: float = BURST,
    ) -> None:
        """answer: shows the answer to a message. over: told when nothing is left to do."""
        self._engine = engine
        self._answer = answer
        self._over = over
        self._burst = burst
        self._waiting: deque[_Waiting] = deque()
        self._current: Asked | None = None
        self._answering: asyncio.Task[None] | None = None
        self._again: Asked | None = None
        self._came = asyncio.Event()
        self.task = asyncio.create_task(self._run())

    def __len__(self) -> int:
        """Count what waits."""
        return len(self._waiting)

    def take(self, asked: Asked, *, anyway: bool = False) -> bool:
        """Take in a message; False where too many wait already, unless anyway."""
        if len(self._waiting) >= MOST_WAITING and not anyway:
            return False
        self._waiting.append(_Waiting(self._engine, asked))
        self._came.set()
        return True

    def reword(self, message: str, text: str) -> bool:
        """Let a message that waits, or is being answered, say something else; False where it is neither."""
        for one in self._waiting:
            if message in one.asked.ids:
                one.asked = one.asked.reworded(message, text)
                return True
        if self._current is None or message not in self._current.ids or self._answering is None:
            return False
        self._answer_again(self._current.reworded(message, text))
        return True

    async def withdraw(self, messages: Set[str]) -> None:
        """Answer these messages no more."""
        for one in [one for one in self._waiting if messages & set(one.asked.ids)]:
            if (left := one.asked.without(messages)) is not None:
                one.asked = left
            else:
                self._waiting.remove(one)
                await self._engine.inbox.done(one.asked.incoming)
        if self._current is None or self._answering is None or not messages & set(self._current.ids):
            return
        if (left := self._current.without(messages)) is not None:
            self._answer_again(left)
        else:
            await tasks.ended(self._answering)

    async def stop_answer(self, message: str) -> bool:
        """Stop the answer to a message; False where it is not being answered."""
        if self._current is None or message not in self._current.ids or self._answering is None:
            return False
        await tasks.ended(self._answering)
        return True

    async def stop_answering(self) -> bool:
        """Stop the answer that is being made; False where there is none."""
        return self._current is not None and await self.stop_answer(self._current.id)

    async def quiet(self) -> None:
        """Stop the answer that is being made, and write nothing more to it."""
        if self._answering is not None:
            self._answering.cancel(QUIET)
            await asyncio.wait([self._answering])

    async def stop(self, *, gone: bool = False) -> None:
        """Answer nothing more; what waits is left to our next life, unless the channel is gone."""
        waiting, self._waiting = self._waiting, deque()
        if self._answering is not None:
            await tasks.ended(self._answering)
        await tasks.ended(self.task)
        for one in waiting:
            if (asked := await one.taken()) is not None:
                await (self._engine.inbox.done if gone else self._engine.inbox.leave)(asked.incoming)

    def _answer_again(self, asked: Asked) -> None:
        assert self._answering is not None
        self._again = replace(asked, anew=True)
        self._answering.cancel(ANEW)

    async def _run(self) -> None:
        try:
            while await self._something():
                asked = await self._whole_burst()
                while asked is not None:
                    self._current, self._again = asked, None
                    self._answering = asyncio.create_task(_awaited(self._answer(asked)))
                    await asyncio.wait([self._answering])
                    _look(self._answering, asked)
                    asked = self._again
                self._current = self._answering = None
        finally:
            self._over()

    async def _something(self) -> bool:
        """Tell whether anything is asked; what comes at the same moment counts."""
        if not self._waiting:
            await asyncio.sleep(0)
        return bool(self._waiting)

    async def _whole_burst(self) -> Asked | None:
        """Return the next message with those that the same person sends right behind it."""
        asked = await self._next()
        if asked is None or asked.anew:
            return asked
        person, others = asked.incoming.scope.person, []
        while True:
            while self._waiting and self._next_is_of(person):
                if (other := await self._next()) is not None:
                    others.append(other)
            if self._waiting:
                break
            self._came.clear()
            try:
                await asyncio.wait_for(self._came.wait(), self._burst)
            except TimeoutError:
                break
        if not others:
            return asked
        messages = tuple(one.incoming for one in (asked, *others))
        asked = replace(asked.saying(messages), origins=tuple(one.origin for one in (asked, *others)))
        await self._engine.inbox.join(asked.incoming, messages[1:])
        return asked

    def _next_is_of(self, person: str) -> bool:
        following = self._waiting[0].asked
        return following.incoming.scope.person == person and not following.anew

    async def _next(self) -> Asked | None:
        return await self._waiting.popleft().taken()


class Conversations:
    """The conversations that are going on, by place; one lives while something is to be answered in it."""

    def __init__(self, engine: Engine, burst: float = BURST) -> None:
        """burst: seconds of silence that end a burst of messages."""
        self._engine = engine
        self._burst = burst
        self._going_on: dict[str, Conversation] = {}

    def __len__(self) -> int:
        """Count them."""
        return len(self._going_on)

    def of(self, place: str) -> Conversation | None:
        """Return what is being asked in a place, if anything."""
        return self._going_on.get(place)

    def take(
        self,
        place: str,
        asked: Asked,
        answer: Callable[[Asked], Awaitable[None]],
        busy: Callable[[], Coroutine[Any, Any, None]],
        *,
        anyway: bool = False,
    ) -> bool:
        """Take in what is to be answered; False where too much waits there already, unless anyway.

        answer: shows the answer to a message. busy: shows that something is being done, until it is cancelled.
        """
        if place not in self._going_on:
            showing = asyncio.create_task(busy())

            def over() -> None:
                showing.cancel()
                self._going_on.pop(place, None)

            self._going_on[place] = Conversation(self._engine, answer, over, self._burst)
        return self._going_on[place].take(asked, anyway=anyway)

    async def drain(self, seconds: float) -> None:
        """Wait for what is being answered, so many seconds at most, and stop the rest."""
        running = [one.task for one in self._going_on.values()]
        if running:
            await asyncio.wait(running, timeout=seconds)
        for one in list(self._going_on.values()):
            await one.stop()


def _look(answering: "asyncio.Task[None]", asked: Asked) -> None:
    """Tell what an answer has met that nobody expected; the conversation goes on."""
    if not answering.cancelled() and (error := answering.exception()) is not None:
        log.error("answer broken", turn=asked.id, error=type(error).__name__, exc_info=error)


async def _awaited(doing: Awaitable[None]) -> None:
    await doing
