"""What was said while the bot was away is heard once, and looked for again by whoever comes after a crash."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import discord
import pytest

from bot.notes import Notes
from bot.platforms.discord.missed import NOTE, Missed
from memory import tasks
from tests.discordlike.conftest import Place, pointed_at
from tests.discordlike.server import DiscordLike
from tests.waiting import until_it

AWAY = 100.0  # seconds


class Client(discord.AutoShardedClient):
    """The bot's kind of client, which does nothing."""

    def __init__(self) -> None:
        super().__init__(intents=discord.Intents.default())


@pytest.fixture
async def server() -> AsyncIterator[DiscordLike]:
    async with DiscordLike() as server:
        yield server


@pytest.fixture
async def place(server):
    with pointed_at(server):
        client = Client()
        place = Place(server, client)
        server.ratelimits.on = False
        running = asyncio.create_task(client.start(server.token))
        await server.until(client.is_ready)
        yield place
        await client.close()
        await tasks.ended(running)


@pytest.fixture
async def missed(memory, place):
    """Make one that was here AWAY ago; heard: what it brings."""
    notes, heard = Notes(memory), []
    await notes.write(NOTE, f"{place.client.application_id}:all", json.dumps({"at": time.time() - AWAY}))

    async def hears(message: discord.Message) -> None:
        heard.append(message.content)

    found = Missed(place.client, notes, hears)
    await found.recall()
    return found, heard, notes


async def test_what_was_heard_as_it_came_is_not_heard_again(server, place, missed):
    found, heard, _ = missed
    first = server.say(place.channel, place.ada, "heard")
    server.say(place.channel, place.ada, "missed")
    await server.until(lambda: place.here.last_message_id != first.id)
    found.heard(await place.here.fetch_message(first.id))
    await found.catch_up()
    assert heard == ["missed"]


async def test_until_all_is_heard_the_note_says_until_when_it_was(server, place, missed, client, memory):
    found, _, notes = missed
    said = server.say(place.channel, place.ada, "missed")
    await server.until(lambda: place.here.last_message_id == said.id)
    looking = server.faults.hold(on="GET /channels/*/messages*")
    catching_up = asyncio.create_task(found.catch_up())
    await looking.reached.wait()
    name = f"{place.client.application_id}:all"
    await client.delete(memory.keys.note(NOTE, name))
    beating = asyncio.create_task(found.beat())
    await until_it(lambda: notes.read(NOTE, name))
    assert json.loads(await notes.read(NOTE, name))["at"] < time.time() - AWAY / 2
    looking.let_go.set()
    await catching_up
    await tasks.ended(beating)
