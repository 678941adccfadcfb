"""Messages a minute and tokens a day: counted by all processes together, told once, and kept while Redis is away."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import redis.asyncio

from bot.limits import PATIENCE, WORDS, Allowance, Budget, Limits, Refusal, wait
from memory import connect
from memory.keys import BUDGET_TTL, LIMIT_TTL, Keys
from memory.scope import Audience, Scope
from memory.server import EmbeddedServer

NOON = int(datetime(2026, 11, 21, 12, tzinfo=ZoneInfo("UTC")).timestamp() * 1000)
HOUR = 3_600_000


def somebody(person: str = "ada", place: str = "general", tenant: str = "discord:1") -> Scope:
    return Scope(tenant, place, person, Audience.PUBLIC)


ADA, BOB = somebody("ada"), somebody("bob")


@pytest.fixture
def limits(client: "redis.asyncio.Redis", keys: Keys) -> Callable[..., Limits]:
    """Make limits, such as a process has: limits(person_per_minute=2)."""

    def make(**allowed: object) -> Limits:
        unlimited = {"person_per_minute": 0, "tenant_per_minute": 0, "person_tokens": 0, "tenant_tokens": 0}
        return Limits(client, keys, Allowance(**{**unlimited, **allowed}))  # type: ignore[arg-type]

    return make


async def asked(limits: Limits, scope: Scope, times: int = 1, now: int = NOON) -> list[Refusal | None]:
    return [await limits.admit(scope, now) for _ in range(times)]


async def test_a_person_who_asks_too_fast_is_told_once_and_others_are_answered(limits):
    process = limits(person_per_minute=2)
    first, second, third, fourth = await asked(process, ADA, 4)
    assert (first, second) == (None, None)
    assert third.text.startswith("That is faster than I can answer you. Please try again in ")
    assert not third.told
    assert fourth.told
    assert NOON + 50_000 < third.until <= NOON + 60_000
    assert await asked(process, BOB) == [None]


async def test_a_tenant_that_asks_too_fast_is_told_once_in_each_conversation(limits):
    process = limits(tenant_per_minute=2)
    assert await asked(process, ADA, 2) == [None, None]
    told = [(await process.admit(one, NOON)).told for one in (BOB, ADA, somebody("bob", "lounge"))]
    assert told == [False, True, False]
    assert await asked(process, somebody("ada", tenant="discord:2")) == [None]


async def test_a_person_is_the_same_in_every_guild_and_in_direct_messages(limits):
    process = limits(person_per_minute=2)
    places = [ADA, somebody(tenant="discord:2"), somebody(tenant="discord:@me"), somebody(tenant="slack:T1")]
    assert [await process.admit(one, NOON) is None for one in places] == [True, True, False, True]


async def test_direct_messages_of_no_guild_have_no_limit_together(limits):
    process = limits(tenant_per_minute=1, tenant_tokens=1)
    people = [somebody(person, person, "discord:@me") for person in ("ada", "bob", "eve")]
    for one in people:
        await process.spent(one, 10, NOON)
    assert [await process.admit(one, NOON) for one in people] == [None, None, None]
    assert (await process.usage(people[0], NOON)).tenant is None


async def test_two_processes_share_one_count(limits):
    one, other = limits(person_per_minute=3, person_tokens=100), limits(person_per_minute=3, person_tokens=100)
    answers = await asyncio.gather(*(process.admit(ADA, NOON) for process in (one, other) for _ in range(5)))
    refused = [answer for answer in answers if answer is not None]
    assert (len(answers) - len(refused), [answer.told for answer in refused].count(False)) == (3, 1)
    await one.spent(BOB, 100, NOON)
    assert (await other.admit(BOB, NOON)).text.startswith("That was all I may answer you today.")


async def test_a_crowd_that_is_too_fast_does_not_make_the_bot_flood_a_conversation(limits):
    process = limits(person_per_minute=1)
    crowd = [somebody(f"p{number}") for number in range(20)]
    answers = [answer for one in crowd for answer in await asked(process, one, 3)]
    assert sum(answer is not None and not answer.told for answer in answers) == WORDS
    assert not (await process.admit(somebody("p19", "lounge"), NOON)).told


async def test_a_raid_is_counted_by_all_processes_together(limits):
    processes = [limits(person_per_minute=5, tenant_per_minute=100) for _ in range(2)]
    raiders = [somebody(f"p{number}", f"c{number}") for number in range(400)]
    answers = await asyncio.gather(*(process.admit(one, NOON) for one in raiders for process in processes))
    assert answers.count(None) == 100


async def test_a_budget_that_is_used_up_is_told_once_and_renewed_at_midnight(limits):
    process = limits(person_tokens=1000, timezone="Europe/Berlin")
    await process.spent(ADA, 999, NOON)
    assert await asked(process, ADA) == [None]
    await process.spent(ADA, 500, NOON)
    midnight = NOON + 11 * HOUR  # 23:00 UTC
    first, second = await asked(process, ADA, 2)
    assert first == Refusal(
        "That was all I may answer you today. Please come back tomorrow: in 11 hours, at midnight (Europe/Berlin).",
        midnight,
        told=False,
    )
    assert second.told
    assert (await process.admit(ADA, midnight - 1)).told
    assert await asked(process, ADA, now=midnight) == [None]
    assert await asked(process, BOB) == [None]


async def test_the_budget_of_a_tenant_is_used_up_by_all_its_people(limits):
    process = limits(tenant_tokens=1000)
    await process.spent(ADA, 600, NOON)
    await process.spent(BOB, 600, NOON)
    (refusal,) = await asked(process, somebody("eve"))
    assert refusal.text.startswith("That was all I may answer here today.")
    assert await asked(process, somebody("eve", tenant="discord:2")) == [None]


async def test_usage_tells_what_was_used_and_what_is_left(limits):
    process = limits(person_per_minute=10, person_tokens=1000)
    await asked(process, ADA, 3)
    await process.spent(ADA, 40, NOON)
    await process.spent(BOB, 2, NOON)
    await process.spent(BOB, 0, NOON)
    usage = await process.usage(ADA, NOON)
    assert (usage.person, usage.tenant, usage.messages_left) == (Budget(40, 1000), Budget(42, 0), 7)
    assert usage.renewed_at == NOON + 12 * HOUR
    assert (await limits().usage(ADA, NOON)).messages_left is None


async def test_keys_hold_digests_only_and_do_not_live_longer_than_they_say(limits, client, keys):
    process = limits(person_per_minute=1, tenant_per_minute=5, person_tokens=10, tenant_tokens=10)
    await asked(process, ADA, 2)
    await process.spent(ADA, 10, NOON)
    await asked(process, ADA, 2)
    found = [key.decode() async for key in client.scan_iter(f"{keys.namespace}:*")]
    assert len(found) == 7  # two paces, two days, two that were told, the words in the conversation
    assert all(len(key.removeprefix(f"{keys.limits}:")) == 32 for key in found)
    lives = [await client.ttl(key) for key in found]
    assert all(0 < seconds <= BUDGET_TTL for seconds in lives)
    assert sum(seconds <= LIMIT_TTL for seconds in lives) == 4


async def test_messages_of_a_conversation_come_through_in_their_order(limits):
    process = limits(person_per_minute=100, tenant_per_minute=100)
    came: list[int] = []

    async def ask(number: int) -> None:
        await process.admit(somebody(f"p{number}"), NOON)
        came.append(number)

    await asyncio.gather(*(ask(number) for number in range(50)))
    assert came == list(range(50))


class Gone:
    """A Redis of the test's own, which goes and comes back."""

    def __init__(self, server: EmbeddedServer, client: "redis.asyncio.Redis") -> None:
        self.server = server
        self.client = client


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[Gone]:
    server = EmbeddedServer(tmp_path / "redis")
    client = connect.client(await server.start())  # it does not start the server again
    yield Gone(server, client)
    await connect.close(client)
    await server.stop()


async def test_while_redis_is_away_this_process_counts_alone_and_afterwards_all_do_again(own):
    process = Limits(own.client, Keys("test"), Allowance(person_per_minute=2, person_tokens=1000))
    await process.spent(ADA, 10, NOON)
    await own.server.stop()
    assert [one is None for one in await asked(process, ADA, 3)] == [True, True, False]
    await process.spent(BOB, 1000, NOON)
    first, second = await asked(process, BOB, 2)
    assert (first.told, second.told) == (False, True)
    assert (await process.usage(BOB, NOON)).person == Budget(1000, 1000)
    await own.server.start()
    async with asyncio.timeout(20):
        while (await process.usage(ADA, NOON)).person.spent != 10:
            await asyncio.sleep(0.05)


async def test_a_redis_that_hangs_keeps_no_message_waiting(own):
    process = Limits(own.client, Keys("test"), Allowance(person_per_minute=2))
    assert await asked(process, ADA) == [None]
    pid = (await own.server.status()).pid
    assert pid
    before = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    try:
        answers = await asyncio.gather(*(asked(process, somebody(f"p{number}", f"c{number}")) for number in range(100)))
    finally:
        os.kill(pid, signal.SIGCONT)
    assert answers == [[None]] * 100
    assert time.monotonic() - before < 3 * PATIENCE


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (-5, "1 second"),
        (1001, "2 seconds"),
        (90_000, "90 seconds"),
        (91_000, "2 minutes"),
        (90 * 60_000, "90 minutes"),
        (90 * 60_000 + 1, "2 hours"),
        (5 * HOUR, "5 hours"),
    ],
)
def test_a_time_to_wait_is_rounded_up(milliseconds, said):
    assert wait(milliseconds) == said
