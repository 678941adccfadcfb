"""Gives each message one visible reply on a platform, whatever dies meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress

import structlog

from bot import stopwatch
from bot.conversation import Asked
from bot.delivery.pace import Paces, SystemClock
from bot.delivery.receipts import Receipt
from bot.delivery.stream import ANEW, LEFT, SORRY, LeftAlone, Outlet, Style, show
from bot.engine import Engine
from bot.errors import DeliveryError, MessageTooLong, ModelError
from bot.limits import Limits
from bot.metrics import Metrics
from bot.models.base import Piece
from bot.records import Answered, Event, Incoming, Notice
from bot.stopwatch import Stopwatch
from memory import tasks
from memory.errors import LoreError
from memory.records import Status

log = structlog.get_logger()


class Replies:
    """Shows answers, and counts what they took; style: how they look on the platform."""

    def __init__(self, engine: Engine, style: Style, limits: Limits, metrics: Metrics) -> None:
        self._engine = engine
        self._limits = limits
        self._metrics = metrics
        self._style = style
        self._paces = Paces(SystemClock())

    async def give(self, asked: Asked, outlet: Outlet, channel: str) -> Answered | None:
        """Show the answer to a message; return what it was made from, None where it came to no end.

        Whoever reads it sees a calm sentence where it fails; the log has the rest.
        """
        incoming, already = asked.incoming, asked.already
        if asked.anew:
            already = await self._reopened(incoming)
        said = _Said(self._style, stands=bool(already))
        platform = incoming.scope.tenant.partition(":")[0]
        try:
            with stopwatch.answering(self._metrics, platform, incoming.id, channel=channel) as watch:
                async with (
                    aclosing(self._engine.reply(incoming, shown=False)) as events,  # type: ignore[type-var]
                    aclosing(said.pieces(events)) as pieces,  # type: ignore[type-var]
                ):
                    pace, receipts = self._paces.of(channel), _Receipts(self._engine, incoming, watch)
                    with suppress(LeftAlone):
                        await show(pieces, outlet, incoming.id, self._style, pace, already, receipts)
                if said.answered is not None:
                    watch.answered(said.answered)
        except (ModelError, MessageTooLong) as error:
            log.warning("not answered", turn=incoming.id, error=str(error))
        except DeliveryError as error:
            log.warning("not delivered", turn=incoming.id, error=str(error))
        except asyncio.CancelledError as error:
            if LEFT in error.args:
                await tasks.whole(self._left(incoming))
            elif ANEW not in error.args:
                await tasks.whole(self._engine.inbox.done(incoming))
            raise
        except Exception as error:  # one answer's own fault; people have read that it failed
            log.error("answer broken", turn=incoming.id, error=type(error).__name__, exc_info=error)
        if said.answered is not None:
            took = said.answered.tokens
            await self._limits.spent(incoming.scope, took.prompt + took.completion)
        if not said.elsewhere:
            await self._engine.inbox.done(incoming)
        return said.answered

    async def _left(self, incoming: Incoming) -> None:
        """Let another process answer a message from the beginning, in the messages where this answer stands."""
        try:
            await self._engine.reopen(incoming)
        except LoreError as error:
            log.warning("left without the ledger", turn=incoming.id, error=str(error))
        await self._engine.inbox.leave(incoming)

    async def _reopened(self, incoming: Incoming) -> tuple[Receipt, ...]:
        """Let a message be answered anew, in the messages where its answer stands."""
        try:
            await self._engine.reopen(incoming)
            return (await self._engine.inbox.told(incoming.scope, incoming.id)).receipts
        except LoreError as error:
            log.warning("answered anew without the ledger", turn=incoming.id, error=str(error))
            return ()


class _Said:
    """The pieces of a reply out of the engine's events, and how it ended."""

    def __init__(self, style: Style, *, stands: bool) -> None:
        """stands: parts of the reply stand there already."""
        self._style = style
        self._stands = stands
        self.answered: Answered | None = None
        self.elsewhere = False  # the engine has nothing to do: another process answers it, or has done so

    async def pieces(self, events: AsyncIterator[Event]) -> AsyncIterator[str]:
        """Yield what is shown; the engine keeps the conversation until all of it is.

        Raises LeftAlone where the engine has nothing to do, for what stands there is the answer by now.
        """
        notices: list[str] = []
        begun = False
        async for event in events:
            begun = True
            match event:
                case Piece(text):
                    yield text
                case Notice(text):
                    notices.append(text)
                case Answered():
                    self.answered = event
                    break
        self.elsewhere = not begun
        if self._stands and not begun:
            raise LeftAlone
        for notice in notices:
            yield f"\n{self._style.aside.format(notice)}"
        if self.answered is not None and self.answered.status in (Status.CANCELLED, Status.BROKEN):
            mark = self._style.stopped if self.answered.status is Status.CANCELLED else SORRY
            yield f"\n\n{mark or ''}"


class _Receipts:
    """Keeps in the ledger where the parts of a reply stand; the first is when people see something."""

    def __init__(self, engine: Engine, incoming: Incoming, watch: Stopwatch) -> None:
        self._engine = engine
        self._incoming = incoming
        self._watch = watch

    async def sending(self, part: int, anew: int) -> None:
        await self._engine.inbox.receipt(self._incoming, part, Receipt("", anew, time.time_ns() // 1_000_000))

    async def sent(self, part: int, anew: int, message: str) -> None:
        if message:
            self._watch.shown()
        await self._engine.inbox.receipt(self._incoming, part, Receipt(message, anew))
