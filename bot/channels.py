"""What the bot does unasked in channels: answer what is not addressed to it, remember what is not."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from memory.batch import Answer, Batch
from memory.errors import RedisError
from memory.keys import Keys
from memory.memory import Memory
from memory.scope import Scope

log = structlog.get_logger()

POLL = 1.0  # seconds between looks at whether another process has changed something; one GET for all tenants

FLAGS = JOINS, REMEMBERS = "joins", "remembers"


@dataclass(frozen=True, slots=True)
class Channel:
    """joins: the bot answers unasked. remembers: what is not addressed to the bot is remembered too."""

    joins: bool = False
    remembers: bool = False


NOTHING = Channel()


class Channels:
    """Knows at once what is switched on where; what other processes change is known within POLL.

    A thread does what its parent channel does.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._known: dict[str, dict[str, Channel]] = {}
        self._unread: set[str] = set()
        self._changes = 0  # so many were made when all was read
        self._reading = asyncio.Lock()
        self._away = False

    def of(self, scope: Scope) -> Channel:
        """Return what is switched on in a channel of a tenant that is watched, as last read."""
        return self._known.get(scope.tenant, {}).get(place(scope), NOTHING)

    async def get(self, scope: Scope) -> Channel:
        """Return what is switched on in a channel. Raises RedisError."""
        batch = self._memory.batch()
        found = _ask(batch, self._memory.keys, scope.tenant)
        await batch.send()
        return found.value.get(place(scope), NOTHING)

    async def set(self, scope: Scope, *, joins: bool | None = None, remembers: bool | None = None) -> Channel:
        """Switch something on or off in a channel, and return what is on then; None: as it was. Raises RedisError."""
        batch, keys = self._memory.batch(), self._memory.keys
        for flag, on in ((JOINS, joins), (REMEMBERS, remembers)):
            field = f"{flag} {place(scope)}"
            if on is True:
                batch.ask("HSET", keys.tenant(scope.tenant).channels, field, 1, read=int)
            elif on is False:
                batch.ask("HDEL", keys.tenant(scope.tenant).channels, field, read=int)
        batch.ask("INCR", keys.channels_changed, read=int)
        found = _ask(batch, keys, scope.tenant)
        await batch.send()
        if scope.tenant in self._known:
            self._known[scope.tenant] = found.value
        return found.value.get(place(scope), NOTHING)

    async def forget(self, tenant: str, conversation: str) -> None:
        """Switch everything off in a channel that is gone. Raises RedisError."""
        batch, keys = self._memory.batch(), self._memory.keys
        off = batch.ask("HDEL", keys.tenant(tenant).channels, *(f"{one} {conversation}" for one in FLAGS), read=int)
        batch.ask("INCR", keys.channels_changed, read=int)
        await batch.send()
        if off.value:
            self._known.get(tenant, {}).pop(conversation, None)

    async def watch(self, tenants: Iterable[str]) -> None:
        """Know these tenants' channels from now on; those that are asked for at the same time are read together."""
        for tenant in tenants:
            self._known.setdefault(tenant, {})
            self._unread.add(tenant)
        async with self._reading:
            if self._unread:
                await self._read()

    def unwatch(self, tenant: str) -> None:
        """Know a tenant's channels no more."""
        self._known.pop(tenant, None)
        self._unread.discard(tenant)

    async def follow(self) -> None:
        """See what other processes change, until cancelled."""
        while True:
            await asyncio.sleep(POLL)
            async with self._reading:
                await self._read()

    async def _read(self) -> None:
        """Read what is not read yet, and all where something was changed; while Redis is away, what was known holds."""
        try:
            batch = self._memory.batch()
            changes = batch.ask("GET", self._memory.keys.channels_changed, read=lambda raw: int(raw or 0))
            await batch.send()  # before the rest: what comes between is seen the next time
            if changes.value != self._changes:
                self._unread |= self._known.keys()
            batch = self._memory.batch()
            found = {tenant: _ask(batch, self._memory.keys, tenant) for tenant in self._unread & self._known.keys()}
            await batch.send()
            for tenant, answer in found.items():
                if tenant in self._known:
                    self._known[tenant] = answer.value
                self._unread.discard(tenant)
            self._changes = changes.value
            self._away = False
        except RedisError as error:
            if not self._away:
                log.warning("channels not read", error=str(error))
            self._away = True


def place(scope: Scope) -> str:
    """Return the channel whose setting holds: a thread's parent."""
    return scope.parent or scope.conversation


def announcement(by: str, memory: str = "/memory", privacy: str = "/privacy") -> str:
    """Return what people in a channel are told when it begins to be remembered.

    by: who has switched it on. memory, privacy: what people type for these commands.
    """
    return (
        f"From now on I remember what is said in this channel and its threads, also what is not addressed to me. "
        f"{by} has switched this on. `{memory} pause` keeps out what you say; `{privacy}` tells what I do with the "
        "rest."
    )


def _ask(batch: Batch, keys: Keys, tenant: str) -> Answer[dict[str, Channel]]:
    return batch.ask("HGETALL", keys.tenant(tenant).channels, read=_parsed)


def _parsed(reply: "dict[bytes, bytes] | list[bytes]") -> dict[str, Channel]:
    flags: dict[str, set[str]] = {}
    for field in list(reply) if isinstance(reply, dict) else reply[::2]:
        flag, _, channel = field.decode().partition(" ")
        flags.setdefault(channel, set()).add(flag)
    return {channel: Channel(JOINS in on, REMEMBERS in on) for channel, on in flags.items()}
