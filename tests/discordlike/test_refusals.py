"""An unmodified discord.py talks with the server: errors, rate limits and faults."""

import asyncio
import datetime
import io
import time

import aiohttp
import discord
import pytest

from tests.discordlike.conftest import refused
from tests.discordlike.records import Can

POST = "POST", "/channels/{channel}/messages"
PATCH = "PATCH", "/channels/{channel}/messages/{message}"


async def test_a_cut_after_the_send_leaves_a_message_nobody_was_told_of(server, place):
    server.faults.cut(on="POST */messages", after=True)
    with pytest.raises(aiohttp.ClientError):
        await place.here.send("did it arrive?", nonce="n1")
    assert place.channel.texts == ["did it arrive?"]
    assert (await place.here.send("did it arrive?", nonce="n1")).id == place.channel.messages[0].id
    assert [asked.status for asked in server.journal.of(*POST)] == [0, 200]


async def test_a_cut_before_the_send_leaves_nothing(server, place):
    server.faults.cut(on="POST */messages")
    with pytest.raises(aiohttp.ClientError):
        await place.here.send("lost")
    assert place.channel.texts == []


async def test_a_held_request_waits_until_it_is_let_go(server, place):
    fault = server.faults.hold(on="POST */messages")
    task = asyncio.create_task(place.here.send("patience"))
    await fault.reached.wait()
    assert place.channel.texts == []
    fault.let_go.set()
    await task
    assert place.channel.texts == ["patience"]


async def test_a_delayed_request_takes_its_time(server, place):
    server.faults.delay(0.2, on="POST */typing")
    began = time.monotonic()
    async with place.here.typing():
        assert time.monotonic() - began >= 0.2
        assert server.talk.typing(place.channel, server.me)
    await place.here.send("done")
    assert not server.talk.typing(place.channel, server.me)


async def test_errors_come_with_discords_codes(server, place):
    here, ada = place.here, place.ada
    assert await refused(here.send("x" * 2001)) == (400, 50035)
    assert await refused(here.send("")) == (400, 50006)
    sent = await here.send("something")
    assert await refused(sent.edit(content="")) == (400, 50006)
    assert await refused(here.fetch_message(1)) == (404, 10008)
    assert await refused(here.get_partial_message(1).reply("hi")) == (400, 50035)
    theirs = server.say(place.channel, ada, "mine")
    assert await refused(here.get_partial_message(theirs.id).edit(content="no")) == (403, 50005)
    assert await refused(here.get_partial_message(theirs.id).delete()) == (403, 50013)
    assert await refused(place.client.fetch_channel(1)) == (404, 10003)
    assert await refused(place.client.fetch_user(1)) == (404, 10013)
    assert await refused(here.send(file=discord.File(io.BytesIO(bytes(10 * 1024 * 1024 + 1)), "big"))) == (413, 40005)
    server.overwrite(place.channel, place.guild.everyone, deny=Can.SEND_MESSAGES)
    assert await refused(here.send("hi")) == (403, 50013)
    server.overwrite(place.channel, place.guild.everyone, deny=Can.VIEW_CHANNEL)
    assert await refused(here.send("hi")) == (403, 50001)
    ada.takes_dms = False
    assert await refused((await place.client.fetch_user(ada.id)).send("hi")) == (403, 50007)
    assert len(server.journal.refused()) == 5


async def test_a_message_over_an_hour_old_is_edited_only_so_often(server, place):
    server.rules.old_edit_retry_after = 0.01
    old = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=2)
    message = server.say(place.channel, server.me, "old", at=old)
    edit = place.here.get_partial_message(message.id).edit
    for count in range(server.rules.edits_of_old):
        await edit(content=str(count))
    assert await refused(edit(content="one too many")) == (429, 30046)
    assert message.text == "2"
    fresh = await place.here.send("fresh")
    for count in range(server.rules.edits_of_old + 1):
        await fresh.edit(content=str(count))


async def test_a_full_bucket_makes_the_client_wait_before_it_is_refused(server, place):
    server.ratelimits.on = True
    server.ratelimits.limits[POST] = (2, 0.4)
    began = time.monotonic()
    await asyncio.gather(*(place.here.send(str(count)) for count in range(5)))
    assert time.monotonic() - began >= 0.7
    assert sorted(place.channel.texts) == ["0", "1", "2", "3", "4"]
    assert sum(asked.status == 200 for asked in server.journal.of(*POST)) == 5


async def test_who_does_not_wait_gets_429_with_retry_after(server, place):
    server.ratelimits.on = True
    server.ratelimits.limits[POST] = (1, 30.0)
    headers = {"Authorization": f"Bot {server.token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        address = f"{server.api}/channels/{place.channel.id}/messages"
        first = await session.post(address, json={"content": "1"})
        second = await session.post(address, json={"content": "2"})
        body = await second.json()
    assert (first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Remaining"]) == ("1", "0")
    assert (second.status, body["global"]) == (429, False)
    assert 29 < body["retry_after"] <= 30
    assert float(second.headers["Retry-After"]) == pytest.approx(body["retry_after"])


async def test_more_than_the_global_limit_a_second_is_429_for_every_route(server, place):
    server.ratelimits.on = True
    server.ratelimits.per_second = 3
    headers = {"Authorization": f"Bot {server.token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        answers = [await session.get(f"{server.api}/users/@me") for _ in range(4)]
        body = await answers[-1].json()
    assert (answers[-1].status, answers[-1].headers["X-RateLimit-Global"], body["global"]) == (429, "true", True)


async def test_limits_and_failures_that_are_switched_on_pass(server, place):
    server.faults.limit(0.1, times=2, on="POST */messages")
    server.faults.limit(0.1, on="PATCH *", everywhere=True)
    sent = await place.here.send("at last")
    await sent.edit(content="at long last")
    assert [asked.status for asked in server.journal.of(*POST)] == [429, 429, 200]
    assert [asked.status for asked in server.journal.of(*PATCH)] == [429, 200]
    assert min(server.journal.gaps(*POST)) >= 0.1
    server.faults.fail(500, on="PATCH *")
    await sent.edit(content="after a failure")
    assert place.channel.texts == ["after a failure"]


async def test_a_request_without_the_token_is_unauthorized(server, client):
    async with aiohttp.ClientSession() as session:
        answer = await session.get(f"{server.api}/users/@me")
        body = await answer.json()
    assert (answer.status, body) == (401, {"message": "401: Unauthorized", "code": 0})


async def test_what_the_server_cannot_do_is_not_found_and_noted(server, place):
    assert await refused(place.here.guild.invites()) == (404, 0)
    assert [(asked.method, asked.path) for asked in server.journal.unknown()] == [
        ("GET", f"/guilds/{place.guild.id}/invites")
    ]
