"""Signals for a while: Ctrl-C stops one thing, SIGTERM and SIGHUP end the program in good order."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ENDINGS = [one for one in signal.Signals if one.name in ("SIGTERM", "SIGHUP")]  # Windows has no SIGHUP


@contextmanager
def interrupting(act: Callable[[], object]) -> Iterator[None]:
    """Let Ctrl-C do this for a while."""
    with _handled([signal.SIGINT], lambda _: act()):
        yield


@contextmanager
def ending() -> Iterator[None]:
    """Let SIGTERM and SIGHUP cancel what runs here; a second one ends the program at once.

    Raises SystemExit of 128 + the signal's number once what ran here is over, as shells tell it; CancelledError where
    a Ctrl-C was lost before: wait_for of Python 3.11, which redis-py sends with, may swallow it (fixed in 3.12).
    """
    task = asyncio.current_task()
    assert task is not None
    if task.cancelling():
        raise asyncio.CancelledError
    came: list[int] = []

    def end(number: signal.Signals) -> None:
        asyncio.get_running_loop().remove_signal_handler(number)
        came.append(number)
        if not task.cancelling():  # a terminal that closes after Ctrl-C must not stop what is being remembered
            task.cancel()

    with _handled(ENDINGS, end):
        try:
            yield
        except asyncio.CancelledError:
            if came:
                raise SystemExit(128 + came[0]) from None
            raise


def asked_to_end() -> asyncio.Event:
    """Return what Ctrl-C, SIGTERM and SIGHUP set, unless ignored as by nohup; a second one ends us at once."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    numbers = [one for one in (signal.SIGINT, *ENDINGS) if signal.getsignal(one) is not signal.SIG_IGN]

    def ask() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)
        asked.set()

    for number in numbers:
        loop.add_signal_handler(number, ask)
    return asked


@contextmanager
def _handled(signals: list[signal.Signals], act: Callable[[signal.Signals], object]) -> Iterator[None]:
    """Handle signals in the event loop, then as before: asyncio.run has a handler of its own for Ctrl-C."""
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in signals}
    try:
        for number in signals:
            loop.add_signal_handler(number, act, number)
    except (NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread: they end the program
        yield
        return
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
            signal.signal(number, before[number])
