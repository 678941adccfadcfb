"""The engine: a message in, pieces of the answer out, both remembered; one message at a time a conversation."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from weakref import WeakValueDictionary

import structlog

from bot import stopwatch, why
from bot.apps.chat import ChatApp, heard, replied
from bot.backlog import Backlog
from bot.delivery.stream import ANEW
from bot.errors import MessageTooLong
from bot.inbox import Inbox, cleaned, now
from bot.ledger import Claim, Ledger
from bot.models.base import Piece
from bot.records import Answered, Event, Incoming, Notice, Tokens
from memory import tasks
from memory.errors import LoreError, RedisError
from memory.memory import Glance, Memory
from memory.pending import Due
from memory.records import Context, Status, Turn, Which, answer_id
from memory.scope import Scope

log = structlog.get_logger()

QUEUE_POLL = 0.1  # seconds between claims while another process answers in the conversation

Apps = Callable[[Scope], Awaitable[ChatApp]]  # who answers somewhere; never raises


def always(app: ChatApp) -> Apps:
    """Return what lets the same app answer everywhere."""

    async def apps(scope: Scope) -> ChatApp:
        return app

    return apps


class Engine:
    """Feeds messages to an app and remembers what is said."""

    def __init__(self, memory: Memory, apps: Apps, ledger: Ledger, *, name: str, max_message: int) -> None:
        self._memory = memory
        self._apps = apps
        self._ledger = ledger
        self._name = name
        self._max_message = max_message
        self.backlog = Backlog(memory, ledger)
        self.inbox = Inbox(memory, ledger, self.backlog)
        self._lines: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def reply(self, incoming: Incoming, *, shown: bool = True) -> AsyncIterator[Event]:
        """Stream the answer to a message; nothing where it has been answered or is being answered elsewhere.

        The message is remembered before the model is called, the reply once it is whole; one that is cancelled (the
        iterator closed, the task cancelled) or breaks is remembered as such. While memory is away, the message is
        answered without it, and both are remembered when it is back. Raises MessageTooLong, ModelError.

        shown: whoever iterates shows the answer as it comes. False where that takes longer: `done` tells when all of it
        is shown, and a process that goes on after a crash gets the remembered answer as one piece. Until the iterator
        is closed, nothing else in the conversation is answered. Where another process has taken the message meanwhile,
        for this one was frozen, whoever iterates is cancelled with ANEW, and the answer is left to that one.
        """
        incoming = self._readable(incoming)
        async with self._holding(incoming, shown=shown), self._turn_taking(incoming):
            glance: Glance | None = None
            try:
                if await self.backlog.caught_up():
                    glance = await self._claimed(incoming)
                    if glance is None:
                        return
            except _Remembered:
                async for event in self._remembered(incoming):
                    yield event
                return
            except RedisError as error:
                self.backlog.went(error)
            except BaseException:
                await tasks.whole(self._finished(incoming))
                raise
            async with aclosing(self._answer(incoming, glance, shown=shown)) as events:  # type: ignore[type-var]
                async for event in events:
                    yield event

    async def sees(self, scope: Scope) -> bool:
        """Tell whether images are looked at where something is said."""
        return (await self._apps(scope)).sees

    async def edited(self, incoming: Incoming) -> bool:
        """Let a message that was remembered say what it says now; False where it is not. Raises RedisError."""
        incoming = self._readable(incoming)
        batch = self._memory.batch()
        self._ledger.reword(batch, incoming)
        await batch.send()
        return await self._memory.edit(incoming.scope, incoming.id, heard(incoming).text, live=True)

    async def reopen(self, incoming: Incoming) -> None:
        """Let a message be answered anew, as it says now; the answer it had is forgotten. Raises RedisError."""
        scope = incoming.scope
        answer = Which(turns=((scope.conversation, answer_id(incoming.id)),))
        await self._memory.forget(scope, answer, erase=False, again=True)
        await self.edited(incoming)
        batch = self._memory.batch()
        self._ledger.reopen(batch, incoming)
        await batch.send()

    async def _answer(self, incoming: Incoming, glance: Glance | None, *, shown: bool) -> AsyncIterator[Event]:
        """Stream the answer to a message and remember it; glance: None where memory is away."""
        app = await self._apps(incoming.scope)
        said: list[str] = []
        status = Status.BROKEN
        answered: Answered | None = None
        missed = glance is None  # whether memory comes back meanwhile or not, it has not heard the message
        try:
            context = None if glance is None else await self._recollected(app, incoming, glance)
            if context is None:
                missed = True
                context = await self._looked_back(app, incoming)
            if self.backlog.away:
                yield Notice(self.backlog.notice)
            elif context.trouble:
                yield Notice(f"Memory was searched by words alone: {context.trouble}")
            elif context.unread:
                yield Notice(f"What was recalled stands in its plain order, not reranked: {context.unread}")
            async with aclosing(app.answer(incoming, context)) as events:  # type: ignore[type-var]
                async for event in events:
                    if isinstance(event, Answered):
                        answered, status = event, event.status
                        continue
                    if isinstance(event, Piece):
                        said.append(event.text)
                    yield event
        except (asyncio.CancelledError, GeneratorExit):
            status = Status.CANCELLED
            raise
        except LoreError as error:
            log.info("turn broken", turn=incoming.id, error=type(error).__name__)
            raise
        finally:
            # Shielded: whoever stopped the answer must not stop it from being remembered.
            turns = replied(incoming, "".join(said), status, self._name)
            told = why.kept(answered) if answered is not None else ""
            ending = _Ending(turns, app.due(incoming.scope), missed, shown, told)
            if incoming in self.inbox.leases:  # else another process remembers its own
                await tasks.whole(self._remember(incoming, ending))
        if answered is not None:
            yield answered

    async def _recollected(self, app: ChatApp, incoming: Incoming, glance: Glance) -> Context | None:
        """Return what memory gives, the message remembered; None where it has gone away."""
        try:
            with stopwatch.recalling():
                return await app.recollect(incoming, glance)
        except RedisError as error:
            self.backlog.went(error)
            return None

    async def _looked_back(self, app: ChatApp, incoming: Incoming) -> Context:
        """Return what can still be read of memory while it is away, and what waits for it."""
        context = Context()
        if self.backlog.readable:
            with suppress(RedisError):
                context = await app.look_back(incoming)
        return replace(context, recent=(*context.recent, *self.backlog.recent(incoming.scope)))

    async def _remember(self, incoming: Incoming, ending: "_Ending") -> None:
        """Remember the reply and finish the event, in one round trip: both or neither, whoever is killed meanwhile."""
        scope = incoming.scope
        if not ending.missed and not self.backlog.away:
            batch = self._memory.batch(atomic=True)
            self._ledger.finish(batch, incoming, shown=ending.shown, why=ending.why)
            try:
                await self._memory.remember(scope, ending.said, batch=batch, live=True, due=ending.due)
            except RedisError as error:
                self.backlog.went(error)
            else:
                return
        self.backlog.add(incoming, heard(incoming), ending.said, written=not ending.missed, due=ending.due)
        if not self.backlog.away:  # it has come back while the model answered
            await self.backlog.caught_up(now=True)

    async def _remembered(self, incoming: Incoming) -> AsyncIterator[Event]:
        """Yield the answer that an earlier process remembered, and did not show to its end."""
        turn = await self._memory.get(incoming.scope, answer_id(incoming.id))
        if turn is None:  # forgotten meanwhile
            await self.inbox.done(incoming)
            return
        yield Piece(turn.text)
        yield Answered(turn.text, incoming.id, "", (), (), Tokens(0, 0, 0), turn.status)

    async def _finished(self, incoming: Incoming) -> None:
        batch = self._memory.batch()
        self._ledger.finish(batch, incoming)
        with suppress(RedisError):  # its lease will run out
            await batch.send()

    async def _claimed(self, incoming: Incoming) -> Glance | None:
        """Claim the message and glance at memory in one round trip; None where there is nothing to do."""
        while True:
            batch = self._memory.batch()
            claim = self._ledger.claim(batch, incoming, now())
            glance = self._memory.glance(batch, incoming.scope, incoming.text)
            await batch.send()
            match claim.value:
                case Claim.OURS:
                    return glance.value
                case Claim.QUEUED:
                    await asyncio.sleep(QUEUE_POLL)
                case Claim.ANSWERING | Claim.SENT:
                    return None
                case Claim.ANSWERED:
                    raise _Remembered

    @asynccontextmanager
    async def _turn_taking(self, incoming: Incoming) -> AsyncIterator[None]:
        """Wait for one's turn in this process, first come first served; a line lives while somebody stands in it."""
        line = self._lines.setdefault((incoming.scope.tenant, incoming.scope.conversation), asyncio.Lock())
        if line.locked():  # what waits here must survive a crash too
            batch = self._memory.batch()
            self._ledger.claim(batch, incoming, now(), waiting=True)
            with suppress(RedisError):
                await batch.send()
        async with line:
            yield

    @asynccontextmanager
    async def _holding(self, incoming: Incoming, *, shown: bool) -> AsyncIterator[None]:
        """Keep the lease while the answer is being made and shown."""
        answering = asyncio.current_task()
        assert answering is not None
        self.inbox.leases.hold(incoming, None if shown else partial(answering.cancel, ANEW))
        try:
            yield
        finally:
            await self.inbox.leases.let_go(incoming)

    def _readable(self, incoming: Incoming) -> Incoming:
        """Return the message with text that can be stored; raises MessageTooLong beyond the limit."""
        check_length(incoming.text, self._max_message)
        return cleaned(incoming)


@dataclass(frozen=True, slots=True)
class _Ending:
    """How an answer ended. missed: memory was away when the message came, so that waits too, in front of its reply."""

    said: Sequence[Turn]
    due: Due | None
    missed: bool
    shown: bool
    why: str


class _Remembered(Exception):
    """The message has its answer, remembered by an earlier process."""


def check_length(text: str, most: int) -> None:
    """Raise MessageTooLong for a message of more characters than anybody may send."""
    if len(text) > most:
        raise MessageTooLong(
            f"the message has {len(text):,} characters, the limit is {most:,}; shorten it, or raise LOREBOT_MAX_MESSAGE"
        )
