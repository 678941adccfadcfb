"""What a command is, what it is given and what it says."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Flag, auto

from bot.records import Answered
from bot.service import Service
from memory.memory import Memory
from memory.records import Turn
from memory.scope import Operator, Scope
from memory.transfer import Exported

Named = tuple[str, str]  # a turn: its conversation and id
Link = Callable[[Turn], str]  # the address of a turn on the platform, "" where it has none
Slash = Callable[[str], str]  # what people type for a command, by its name


def nowhere(turn: Turn) -> str:
    """Return no address."""
    return ""


def slashed(name: str) -> str:
    """Return a command as most platforms have it."""
    return f"/{name}"


class At(Flag):
    """Where a command makes sense: in the terminal, in the chats of a platform."""

    TERMINAL = auto()
    CHAT = auto()


EVERYWHERE = At.TERMINAL | At.CHAT


@dataclass(frozen=True, slots=True)
class Here:
    """Where a command is given.

    last: the last answer given here, if any. listed: the turns that were listed last, which numbers stand for.
    owner: whoever gives commands may manage all of the tenant's memory, and not only what is theirs. at: the terminal,
    where files of this machine may be named, or a chat. manager: they manage the server or workspace. link: the
    address of a turn. slash: what people type here for a command. service: what else a running bot has.
    """

    scope: Scope
    memory: Memory
    timezone: str = "UTC"
    last: Answered | None = None
    listed: tuple[Named, ...] = ()
    owner: bool = False
    at: At = At.CHAT
    manager: bool = False
    link: Link = nowhere
    slash: Slash = slashed
    service: Service | None = None

    @property
    def files(self) -> bool:
        """Whether files of this machine may be named."""
        return self.at is At.TERMINAL

    @property
    def whose(self) -> Scope | Operator:
        """Whose memory is managed here."""
        return Operator(self.scope.tenant) if self.owner else self.scope

    def scope_of(self, one: Exported) -> Scope:
        """Return where a turn belongs that is brought in here: on their own machine, a user's turns are open to them.

        A line that says that fewer could read it elsewhere must not close a conversation here.
        """
        if not self.files:
            return one.scope(self.scope.tenant, self.scope.person)
        return Scope(self.scope.tenant, one.turn.conversation, self.scope.person, self.scope.audience)


@dataclass(frozen=True, slots=True)
class File:
    """A text file that a command gives."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Switch:
    """What the bot is to do in a channel from now on; None: as before. As `bot.channels.Channel`."""

    joins: bool | None = None
    remembers: bool | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a command says, in Markdown, and what it asks of its platform.

    listed: the turns that it lists, in order. confirm: what to do if the person says yes. forgotten: what has been
    shown before may be gone by now. ask: a question that is to be answered in front of everybody. chat: what a thread
    is to be opened about, "" for anything. switch: what the bot is to do in this channel. learn: what was said in this
    channel before is to be remembered.
    """

    text: str = ""
    user: str | None = None
    conversation: str | None = None
    leave: bool = False
    listed: tuple[Named, ...] | None = None
    confirm: Callable[[], Awaitable["Said"]] | None = None
    forgotten: bool = False
    file: File | None = None
    ask: str | None = None
    chat: str | None = None
    switch: Switch | None = None
    learn: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that a command takes, where the platform asks for each by its name.

    form: how it stands in the words that the command gets, where all are one text.
    """

    name: str
    summary: str
    required: bool = False
    choices: tuple[str, ...] = ()
    form: str = "{}"


@dataclass(frozen=True, slots=True)
class Command:
    """One command, or one verb of a command that has several.

    usage: its options, as shown in help. at: where it makes sense. open: everybody may see what it says. manager: only
    who manages the server or workspace may give it.
    """

    name: str
    usage: str
    summary: str
    run: Callable[[Here, str], Awaitable[Said]]
    at: At = EVERYWHERE
    options: tuple[Option, ...] = ()
    verbs: tuple["Command", ...] = ()
    open: bool = False
    manager: bool = False

    def words(self, given: dict[str, str | None]) -> str:
        """Return options that were given by name as the words that the command gets."""
        return " ".join(one.form.format(given[one.name]) for one in self.options if given.get(one.name))
