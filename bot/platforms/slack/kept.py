"""What was asked of Slack: once at a time, then kept for a while, and not believed where it changed meanwhile."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from bot.latest import Latest

T = TypeVar("T")

MOST = 10_000  # things kept; the oldest go first


class Kept(Generic[T]):
    """Things by id. ask: finds one out; what that raises is raised to whoever waits, and it is asked again later."""

    def __init__(
        self, ask: Callable[[str], Awaitable[T]], seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """seconds: for which something is believed, from the moment it was asked for."""
        self._ask = ask
        self._seconds = seconds
        self._clock = clock
        self._things: Latest[str, tuple[float, T]] = Latest(MOST)
        self._asking: dict[str, asyncio.Task[tuple[T, bool]]] = {}

    def known(self, id_: str) -> T | None:
        """Return what is known, unless it is too old."""
        until, thing = self._things.get(id_, (0.0, None))
        return thing if until > self._clock() else None

    async def get(self, id_: str) -> T:
        """Return something; where it changes while it is asked for, it is asked for again."""
        while True:
            if (known := self.known(id_)) is not None:
                return known
            found, still = await asyncio.shield(self.begin(id_))
            if still:
                return found

    def begin(self, id_: str) -> "asyncio.Task[tuple[T, bool]]":
        """Have something found out beside; whoever wants it at the same time waits for the same."""
        if id_ not in self._asking:
            self._asking[id_] = asyncio.create_task(self._found(id_))
            self._asking[id_].add_done_callback(_heard)
        return self._asking[id_]

    def put(self, id_: str, thing: T, at: float | None = None) -> T:
        """Keep something, as it was at a time of the clock."""
        self._things[id_] = ((self._clock() if at is None else at) + self._seconds, thing)
        return thing

    def drop(self, id_: str) -> None:
        """Forget something: it has changed, and what is being asked about it may be from before."""
        self._things.pop(id_, None)
        self._asking.pop(id_, None)

    async def _found(self, id_: str) -> tuple[T, bool]:
        """Find something out; return whether it still holds, too."""
        me, at = asyncio.current_task(), self._clock()
        try:
            found = await self._ask(id_)
            still = self._asking.get(id_) is me
            if still:
                self.put(id_, found, at)
            return found, still
        finally:
            if self._asking.get(id_) is me:
                del self._asking[id_]


def _heard(task: "asyncio.Task[Any]") -> None:
    """Take in how a task ended: nobody may have waited for it."""
    if not task.cancelled():
        task.exception()
