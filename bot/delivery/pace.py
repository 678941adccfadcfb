"""When a channel may be written to next: every message in it shares one timer, for platforms count by channel."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol
from weakref import WeakValueDictionary

EVERY = 1.0  # seconds; Discord allows about 5 edits in 5 s per channel, Slack about one message a second


class Clock(Protocol):
    """Tells the time and waits; tests bring one that needs no waiting."""

    def now(self) -> float:
        """Return seconds from any fixed moment; never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """Return the seconds since some moment before the process began."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class Pace:
    """One channel's timer: one call at a time, and `every` seconds between them."""

    def __init__(self, clock: Clock, every: float = EVERY) -> None:
        self._clock = clock
        self._every = every
        self._line = asyncio.Lock()
        self._due = 0.0  # by our own spacing
        self._held = 0.0  # by the platform's word

    @asynccontextmanager
    async def turn(self, at_once: asyncio.Event) -> AsyncIterator[None]:
        """Wait until the channel may be written to; whoever comes first goes first.

        at_once: once it is set, don't keep the distance: for the first sign of a reply, and for the end of one that was
        never edited. What the platform asked for holds all the same.
        """
        async with self._line:
            while (wait := max(self._held, 0.0 if at_once.is_set() else self._due) - self._clock.now()) > 0:
                await self.waited(wait, at_once)
            try:
                yield
            finally:
                self._due = self._clock.now() + self._every

    async def waited(self, seconds: float, at_once: asyncio.Event) -> None:
        """Wait so long, or until it is to be at once."""
        if at_once.is_set():
            await self._clock.sleep(seconds)
            return
        waits = [asyncio.ensure_future(one) for one in (self._clock.sleep(seconds), at_once.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    def hold(self, seconds: float) -> None:
        """Let nobody write to the channel for so long."""
        self._held = max(self._held, self._clock.now() + seconds)


class Paces:
    """The timers of all channels; one lives while somebody writes there."""

    def __init__(self, clock: Clock, every: float = EVERY) -> None:
        self._clock = clock
        self._every = every
        self._paces: WeakValueDictionary[str, Pace] = WeakValueDictionary()

    def of(self, channel: str) -> Pace:
        """Return the timer of a channel, the same for everybody who holds it."""
        pace = self._paces.get(channel)
        if pace is None:
            pace = self._paces[channel] = Pace(self._clock, self._every)
        return pace
