"""What there is on the server. Ids are ints here and strings in JSON; a message keeps the history of its text."""

import itertools
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum, IntFlag
from typing import Any

Json = dict[str, Any]

DISCORD_EPOCH = 1_420_070_400_000  # milliseconds; the first of January 2015


class Can(IntFlag):
    """Permissions, with Discord's bits."""

    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    MANAGE_ROLES = 1 << 28
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    CREATE_PRIVATE_THREADS = 1 << 36
    SEND_MESSAGES_IN_THREADS = 1 << 38


NOTHING = Can(0)
ALL = Can((1 << 50) - 1)
MEMBERS = ~(
    Can.ADMINISTRATOR | Can.MANAGE_CHANNELS | Can.MANAGE_GUILD | Can.MANAGE_MESSAGES | Can.MANAGE_ROLES
    | Can.MANAGE_THREADS | Can.MENTION_EVERYONE
) & ALL  # fmt: skip


class Kind(IntEnum):
    """Kinds of channels, with Discord's numbers."""

    TEXT = 0
    DM = 1
    GROUP_DM = 3
    CATEGORY = 4
    NEWS = 5
    NEWS_THREAD = 10
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12


THREADS = (Kind.NEWS_THREAD, Kind.PUBLIC_THREAD, Kind.PRIVATE_THREAD)


class Ids:
    """Snowflakes: they grow, and tell when they were made."""

    def __init__(self) -> None:
        self._serials = itertools.count(1)
        self._last = 0

    def next(self, at: datetime | None = None) -> int:
        """Return a new id; one made for the past is unique too, but smaller."""
        serial = next(self._serials)
        if at is not None:
            return (int(at.timestamp() * 1000) - DISCORD_EPOCH << 22) + serial % 4096
        self._last = max(self._last + 1, int(time.time() * 1000) - DISCORD_EPOCH << 22)
        return self._last

    def apart(self) -> int:
        """Return a new id at least a millisecond after the last: shards are told by the time in a guild's id."""
        self._last += 1 << 22
        return self.next()


def when(snowflake: int) -> datetime:
    """Return when an id was made."""
    return datetime.fromtimestamp(((snowflake >> 22) + DISCORD_EPOCH) / 1000, UTC)


@dataclass(eq=False)
class Person:
    """A user; bots are people too."""

    id: int
    name: str
    bot: bool = False
    takes_dms: bool = True

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"


@dataclass(eq=False)
class Role:
    id: int
    name: str
    permissions: Can
    position: int = 1

    @property
    def mention(self) -> str:
        return f"<@&{self.id}>"


@dataclass(eq=False)
class Guild:
    id: int
    name: str
    owner: Person
    roles: dict[int, Role] = field(default_factory=dict)
    members: dict[int, list[Role]] = field(default_factory=dict)  # person id -> roles

    @property
    def everyone(self) -> Role:
        return self.roles[self.id]


@dataclass(frozen=True, slots=True)
class Attachment:
    id: int
    filename: str
    content_type: str
    data: bytes
    address: str


@dataclass(frozen=True, slots=True)
class Version:
    """A message's text as it was from some time on; seconds of time.monotonic."""

    at: float
    text: str


@dataclass(eq=False)
class Message:
    """A message as people see it; `history` begins with the text it was posted with."""

    id: int
    channel: "Channel"
    author: Person
    text: str
    type: int = 0
    reply_to: int | None = None
    reference_channel: int | None = None
    attachments: list[Attachment] = field(default_factory=list)
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    flags: int = 0
    nonce: str | None = None
    edited: datetime | None = None
    deleted: bool = False
    mentions: list[int] = field(default_factory=list)
    mention_roles: list[int] = field(default_factory=list)
    mention_everyone: bool = False
    broadcast: bool = False  # it once reached everyone or a role, as posted or as edited
    reactions: dict[str, list[int]] = field(default_factory=dict)  # emoji -> person ids
    history: list[Version] = field(default_factory=list)
    edits_when_old: int = 0
    invocation: Json | None = None
    seen_by: Person | None = None  # ephemeral: by nobody else
    webhook: int | None = None
    thread: "Channel | None" = None

    @property
    def ephemeral(self) -> bool:
        return bool(self.flags & 64)

    @property
    def loading(self) -> bool:
        return bool(self.flags & 128)

    @property
    def buttons(self) -> dict[str, Json]:
        """The buttons by their labels, however deep they are."""
        return {item.get("label", ""): item for item in walk(self.components) if item["type"] == 2}


@dataclass(eq=False)
class Channel:
    id: int
    kind: Kind
    name: str
    guild: Guild | None = None
    parent: "Channel | None" = None
    overwrites: dict[int, tuple[int, Can, Can]] = field(default_factory=dict)  # id -> (0 role 1 person, allow, deny)
    nsfw: bool = False
    topic: str | None = None
    people: dict[int, Person] = field(default_factory=dict)  # of a DM, or of a thread
    owner: Person | None = None
    archived: bool = False
    locked: bool = False
    deleted: bool = False
    log: dict[int, Message] = field(default_factory=dict)
    typing: list[tuple[float, Person]] = field(default_factory=list)

    @property
    def is_thread(self) -> bool:
        return self.kind in THREADS

    @property
    def messages(self) -> list[Message]:
        """What everybody there sees, oldest first."""
        shown = (message for message in self.log.values() if not message.deleted and message.seen_by is None)
        return sorted(shown, key=lambda message: message.id)

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.messages]


def walk(components: list[Json]) -> list[Json]:
    """Return all components, the nested ones too."""
    found = []
    for item in components:
        inner = [*item.get("components", []), *([item["component"]] if "component" in item else [])]
        accessory = [item["accessory"]] if "accessory" in item else []
        found += [item, *walk(inner), *walk(accessory)]
    return found
