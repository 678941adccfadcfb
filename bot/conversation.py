"""What is asked in one channel: bursts taken together, answered one after another, a few waiting behind."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import structlog

from bot.delivery.receipts import Receipt
from bot.delivery.stream import ANEW, LEFT, QUIET
from bot.engine import Engine
from bot.records import Incoming
from memory import tasks

log = structlog.get_logger()

MOST_WAITING = 10
LEAVING = 3.0  # seconds in which an answer that is left may be written down as such


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that is to be answered, or a burst of them: the first one's id, everything they say.

    origin: the platform's own message. already: where parts of the answer stand. messages: those of the burst. anew: it
    has had an answer, or the beginning of one. taken: it has been taken in. origins: the platform's own messages of a
    burst, one for each of its messages.
    """

    incoming: Incoming
    origin: Any
    already: tuple[Receipt, ...] = ()
    messages: tuple[Incoming, ...] = ()
    anew: bool = False
    taken: bool = False
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
        kept = [at for at, one in enumerate(self.messages) if one.id not in gone]
        return self._only(kept)

    def rest(self, gone: Set[str]) -> "Asked | None":
        """Return what is left of it where its first message is gone, to be asked by itself; None where nothing is."""
        kept = [at for at, one in enumerate(self.messages) if one.id not in gone]
        if not kept:
            return None
        first, origin = self.messages[kept[0]], self.origins[kept[0]] if self.origins else self.origin
        return replace(self._only(kept), incoming=first, origin=origin, already=(), anew=True).saying(
            tuple(self.messages[at] for at in kept)
        )

    def _only(self, kept: Sequence[int]) -> "Asked":
        """Return the same with some of its messages."""
        origins = tuple(self.origins[at] for at in kept) if self.origins else ()
        return replace(self, origins=origins).saying(tuple(self.messages[at] for at in kept))


class _Waiting:
    """A message in the queue, and what the ledger says to it."""

    def __init__(self, engine: Engine, asked: Asked) -> None:
        self.asked = asked
        known = asked.anew or asked.taken
        self._taking = None if known else asyncio.create_task(engine.inbox.take_in(asked.incoming))

    async def taken(self) -> bool:
        """Tell whether it is to be answered here; False where that is done, or being done elsewhere."""
        if self._taking is None:
            return True
        already = await self._taking
        if already is not None:
            self.asked = replace(self.asked, already=already)
        return already is not None


class Conversation:
    """Answers what is asked; over when nothing is left."""

    def __init__(
        self,
        engine: Engine,
        answer: Callable[[Asked], Awaitable[None]],
        over: Callable[[], object],
        burst: float,
    ) -> None:
        """answer: shows the answer to a message. over: told when nothing is left to do. burst: seconds that end one."""
        self._engine = engine
        self._answer = answer
        self._over = over
        self._burst = burst
        self._waiting: deque[_Waiting] = deque()
        self._gathered: list[_Waiting] = []  # the burst that is not over yet
        self._current: Asked | None = None
        self._answering: asyncio.Task[None] | None = None
        self._again: Asked | None = None
        self._stopped = False  # the answer that is being made
        self._came = asyncio.Event()
        self.task = asyncio.create_task(self._run())

    def __len__(self) -> int:
        """Count what waits."""
        return len(self._waiting)

    def __contains__(self, message: str) -> bool:
        """Tell whether a message waits, or is being answered."""
        asked = [*(one.asked for one in (*self._gathered, *self._waiting)), *filter(None, [self._current])]
        return any(message in one.ids for one in asked)

    def take(self, asked: Asked, *, anyway: bool = False) -> bool:
        """Take in a message; False where too many wait already, unless anyway. One that is in hand is taken once."""
        if not asked.anew and asked.id in self:
            return True
        if len(self._waiting) >= MOST_WAITING and not anyway:
            return False
        self._waiting.append(_Waiting(self._engine, asked))
        self._came.set()
        return True

    def reword(self, message: str, text: str) -> bool:
        """Let a message that waits, or is being answered, say something else; False where it is neither."""
        for one in (*self._gathered, *self._waiting):
            if message in one.asked.ids:
                one.asked = one.asked.reworded(message, text)
                return True
        now = self._again or self._current
        if now is None or message not in now.ids or self._answering is None:
            return False
        again = now.reworded(message, text)
        if again.incoming.text != now.incoming.text:
            self._answer_again(again)
        return True

    async def withdraw(self, messages: Set[str]) -> None:
        """Answer these messages no more."""
        gone = []
        for one in [one for one in (*self._gathered, *self._waiting) if messages & set(one.asked.ids)]:
            if (left := one.asked.without(messages)) is not None:
                one.asked = left
            else:
                (self._gathered if one in self._gathered else self._waiting).remove(one)
                gone.append(one)
                self._came.set()  # nobody need wait for the rest of a burst that is gone
        now = self._again or self._current
        if now is not None and self._answering is not None and messages & set(now.ids):
            if (left := now.without(messages)) is not None:
                self._answer_again(left)
            else:
                if (rest := now.rest(messages)) is not None:
                    self._waiting.appendleft(_Waiting(self._engine, rest))
                await self._end_answer()
        for one in gone:
            await one.taken()  # it must not be taken in after it is done
            await self._engine.inbox.done(one.asked.incoming)

    async def stop_answer(self, message: str) -> bool:
        """Stop the answer to a message; False where it is not being answered."""
        if self._current is None or message not in self._current.ids or self._answering is None:
            return False
        await self._end_answer()
        return True

    def next(self, message: str | None = None) -> Asked | None:
        """Return what is being answered, or would be next. message: the one that is meant, which may wait behind."""
        if self._current is not None and (message is None or message in self._current.ids):
            return self._current
        gathered = _together(self._gathered)
        if gathered is not None and (message is None or message in gathered.ids):
            return gathered
        return next((one.asked for one in self._waiting if message in one.asked.ids), None)

    async def stop_answering(self, message: str | None = None) -> bool:
        """Stop the answer that is being made, or would be made next; False where there is none.

        message: the one whose answer is meant; where it waits behind others, they are answered and it is not.
        """
        if (stopped := self.next(message)) is None:
            return False
        if stopped is self._current:
            return await self.stop_answer(stopped.id)
        await self.withdraw(set(stopped.ids))
        return True

    async def quiet(self, message: str | None = None) -> None:
        """Do the same, and write nothing more to an answer that is being made."""
        if self._current is None or self.next(message) is not self._current:
            await self.stop_answering(message)
        elif self._answering is not None:
            self._again, self._stopped = None, True
            self._answering.cancel(QUIET)
            await asyncio.wait([self._answering])

    async def stop(self, *, gone: bool = False) -> None:
        """Answer nothing more; what waits or is being answered is left to our next life, unless the channel is gone."""
        waiting, current = [*self._gathered, *self._waiting], self._again or self._current
        self._waiting.clear()
        if (answering := self._answering) is not None:
            if not gone:
                answering.cancel(LEFT)
                await asyncio.wait([answering], timeout=LEAVING)
            await tasks.ended(answering)
        await tasks.ended(self.task)
        if current is not None:  # it may have been stopped before its answer had begun
            await (self._engine.inbox.done if gone else self._engine.inbox.leave)(current.incoming)
        for one in waiting:
            if await one.taken():
                await (self._engine.inbox.done if gone else self._engine.inbox.leave)(one.asked.incoming)

    async def _end_answer(self) -> None:
        assert self._answering is not None
        self._again, self._stopped = None, True
        await tasks.ended(self._answering)

    def _answer_again(self, asked: Asked) -> None:
        assert self._answering is not None
        self._again = replace(asked, anew=True)
        self._answering.cancel(ANEW)

    async def _run(self) -> None:
        try:
            while await self._something():
                asked = await self._whole_burst()
                while asked is not None:
                    self._current, self._again, self._stopped = asked, None, False
                    self._answering = asyncio.create_task(_awaited(self._answer(asked)))
                    await asyncio.wait([self._answering])
                    if _broken(self._answering, asked) or self._stopped:  # perhaps before its answer had begun
                        await self._engine.inbox.done(asked.incoming)
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
        """Return the next message with those that the same person sends right behind it; None where none is left.

        Until it is returned, each of them may be edited and withdrawn.
        """
        await self._gather()
        if self._gathered and not self._gathered[0].asked.anew:
            await self._gather_rest(self._gathered[0].asked.incoming.scope.person)
        asked, joined = _together(self._gathered), None
        while asked is not None and len(asked.messages) > 1 and asked != joined:  # again if one changed meanwhile
            if not await self._engine.inbox.join(asked.incoming, asked.messages[1:]):
                self._waiting.extendleft(reversed(self._gathered[1:]))
                del self._gathered[1:]
            asked, joined = _together(self._gathered), asked
        self._gathered = []
        return asked

    async def _gather_rest(self, person: str) -> None:
        """Gather what a person sends, until there is silence or somebody else says something."""
        while True:
            while self._waiting and self._next_is_of(person):
                await self._gather()
            if self._waiting or not self._gathered:
                return
            self._came.clear()
            try:
                await asyncio.wait_for(self._came.wait(), self._burst)
            except TimeoutError:
                return

    async def _gather(self) -> None:
        """Gather the next message, if it is to be answered."""
        one = self._waiting.popleft()
        self._gathered.append(one)
        if not await one.taken() and one in self._gathered:
            self._gathered.remove(one)

    def _next_is_of(self, person: str) -> bool:
        following = self._waiting[0].asked
        return following.incoming.scope.person == person and not following.anew


def _together(gathered: Sequence[_Waiting]) -> Asked | None:
    """Return what a burst asks, by its first message's id."""
    if len(gathered) < 2:
        return gathered[0].asked if gathered else None
    first = gathered[0].asked
    whole = first.saying(tuple(one.asked.incoming for one in gathered))
    return replace(whole, origins=tuple(one.asked.origin for one in gathered))


def _broken(answering: "asyncio.Task[None]", asked: Asked) -> bool:
    """Tell whether an answer has met what nobody expected; the conversation goes on."""
    if answering.cancelled() or (error := answering.exception()) is None:
        return False
    log.error("answer broken", turn=asked.id, error=type(error).__name__, exc_info=error)
    return True


class Conversations:
    """The conversations that are going on, by place; one lives while something is to be answered in it."""

    def __init__(self, engine: Engine, burst: float) -> None:
        """burst: seconds of silence that end a burst of messages."""
        self._engine = engine
        self._burst = burst
        self._going_on: dict[str, Conversation] = {}
        self._ending = False
        self._left: list[asyncio.Task[None]] = []  # what came when we were ending

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
        if self._ending:
            if not asked.anew:
                self._left.append(asyncio.create_task(self._hand_over(asked)))
            return not asked.anew
        if place not in self._going_on:
            showing = asyncio.create_task(busy())

            def over() -> None:
                showing.cancel()
                self._going_on.pop(place, None)

            self._going_on[place] = Conversation(self._engine, answer, over, self._burst)
        return self._going_on[place].take(asked, anyway=anyway)

    async def leave(self, places: str) -> None:
        """Answer nothing more where the bot is out for good. places: what their names begin with."""
        await asyncio.gather(
            *(one.stop(gone=True) for name, one in list(self._going_on.items()) if name.startswith(places))
        )

    async def drain(self, seconds: float) -> None:
        """Wait for what is being answered, so many seconds at most, and leave the rest to the next process.

        So is what is taken in from now on: nobody would wait for its answer, which would be cut off.
        """
        self._ending = True
        running = [one.task for one in self._going_on.values()]
        if running:
            await asyncio.wait(running, timeout=seconds)
        await asyncio.gather(*(one.stop() for one in list(self._going_on.values())), *self._left)

    async def _hand_over(self, asked: Asked) -> None:
        """Leave a message to the next process."""
        if asked.taken or await self._engine.inbox.take_in(asked.incoming) is not None:
            await self._engine.inbox.leave(asked.incoming)


async def _awaited(doing: Awaitable[None]) -> None:
    await doing
