"""The engine: a message in, pieces of the answer out, both remembered; one message at a time a conversation."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from weakref import WeakValueDictionary

import structlog

from bot import stopwatch
from bot.apps.chat import ChatApp, heard, replied
from bot.backlog import Backlog
from bot.errors import MessageTooLong
from bot.ledger import LEASE, Claim, Ledger
from bot.models.base import Piece
from bot.models.tokens import readable
from bot.records import Answered, Event, Incoming, Notice, Seen
from memory import tasks
from memory.errors import LoreError, RedisError
from memory.memory import Glance, Memory
from memory.records import Context, Status, Which, answer_id

log = structlog.get_logger()

QUEUE_POLL = 0.1  # seconds between claims while another process answers in the conversation


class Engine:
    """Feeds messages to an app and remembers what is said."""

    def __init__(self, memory: Memory, app: ChatApp, ledger: Ledger, *, name: str, max_message: int) -> None:
        self._memory = memory
        self._app = app
        self._ledger = ledger
        self._name = name
        self._max_message = max_message
        self.backlog = Backlog(memory, ledger)
        self._lines: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def reply(self, incoming: Incoming) -> AsyncIterator[Event]:
        """Stream the answer to a message; nothing where it has been answered or is being answered elsewhere.

        The message is remembered before the model is called, the reply once it is whole; one that is cancelled (the
        iterator closed, the task cancelled) or breaks is remembered as such. While memory is away, the message is
        answered without it, and both are remembered when it is back. Raises MessageTooLong, ModelError.
        """
        incoming = self._readable(incoming)
        async with self._renewing(incoming), self._turn_taking(incoming):
            glance: Glance | None = None
            try:
                if await self.backlog.caught_up():
                    glance = await self._claimed(incoming)
                    if glance is None:
                        return
            except RedisError as error:
                self.backlog.went(error)
            except BaseException:
                await tasks.whole(self._finished(incoming))
                raise
            async with aclosing(self._answer(incoming, glance)) as events:  # type: ignore[type-var]
                async for event in events:
                    yield event

    async def edited(self, incoming: Incoming) -> bool:
        """Let a message that was remembered say what it says now; False where it is not. Raises RedisError."""
        incoming = self._readable(incoming)
        batch = self._memory.batch()
        self._ledger.reword(batch, incoming)
        await batch.send()
        return await self._memory.edit(incoming.scope, incoming.id, incoming.text)

    async def again(self, incoming: Incoming) -> AsyncIterator[Event]:
        """Answer a message anew, as it says now; the answer it had is forgotten. Raises what `reply` raises."""
        scope = incoming.scope
        answer = Which(turns=((scope.conversation, answer_id(incoming.id)),))
        await self._memory.forget(scope, answer)
        await self.edited(incoming)
        batch = self._memory.batch()
        self._ledger.reopen(batch, incoming)
        await batch.send()
        async with aclosing(self.reply(incoming)) as events:  # type: ignore[type-var]
            async for event in events:
                yield event

    async def unfinished(self, tenant: str) -> list[Incoming]:
        """Return the tenant's messages that a process left unanswered; reply to each to make it good."""
        if not await self.backlog.caught_up():  # what has been answered meanwhile must be told first
            return []
        batch = self._memory.batch()
        found = self._ledger.unfinished(batch, tenant, _now())
        await batch.send()
        return found.value

    async def owing(self, tenant: str) -> bool:
        """Tell whether any of the tenant's messages has been taken in and not been answered yet. Raises RedisError."""
        batch = self._memory.batch()
        found = self._ledger.owing(batch, tenant)
        await batch.send()
        return found.value

    async def _answer(self, incoming: Incoming, glance: Glance | None) -> AsyncIterator[Event]:
        """Stream the answer to a message and remember it; glance: None where memory is away."""
        said: list[str] = []
        status = Status.BROKEN
        answered: Answered | None = None
        missed = glance is None  # whether memory comes back meanwhile or not, it has not heard the message
        try:
            context = None if glance is None else await self._recollected(incoming, glance)
            if context is None:
                missed = True
                context = await self._looked_back(incoming)
            if self.backlog.away:
                yield Notice(self.backlog.notice)
            elif context.trouble:
                yield Notice(f"Memory was searched by words alone: {context.trouble}")
            elif context.unread:
                yield Notice(f"What was recalled stands in its plain order, not reranked: {context.unread}")
            async with aclosing(self._app.answer(incoming, context)) as events:  # type: ignore[type-var]
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
            await tasks.whole(self._remember(incoming, "".join(said), status, missed=missed))
        if answered is not None:
            yield answered

    async def _recollected(self, incoming: Incoming, glance: Glance) -> Context | None:
        """Return what memory gives, the message remembered; None where it has gone away."""
        try:
            with stopwatch.recalling():
                return await self._app.recollect(incoming, glance)
        except RedisError as error:
            self.backlog.went(error)
            return None

    async def _looked_back(self, incoming: Incoming) -> Context:
        """Return what can still be read of memory while it is away, and what waits for it."""
        context = Context()
        if self.backlog.readable:
            with suppress(RedisError):
                context = await self._app.look_back(incoming)
        return replace(context, recent=(*context.recent, *self.backlog.recent(incoming.scope)))

    async def _remember(self, incoming: Incoming, text: str, status: Status, *, missed: bool) -> None:
        """Remember the reply and finish the event, in one round trip: both or neither, whoever is killed meanwhile.

        missed: memory was away when the message came, so that waits too, in front of its reply.
        """
        said = replied(incoming, text, status, self._name)
        if not missed and not self.backlog.away:
            batch = self._memory.batch(atomic=True)
            self._ledger.finish(batch, incoming)
            try:
                due = self._app.due(incoming.scope)
                await self._memory.remember(incoming.scope, said, batch=batch, live=True, due=due)
            except RedisError as error:
                self.backlog.went(error)
            else:
                return
        self.backlog.add(incoming, heard(incoming), said, written=not missed, due=self._app.due(incoming.scope))
        if not self.backlog.away:  # it has come back while the model answered
            await self.backlog.caught_up(now=True)

    async def _finished(self, incoming: Incoming) -> None:
        batch = self._memory.batch()
        self._ledger.finish(batch, incoming)
        with suppress(RedisError):  # its lease will run out
            await batch.send()

    async def _claimed(self, incoming: Incoming) -> Glance | None:
        """Claim the message and glance at memory in one round trip; None where there is nothing to do."""
        while True:
            batch = self._memory.batch()
            claim = self._ledger.claim(batch, incoming, _now())
            glance = self._memory.glance(batch, incoming.scope, incoming.text)
            await batch.send()
            match claim.value:
                case Claim.OURS:
                    return glance.value
                case Claim.QUEUED:
                    await asyncio.sleep(QUEUE_POLL)
                case Claim.ANSWERING | Claim.SENT:
                    return None

    @asynccontextmanager
    async def _turn_taking(self, incoming: Incoming) -> AsyncIterator[None]:
        """Wait for one's turn in this process, first come first served; a line lives while somebody stands in it."""
        line = self._lines.setdefault((incoming.scope.tenant, incoming.scope.conversation), asyncio.Lock())
        if line.locked():  # what waits here must survive a crash too
            batch = self._memory.batch()
            self._ledger.claim(batch, incoming, _now(), waiting=True)
            with suppress(RedisError):
                await batch.send()
        async with line:
            yield

    @asynccontextmanager
    async def _renewing(self, incoming: Incoming) -> AsyncIterator[None]:
        """Keep the lease while the answer is being made."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(LEASE / 3000)
                batch = self._memory.batch()
                held = self._ledger.renew(batch, incoming, _now())
                try:
                    await batch.send()
                    if not held.value:
                        log.warning("lease lost", turn=incoming.id)
                except RedisError as error:  # the next renewal may get through: the lease holds three
                    log.warning("lease not renewed", turn=incoming.id, error=str(error))

        task = asyncio.create_task(renew())
        try:
            yield
        finally:
            await tasks.ended(task)

    def _readable(self, incoming: Incoming) -> Incoming:
        """Return the message with text that can be stored; raises MessageTooLong beyond the limit."""
        check_length(incoming.text, self._max_message)
        return replace(
            incoming,
            text=readable(incoming.text),
            author=readable(incoming.author),
            context=[Seen(readable(seen.author), readable(seen.text)) for seen in incoming.context],
        )


def check_length(text: str, most: int) -> None:
    """Raise MessageTooLong for a message of more characters than anybody may send."""
    if len(text) > most:
        raise MessageTooLong(
            f"the message has {len(text):,} characters, the limit is {most:,}; shorten it, or raise LOREBOT_MAX_MESSAGE"
        )


def _now() -> int:
    return time.time_ns() // 1_000_000
