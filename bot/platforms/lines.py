"""Where the lines of a local conversation come from: a prompt with history and completion, or a pipe."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer, WordCompleter
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from rich.console import Console

from bot.commands import table
from bot.commands.base import At
from bot.errors import MessageUnreadable
from bot.platforms.screens import RichScreen


async def typed(history: Path) -> AsyncIterator[str | bytes]:
    """Yield what is typed at the prompt until Ctrl-D, or Ctrl-C twice at an empty prompt.

    Enter sends, Alt-Enter begins a new line, Ctrl-C drops what has been typed.
    """
    session: PromptSession[str] = PromptSession(
        history=_history(history),
        completer=_completer(),
        complete_while_typing=False,
        multiline=True,
        key_bindings=_keys(),
        prompt_continuation="  ",
    )
    warned = False
    while True:
        try:
            line = await session.prompt_async("> ")
        except EOFError:
            return
        except KeyboardInterrupt:
            if session.default_buffer.text:
                continue
            if warned:
                return
            warned = True
            _note("Ctrl-C again or Ctrl-D leaves.")
            continue
        warned = False
        yield line


async def piped() -> AsyncIterator[str | bytes]:
    """Yield the lines of standard input."""
    source = io.BufferedReader(io.FileIO(0, closefd=False))  # sys.stdin's lock would not let a reading program end
    while raw := await _abandonable(source.readline):
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


def _history(file: Path) -> History:
    """Return the history in a file that only its owner reads; where there can be none, that of this session."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.chmod(0o600)
    except OSError as error:
        _note(f"What you type is not kept for the next time: {file}: {error.strerror}.")
        return InMemoryHistory()
    return FileHistory(str(file))


def _completer() -> Completer:
    """Complete commands, each with what it does beside it."""
    told = {}
    for one in table.offered(At.TERMINAL):
        told[f"/{one.name}"] = one.summary
        told |= {f"/{one.name} {verb.name}": verb.summary for verb in one.verbs if At.TERMINAL in verb.at}
    return WordCompleter(list(told), meta_dict=told, sentence=True)


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _break(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys


def _note(text: str) -> None:
    RichScreen(Console(stderr=True)).note(text)


async def _abandonable(read: Callable[[], bytes]) -> bytes:
    """Read in a thread that nobody waits for: a signal must end the program though the input stays open."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[bytes] = loop.create_future()

    def hand_over(found: bytes) -> None:
        if not line.done():
            line.set_result(found)

    def run() -> None:
        found = read()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(hand_over, found)

    Thread(target=run, daemon=True).start()
    return await line
