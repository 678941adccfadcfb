"""Who reads a channel is told to memory before anything is answered, also where that was away when it changed."""

from collections.abc import AsyncIterator

import pytest

from bot.platforms.discord.audience import scope
from bot.platforms.discord.readers import Readers
from memory.errors import RedisUnavailable
from memory.memory import Memory
from memory.scope import Scope
from tests.discordlike.conftest import Client, Place, online, pointed_at
from tests.discordlike.records import Can
from tests.discordlike.server import DiscordLike
from tests.waiting import until


class Away:
    """A memory that is told nothing until it is back."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.back = False
        self.told: list[str] = []

    async def moved(self, *scopes: Scope) -> None:
        if not self.back:
            raise RedisUnavailable("away")
        await self._memory.moved(*scopes)
        self.told += [one.conversation for one in scopes]


@pytest.fixture
async def server() -> AsyncIterator[DiscordLike]:
    async with DiscordLike() as server:
        yield server


@pytest.fixture
async def place(server):
    with pointed_at(server):
        client = Client()
        place = Place(server, client)
        place.lounge = server.channel(place.guild, "lounge")
        await online(server, client)
        yield place
        await client.end()


async def recalled(memory: Memory, place: Place) -> list[str]:
    """Return what is recalled in the lounge."""
    lounge = scope(place.client.get_channel(place.lounge.id), 2)
    return [one.turn.text for one in await memory.recall(lounge, "my dog is called", anyway=True)]


async def test_a_channel_that_is_closed_while_memory_is_away_is_closed_when_it_is_back(server, place, memory, say):
    away, guild = Away(memory), place.here.guild
    readers = Readers(away)
    await memory.remember(scope(place.here, 1), [say("My dog is called Rex", conversation=str(place.channel.id))])
    assert await recalled(memory, place) == ["My dog is called Rex"]
    server.world.overwrite(place.channel, place.guild.everyone, deny=Can.VIEW_CHANNEL)
    await until(lambda: place.here.overwrites)
    readers.changed(place.here)
    assert not await readers.tell(guild)
    away.back = True
    assert await readers.tell(guild)
    assert await recalled(memory, place) == []


async def test_a_guild_is_told_whole_at_first_and_then_what_has_changed(place, memory):
    here = Away(memory)
    here.back = True
    readers, guild = Readers(here), place.here.guild
    await readers.tell(guild)
    assert sorted(here.told) == sorted([str(place.channel.id), str(place.lounge.id)])
    await readers.tell(guild)
    readers.changed(place.here)
    await readers.tell(guild)
    assert here.told[2:] == [str(place.channel.id)]
