"""How much people may ask: messages a minute and tokens a day, counted in Redis by all processes together."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import TypeVar
from weakref import WeakValueDictionary
from zoneinfo import ZoneInfo

import redis.asyncio
import structlog
from limits.aio.storage import MemoryStorage, RedisStorage
from redis import exceptions

from memory.errors import LoreError
from memory.keys import BUDGET_TTL, LIMIT_TTL, Keys, tag
from memory.scope import Scope

log = structlog.get_logger()

T = TypeVar("T")

PATIENCE = 1.0  # seconds that a count may keep a message waiting; a Redis that hangs would keep it for 30
TRY_EVERY = 2.0  # seconds; while Redis is away, one count in that time tries it, and the others are made here at once
AT_ONCE = 16  # counts; thousands in a raid would wait for each other, and that would look like a Redis that is away
WORDS = 5  # in a conversation in a minute, about limits; more would only help a crowd that is too fast to flood it

TOO_FAST = "That is faster than I can answer you. Please try again in {wait}."
ALL_TOO_FAST = "More is asked here at once than I can answer. Please try again in {wait}."
USED_UP = "That was all I may answer you today. Please come back tomorrow: in {wait}, at midnight ({zone})."
ALL_USED_UP = "That was all I may answer here today. Please come back tomorrow: in {wait}, at midnight ({zone})."

Storage = RedisStorage | MemoryStorage


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much may be asked; 0: as much as one likes. A day is one of the time zone, from midnight to midnight.

    The tenant's holds for all people of a guild or workspace together. 120 messages a minute, each answered for 8 s,
    are 16 answers at once: they fit into the 20 connections to the model, and take a third of the 50 calls a second
    that Discord allows a bot. An answer takes about 3,000 tokens: a person has some 160 a day, a tenant some 6,600.
    """

    person_per_minute: int = 10
    tenant_per_minute: int = 120
    person_tokens: int = 500_000
    tenant_tokens: int = 20_000_000
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message is not answered, in a sentence for people.

    told: it is not to be said: it has been in this window, or too many such words are said in the conversation.
    until: when it is worth trying again, in milliseconds since 1970.
    """

    text: str
    until: int
    told: bool


@dataclass(frozen=True, slots=True)
class Budget:
    """The tokens that were spent today, and the most that may be; 0: as many as one likes."""

    spent: int
    most: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What a person and their tenant have used.

    tenant: None in direct messages that belong to no guild. messages_left: in this minute; None where as many as one
    likes. renewed_at: when the day ends, in milliseconds since 1970.
    """

    person: Budget
    tenant: Budget | None
    messages_left: int | None
    renewed_at: int


@dataclass(frozen=True, slots=True)
class _Party:
    """A person or a tenant, with what it may use and what it hears when that is used up.

    ears: whom one word reaches: the person, or everyone in the conversation. place: that conversation.
    """

    id: tuple[str, ...]
    per_minute: int
    tokens: int
    too_fast: str
    used_up: str
    ears: tuple[str, ...]
    place: tuple[str, ...]


class Limits:
    """Counts messages and tokens. No call raises or waits for long: while Redis is away, this process counts alone."""

    def __init__(self, client: "redis.asyncio.Redis", keys: Keys, allowance: Allowance) -> None:
        """Take a client, whose connections are used and left open."""
        self._allowance = allowance
        self._zone = ZoneInfo(allowance.timezone)
        # With a pool the address is not looked at: sentinels, TLS and unix sockets stay as memory/connect.py made them.
        self._everywhere = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix=keys.limits,
            connection_pool=client.connection_pool,  # type: ignore[arg-type]
        )
        self._here = MemoryStorage()
        self._away = False
        self._try_at = 0.0
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._lines: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def admit(self, scope: Scope, now: int) -> Refusal | None:
        """Count a message, and return why it is not to be answered; None where it is. now: milliseconds since 1970.

        Messages of one conversation come through in the order in which they came.
        """
        async with self._lines.setdefault((scope.tenant, scope.conversation), asyncio.Lock()):
            for party in self._parties(scope):
                if refusal := await self._used_up(party, now) or await self._too_fast(party, now):
                    return refusal
        return None

    async def spent(self, scope: Scope, tokens: int, now: int | None = None) -> None:
        """Take the tokens of an answer from today's budgets. now: milliseconds since 1970, if it is not now."""
        if tokens <= 0:
            return
        for party in self._parties(scope):
            key = self._spending(party, _now() if now is None else now)
            await self._count(lambda storage, key=key: storage.incr(key, BUDGET_TTL, tokens))  # type: ignore[misc]

    async def usage(self, scope: Scope, now: int | None = None) -> Usage:
        """Return what was used today, and is left. now: milliseconds since 1970, if it is not now."""
        moment = _now() if now is None else now
        budgets = [Budget(await self._spent_by(party, moment), party.tokens) for party in self._parties(scope)]
        person = self._parties(scope)[0]
        used = (await self._window(person))[1] if person.per_minute else 0
        left = max(person.per_minute - used, 0) if person.per_minute else None
        return Usage(budgets[0], budgets[1] if len(budgets) > 1 else None, left, self._midnight(moment))

    def _parties(self, scope: Scope) -> list[_Party]:
        """Return who is counted for a message: the person, whatever the guild, and the tenant where there is one."""
        may = self._allowance
        platform, _, place = scope.tenant.partition(":")
        me = ("person", platform, scope.person)
        here = ("conversation", scope.tenant, scope.conversation)
        person = _Party(me, may.person_per_minute, may.person_tokens, TOO_FAST, USED_UP, me, here)
        if place == "@me":  # everyone's direct messages, who have nothing to do with each other
            return [person]
        us = ("tenant", scope.tenant)
        return [person, _Party(us, may.tenant_per_minute, may.tenant_tokens, ALL_TOO_FAST, ALL_USED_UP, here, here)]

    async def _used_up(self, party: _Party, now: int) -> Refusal | None:
        if not party.tokens or await self._spent_by(party, now) < party.tokens:
            return None
        until = self._midnight(now)
        text = party.used_up.format(wait=wait(until - now), zone=self._allowance.timezone)
        return Refusal(text, until, await self._told(party, self._today(now), BUDGET_TTL))

    async def _too_fast(self, party: _Party, now: int) -> Refusal | None:
        most = party.per_minute
        if not most or await self._count(lambda storage: storage.acquire_entry(_pace(party), most, LIMIT_TTL)):
            return None
        oldest, _ = await self._window(party)
        left = ceil((oldest + LIMIT_TTL - time.time()) * 1000)
        return Refusal(party.too_fast.format(wait=wait(left)), now + left, await self._told(party, "", LIMIT_TTL))

    async def _window(self, party: _Party) -> tuple[float, int]:
        """Return when the oldest message of the last minute came (seconds since 1970), and how many came in it."""
        return await self._count(lambda storage: storage.get_moving_window(_pace(party), party.per_minute, LIMIT_TTL))

    async def _spent_by(self, party: _Party, now: int) -> int:
        return await self._count(lambda storage: storage.get(self._spending(party, now)))

    async def _told(self, party: _Party, day: str, seconds: int) -> bool:
        """Tell whether a word has been said in the last seconds, or must wait; else it is said now."""
        key = tag("told", day, *party.id, *party.ears)
        if await self._count(lambda storage: storage.incr(key, seconds)) > 1:
            return True
        words = tag("words", *party.place)
        if await self._count(lambda storage: storage.acquire_entry(words, WORDS, LIMIT_TTL)):
            return False
        await self._count(lambda storage: storage.clear(key))
        return True

    async def _count(self, ask: Callable[[Storage], Awaitable[T]]) -> T:
        """Ask Redis; what is counted while it is away counts in this process alone."""
        async with self._gate:
            now = time.monotonic()
            if not self._away or now >= self._try_at:
                self._try_at = now + TRY_EVERY
                try:
                    async with asyncio.timeout(PATIENCE):
                        counted = await ask(self._everywhere)
                except (exceptions.RedisError, LoreError, OSError, TimeoutError) as error:
                    self._went(error)
                else:
                    self._away = False
                    return counted
        return await ask(self._here)

    def _went(self, error: Exception) -> None:
        if not self._away:
            log.warning("limits are counted in this process alone", error=type(error).__name__)
        self._away = True

    def _spending(self, party: _Party, now: int) -> str:
        return tag("spent", self._today(now), *party.id)

    def _today(self, now: int) -> str:
        return datetime.fromtimestamp(now / 1000, self._zone).date().isoformat()

    def _midnight(self, now: int) -> int:
        """Return when the day ends, in milliseconds since 1970."""
        tomorrow = datetime.fromtimestamp(now / 1000, self._zone).date() + timedelta(days=1)
        return int(datetime.combine(tomorrow, datetime.min.time(), self._zone).timestamp() * 1000)


def wait(milliseconds: int) -> str:
    """Return a time to wait in words, rounded up."""
    seconds = max(ceil(milliseconds / 1000), 1)
    if seconds <= 90:
        return _counted(seconds, "second")
    minutes = ceil(seconds / 60)
    return _counted(minutes, "minute") if minutes <= 90 else _counted(ceil(minutes / 60), "hour")


def _pace(party: _Party) -> str:
    return tag("pace", *party.id)


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _now() -> int:
    return time.time_ns() // 1_000_000
