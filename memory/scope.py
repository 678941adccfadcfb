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
            value = getattr(self, part)
            if not isinstance(value, str) or not value.strip():
                raise ScopeError(f"a scope needs a {part}; got {value!r}")
            if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
                raise ScopeError(f"a scope's {part} holds a lone surrogate, which is no character")
        if not isinstance(self.audience, Audience):
            raise ScopeError(f"a scope needs an audience ({', '.join(Audience)}); got {self.audience!r}")
        if self.parent is not None and not self.parent.strip():
            raise ScopeError("a thread's parent must not be empty; leave it out where there is none")
        if self.open_to_parent and self.parent is None:
            raise ScopeError("a thread that is open to its parent must name the parent")

    @property
    def conversation_tag(self) -> str:
        """The digest of this conversation; its turns carry it, in `reach` too."""
        return keys.tag("conversation", self.tenant, self.conversation)

    @property
    def carried(self) -> tuple[str, ...]:
        """The tags that a turn said here carries: those who hold one of them can recall it."""
        tags = [self.conversation_tag]
        if self.parent is not None and self.open_to_parent:
            tags.append(keys.tag("conversation", self.tenant, self.parent))
        if self.audience is Audience.PUBLIC and not self.outsiders:
            tags.append(keys.tag("public", self.tenant))
        return tuple(tags)

    @property
    def held(self) -> tuple[str, ...]:
        """The tags that are recalled here. Readers decide: with outsiders, only what was said right here."""
        tags = [self.conversation_tag]
        if self.outsiders or self.narrow:
            return tuple(tags)
        if self.parent is not None and self.open_to_parent:
            tags.append(keys.tag("conversation", self.tenant, self.parent))
        tags.append(keys.tag("public", self.tenant))
        return tuple(tags)
