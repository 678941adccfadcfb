"""What a command is given and what it says."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.records import Answered
from memory.memory import Memory
from memory.scope import Operator, Scope
from memory.transfer import Exported

Named = tuple[str, str]  # a turn: its conversation and id


@dataclass(frozen=True, slots=True)
class Here:
    """Where a command is given.

    last: the last answer given here, if any. listed: the turns that were listed last, which numbers stand for.
    owner: whoever gives commands may manage all of the tenant's memory, and not only what is theirs. files: they may
    name files of this machine.
    """

    scope: Scope
    memory: Memory
    timezone: str = "UTC"
    last: Answered | None = None
    listed: tuple[Named, ...] = ()
    owner: bool = False
    files: bool = False

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
class Said:
    """What a command says, in Markdown, and what it asks of its platform.

    listed: the turns that it lists, in order. confirm: what to do if the person says yes. forgotten: what has been
    shown before may be gone by now.
    """

    text: str = ""
    user: str | None = None
    conversation: str | None = None
    leave: bool = False
    listed: tuple[Named, ...] | None = None
    confirm: Callable[[], Awaitable["Said"]] | None = None
    forgotten: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """One command. usage: its options, as shown in help. terminal: it makes sense in the terminal alone."""

    name: str
    usage: str
    summary: str
    run: Callable[[Here, str], Awaitable[Said]]
    terminal: bool = False
