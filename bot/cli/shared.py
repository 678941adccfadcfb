"""What the commands share: options, progress on standard error, the shapes that --json prints."""

import asyncio
import os
import stat
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bot.platforms.screens import clean
from bot.wiring import Progress as Tell
from memory.records import Recalled, Turn

P = ParamSpec("P")
T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])


def asynchronous(run: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Run a command's coroutine in an event loop of its own."""

    @wraps(run)
    def running(*args: P.args, **kwargs: P.kwargs) -> T:
        return asyncio.run(run(*args, **kwargs))

    return running


def whose(command: Command) -> Command:
    """Add --user and --conversation."""
    command = click.option("--conversation", metavar="NAME", help="The conversation; default: main.")(command)
    return click.option("--user", metavar="NAME", help="Whose memory; default: your login name.")(command)


def as_json(command: Command) -> Command:
    """Add --json."""
    return click.option("--json", "json_", is_flag=True, help="Print JSON, for machines.")(command)


@contextmanager
def starting() -> Iterator[Tell]:
    """Show what is done until things have started; nothing stays on the screen, a pipe sees nothing."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda what, done: None
        return
    with Progress(TextColumn("{task.description}"), BarColumn(), console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def tell(what: str, done: float | None) -> None:
            if what not in tasks:
                for other in tasks.values():
                    bars.update(other, visible=False)
                tasks[what] = bars.add_task(what, total=None)
            bars.update(tasks[what], total=None if done is None else 1.0, completed=done or 0.0)

        yield tell


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar over so many steps, on standard error."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda steps: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task(what, total=total)
        yield lambda steps: bars.advance(task, steps)


def piped(text: str) -> str:
    """Return a text, with what is piped in below it."""
    from bot.platforms.lines import decoded  # heavy

    below = decoded(sys.stdin.buffer.read(), "standard input").strip() if _something_piped(text) else ""
    return "\n\n".join(part for part in (text.strip(), below) if part)


def _something_piped(text: str) -> bool:
    """Tell whether to read standard input: with a text only a pipe or a file, as others may stay open for ever."""
    if sys.stdin is None or sys.stdin.isatty():
        return False
    mode = os.fstat(sys.stdin.fileno()).st_mode
    return not text.strip() or stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def show(lines: Iterable[str]) -> None:
    """Print lines of what is remembered, cleaned: it may hold anything."""
    print(clean("\n".join(lines)) or "Nothing is remembered yet.")


def turn_json(turn: Turn) -> dict[str, Any]:
    """Return a turn as --json prints it."""
    return {
        "id": turn.id,
        "text": turn.text,
        "author": turn.author,
        "sent_at": turn.sent_at,
        "conversation": turn.conversation,
        "role": turn.role,
        "status": turn.status.value,
        "score": None,
        "signals": {},
    }


def recalled_json(one: Recalled) -> dict[str, Any]:
    """Return a recalled turn as --json prints it."""
    return {**turn_json(one.turn), "excerpt": one.excerpt, "score": one.score, "signals": dict(one.signals)}
