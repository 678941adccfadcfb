"""Where a local conversation is shown: a person's terminal, or a pipe."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import ClassVar, Protocol

from markdown_it import MarkdownIt
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.markdown import Heading, Markdown, MarkdownElement
from rich.segment import Segment
from rich.spinner import Spinner

if sys.platform != "win32":
    import termios

_CONTROLS = [*range(0x20), *range(0x7F, 0xA0)]  # C0, DEL, C1: every escape sequence begins with one
_SURROGATES = range(0xD800, 0xE000)  # halves of a character: no terminal, pipe or file takes them
_CLEAN = {char: None for char in _CONTROLS if chr(char) not in "\n\t"} | dict.fromkeys(_SURROGATES, "\ufffd")


def clean(text: str) -> str:
    """Return text that cannot steer a terminal: no control characters but line breaks and tabs.

    Models, memory and servers may say anything; an escape sequence could clear the screen, rename the window or fill
    the clipboard.
    """
    return text.translate(_CLEAN)


class Screen(Protocol):
    """Where answers and everything else are shown, each cleaned first."""

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


class RichScreen:
    """A terminal: live Markdown; notes are dim."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def answer(self) -> "LiveWriter":
        """Begin an answer."""
        return LiveWriter(self._console)

    def say(self, markdown: str) -> None:
        """Show what a command says."""
        self._console.print(Prose(clean(markdown)), "")

    def note(self, text: str) -> None:
        """Show something that is not an answer."""
        self._console.print(clean(text), style="dim", markup=False, highlight=False, emoji=False)


class LiveWriter:
    """Shows the tail of the growing answer, and the whole of it at the end.

    A live display can't be taller than the screen: what has scrolled away can't be redrawn.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._text = ""
        self._waiting = Spinner("dots", style="dim")
        self._live = Live(get_renderable=self._shown, console=console, transient=True, refresh_per_second=10)
        self._silence = ExitStack()

    def __enter__(self) -> "LiveWriter":
        self._silence.enter_context(unechoed())
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        with self._silence:
            self._live.stop()
            if self._text.strip():
                self._console.print(Prose(self._text), "")

    def write(self, text: str) -> None:
        """Add a piece."""
        self._text += clean(text)

    def _shown(self) -> RenderableType:
        """Return what to draw; asked ten times a second, however many pieces come."""
        return Tail(Prose(self._text), self._console.height - 2) if self._text.strip() else self._waiting


class Prose(Markdown):
    """Markdown as a chat wants it: all of what was said is seen, and headings stand at the left.

    Tags are text (rich drops them: `vector<int>` became `vector`), and a link shows where it leads.
    """

    class Left(Heading):
        """A heading at the left."""

        LEVEL_ALIGN: ClassVar = {}

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {**Markdown.elements, "heading_open": Left}

    def __init__(self, markup: str) -> None:
        super().__init__("", hyperlinks=False)
        self.markup = markup
        self.parsed = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"]).parse(markup)


class Tail:
    """The last lines of something taller than the screen."""

    def __init__(self, whole: RenderableType, height: int) -> None:
        self._whole = whole
        self._height = max(height, 1)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render all of it, yield the end."""
        for line in console.render_lines(self._whole, options, pad=False)[-self._height :]:
            yield from line
            yield Segment.line()


@contextmanager
def unechoed() -> Iterator[None]:
    """Keep keys off the screen for a while; Ctrl-C still interrupts, other keys wait for the next prompt.

    An echoed ^C would move the cursor that a live display counts on, and leave its last frame behind.
    """
    if sys.platform == "win32" or not sys.stdin.isatty():  # Windows echoes nothing that nobody reads
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    quiet = before.copy()
    quiet[0] &= ~termios.ICRNL  # Enter stays Enter for the prompt that reads it later
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(sys.stdin, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSANOW, before)


class PlainScreen:
    """Not a terminal: answers to standard output, everything else to standard error.

    Cleaned as well: what goes into a pipe often ends on a terminal (`| tee log`).
    """

    def answer(self) -> "PlainWriter":
        """Begin an answer."""
        return PlainWriter()

    def say(self, markdown: str) -> None:
        """Show what a command says: it is the answer to the command."""
        print(clean(markdown), flush=True)

    def note(self, text: str) -> None:
        """Show something that is not an answer."""
        print(clean(text), file=sys.stderr, flush=True)


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
        print(clean(text), end="", flush=True)
