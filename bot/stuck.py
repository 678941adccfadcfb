"""Ends the process where its event loop is stuck: from a thread, as nothing in the loop could."""

import asyncio
import faulthandler
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: a supervisor starts us again
STUCK = 75.0  # seconds; whatever may take longer runs in a thread
EVERY = 1.0  # seconds


@contextmanager
def watched(seconds: float = STUCK, every: float = EVERY) -> Iterator[None]:
    """End the process with 75 when the running loop does nothing for so long; where it hangs is told on stderr.

    What counts is how often the thread found no sign of the loop, not the time: one that was suspended as a whole
    must not end when it goes on.
    """
    loop = asyncio.get_running_loop()
    over, moved = threading.Event(), threading.Event()

    def watch() -> None:
        missed = 0
        while not over.wait(every):
            missed = 0 if moved.is_set() else missed + 1
            if missed * every >= seconds:
                _end(seconds)
            moved.clear()
            with suppress(RuntimeError):  # the loop is closed: so are we, in a moment
                loop.call_soon_threadsafe(moved.set)

    moved.set()
    thread = threading.Thread(target=watch, name="stuck", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


def _end(seconds: float) -> None:
    sys.stderr.write(f"lorebot: nothing has moved for {seconds:g} s; ending, so that it is started again\n")
    faulthandler.dump_traceback(all_threads=True)
    os._exit(TRY_AGAIN)
