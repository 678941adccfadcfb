"""Where people do something on a platform: each brings a Place for it, and the desk (bot/desk.py) does the rest."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.channels import Channel
from bot.commands.base import File, Link, Slash, Switch, nowhere, slashed
from bot.delivery.parts import Limit
from bot.records import Incoming, Seen
from memory.scope import Scope


@dataclass(frozen=True, slots=True)
class Who:
    """Who does something, and where.

    manager: of the server or workspace. moderator: of what others say here. roles: their ids. link: the address of a
    turn. slash: what people type here for a command.
    """

    scope: Scope
    name: str
    manager: bool = False
    moderator: bool = False
    roles: Collection[str] = ()
    link: Link = nowhere
    slash: Slash = slashed


@dataclass(frozen=True, slots=True)
class Shown:
    """One message of what a command says, in Markdown. confirm: names what waits for a yes, with Yes and No below."""

    text: str
    confirm: str = ""
    file: File | None = None


class Place(Protocol):
    """Where somebody does one thing on a platform, and what can be done about it there.

    Methods raise DeliveryError where the platform fails, CommandError where it cannot be done here.
    """

    @property
    def limit(self) -> Limit:
        """How much one message holds."""

    def quiet(self, text: str) -> str:
        """Return a text that calls nobody."""

    async def who(self) -> Who:
        """Return who does it, and where."""

    async def wait(self, *, openly: bool) -> None:
        """Show that an answer is coming. openly: everybody will see it."""

    async def show(self, shown: Shown, *, openly: bool = False) -> None:
        """Tell whoever does it, and nobody else unless openly."""

    async def settle(self) -> None:
        """Take the buttons away of which one was pressed."""

    async def say(self, text: str) -> str:
        """Say something in front of everybody, and return the message's id."""

    async def take(self, message: str, question: str, context: Sequence[Seen]) -> bool:
        """Let a message of ours be answered that says what somebody asks; False where too much waits."""

    async def take_again(self, incoming: Incoming) -> bool:
        """Let a message be answered anew, as it is now; False where too much waits. Raises LookupError: it is gone."""

    async def stop(self, message: str) -> bool:
        """Stop the answer to a message; False where there is none."""

    async def open_thread(self, topic: str) -> bool:
        """Open a thread in which every message is for the bot, a topic the first; False where too much waits."""

    async def switch(self, wanted: Switch) -> Channel:
        """Switch on or off what the bot does in this channel."""

    async def learn(self) -> bool:
        """Begin to learn what was said in this channel; False where that is being done."""
