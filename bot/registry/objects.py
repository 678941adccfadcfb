"""Named objects in Redis: what each is, whose it is, and what it was made with. Read at every use, never kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import redis.asyncio
from ulid import ULID

from bot.errors import ObjectError, ObjectMissing
from memory.batch import Answer, Batch
from memory.keys import Keys

OPERATOR = ""  # the owner of what belongs to whoever runs the bot; a tenant's own belongs to the tenant
LONGEST_NAME = 512  # bytes
DEFAULT = "default"  # the model that the settings name, unless somebody gives that name to another

_FIELDS = ("kind", "name", "owner", "type", "params", "version", "shared")

# One object, under a name that holds no other kind. Returns what was there: nothing, its kind, or its version.
_CREATE = """
local known = redis.call('HMGET', KEYS[1], 'kind', 'version')
local kind, name, nx, xx = ARGV[1], ARGV[2], ARGV[3] == '1', ARGV[4] == '1'
if known[1] and known[1] ~= kind then return {'other', known[1]} end
if (nx and known[1]) or (xx and not known[1]) then return {'left'} end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'kind', kind, 'name', name, unpack(ARGV, 5))
redis.call('SADD', KEYS[2], name)
return {'made', known[2] or ''}
"""

_REMOVE = """
local known = redis.call('HMGET', KEYS[1], 'kind', 'version')
if not known[1] or (ARGV[2] ~= '' and known[1] ~= ARGV[2]) then return false end
redis.call('DEL', KEYS[1])
redis.call('SREM', KEYS[2], ARGV[1])
return known[2]
"""

# Strike the name of an object that has ended off the list.
_STRIKE = """
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SREM', KEYS[2], ARGV[1]) end
"""

# Who writes a note first wins; an object that was made anew meanwhile has none.
_NOTE = """
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return false end
redis.call('HSETNX', KEYS[1], ARGV[2], ARGV[3])
return redis.call('HGET', KEYS[1], ARGV[2])
"""


class Kind(StrEnum):
    """What an object is."""

    LLM = "llm"
    STORE = "store"
    APP = "app"

    @property
    def spoken(self) -> str:
        """What people call it."""
        return {"llm": "model", "store": "vector store", "app": "app"}[self.value]

    @property
    def article(self) -> str:
        """What stands before that."""
        return "an" if self is Kind.APP else "a"


@dataclass(frozen=True, slots=True)
class Named:
    """An object. params: as they were given, secrets sealed. version: another one each time it is made anew.

    shared: what the operator has made, and tenants may use.
    """

    kind: Kind
    name: str
    owner: str
    type: str
    params: Mapping[str, Any]
    version: str
    shared: bool = False


@dataclass(frozen=True, slots=True)
class How:
    """For whom an object is made, and whether: nx: only where there is none, xx: only where there is one."""

    owner: str = OPERATOR
    nx: bool = False
    xx: bool = False
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Created:
    """What came of creating. made: False where nx or xx left things as they are. replaced: the version before."""

    made: bool
    version: str = ""
    replaced: str = ""


class Objects:
    """Creates, finds and removes named objects."""

    def __init__(self, client: "redis.asyncio.Redis", keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def create(self, kind: Kind, name: str, type_: str, params: Mapping[str, Any], how: How) -> Created:
        """Make an object, or make it anew.

        Raises ObjectError where the name is another kind's, or cannot be one.
        """
        if how.nx and how.xx:
            raise ObjectError("NX and XX exclude each other; give one of them")
        mine = self._keys.tenant(how.owner)
        version = str(ULID())
        batch = Batch(self._client)
        answer = batch.ask(
            *("EVAL", _CREATE, 2, mine.object(checked(name)), mine.objects),
            *(kind.value, name, int(how.nx), int(how.xx)),
            *("owner", how.owner, "type", type_, "params", json.dumps(params)),
            *("version", version, "shared", int(how.shared)),
            read=lambda reply: [part.decode() for part in reply],
        )
        await batch.send()
        outcome, *was = answer.value
        if outcome == "other":
            other = Kind(was[0])
            raise ObjectError(
                f"{name} is {other.article} {other.spoken} and no {kind.spoken}; remove it, or take another name"
            )
        return Created(True, version, was[0]) if outcome == "made" else Created(False)

    def look_up(self, batch: Batch, name: str, *, owner: str = OPERATOR) -> "Answer[Named | None]":
        """Ask for an owner's own object."""
        key = self._keys.tenant(owner).object(name)
        return batch.ask("HMGET", key, *_FIELDS, read=_named)

    def ask_version(self, batch: Batch, one: Named) -> Answer[str | None]:
        """Ask for the version of what has this object's name now; None where nothing has."""
        key = self._keys.tenant(one.owner).object(one.name)
        return batch.ask("HGET", key, "version", read=_text)

    async def find(self, name: str, *, owner: str = OPERATOR) -> Named | None:
        """Return the object that an owner means by a name: its own, or one that the operator shares."""
        batch = Batch(self._client)
        own = self.look_up(batch, name, owner=owner)
        shared = own if owner == OPERATOR else self.look_up(batch, name)
        await batch.send()
        if own.value is not None or owner == OPERATOR:
            return own.value
        return shared.value if shared.value is not None and shared.value.shared else None

    async def get(self, kind: Kind, name: str, *, owner: str = OPERATOR) -> Named:
        """Return an object of a kind. Raises ObjectMissing, ObjectError where it is of another kind."""
        return self.checked(await self.find(name, owner=owner), kind, name)

    @staticmethod
    def checked(found: Named | None, kind: Kind, name: str) -> Named:
        """Return what was found if it is of a kind. Raises ObjectMissing, ObjectError where it is of another kind."""
        if found is None:
            raise ObjectMissing(f"there is no {kind.spoken} called {name}; create it, or see `lorebot {kind} list`")
        if found.kind is not kind:
            raise ObjectError(f"{name} is {found.kind.article} {found.kind.spoken} and no {kind.spoken}")
        return found

    async def list(self, kind: Kind | None = None, *, owner: str = OPERATOR) -> list[Named]:
        """Return what an owner may use, by name: its own, and what the operator shares."""
        found = {one.name: one for one in await self._own(OPERATOR) if owner == OPERATOR or one.shared}
        if owner != OPERATOR:
            found |= {one.name: one for one in await self._own(owner)}
        return sorted((one for one in found.values() if kind in (None, one.kind)), key=lambda one: one.name)

    async def remove(self, name: str, *, kind: Kind | None = None, owner: str = OPERATOR) -> str | None:
        """Remove an owner's own object; return its version, None where there is none of that kind."""
        mine = self._keys.tenant(owner)
        batch = Batch(self._client)
        gone = batch.ask(
            *("EVAL", _REMOVE, 2, mine.object(name), mine.objects, name, kind or ""),
            read=lambda version: None if version is None else str(version.decode()),
        )
        await batch.send()
        return gone.value

    async def note(self, one: Named, field: str, value: str) -> str:
        """Write something down beside an object, once; return what stands there. Raises ObjectMissing."""
        batch = Batch(self._client)
        key = self._keys.tenant(one.owner).object(one.name)
        noted = batch.ask("EVAL", _NOTE, 1, key, one.version, field, value, read=lambda value: value)
        await batch.send()
        if noted.value is None:
            raise ObjectMissing(f"the {one.kind.spoken} {one.name} has just been removed or made anew; try again")
        return str(noted.value.decode())

    async def expire(self, name: str, at: int | None, *, owner: str = OPERATOR) -> bool:
        """Let an object end at a time (milliseconds since 1970), or None: never. False where nothing is changed."""
        key = self._keys.tenant(owner).object(name)
        batch = Batch(self._client)
        done = batch.ask(*(("PERSIST", key) if at is None else ("PEXPIREAT", key, at)), read=bool)
        await batch.send()
        return done.value

    async def expires(self, name: str, *, owner: str = OPERATOR) -> int | None:
        """Return when an object ends, in milliseconds since 1970; None: never."""
        batch = Batch(self._client)
        found = batch.ask("PEXPIRETIME", self._keys.tenant(owner).object(name), read=int)
        await batch.send()
        return found.value if found.value >= 0 else None

    async def versions(self) -> set[str]:
        """Return the versions of all objects of all owners."""
        batch = Batch(self._client)
        found = [
            batch.ask("HGET", key, "version", read=lambda version: version)
            async for key in self._client.scan_iter(match=self._keys.every("object"), count=1000)
        ]
        await batch.send()
        return {one.value.decode() for one in found if one.value is not None}

    async def _own(self, owner: str) -> Sequence[Named]:
        mine = self._keys.tenant(owner)
        batch = Batch(self._client)
        names = batch.ask("SMEMBERS", mine.objects, read=lambda names: [name.decode() for name in names])
        await batch.send()
        batch = Batch(self._client)
        found = {name: self.look_up(batch, name, owner=owner) for name in names.value}
        await batch.send()
        batch = Batch(self._client)
        for name in [name for name, one in found.items() if one.value is None]:
            batch.ask("EVAL", _STRIKE, 2, mine.object(name), mine.objects, name, read=lambda _: None)
        await batch.send()
        return [one.value for one in found.values() if one.value is not None]


def checked(name: str) -> str:
    """Return a name. Raises ObjectError where it cannot be one."""
    if not name.strip() or not name.isprintable() or len(name.encode("utf-8", "surrogatepass")) > LONGEST_NAME:
        raise ObjectError(f"a name has 1 to {LONGEST_NAME} bytes of printable characters; got {name[:40]!r}")
    return name


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _named(row: Sequence[bytes | None]) -> Named | None:
    if row[0] is None:
        return None
    kind, name, owner, type_, params, version, shared = (value.decode() if value is not None else "" for value in row)
    return Named(Kind(kind), name, owner, type_, json.loads(params), version, shared == "1")
