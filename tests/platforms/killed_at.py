"""The unmodified `lorebot`, but at one moment of its next turn it is killed, or its Redis, or both.

    python -m tests.platforms.killed_at PLAN repl --user ada

A turn is the task that answers a line, or answers late, with every task that it starts. Its moments are found by
watching it, so there is no list to keep. An await that has nothing to wait for is none: between two moments nothing
leaves the process but what it prints.

suspended  a task of the turn awaits something that is not there yet
sending    commands are about to be sent to Redis
unread     Redis has carried them out, and the replies have not been read; those of a Redis that is killed never are

The plan is read when a turn begins; the moments are written beside it, a line each.
"""

import asyncio
import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from tests.platforms.sigkill import kill_server

BEGINS = ("Terminal._heard", "Terminal._reply")  # whichever is the first to be made a task
OURS = Path(__file__).parents[2]
STRUCK, OVER = "struck", "over"


@dataclass(frozen=True, slots=True)
class Plan:
    """Kill the victim (bot, redis, both, nobody) at the nth moment, or at the nth of a kind. server: its folder."""

    server: str
    victim: str = "nobody"
    nth: int = 0
    kind: str = ""

    def write(self, file: Path) -> None:
        """Let the turn that begins next go by this plan."""
        _log(file).write_text("")
        file.with_suffix(".new").write_text(json.dumps(asdict(self)))
        file.with_suffix(".new").replace(file)

    @classmethod
    def taken(cls, file: Path) -> Self | None:
        """Return the plan that was made for the turn that begins now."""
        try:
            plan = cls(**json.loads(file.read_text()))
        except FileNotFoundError:
            return None
        file.unlink()
        return plan


def moments(file: Path) -> list[str]:
    """Return the moments that the turn has gone through, and `struck` or `over` where it came to that."""
    return _log(file).read_text().splitlines()


def _log(file: Path) -> Path:
    return file.with_suffix(".log")


class Watch:
    """Counts the moments of a turn and strikes at the planned one."""

    def __init__(self, plan: Plan, log: Path) -> None:
        self._plan = plan
        self._log = log.open("a", buffering=1)
        self._count = 0
        self._ended = False

    def reached(self, kind: str, where: str, connection: socket.socket | None = None) -> None:
        """Note a moment; connection: its replies are to be there, and lost with a Redis that dies."""
        if self._ended:
            return
        self._log.write(f"{kind} {where}\n")
        self._count += self._plan.kind in ("", kind)
        if self._count != self._plan.nth or self._plan.kind not in ("", kind):
            return
        if connection is not None:
            select.select([connection], [], [])
        self.end(STRUCK)
        if self._plan.victim in ("redis", "both"):
            kill_server(Path(self._plan.server))
            if connection is not None:
                _drop(connection)
        if self._plan.victim in ("bot", "both"):
            os.kill(os.getpid(), signal.SIGKILL)

    def end(self, how: str) -> None:
        """Note that it is over."""
        if not self._ended:
            self._ended = True
            self._log.write(f"{how}\n")


_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


class Watched(Coroutine[Any, Any, Any]):
    """A task's coroutine, watched at every suspension."""

    def __init__(self, inner: Any, watch: Watch, *, first: bool) -> None:
        self._inner = inner
        self._its = watch
        self._first = first

    def send(self, value: Any) -> Any:
        return self._step(self._inner.send, value)

    def throw(self, *error: Any) -> Any:
        return self._step(self._inner.throw, *error)

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Any:
        return self._inner.__await__()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _step(self, step: Callable[..., Any], *given: Any) -> Any:
        _watch.set(self._its)
        try:
            awaited = step(*given)
        except BaseException:
            if self._first:
                self._its.end(OVER)
            raise
        self._its.reached("suspended", _place(self._inner))
        return awaited


def _place(coroutine: Any) -> str:
    """Return the innermost line of ours that awaits."""
    here: Any = coroutine
    found = "elsewhere"
    while here is not None:
        frame, after = _within(here)
        file = Path(frame.f_code.co_filename) if frame else OURS
        if OURS in file.parents:
            found = f"{file.relative_to(OURS)}:{frame.f_lineno} {frame.f_code.co_qualname}"
        here = after
    return found


def _within(awaiting: Any) -> tuple[Any, Any]:
    """Return where something stands that awaits, and what it awaits."""
    for frame, after in (("cr_frame", "cr_await"), ("ag_frame", "ag_await"), ("gi_frame", "gi_yieldfrom")):
        if hasattr(awaiting, frame):
            return getattr(awaiting, frame), getattr(awaiting, after)
    if type(awaiting).__name__.startswith(("async_generator_", "anext_")):  # they do not tell what they step through
        return None, next((one for one in gc.get_referents(awaiting) if type(one).__name__ != "NoneType"), None)
    return None, None


def _drop(connection: socket.socket) -> None:
    """Let nobody read what came in."""
    with socket.socket(fileno=os.dup(connection.fileno())) as same, suppress(OSError):
        while same.recv(1 << 16):
            pass


def install(file: Path) -> None:
    """Watch the turns for which there will be a plan in the file."""
    create_task = asyncio.BaseEventLoop.create_task
    writelines = asyncio.StreamWriter.writelines

    def watching(loop: Any, coroutine: Any, **options: Any) -> Any:
        watch, first = _watch.get(), False
        if watch is None and getattr(coroutine, "__qualname__", "") in BEGINS and (plan := Plan.taken(file)):
            watch, first = Watch(plan, _log(file)), True
        if watch is not None:
            coroutine = Watched(coroutine, watch, first=first)
        return create_task(loop, coroutine, **options)

    def telling(writer: asyncio.StreamWriter, data: Iterable[bytes]) -> None:
        watch, connection = _watch.get(), writer.get_extra_info("socket")
        if watch is None or connection.family != socket.AF_UNIX:
            return writelines(writer, data)
        packed = list(data)
        name = b"".join(packed).split(b"\r\n", 3)[2].decode()
        watch.reached("sending", name)
        writelines(writer, packed)
        return watch.reached("unread", name, connection)

    asyncio.BaseEventLoop.create_task = watching  # type: ignore[method-assign]
    asyncio.StreamWriter.writelines = telling  # type: ignore[method-assign]


if __name__ == "__main__":
    install(Path(sys.argv.pop(1)))

    from bot.cli import main

    main()
