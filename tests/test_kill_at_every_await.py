"""kill -9 at every await of a turn, and on both sides of every round trip to Redis, loses and doubles nothing.

See tests/platforms/killed_at.py for how the moments are found, and tests/test_kill.py for what is acknowledged.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.platforms.gauntlet import KINDS, Gauntlet
from tests.platforms.killed_at import OVER, STRUCK
from tests.platforms.victims import Echo, housed

VICTIMS = ("bot", "redis", "both")
TRIPS = 3  # to Redis in a turn: claim and glance; recall and remember; the reply


@asynccontextmanager
async def gauntlet() -> AsyncIterator[Gauntlet]:
    model = Echo()
    async with model, housed(model) as home:
        yield Gauntlet(home, model)


async def held(run: Gauntlet) -> int:
    """Print what became of it; return the rounds."""
    tally = await run.end(run.rounds)
    print(tally)
    assert tally.harm == {}
    return tally.rounds


async def test_killed_on_either_side_of_a_round_trip_nothing_is_lost_or_doubled() -> None:
    async with gauntlet() as run:
        for trip in range(1, TRIPS + 1):
            await run.round(Gauntlet.with_recall, "redis", trip, of="sending")
            await run.round(Gauntlet.with_recall, "redis", trip, of="unread")
        await run.round(Gauntlet.with_recall, "both", 2, of="unread")
        await run.round(Gauntlet.with_recall, "bot", 3, of="unread")
        await run.round(Gauntlet.late, "redis", 3, of="unread")
        assert await held(run) == 2 * TRIPS + 3


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_killed_at_every_await_of_every_kind_of_turn_nothing_is_lost_or_doubled() -> None:
    rounds = 0
    async with gauntlet() as run:
        for kind in KINDS:
            found = sum(moment != OVER for moment in await run.round(kind))
            print(f"{kind.__name__}: {found} moments")
            for nth in range(1, found + 1):
                # The usual turn with each victim, the others with one after the other.
                for victim in VICTIMS if kind is Gauntlet.with_recall else [VICTIMS[nth % len(VICTIMS)]]:
                    await run.round(kind, victim, nth)
        rounds += await held(run)
    for start, victim in enumerate(VICTIMS, 1):
        nth, struck = start, True
        while struck:  # the first turn of all, in new folders each time
            async with gauntlet() as run:
                struck = STRUCK in await run.round(Gauntlet.with_recall, victim, nth)
                rounds += await held(run)
            nth += len(VICTIMS)
    print(f"{rounds} rounds")
    assert rounds >= 200
