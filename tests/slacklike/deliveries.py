"""What goes to the app: each thing once, and again when nobody acknowledged it, over sockets or over HTTP."""

import asyncio
import itertools
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.slacklike.records import Json, Message
from tests.slacklike.rules import Rules

EVENT, COMMAND, INTERACTION = "events_api", "slash_commands", "interactive"


@dataclass(eq=False)
class Attempt:
    """One try; `at` and `acked_at` are of time.monotonic."""

    at: float
    number: int  # 0 for the first
    acked_at: float | None = None
    failure: str = ""  # such as timeout, no_connection, http_error


@dataclass(eq=False)
class Delivery:
    """Something that the app is told; `answer` is what it said when it acknowledged it."""

    id: str
    kind: str
    body: Json
    attempts: list[Attempt] = field(default_factory=list)
    answer: Any = None
    acked: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)  # acknowledged, or given up
    hurry: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def name(self) -> str:
        """What it is: the event's type, the command, or the kind of interaction."""
        return str((self.body.get("event") or self.body).get("type") or self.body.get("command"))

    @property
    def subtype(self) -> str:
        return str((self.body.get("event") or {}).get("subtype") or "")

    @property
    def event_id(self) -> str:
        return str(self.body.get("event_id") or "")

    @property
    def took(self) -> float:
        """The seconds from the first try to the acknowledgement; infinite without one."""
        acked = next((one.acked_at for one in self.attempts if one.acked_at is not None), float("inf"))
        return acked - self.attempts[0].at if self.attempts else float("inf")

    def acknowledge(self, answer: Any = None) -> None:
        if not self.acked.is_set():
            self.answer = answer
            self.attempts[-1].acked_at = time.monotonic()
            self.acked.set()


class Outlet(Protocol):
    """A way to the app. It returns the reason of a failure, or "" once the delivery is acknowledged."""

    async def deliver(self, delivery: Delivery, attempt: Attempt) -> str: ...


class Deliveries:
    """All deliveries, in order; `outlet` is the way they go now."""

    def __init__(self, rules: Rules, outlet: Outlet) -> None:
        self.rules = rules
        self.outlet = outlet
        self.all: list[Delivery] = []
        self._serials = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    def of(self, name: str, subtype: str | None = None) -> list[Delivery]:
        """Return the deliveries of one name: `of("message", "message_changed")`, `of("/ask")`."""
        return [one for one in self.all if one.name == name and subtype in (None, one.subtype)]

    def about(self, *messages: Message) -> list[Delivery]:
        """Return the deliveries that tell that messages were said."""
        stamps = {one.ts for one in messages}
        return [one for one in self.all if (one.body.get("event") or {}).get("ts") in stamps]

    def unacknowledged(self) -> list[Delivery]:
        return [one for one in self.all if not one.acked.is_set()]

    def send(self, kind: str, body: Json) -> Delivery:
        """Deliver something in the background."""
        delivery = Delivery(f"{next(self._serials):08x}-0000-4000-8000-000000000000", kind, body)
        self.all.append(delivery)
        self._start(delivery)
        return delivery

    def again(self, delivery: Delivery) -> Delivery:
        """Deliver the same event once more, though it was acknowledged: Slack does at times."""
        return self.send(delivery.kind, delivery.body)

    def retry_now(self) -> None:
        """Let the next retry of everything unacknowledged come without waiting for its time."""
        for delivery in self.unacknowledged():
            delivery.hurry.set()

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _start(self, delivery: Delivery) -> None:
        task = asyncio.create_task(self._deliver(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, delivery: Delivery) -> None:
        """Try until it is acknowledged; only events are tried more than once."""
        waits = (0.0, *self.rules.retries) if delivery.kind == EVENT else (0.0,)
        for number, wait in enumerate(waits):
            if number:
                await _sleep(wait, delivery)
            if delivery.acked.is_set():
                break
            attempt = Attempt(time.monotonic(), number)
            delivery.attempts.append(attempt)
            attempt.failure = await self.outlet.deliver(delivery, attempt)
            if not attempt.failure or attempt.failure == NO_RETRY:
                break
        delivery.over.set()


NO_RETRY = "no_retry"  # the app answered with X-Slack-No-Retry


async def _sleep(seconds: float, delivery: Delivery) -> None:
    """Wait a time, or until somebody is in a hurry, or a late acknowledgement comes."""
    waiting = [asyncio.ensure_future(one.wait()) for one in (delivery.hurry, delivery.acked)]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
        delivery.hurry.clear()
