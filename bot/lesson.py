"""One channel's past, being learned: by one process at a time, which holds a lease.

How far it has come stands in Redis, written together with the turns: where a process dies, another goes on from there.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass, replace

import structlog

from bot.channels import Channels
from bot.errors import DeliveryError, DeliveryRefused
from memory import tasks
from memory.batch import Answer, Batch
from memory.errors import LoreError, RedisError
from memory.memory import Memory
from memory.records import Turn
from memory.scope import Scope

log = structlog.get_logger()

TOGETHER = 16  # messages a batch; about 80 ms with the local embedder, that others may have to wait for
REST = 1.0  # seconds of pause for each second of work: answering comes first
LEASE = 10_000  # milliseconds; renewed with every batch
RENEW = 3.0  # seconds between renewals while the platform keeps us waiting
TELL = 3.0  # seconds between two reports
AGAIN = 2.0  # seconds until the next try where Redis or the platform is away, or another process learns
DAY = 24 * 3600 * 1000  # milliseconds

# Go on: unless it was stopped, or another process has the lease. With a cursor, that is how far we have come.
_GO_ON = """
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then return 'stopped' end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[2] then return 'taken' end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[3], ARGV[1], ARGV[4]) end
return 'ours'
"""

_LET_GO = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


@dataclass(frozen=True, slots=True)
class Said:
    """A message of the past. id: the platform's, of the last message that it takes in. at: milliseconds since 1970.

    turn: what is to be remembered of it; None: nothing. messages: how many of the platform's it is.
    """

    id: str
    at: int
    turn: Turn | None = None
    messages: int = 1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a channel's past is learned: messages looked at, of about so many, up to when (milliseconds since 1970).

    over: whether it has come to its end; trouble: why it ended before, in a sentence for whoever asked for it.
    """

    done: int = 0
    about: int = 0
    upto: int = 0
    over: bool = False
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """after: the id of the last message looked at. first, upto: when the first and the last were said."""

    after: str | None = None
    done: int = 0
    first: int = 0
    upto: int = 0


Where = Callable[[], Scope]  # the channel's scope, said by the bot, as it is now: who reads it may change meanwhile
Past = Callable[[str | None], AsyncIterator[Said]]  # what was said after the message of this id, oldest first
Report = Callable[[Progress], Awaitable[None]]


async def silent(progress: Progress) -> None:
    """Report to nobody."""


@dataclass(frozen=True, slots=True)
class Pupil:
    """Who learns."""

    memory: Memory
    channels: Channels
    owner: str
    again: float


class Lesson:
    """One channel's past, being learned."""

    def __init__(self, pupil: Pupil, where: Where, past: Past, report: Report) -> None:
        self._pupil = pupil
        self._memory = pupil.memory
        self._where = where
        self._past = past
        self._report = report
        self._told = float("-inf")
        self._cursor = Cursor()
        self._away = False
        self._oldest = 0  # milliseconds; what was said before is not kept
        scope = where()
        mine = self._memory.keys.tenant(scope.tenant)
        self._conversation = scope.conversation
        self._learning, self._lessons = mine.learning, mine.lessons
        self._lease = mine.teaching(scope.conversation_tag)
        self.task = asyncio.create_task(self._run())

    async def stopped(self) -> None:
        """Tell whoever asked for it that it was stopped."""
        await self._tell(Progress(self._cursor.done, 0, self._cursor.upto, over=True, trouble="it was stopped"))

    async def _run(self) -> None:
        """Learn until it is over, stopped or cancelled; whatever is away meanwhile is waited for."""
        try:
            while True:
                try:
                    if await self._try():
                        return
                except DeliveryRefused as error:
                    await self._end(f"I can't read what was said in this channel: {error}")
                    return
                except (RedisError, DeliveryError) as error:
                    if not self._away:
                        log.warning("learning waits", conversation=self._conversation, error=str(error))
                    self._away = True
                await asyncio.sleep(self._pupil.again)
        except LoreError as error:
            log.error("learning ended", conversation=self._conversation, error=str(error))
        except Exception as error:  # one job's own fault; what was said may be in the error's text
            log.error("learning broken", conversation=self._conversation, error=type(error).__name__)
        finally:
            await tasks.whole(self._let_go())

    async def _try(self) -> bool:
        """Learn what is left; True where there is nothing more to do, False where another process does it."""
        match await self._go_on():
            case "stopped":
                await self.stopped()
                return True
            case "taken":
                return False
        self._cursor = await self._read()
        days = await self._memory.retention(self._where())
        self._oldest = 0 if days is None else time.time_ns() // 1_000_000 - days * DAY
        async with aclosing(batches(self._past(self._cursor.after))) as found:  # type: ignore[type-var]
            while (some := await self._next(found)) is not None:
                if not (await self._pupil.channels.get(self._where())).remembers:
                    await self._end("this channel is not to be remembered any more")
                    return True
                began = time.monotonic()
                if not await self._learn(some):
                    return False  # look again why
                now = time.monotonic()
                if now - self._told >= TELL:
                    self._told = now
                    await self._tell(progress(self._cursor, time.time_ns() // 1_000_000))
                await asyncio.sleep((time.monotonic() - began) * REST)
        await self._end()
        return True

    async def _next(self, found: "AsyncIterator[list[Said]]") -> list[Said] | None:
        """Return the next messages, None where there are none; the lease is kept while the platform takes its time."""

        async def get() -> list[Said] | None:
            return await anext(found, None)

        getting = asyncio.create_task(get())
        try:
            while not (await asyncio.wait([getting], timeout=RENEW))[0]:
                await self._go_on()
            return getting.result()
        finally:
            await tasks.ended(getting)

    async def _learn(self, some: list[Said]) -> bool:
        """Remember what is new of some messages, and how far we have come with it; False where we shall not go on."""
        turns = [one.turn for one in some if one.turn is not None and one.at >= self._oldest]
        learnable = await self._memory.learnable(self._where(), turns) if turns else []
        new = [turn for turn, may_be in zip(turns, learnable, strict=True) if may_be]
        cursor = replace(
            self._cursor,
            after=some[-1].id,
            done=self._cursor.done + sum(one.messages for one in some),
            first=self._cursor.first or some[0].at,
            upto=some[-1].at,
        )
        if await self._go_on() != "ours":
            return False
        batch = self._memory.batch(atomic=True)
        going = self._ask(batch, json.dumps(asdict(cursor)))
        await self._memory.remember(self._where(), new, batch=batch, live=True)
        self._cursor, self._away = cursor, False
        return going.value == "ours"

    async def _go_on(self) -> str:
        batch = self._memory.batch()
        going = self._ask(batch)
        await batch.send()
        return going.value

    def _ask(self, batch: Batch, cursor: str = "") -> Answer[str]:
        names = (self._learning, self._lease, self._lessons)
        given = (self._conversation, self._pupil.owner, LEASE, cursor)
        return batch.ask("EVAL", _GO_ON, len(names), *names, *given, read=lambda raw: str(raw.decode()))

    async def _read(self) -> Cursor:
        batch = self._memory.batch()
        found = batch.ask("HGET", self._lessons, self._conversation, read=lambda raw: json.loads(raw or "{}"))
        await batch.send()
        return Cursor(**found.value)

    async def _tell(self, far: Progress) -> None:
        try:
            await self._report(far)
        except DeliveryError as error:  # the past is learned all the same
            log.info("progress not told", conversation=self._conversation, error=str(error))

    async def _end(self, trouble: str = "") -> None:
        """Note that there is nothing more to learn, and tell whoever asked for it."""
        batch = self._memory.batch()
        batch.ask("SREM", self._learning, self._conversation, read=int)
        await batch.send()
        done = self._cursor.done
        log.info("learned", conversation=self._conversation, messages=done, trouble=trouble)
        await self._tell(Progress(done, done, self._cursor.upto, over=True, trouble=trouble))

    async def _let_go(self) -> None:
        batch = self._memory.batch()
        batch.ask("EVAL", _LET_GO, 1, self._lease, self._pupil.owner, read=int)
        with suppress(RedisError):  # the lease will run out
            await batch.send()


async def batches(said: AsyncIterator[Said]) -> AsyncIterator[list[Said]]:
    """Yield messages TOGETHER at a time; what is not remembered takes no place."""
    some: list[Said] = []
    async with aclosing(said):  # type: ignore[type-var]
        async for one in said:
            some.append(one)
            if sum(one.turn is not None for one in some) >= TOGETHER or len(some) >= 10 * TOGETHER:
                yield some
                some = []
    if some:
        yield some


def progress(cursor: Cursor, now: int) -> Progress:
    """Return how far a cursor is. Nobody tells how many messages a channel has: as many a day as so far, up to now."""
    passed = cursor.upto - cursor.first
    about = cursor.done * (now - cursor.first) // passed if passed > 0 else cursor.done
    return Progress(cursor.done, max(about, cursor.done), cursor.upto)
