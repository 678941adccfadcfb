"""A whole turn is four round trips to Redis: claim and glance; recall and remember; what was recalled; the reply."""

from collections.abc import Callable

import pytest
import redis.asyncio

from bot.apps.history import History
from memory.memory import Memory


@pytest.fixture
def trips(client: "redis.asyncio.Redis", monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count what is sent: one entry a packet of commands, with its size."""
    sent: list[int] = []
    kind = client.connection_pool.connection_class
    send: Callable = kind.send_packed_command

    async def counting(self, command, *args, **kwargs):
        sent.append(len(command) if isinstance(command, list) else 1)
        return await send(self, command, *args, **kwargs)

    monkeypatch.setattr(kind, "send_packed_command", counting)
    return sent


async def test_a_turn_is_four_round_trips(talk, trips):
    bot = talk("Warm up.", "Rex.")
    await bot.say("My dog is called Rex")
    trips.clear()
    await bot.say("What is my dog called?")
    assert len(trips) == 4


async def test_a_history_costs_no_round_trip(talk, trips):
    bot = talk("Warm up.", "Rex.", history=History(2, 1, 1))
    await bot.say("My dog is called Rex")
    trips.clear()
    await bot.say("What is my dog called?")
    assert len(trips) == 4


async def test_a_recall_is_three_round_trips(memory: Memory, here, say, trips):
    await memory.remember(here, [say("My dog is called Rex")])
    trips.clear()
    await memory.recall(here, "What is my dog called?")
    assert len(trips) == 3
