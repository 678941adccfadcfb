"""The terminal: a conversation at a prompt, or a line a turn from a pipe."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer, WordCompleter
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment
from rich.spinner import Spinner
from ulid import ULID

from bot import commands
from bot.engine import Engine
from bot.errors import MessageUnreadable, ModelError
from bot.models.base import Piece
from bot.records import Answered, Incoming, Notice
from memory.errors import LoreError
from memory.memory import Memory
from memory.scope import Audience, Scope


def scope(user: str, conversation: str, *, narrow: bool = False) -> Scope:
    """Return the scope of a local conversation: every one of a user is public, to that user alone."""
    return Scope(f"local:{user}", conversation, user, Audience.PUBLIC, narrow=narrow)


class Screen(Protocol):
    """Where answers and everything else are shown."""

    def answer(self) -> "Writer":
        """Begin an answer."""
        ...

    def say(self, markdown: str) -> None:
        """Show what a command says."""
        ...

    def note(self, text: str) -> None:
        """Show something that is not an answer."""
        ...


class Writer(Protocol):
    """Shows one answer as it comes."""

    def __enter__(self) -> "Writer": ...

    def __exit__(self, *error: object) -> None: ...

    def write(self, text: str) -> None:
        """Add a piece."""
        ...


class Terminal:
    """Holds a conversation: lines in, answers to the screen."""

    def __init__(self, engine: Engine, memory: Memory, screen: Screen, here: Scope, timezone: str) -> None:
        self._engine = engine
        self._memory = memory
        self._screen = screen
        self._scope = here
        self._timezone = timezone
        self._last: Answered | None = None
        self.failed = False

    async def hold(self, lines: AsyncIterator[str | bytes]) -> None:
        """Answer line by line until the lines end or somebody leaves; bytes are checked to be text first."""
        await self._make_good()
        async with aclosing(lines):  # type: ignore[type-var]
            async for line in lines:
                if line.strip() and not await self._heard(line):
                    return

    async def _heard(self, raw: str | bytes) -> bool:
        try:
            line = decoded(raw, "this line") if isinstance(raw, bytes) else raw
            if line.lstrip().startswith("/"):
                return await self._command(line)
            await self._reply(self._incoming(line))
        except LoreError as error:
            self.failed = True
            self._screen.note(str(error))
        return True

    async def _command(self, line: str) -> bool:
        said = await commands.run(line, commands.Here(self._scope, self._memory, self._timezone, self._last))
        if said.user or said.conversation:
            self._scope = scope(
                said.user or self._scope.person,
                said.conversation or self._scope.conversation,
                narrow=self._scope.narrow,
            )
            self._last = None
        if said.text:
            self._screen.say(said.text)
        return not said.leave

    async def _reply(self, incoming: Incoming) -> None:
        """Show the answer; Ctrl-C cancels it."""
        task = asyncio.current_task()
        assert task is not None
        answering = asyncio.create_task(self._show(incoming))
        with _on_interrupt(answering.cancel):
            try:
                await answering
            except asyncio.CancelledError:
                if task.cancelling():
                    answering.cancel()
                    raise
                self._screen.note("stopped")
            except ModelError as error:
                self.failed = True
                self._screen.note(f"{error} (turn {incoming.id})")

    async def _show(self, incoming: Incoming) -> None:
        notices: list[str] = []
        with self._screen.answer() as writer:
            async with aclosing(self._engine.reply(incoming)) as events:  # type: ignore[type-var]
                async for event in events:
                    match event:
                        case Piece(text):
                            writer.write(text)
                        case Notice(text):
                            notices.append(text)
                        case Answered():
                            self._last = event
        for notice in notices:
            self._screen.note(notice)

    async def _make_good(self) -> None:
        """Answer what an earlier process was asked here and did not come to answer."""
        for incoming in await self._engine.unfinished(self._scope.tenant):
            if incoming.scope.conversation == self._scope.conversation:
                self._screen.note(f"You were not answered last time: {incoming.text}")
                await self._reply(incoming)

    def _incoming(self, text: str) -> Incoming:
        return Incoming(
            id=str(ULID()),
            scope=self._scope,
            author=self._scope.person,
            text=text,
            sent_at=time.time_ns() // 1_000_000,
            timezone=self._timezone,
        )


class RichScreen:
    """A terminal: live Markdown; notes are dim."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def answer(self) -> "LiveWriter":
        """Begin an answer."""
        return LiveWriter(self._console)

    def say(self, markdown: str) -> None:
        """Show what a command says."""
        self._console.print(Markdown(markdown), "")

    def note(self, text: str) -> None:
        """Show something that is not an answer."""
        self._console.print(text, style="dim", markup=False, highlight=False)


class LiveWriter:
    """Shows the tail of the growing answer, and the whole of it at the end.

    A live display can't be taller than the screen: what has scrolled away can't be redrawn.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._text = ""
        self._live = Live(Spinner("dots", style="dim"), console=console, transient=True, refresh_per_second=10)

    def __enter__(self) -> "LiveWriter":
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()
        if self._text.strip():
            self._console.print(Markdown(self._text), "")

    def write(self, text: str) -> None:
        """Add a piece."""
        self._text += text
        self._live.update(Tail(Markdown(self._text), self._console.height - 2))


class Tail:
    """The last lines of something taller than the screen."""

    def __init__(self, whole: Markdown, height: int) -> None:
        self._whole = whole
        self._height = max(height, 1)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render all of it, yield the end."""
        for line in console.render_lines(self._whole, options, pad=False)[-self._height :]:
            yield from line
            yield Segment.line()


class PlainScreen:
    """Not a terminal: answers to standard output, everything else to standard error."""

    def answer(self) -> "PlainWriter":
        """Begin an answer."""
        return PlainWriter()

    def say(self, markdown: str) -> None:
        """Show what a command says: it is the answer to the command."""
        print(markdown, flush=True)

    def note(self, text: str) -> None:
        """Show something that is not an answer."""
        print(text, file=sys.stderr, flush=True)


class PlainWriter:
    """Writes pieces as they come, and ends the line."""

    def __init__(self) -> None:
        self._any = False

    def __enter__(self) -> "PlainWriter":
        return self

    def __exit__(self, *error: object) -> None:
        if self._any:
            print(flush=True)

    def write(self, text: str) -> None:
        """Add a piece."""
        self._any = True
        print(text, end="", flush=True)


async def typed(history: Path) -> AsyncIterator[str | bytes]:
    """Yield what is typed at the prompt until Ctrl-D or a second Ctrl-C.

    Enter sends, Alt-Enter begins a new line; the history is kept in a file that only its owner reads.
    """
    history.parent.mkdir(parents=True, exist_ok=True)
    history.touch(mode=0o600)
    history.chmod(0o600)
    session: PromptSession[str] = PromptSession(
        history=FileHistory(str(history)),
        completer=_completer(),
        complete_while_typing=False,
        multiline=True,
        key_bindings=_keys(),
        prompt_continuation="  ",
    )
    interrupted = False
    while True:
        try:
            line = await session.prompt_async("> ")
        except EOFError:
            return
        except KeyboardInterrupt:
            if interrupted:
                return
            interrupted = True
            print("Ctrl-C again or Ctrl-D leaves.", file=sys.stderr)
            continue
        interrupted = False
        yield line


async def piped() -> AsyncIterator[str | bytes]:
    """Yield the lines of standard input."""
    while raw := await asyncio.to_thread(sys.stdin.buffer.readline):
        yield raw.rstrip(b"\r\n")


def decoded(raw: bytes, what: str) -> str:
    """Return bytes as text; raises MessageUnreadable where they are not UTF-8."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MessageUnreadable(
            f"{what} is not UTF-8 (byte 0x{raw[error.start]:02x} at {error.start}); "
            "convert it first, for example with: iconv -f latin1 -t utf-8"
        ) from error


def on_terminal() -> bool:
    """Tell whether a person sits at both ends."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _completer() -> Completer:
    return WordCompleter([f"/{one.name}" for one in commands.TABLE], sentence=True)


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _break(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys


@contextmanager
def _on_interrupt(act: Callable[[], object]):  # type: ignore[no-untyped-def]
    """Let Ctrl-C do this for a while."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(signal.SIGINT, act)
    except (NotImplementedError, RuntimeError):  # Windows, or not the main thread: Ctrl-C ends the program there
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
