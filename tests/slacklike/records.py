"""What there is on the server. Messages are known by their ts, and keep the history of their text."""

import itertools
import time
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from tests.slacklike import blocks as kit

Json = dict[str, Any]


class Kind(StrEnum):
    """Kinds of conversations, by the names that conversations.list has for them."""

    PUBLIC = "public_channel"
    PRIVATE = "private_channel"
    IM = "im"
    MPIM = "mpim"


class Guest(StrEnum):
    """How far a member is in a workspace."""

    NO = ""
    MULTI = "is_restricted"
    SINGLE = "is_ultra_restricted"


class Ids:
    """Ids and timestamps; both are unique, and those of now grow."""

    def __init__(self) -> None:
        self._serials = itertools.count(1)
        self._last = 0

    def next(self, prefix: str) -> str:
        return f"{prefix}0{next(self._serials):09X}"

    def ts(self, at: datetime | None = None) -> str:
        """Return a new ts, of now or of a past time."""
        if at is not None:
            moment = int(at.timestamp() * 1_000_000) + next(self._serials) % 1000
        else:
            moment = self._last = max(self._last + 1, time.time_ns() // 1000)
        return f"{moment // 1_000_000}.{moment % 1_000_000:06d}"


@dataclass(eq=False)
class Team:
    """A workspace."""

    id: str
    name: str
    enterprise: str | None = None

    @property
    def domain(self) -> str:
        return self.name.lower().replace(" ", "-")


@dataclass(eq=False)
class Person:
    """A user of a workspace; bots are people too."""

    id: str
    name: str
    team: Team
    bot_id: str = ""
    guest: Guest = Guest.NO
    admin: bool = False
    deleted: bool = False

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"


@dataclass(eq=False)
class File:
    id: str
    name: str
    mimetype: str
    data: bytes = b""
    title: str = ""
    owner: Person | None = None
    uploaded: bool = True
    deleted: bool = False
    channels: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Version:
    """A message's text as people saw it from some time on; seconds of time.monotonic."""

    at: float
    text: str


@dataclass(eq=False)
class Stream:
    """The state of a streamed message; `by` is what its pieces are: "markdown_text" or "chunks"."""

    by: str
    started: float
    recipient: str = ""
    state: str = "streaming"  # then completed, expired or stopped_by_user
    tasks: list[Json] = field(default_factory=list)  # chunks that are not text


@dataclass(eq=False)
class Message:
    ts: str
    channel: "Channel"
    author: Person
    text: str
    thread_ts: str = ""  # of its parent; a parent has its own once it is replied to
    subtype: str = ""
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    metadata: Json | None = None
    unfurl_links: bool = True
    unfurl_media: bool = True
    by_app: bool = False
    edited: str = ""  # the ts of the edit
    deleted: bool = False
    seen_by: Person | None = None  # ephemeral: by nobody else
    stream: Stream | None = None
    rang: bool = False  # as posted or as revised it called a channel, everyone or a group
    reactions: dict[str, list[str]] = field(default_factory=dict)  # name -> ids of people
    history: list[Version] = field(default_factory=list)

    @property
    def is_reply(self) -> bool:
        return bool(self.thread_ts) and self.thread_ts != self.ts

    @property
    def shown(self) -> str:
        """What people read: the blocks if there are any, else the text."""
        if self.stream is not None:
            return "\n".join(part for part in (self.text, kit.shown(self.blocks)) if part)
        return kit.shown(self.blocks) if self.blocks else kit.unescaped(self.text)

    @property
    def streaming(self) -> bool:
        return self.stream is not None and self.stream.state == "streaming"

    @property
    def buttons(self) -> dict[str, Json]:
        """The buttons by their labels."""
        return kit.buttons(self.blocks)


@dataclass(eq=False)
class Channel:
    id: str
    team: Team
    kind: Kind
    name: str
    members: dict[str, Person] = field(default_factory=dict)
    shared_with: list[Team] = field(default_factory=list)
    archived: bool = False
    deleted: bool = False
    creator: Person | None = None
    log: dict[str, Message] = field(default_factory=dict)
    threads: dict[str, list[Message]] = field(default_factory=dict)  # replies by the ts of their parent

    def keep(self, message: Message) -> None:
        """Keep a message in the log, and in its thread."""
        self.log[message.ts] = message
        if message.is_reply:
            self.threads.setdefault(message.thread_ts, []).append(message)

    @property
    def type(self) -> str:
        """The kind as events have it in `channel_type`."""
        return {Kind.PUBLIC: "channel", Kind.PRIVATE: "group", Kind.IM: "im", Kind.MPIM: "mpim"}[self.kind]

    @property
    def messages(self) -> list[Message]:
        """What everybody there sees, in threads too, oldest first."""
        shown = (message for message in self.log.values() if not message.deleted and message.seen_by is None)
        return sorted(shown, key=lambda message: message.ts)

    @property
    def texts(self) -> list[str]:
        return [message.shown for message in self.messages]

    def replies(self, thread_ts: str) -> list[Message]:
        shown = (one for one in self.threads.get(thread_ts, []) if not one.deleted and one.seen_by is None)
        return sorted(shown, key=lambda message: message.ts)


@dataclass(eq=False)
class View:
    """A modal or a Home tab."""

    id: str
    team: Team
    person: Person
    data: Json
    hash: str
    root: str
    previous: str = ""
    values: Json = field(default_factory=dict)  # block_id -> action_id -> state
    errors: dict[str, str] = field(default_factory=dict)  # as a refused submission shows them

    @property
    def shown(self) -> str:
        return kit.shown(self.data.get("blocks") or [])

    @property
    def buttons(self) -> dict[str, Json]:
        return kit.buttons(self.data.get("blocks") or [])


@dataclass(eq=False)
class Session:
    """An agent's session in a thread, or the legacy assistant's status there."""

    channel: Channel
    thread_ts: str
    status: str = ""
    title: str = ""
    prompts: list[Json] = field(default_factory=list)
    prompts_title: str = ""
    initiator: str = ""
    history: list[Version] = field(default_factory=list)  # of the status

    def become(self, status: str) -> None:
        self.status = status
        self.history.append(Version(time.monotonic(), status))
