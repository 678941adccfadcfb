"""Who may recall what: the one value that every read and every write of memory carries."""

from dataclasses import dataclass
from enum import StrEnum

from memory import keys
from memory.errors import ScopeError


class Audience(StrEnum):
    """Who can read a conversation."""

    DIRECT = "direct"  # one person and the bot
    PRIVATE = "private"  # some people of the tenant; group DMs too
    PUBLIC = "public"  # everyone in the tenant


@dataclass(frozen=True, slots=True)
class Scope:
    """Where something is said, by whom, and who can read it there.

    tenant: `discord:<guild>`, `slack:<team>`, `local:<user>`; conversation and person are the platform's ids in it.
    parent: the conversation that a thread hangs from; open_to_parent says that everyone who reads the parent reads
    the thread too. outsiders: guests, strangers or another team read along. narrow: recall this conversation alone.

    Raises ScopeError where a part is empty: an empty scope must never mean "everything".
    """

    tenant: str
    conversation: str
    person: str
    audience: Audience
    parent: str | None = None
    open_to_parent: bool = False
    outsiders: bool = False
    narrow: bool = False

    def __post_init__(self) -> None:
        """Refuse what is empty or unknown."""
        for part in ("tenant", "conversation", "person"):
            _check(part, getattr(self, part))
        if not isinstance(self.audience, Audience):
            raise ScopeError(f"a scope needs an audience ({', '.join(Audience)}); got {self.audience!r}")
        if self.parent is not None:
            _check("parent, or none at all", self.parent)
        if self.parent == self.conversation:
            raise ScopeError("a conversation can't be its own parent")
        if self.open_to_parent and self.parent is None:
            raise ScopeError("a thread that is open to its parent must name the parent")

    @property
    def conversation_tag(self) -> str:
        """The digest of this conversation; its turns carry it, in `reach` too."""
        return conversation_tag(self.tenant, self.conversation)

    @property
    def parent_tag(self) -> str | None:
        """The digest of the conversation whose readers read this one too, where there is one."""
        if self.parent is None or not self.open_to_parent:
            return None
        return conversation_tag(self.tenant, self.parent)

    @property
    def public_tag(self) -> str:
        """What the turns carry that everyone in the tenant can read."""
        return public_tag(self.tenant)

    @property
    def person_tag(self) -> str:
        """The digest of the person; their turns and the answers to them carry it."""
        return keys.tag("person", self.tenant, self.person)

    @property
    def carried(self) -> tuple[str, ...]:
        """The tags that a turn said here carries: those who hold one of them can recall it."""
        public = self.public_tag if self.audience is Audience.PUBLIC else None
        return tuple(tag for tag in (self.conversation_tag, self.parent_tag, public) if tag)

    @property
    def alone(self) -> bool:
        """Whether only what was said right here is recalled, not even its threads. Readers decide: outsiders do not."""
        return self.outsiders or self.narrow

    @property
    def held(self) -> tuple[str, ...]:
        """The tags that are recalled here; the first is that of the conversation itself."""
        if self.alone:
            return (self.conversation_tag,)
        return tuple(tag for tag in (self.conversation_tag, self.parent_tag, self.public_tag) if tag)


@dataclass(frozen=True, slots=True)
class Operator:
    """Whoever runs the bot, for all that one tenant has: to export, forget and keep it, never to recall from it."""

    tenant: str

    def __post_init__(self) -> None:
        """Refuse an empty tenant."""
        _check("tenant", self.tenant)


def conversation_tag(tenant: str, conversation: str) -> str:
    """Return the digest of a conversation."""
    return keys.tag("conversation", tenant, conversation)


def public_tag(tenant: str) -> str:
    """Return the digest of what everyone in a tenant can read."""
    return keys.tag("public", tenant)


def _check(part: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ScopeError(f"a scope needs a {part}; got {value!r}")
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise ScopeError(f"a scope's {part} holds a lone surrogate, which is no character")
