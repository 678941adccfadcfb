"""The bot keeps below the requests that Discord allows in a second, and answers whatever Discord withholds."""

import asyncio

import discord.http
import pytest
import yarl

from bot.platforms.discord import intake
from bot.platforms.discord.throttle import counts, throttling
from tests.discordlike.conftest import Client, online, pointed_at
from tests.discordlike.server import DiscordLike


@pytest.fixture
async def server():
    async with DiscordLike() as server:
        with pointed_at(server):
            yield server


@pytest.fixture
async def client(server):
    client = Client(http_trace=throttling(10))
    yield client
    await client.end()


async def test_no_request_is_refused_for_being_one_too_many(server, client):
    ada = server.person("ada")
    guild = server.guild("Library", ada)
    channels = [server.channel(guild, f"room {number}") for number in range(30)]
    await online(server, client)
    server.ratelimits.per_second = 10
    await asyncio.gather(*(client.get_channel(one.id).send("hello") for one in channels))
    assert [len(server.said(one)) for one in channels] == [1] * 30
    assert server.journal.refused() == []


async def test_a_request_that_fails_does_not_count_for_ever(server, client):
    channel = server.channel(server.guild("Library", server.person("ada")), "general")
    await online(server, client)
    server.ratelimits.on = False
    server.faults.fail(403, times=20, on="POST *")
    place = client.get_channel(channel.id)
    failed = await asyncio.gather(*(place.send("hello") for _ in range(20)), return_exceptions=True)
    assert {type(one) for one in failed} == {discord.Forbidden}
    await place.send("hello")
    assert len(server.said(channel)) == 1


def test_answers_to_interactions_files_and_the_gateway_do_not_count():
    base = discord.http.Route.BASE
    assert counts(yarl.URL(f"{base}/channels/1/messages"))
    assert not counts(yarl.URL(f"{base}/interactions/1/token/callback"))
    assert not counts(yarl.URL(f"{base}/webhooks/1/token"))
    assert not counts(yarl.URL("https://cdn.discordapp.com/attachments/1/2/a.png"))
    assert not counts(yarl.URL("wss://gateway.discord.gg/?v=10"))


@pytest.mark.parametrize("fault", ["fail", "cut"])
async def test_what_was_said_before_is_left_out_where_discord_does_not_show_it(server, client, fault):
    """A question was never answered where the channel's past could not be had."""
    ada = server.person("ada")
    channel = server.channel(server.guild("Library", ada), "general")
    await online(server, client)
    asked = server.say(channel, ada, "hello")
    await server.until(lambda: client.of("message"))
    on = "GET /channels/*/messages"
    if fault == "fail":
        server.faults.fail(400, times=5, on=on)
    else:
        server.faults.cut(times=5, on=on)
    (message,) = [one for one in client.of("message") if one.id == asked.id]
    assert await intake.seen(message) == []
