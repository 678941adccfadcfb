"""What travels between platforms, engine and apps."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.models.base import Image, Piece
from memory.records import Recalled, Status, Turn
from memory.scope import Scope


@dataclass(frozen=True, slots=True)
class Seen:
    """A message that a person sees beside the one addressed to the bot: the one replied to, the channel's last.

    id: of the turn that it is, where it is remembered; empty: unknown.
    """

    author: str
    text: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message: a text, an image, or neither.

    unread: why it is not, or not wholly, read; a few words for people. author: whose it is where it came with another
    message, the one replied to: then it is shown and not remembered.
    """

    name: str
    text: str | None = None
    image: Image | None = None
    unread: str = ""
    author: str | None = None


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message addressed to the bot.

    id: the platform's, unique in its conversation. sent_at: milliseconds since 1970, UTC. timezone: the person's.
    text: may be empty where something is attached.
    """

    id: str
    scope: Scope
    author: str
    text: str
    sent_at: int
    timezone: str = "UTC"
    context: Sequence[Seen] = ()
    attachments: Sequence[Attachment] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the bot says about an answer, not part of it."""

    text: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """What an answer took. prompt and completion: the model's own count, or ours where it tells none."""

    prompt: int
    completion: int
    budget: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The end of a whole answer, and what it was made from."""

    answer: str
    turn_id: str
    model: str
    recalled: tuple[Recalled, ...]
    recent: tuple[Turn, ...]
    tokens: Tokens
    status: Status = Status.WHOLE


Event = Piece | Notice | Answered
