"""Who is answered at all: the operator's lists of people, roles, channels, guilds and workspaces."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from memory.scope import Scope


class Kind(StrEnum):
    """What an entry of a list names."""

    ANY = "any"  # an id alone: whatever has it
    PERSON = "person"
    ROLE = "role"
    CHANNEL = "channel"
    TENANT = "tenant"


# A platform's name before the id is how a tenant is written everywhere else: discord:123, slack:T1, discord:@me.
_KINDS = {
    "": Kind.ANY,
    "person": Kind.PERSON,
    "role": Kind.ROLE,
    "channel": Kind.CHANNEL,
    "guild": Kind.TENANT,
    "workspace": Kind.TENANT,
    "discord": Kind.TENANT,
    "slack": Kind.TENANT,
}

_ID = re.compile(r"[A-Za-z0-9@_.-]+")


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry of a list."""

    kind: Kind
    id: str


def parse(text: str) -> frozenset[Listed]:
    """Read a list with commas. Raises ValueError, which tells the place of an entry and never quotes it."""
    entries = [entry.strip() for entry in text.split(",")]
    return frozenset(_entry(entry, at) for at, entry in enumerate(entries, 1) if entry)


def admitted(scope: Scope, allow: Collection[Listed], deny: Collection[Listed], roles: Collection[str] = ()) -> bool:
    """Tell whether somebody is answered; whoever or whatever is denied is not, be it allowed as well.

    Kinds of what is allowed hold together: guilds and people named, these people are answered in these guilds; a
    kind that is not named admits all. Ids alone are one kind, of which any may match. A thread counts as its channel
    too, and direct messages are the guild `discord:@me`. roles: ids of those that the person has.
    """
    ids = _ids(scope, roles)
    if any(one.id in ids[one.kind] for one in deny):
        return False
    matched = {one.kind for one in allow if one.id in ids[one.kind]}
    return matched == {one.kind for one in allow}


def _ids(scope: Scope, roles: Collection[str]) -> dict[Kind, frozenset[str]]:
    """Return the ids that somebody is known by, by their kind."""
    ids = {
        Kind.PERSON: frozenset({scope.person}),
        Kind.ROLE: frozenset(roles),
        Kind.CHANNEL: frozenset({scope.conversation, *([scope.parent] if scope.parent else [])}),
        Kind.TENANT: frozenset({scope.tenant, scope.tenant.partition(":")[2]}),
    }
    return {**ids, Kind.ANY: frozenset().union(*ids.values())}


def _entry(entry: str, at: int) -> Listed:
    prefix, _, id = entry.rpartition(":")
    if prefix not in _KINDS or not _ID.fullmatch(id):
        raise ValueError(
            f"entry {at} names nobody; write an id, discord:GUILD, slack:WORKSPACE, or an id after "
            "person:, role:, channel:, guild: or workspace:"
        )
    return Listed(_KINDS[prefix], entry if prefix in ("discord", "slack") else id)
