"""A reply shown while it is made: sent with its first words, then edited, over as many messages as it needs.

One call at a time, the newest text wins, and the end is always delivered: what fails is tried again with what is to be
shown by then. The model is never kept waiting, and a reply that cannot be shown is read to its end all the same, so
that it is remembered.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum, auto
from hashlib import blake2b
from itertools import islice
from typing import Protocol

import structlog

from bot.delivery.pace import Pace
from bot.delivery.parts import Limit, Part
from bot.delivery.receipts import Receipt, Receipts
from bot.delivery.split import closed, rest, split
from bot.errors import DeliveryError, DeliveryRefused, MessageLost, ModelError, NotYet, SlowDown
from bot.models.tokens import readable
from memory import tasks

log = structlog.get_logger()

TRIES = 8  # failures in a row; with the pauses between them about two minutes
LONGEST_PAUSE = 30.0  # seconds
SENT_ANEW = 2  # times for one part; whoever deletes it more often does not want it
ANEW = "anew"  # said to `Task.cancel`: the reply is made anew, so nothing is written to this one
QUIET = "quiet"  # the same: whoever reads it has stopped it where nothing may be written any more
LEFT = "left"  # said to `Task.cancel`: another process will make the reply anew, so nothing is written to this one
SORRY = "Something went wrong with this answer."


class LeftAlone(Exception):
    """Raised by the pieces of a reply that is another's to show by now: nothing more is written to it."""


class Controls(Enum):
    """What people may do with a message of a reply."""

    NONE = auto()
    STOP = auto()  # it is being made
    DONE = auto()  # it is whole: make it anew, ask why


class Outlet(Protocol):
    """Where a reply goes: one channel, thread or conversation of a platform.

    All raise SlowDown, DeliveryRefused, DeliveryError where the call may be tried again, and NotYet where a reply that
    is not whole is rather shown later, or not before it is whole: where a platform takes too few calls. A nonce that
    was seen before must not make a second message: let the first one say it, and return its id. A call needs a timeout:
    the channel waits for it.
    """

    async def send(self, text: str, nonce: str, controls: Controls = Controls.NONE) -> str:
        """Post a message and return its id. nonce: 24 characters, the same whenever this part of this turn is sent."""

    async def edit(self, message: str, text: str, controls: Controls = Controls.NONE) -> None:
        """Let a message say something else. Raises MessageLost."""

    async def find(self, part: int, nonce: str) -> str | None:
        """Return the message that an earlier process sent as this part, so long ago that the nonce does not tell.

        None where it sent none. Raises MessageLost where that cannot be told.
        """

    async def delete(self, message: str) -> None:
        """Take a message back. Raises MessageLost."""

    async def attach(self, text: str, file: str, content: str, nonce: str, controls: Controls = Controls.NONE) -> str:
        """Post a message with a text file and return its id. file: its name."""


@dataclass(frozen=True, slots=True)
class Style:
    """How replies look on a platform.

    parts: messages at most; what goes beyond is a file. thinking: shown at once, until the first words come; "" waits
    waits for them. stopped: the mark below a reply that somebody stopped; None writes nothing more at all. twice: the
    mark below one of which a part may be there twice. quiet: makes mentions harmless (bot/delivery/mentions.py); what
    it makes of a text begins with what it makes of its beginning. controls: whether the last message has some.
    aside: how something is written that is not part of the answer. nonces: seconds for which the platform knows a nonce
    again.
    """

    limit: Limit
    parts: int = 5
    thinking: str = ""
    stopped: str | None = "*(stopped)*"
    beyond: str = "The rest of this answer is in the file."
    file: str = "answer.md"
    twice: str = "*(I was restarted while sending this; part of it may be here twice.)*"
    quiet: Callable[[str], str] = str
    aside: str = "{}"
    controls: bool = False
    nonces: float = 60.0


@dataclass(frozen=True, slots=True)
class _Sent:
    """A message of the reply. id: None where it is not there; text: None where it is not known; anew: times sent again.

    unsure: it was on its way when an earlier process died, longer ago than a nonce is known. twice: nobody can tell
    whether it came through, so it is sent again.
    """

    id: str | None
    text: str | None
    anew: int = 0
    unsure: bool = False
    twice: bool = False
    controls: Controls = Controls.NONE

    def says(self, text: str, controls: Controls) -> bool:
        """Tell whether it is there and as it should be."""
        return self.id is not None and self.text == text and self.controls is controls


@dataclass(frozen=True, slots=True)
class _Step:
    """What is to be done next: show a text as this part; None takes the message back."""

    number: int
    text: str | None
    controls: Controls = Controls.NONE


def nonce(turn: str, part: int, anew: int = 0) -> str:
    """Return the mark by which a platform knows a part of a turn again: 24 hex digits. Discord takes up to 25."""
    return blake2b(f"{turn}\x1f{part}\x1f{anew}".encode(), digest_size=12).hexdigest()


async def show(
    pieces: AsyncIterator[str],
    outlet: Outlet,
    turn: str,
    style: Style,
    pace: Pace,
    already: Sequence[Receipt] = (),
    receipts: Receipts | None = None,
) -> list[str]:
    """Show a reply as its pieces come, and return the ids of its messages; none where nothing was said.

    turn: unique on the platform. already: the parts that were sent for this turn before, in order; they are edited, and
    taken back where the reply is shorter. receipts: keeps where parts stand, for whoever goes on after a crash.

    Where the pieces end with an error or we are cancelled, what was said stays, with a mark below it, and the error
    goes on. Raises DeliveryError where the reply cannot be shown, once its pieces have ended.
    """
    reply = _Reply(outlet, turn, style, pace, already, receipts or _Unkept())
    writer = asyncio.create_task(reply.write())

    async def written() -> None:
        await writer

    try:
        async for piece in pieces:
            reply.add(piece)
    except BaseException as error:
        mark = _mark(error, turn, style)
        reply.leave() if mark is None else reply.end(mark)
        with suppress(DeliveryError):  # the first error tells more
            await tasks.whole(written())
        raise
    reply.end()
    await tasks.whole(written())
    return reply.messages


def _mark(error: BaseException, turn: str, style: Style) -> str | None:
    """Return what stands below a reply that did not come to its end; None where it is left as it is."""
    if isinstance(error, LeftAlone):
        return None
    if isinstance(error, asyncio.CancelledError):
        return None if {ANEW, LEFT, QUIET} & set(error.args) else style.stopped
    return f"{error.calm if isinstance(error, ModelError) else SORRY} (turn {turn})"


def _found(receipt: Receipt, style: Style) -> _Sent:
    """Return a part as an earlier process left it."""
    lately = time.time() - receipt.at / 1000 < style.nonces
    on_its_way = not receipt.message and receipt.at > 0
    return _Sent(receipt.message or None, None, receipt.anew, unsure=on_its_way and not lately)


class _Unkept:
    """Receipts that nobody needs."""

    async def sending(self, part: int, anew: int) -> None:
        pass

    async def sent(self, part: int, anew: int, message: str) -> None:
        pass


class _Reply:
    """What is to be shown, and what is."""

    def __init__(
        self, outlet: Outlet, turn: str, style: Style, pace: Pace, already: Sequence[Receipt], receipts: Receipts
    ) -> None:
        self._receipts = receipts
        self._outlet = outlet
        self._turn = turn
        self._style = style
        self._pace = pace
        self._said: list[str] = []
        self._mark = ""
        self._over = False
        self._edited = False
        self._at_once = asyncio.Event()  # whether the next call need not keep its distance
        self._left = False
        self._changed = asyncio.Event()
        self._finished: list[Part] = []  # parts that no more text will change
        self._full = False  # whether more will only lengthen the file
        self._sent = [_found(one, style) for one in already]
        self._failures = 0
        self._whole = asyncio.Event()
        self._rest = 0.0  # seconds before the next call
        self._patient = True  # whether that holds for the end, too

    @property
    def messages(self) -> list[str]:
        """The ids of the messages, in order."""
        return [sent.id for sent in self._sent if sent.id is not None]

    def add(self, piece: str) -> None:
        """Take in what comes next; half a character, which no platform takes, is a question mark."""
        self._said.append(readable(piece))
        self._changed.set()

    def end(self, mark: str = "") -> None:
        """Take in that nothing comes any more."""
        self._mark = mark
        self._over = True
        self._whole.set()
        self._hurry()
        self._changed.set()

    def leave(self) -> None:
        """Take in that nothing more is to be written."""
        self._left = True
        self.end()

    async def write(self) -> None:
        """Show what comes until all is shown."""
        while True:
            self._changed.clear()
            if self._next() is None:
                if self._over:
                    return
                await self._changed.wait()
                continue
            await self._rested()
            self._hurry()
            async with self._pace.turn(self._at_once):
                if step := self._next():  # the newest text: more may have come meanwhile
                    await self._try(step)

    async def _rested(self) -> None:
        """Wait as the platform would have it for this reply."""
        seconds, self._rest = self._rest, 0.0
        if seconds:
            await self._pace.waited(seconds, asyncio.Event() if self._patient else self._whole)

    def _hurry(self) -> None:
        """Note whether the next call may come at once: the first words, and the end of what was not edited yet.

        The distance is one between edits, so a short answer, whole soon after its first words, need not keep it.
        """
        if not self.messages or (self._over and not self._edited and len(self.messages) == 1):
            self._at_once.set()
        else:
            self._at_once.clear()

    def _next(self) -> _Step | None:
        """Return the first thing that is not as it should be."""
        if self._left:
            return None
        wanted = self._wanted()
        for number, text in enumerate(wanted):
            controls = self._controls if number == len(wanted) - 1 else Controls.NONE
            if number == len(self._sent) or not self._sent[number].says(text, controls):
                return _Step(number, text, controls)
        if self._over and len(self._sent) > len(wanted):
            return _Step(len(self._sent) - 1, None)
        return None

    def _wanted(self) -> list[str]:
        """Return what the messages should say by now."""
        parts, beyond = self._parts()
        shown = [part.shown for part in parts]
        if beyond and self._over:
            shown.append(self._with_file)
        if not shown and not self._sent and not self._over and self._style.thinking:
            shown.append(self._style.thinking)
        return shown

    @property
    def _controls(self) -> Controls:
        """What people may do with the last message."""
        if not self._style.controls:
            return Controls.NONE
        return Controls.DONE if self._over else Controls.STOP

    def _parts(self) -> tuple[list[Part], bool]:
        """Return the parts that are shown by now, and whether there is more."""
        if self._full and not self._over:
            return self._finished, True
        text = self._text()
        room = self._style.parts - len(self._finished)
        coming = list(islice(split(text, self._style.limit, self._last), room + 1))
        if len(coming) > room:
            self._finished += coming[:room]
            self._full = True
            return self._finished, True
        self._finished += coming[:-1]
        return [*self._finished, *coming[-1:]], False

    @property
    def _last(self) -> Part | None:
        return self._finished[-1] if self._finished else None

    @property
    def _with_file(self) -> str:
        """What the message with the file says."""
        return "\n".join(filter(None, (self._style.beyond, self._ending)))

    @property
    def _ending(self) -> str:
        """What stands below the reply once it is over."""
        twice = any(sent.twice for sent in self._sent)
        return "\n".join(filter(None, (self._mark, self._style.twice if twice else "")))

    def _text(self) -> str:
        """Return what was said, and the mark below it; outside the fence that is open there."""
        self._said = ["".join(self._said)]
        text = self._style.quiet(self._said[0])
        if not self._over or not self._ending:
            return text
        if not text.strip():
            return self._ending
        return f"{closed(text, self._style.limit, self._last)}\n\n{self._ending}"

    async def _try(self, step: _Step) -> None:
        """Do it; where it fails, let the channel rest, so that it is tried again with the newest text."""
        try:
            await self._do(step)
        except DeliveryRefused:
            raise
        except NotYet as error:
            self._rest, self._patient = error.after, False
        except DeliveryError as error:
            self._failures += 1
            log.warning("reply not shown yet", turn=self._turn, part=step.number, error=type(error).__name__)
            if self._failures > TRIES:
                raise
            if isinstance(error, MessageLost):
                self._lose(step.number, error)
            else:
                self._pause(error)
        else:
            self._failures = 0

    def _pause(self, error: DeliveryError) -> None:
        """Let the channel rest, or this reply alone."""
        if isinstance(error, SlowDown) and error.alone:
            self._rest, self._patient = error.after, True
        elif isinstance(error, SlowDown):
            self._pace.hold(error.after)
        else:
            self._pace.hold(min(2.0 ** (self._failures - 1), LONGEST_PAUSE))

    async def _do(self, step: _Step) -> None:
        if step.text is None:
            await self._take_back()
            return
        if step.number == len(self._sent):
            self._sent.append(_Sent(None, None))
        sent = self._sent[step.number]
        if sent.unsure:
            sent = self._sent[step.number] = await self._searched(step.number, sent)
        if sent.id is None:
            await self._receipts.sending(step.number, sent.anew)
            message = await self._send(step, nonce(self._turn, step.number, sent.anew))
            await self._receipts.sent(step.number, sent.anew, message)
            self._sent[step.number] = replace(sent, id=message, text=step.text, controls=step.controls)
        elif step.number == self._style.parts:  # an earlier try's file, with another text; a file can't be edited
            await self._delete(sent.id)
            self._sent[step.number] = _Sent(None, None, sent.anew + 1)
        else:
            self._edited = True
            await self._outlet.edit(sent.id, step.text, step.controls)
            self._sent[step.number] = replace(sent, text=step.text, controls=step.controls)

    async def _searched(self, number: int, sent: _Sent) -> _Sent:
        """Look for a part that may have been sent; where that cannot be told, it is sent again, and so marked."""
        try:
            found = await self._outlet.find(number, nonce(self._turn, number, sent.anew))
        except MessageLost:
            return replace(sent, anew=sent.anew + 1, unsure=False, twice=True)
        return replace(sent, id=found, unsure=False)

    async def _send(self, step: _Step, mark: str) -> str:
        assert step.text is not None
        if step.number < self._style.parts:
            return await self._outlet.send(step.text, mark, step.controls)
        assert self._last is not None
        content = rest(self._text(), self._last)
        return await self._outlet.attach(step.text, self._style.file, content, mark, step.controls)

    async def _take_back(self) -> None:
        """Delete the last message: an earlier try of this turn was longer, or nothing was said after all."""
        surplus = self._sent[-1].id
        if surplus is not None:
            await self._delete(surplus)
        await self._receipts.sent(len(self._sent) - 1, self._sent[-1].anew + 1, "")
        self._sent.pop()

    async def _delete(self, message: str) -> None:
        with suppress(MessageLost):
            await self._outlet.delete(message)

    def _lose(self, number: int, error: MessageLost) -> None:
        """Let a message that is gone be sent anew."""
        sent = self._sent[number]
        if sent.anew == SENT_ANEW:
            raise error
        self._sent[number] = _Sent(None, None, sent.anew + 1)
