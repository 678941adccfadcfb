"""The commands that every platform offers: their names, options and words. No platform code."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.records import Answered
from memory.memory import Memory
from memory.records import Recalled, Turn
from memory.scope import Scope

LISTED = 20  # turns that one listing shows


@dataclass(frozen=True, slots=True)
class Here:
    """Where a command is given. last: the last answer given here, if any."""

    scope: Scope
    memory: Memory
    timezone: str = "UTC"
    last: Answered | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a command says, in Markdown, and what it asks of its platform."""

    text: str = ""
    user: str | None = None
    conversation: str | None = None
    leave: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """One command. usage: its options, as shown in help. terminal: it makes sense in the terminal alone."""

    name: str
    usage: str
    summary: str
    run: Callable[[Here, str], Awaitable[Said]]
    terminal: bool = False


async def run(line: str, here: Here) -> Said:
    """Carry out a line that begins with `/`."""
    name, _, rest = line.strip().removeprefix("/").partition(" ")
    command = next((one for one in TABLE if one.name == name), None)
    if command is None:
        return Said(f"There is no command `/{name}`. `/help` lists them.")
    return await command.run(here, rest.strip())


async def why(here: Here, rest: str) -> Said:
    """Show what was recalled for the last answer, and each signal's score."""
    if here.last is None:
        return Said("There is no answer yet to explain.")
    if not here.last.recalled:
        return Said(f"Nothing was recalled for the last answer; it saw {len(here.last.recent)} turns of the window.")
    lines = [found(one, here.timezone) for one in here.last.recalled]
    return Said("Recalled for the last answer, best first:\n\n" + "\n".join(lines))


async def memory(here: Here, rest: str) -> Said:
    """List what is remembered, or search it."""
    verb, _, words = rest.partition(" ")
    if verb == "list" and not words:
        listing = await here.memory.latest(here.scope, LISTED)
        if not listing.total:
            return Said("Nothing is remembered here yet.")
        lines = [f"- {told(turn, here.timezone)}" for turn in reversed(listing.turns)]
        return Said(f"The last {len(lines)} of {listing.total:,} turns:\n\n" + "\n".join(lines))
    if verb == "search" and words.strip():
        hits = await here.memory.recall(here.scope, words.strip())
        return Said("\n".join(found(one, here.timezone) for one in hits) or "Nothing is remembered here yet.")
    return Said("Say `/memory list` or `/memory search WORDS`.")


async def new(here: Here, rest: str) -> Said:
    """Begin anew: the window is emptied, memory is kept."""
    await here.memory.begin_anew(here.scope)
    return Said("A fresh start. What was said before is still remembered.")


async def user(here: Here, rest: str) -> Said:
    """Tell or change who is speaking."""
    if not rest:
        return Said(f"You are {here.scope.person}. `/user NAME` changes that.")
    return Said(f"You are {rest} now.", user=rest)


async def conversation(here: Here, rest: str) -> Said:
    """Tell or change the conversation."""
    if not rest:
        return Said(f"This is the conversation {here.scope.conversation}. `/conversation NAME` opens another.")
    return Said(f"This is the conversation {rest} now.", conversation=rest)


async def help_(here: Here, rest: str) -> Said:
    """List the commands."""
    return Said("\n".join(f"- `/{one.name}{' ' + one.usage if one.usage else ''}`: {one.summary}" for one in TABLE))


async def leave(here: Here, rest: str) -> Said:
    """Leave."""
    return Said(leave=True)


TABLE = (
    Command("why", "", "what was recalled for the last answer, and why", why),
    Command("memory", "list | search WORDS", "what is remembered", memory),
    Command("new", "", "a fresh start; memory is kept", new),
    Command("user", "[NAME]", "who is speaking; everyone has a memory of their own", user, terminal=True),
    Command("conversation", "[NAME]", "the conversation; each has a window of its own", conversation, terminal=True),
    Command("help", "", "this list", help_),
    Command("quit", "", "leave (or Ctrl-D)", leave, terminal=True),
)


def found(one: Recalled, timezone: str) -> str:
    """Return a recalled turn with its score and signals, as a line of a list."""
    signals = ", ".join(f"{name} {value:.2f}" for name, value in one.signals.items())
    return f"- **{one.score:.2f}** {told(one.turn, timezone)} ({signals})"


def told(turn: Turn, timezone: str) -> str:
    """Return a turn as one line: when, who, what."""
    moment = datetime.fromtimestamp(turn.sent_at / 1000, ZoneInfo(timezone))
    text = " ".join(turn.text.split())
    shown = text if len(text) <= 200 else f"{text[:199]}…"
    return f"{moment:%Y-%m-%d %H:%M} {turn.author}: {shown}"
