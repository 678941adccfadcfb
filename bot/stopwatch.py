"""One answer from its beginning to its end: timed, counted, and every log line of it marked with its turn."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog
from structlog.contextvars import bound_contextvars

from bot.errors import DeliveryError
from bot.metrics import Metrics, Outcome, Taken
from bot.records import Answered
from memory.records import Status

log = structlog.get_logger()

_running: ContextVar["Stopwatch | None"] = ContextVar("stopwatch", default=None)


class Stopwatch:
    """What is noted of one answer while it is made."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self.first_sign: float | None = None
        self.memory = 0.0
        self.end: Answered | None = None

    @property
    def seconds(self) -> float:
        """Return the seconds since the message was taken up."""
        return time.perf_counter() - self._began

    def shown(self) -> None:
        """Note that people see something of the answer; only the first time counts."""
        if self.first_sign is None:
            self.first_sign = self.seconds

    def answered(self, end: Answered) -> None:
        """Note the end of the whole answer."""
        self.end = end


@contextmanager
def answering(metrics: Metrics, platform: str, turn: str, **where: int | str | None) -> Iterator[Stopwatch]:
    """Time and count one answer, and let every line that is logged meanwhile carry the turn, the platform and where.

    where: ids of shard, guild, channel. At its end one line at INFO tells what it took.
    """
    watch = Stopwatch()
    token = _running.set(watch)
    outcome: Outcome = "failed"
    with bound_contextvars(turn=turn, platform=platform, **where):
        try:
            yield watch
            outcome = _outcome(watch.end)
        except BaseException as error:
            outcome = _broken(error)
            raise
        finally:
            _running.reset(token)
            tokens = watch.end.tokens if watch.end else None
            seconds = watch.seconds
            metrics.answered(Taken(platform, outcome, seconds, watch.first_sign, watch.memory, tokens))
            log.info(
                "turn over",
                outcome=outcome,
                seconds=round(seconds, 3),
                first_sign=None if watch.first_sign is None else round(watch.first_sign, 3),
                memory=round(watch.memory, 3),
                prompt_tokens=tokens.prompt if tokens else None,
                completion_tokens=tokens.completion if tokens else None,
                recalled=len(watch.end.recalled) if watch.end else None,
            )


@contextmanager
def recalling() -> Iterator[None]:
    """Count the time of what is done here as memory's, in the answer that is being made, if any is."""
    watch = _running.get()
    began = time.perf_counter()
    try:
        yield
    finally:
        if watch is not None:
            watch.memory += time.perf_counter() - began


def _outcome(end: Answered | None) -> Outcome:
    if end is None:
        return "repeated"
    match end.status:
        case Status.CUT:
            return "cut"
        case Status.CANCELLED:
            return "stopped"
        case Status.BROKEN:
            return "failed"
    return "answered"


def _broken(error: BaseException) -> Outcome:
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return "stopped"
    return "undelivered" if isinstance(error, DeliveryError) else "failed"
