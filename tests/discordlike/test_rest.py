"""An unmodified discord.py talks with the server: messages, threads, errors and rate limits."""

import asyncio
import datetime
import io
import time

import aiohttp
import discord
import pytest

from tests.discordlike.conftest import Client, online
from tests.discordlike.records import MEMBERS, Can

POST = "POST", "/channels/{channel}/messages"
PATCH = "PATCH", "/channels/{channel}/messages/{message}"


class Place:
    """A channel with Ada in it, and the client's view of it."""

    def __init__(self, server, client):
        self.ada = server.person("ada")
        self.guild = server.guild("Library", self.ada)
        self.channel = server.channel(self.guild, "general")
        self.client = client

    @property
    def here(self) -> discord.TextChannel:
        return self.client.get_channel(self.channel.id)


@pytest.fixture
async def place(server, client):
    place = Place(server, client)
    await online(server, client)
    return place


async def refused(coroutine) -> tuple[int, int]:
    """Return the status and the code of an error."""
    with pytest.raises(discord.HTTPException) as caught:
        await coroutine
    return caught.value.status, caught.value.code


async def test_a_message_is_sent_edited_and_deleted_as_people_see_it(server, place):
    question = server.say(place.channel, place.ada, "why?")
    sent = await place.here.send("Beca", reference=place.here.get_partial_message(question.id))
    await sent.edit(content="Because")
    (seen,) = server.said(place.channel)
    assert [version.text for version in seen.history] == ["Beca", "Because"]
    assert (seen.text, seen.reply_to, seen.mentions) == ("Because", question.id, [place.ada.id])
    assert sent.content == "Because"
    assert sent.edited_at is not None
    await sent.delete()
    assert place.channel.texts == ["why?"]
    assert seen.deleted


async def test_the_bot_hears_its_own_messages_too(server, place):
    await place.here.send("echo")
    await server.until(lambda: [one for one in place.client.of("message") if one.author == place.client.user])


async def test_a_nonce_makes_a_repeated_send_the_same_message(server, place):
    first = await place.here.send("once", nonce="turn-1-part-1")
    again = await place.here.send("once", nonce="turn-1-part-1")
    other = await place.here.send("once", nonce="turn-1-part-2")
    assert first.id == again.id != other.id
    assert place.channel.texts == ["once", "once"]
    assert place.client.of("message")[0].nonce == "turn-1-part-1"


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


async def test_files_go_up_and_come_down_until_their_address_expires(server, place):
    sent = await place.here.send("see", file=discord.File(io.BytesIO(b"# Title"), "answer.md"))
    (seen,) = place.channel.messages
    assert [(one.filename, one.data) for one in seen.attachments] == [("answer.md", b"# Title")]
    assert await sent.attachments[0].read() == b"# Title"
    await sent.edit(attachments=[*sent.attachments, discord.File(io.BytesIO(b"2"), "second.txt")])
    assert [one.filename for one in seen.attachments] == ["answer.md", "second.txt"]
    await sent.edit(attachments=[])
    assert seen.attachments == []
    server.rules.attachment_life = -1
    late = await place.here.send(file=discord.File(io.BytesIO(b"3"), "third.txt"))
    with pytest.raises(discord.NotFound):
        await late.attachments[0].read()


async def test_history_pages_as_discord_does(server, place):
    said = [server.say(place.channel, place.ada, str(count)) for count in range(250)]
    everything = [message.content async for message in place.here.history(limit=None, oldest_first=True)]
    assert everything == [str(count) for count in range(250)]
    before = [message.content async for message in place.here.history(limit=2, before=discord.Object(said[100].id))]
    around = [message.content async for message in place.here.history(limit=3, around=discord.Object(said[9].id))]
    assert (before, around) == (["99", "98"], ["10", "9", "8"])
    assert (await place.here.fetch_message(said[7].id)).content == "7"


async def test_allowed_mentions_decide_who_is_reached_on_edits_too(server, place):
    server.world.permit(place.guild, place.guild.everyone, MEMBERS | Can.MENTION_EVERYONE)
    role = server.role(place.guild, "readers")
    text = f"@everyone {role.mention} {place.ada.mention}"
    quiet = discord.AllowedMentions.none()
    silent = await place.here.send(text, allowed_mentions=quiet)
    await silent.edit(content=text, allowed_mentions=quiet)
    assert server.broadcasts() == []
    loud = await place.here.send(text, allowed_mentions=quiet)
    await loud.edit(content=text)
    assert [message.id for message in server.broadcasts()] == [loud.id]
    assert place.channel.messages[1].mentions == [place.ada.id]


async def test_errors_come_with_discords_codes(server, place):
    here, ada = place.here, place.ada
    assert await refused(here.send("x" * 2001)) == (400, 50035)
    assert await refused(here.send("")) == (400, 50006)
    assert await refused(here.fetch_message(1)) == (404, 10008)
    assert await refused(here.get_partial_message(1).reply("hi")) == (400, 50035)
    theirs = server.say(place.channel, ada, "mine")
    assert await refused(here.get_partial_message(theirs.id).edit(content="no")) == (403, 50005)
    assert await refused(here.get_partial_message(theirs.id).delete()) == (403, 50013)
    assert await refused(place.client.fetch_channel(1)) == (404, 10003)
    assert await refused(place.client.fetch_user(1)) == (404, 10013)
    assert await refused(here.send(file=discord.File(io.BytesIO(bytes(10 * 1024 * 1024 + 1)), "big"))) == (413, 40005)
    server.world.overwrite(place.channel, place.guild.everyone, deny=Can.SEND_MESSAGES)
    assert await refused(here.send("hi")) == (403, 50013)
    server.world.overwrite(place.channel, place.guild.everyone, deny=Can.VIEW_CHANNEL)
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


async def test_moderators_delete_in_bulk(server, place):
    said = [server.say(place.channel, place.ada, str(count)) for count in range(3)]
    partial = [place.here.get_partial_message(message.id) for message in said[:2]]
    assert await refused(place.here.delete_messages(partial)) == (403, 50013)
    server.world.permit(place.guild, place.guild.everyone, MEMBERS | Can.MANAGE_MESSAGES)
    await place.here.delete_messages(partial)
    assert place.channel.texts == ["2"]


async def test_the_bot_starts_threads_and_talks_in_them(server, place):
    question = server.say(place.channel, place.ada, "let us talk")
    thread = await place.here.get_partial_message(question.id).create_thread(name="talk")
    await thread.send("here I am")
    private = await place.here.create_thread(name="secret", type=discord.ChannelType.private_thread)
    await private.send("only us")
    public = await place.here.create_thread(name="open", type=discord.ChannelType.public_thread)
    assert [server.world.channels[one.id].texts for one in (thread, private, public)] == [
        ["", "here I am"],
        ["only us"],
        [],
    ]
    starter = [message async for message in thread.history(oldest_first=True)][0]
    assert (thread.id, starter.type) == (question.id, discord.MessageType.thread_starter_message)
    assert starter.reference.resolved.content == "let us talk"
    await thread.edit(archived=True, name="done")
    assert (server.world.channels[thread.id].archived, server.world.channels[thread.id].name) == (True, "done")
    assert await refused(place.here.get_partial_message(question.id).create_thread(name="again")) == (400, 160004)
    server.say(server.world.channels[thread.id], place.ada, "one more thing")
    await server.until(lambda: "one more thing" in place.client.heard)
    assert not server.world.channels[thread.id].archived


async def test_a_private_thread_is_the_bots_once_it_is_added(server, place):
    thread = server.thread(place.channel, "hush", place.ada, private=True)
    server.say(thread, place.ada, "without you")
    assert await refused(place.client.fetch_channel(thread.id)) == (403, 50001)
    server.add(thread, server.me)
    server.say(thread, place.ada, "welcome")
    await server.until(lambda: place.client.heard)
    assert place.client.heard == ["welcome"]
    assert place.client.of("message")[-1].channel.is_private()


async def test_the_bot_writes_to_people_first_and_hears_them(server, place):
    user = await place.client.fetch_user(place.ada.id)
    await user.send("hello, Ada")
    server.say(server.dm(place.ada), place.ada, "hello, bot")
    await server.until(lambda: place.client.heard)
    assert server.dm(place.ada).texts == ["hello, Ada", "hello, bot"]
    message = place.client.of("message")[-1]
    assert (message.guild, message.channel.type) == (None, discord.ChannelType.private)


async def test_a_group_of_people_never_tells_the_bot_anything(server, place):
    bob = server.person("bob")
    group = server.group_dm(place.ada, bob)
    server.say(group, bob, "among us")
    server.say(place.channel, place.ada, "to all")
    await server.until(lambda: place.client.heard)
    assert place.client.heard == ["to all"]
    assert await refused(place.client.fetch_channel(group.id)) == (403, 50001)


async def test_reactions_come_and_go(server, place):
    message = server.say(place.channel, place.ada, "nice")
    await place.here.get_partial_message(message.id).add_reaction("👍")
    server.react(message, place.ada, "👍")
    assert message.reactions == {"👍": [server.me.id, place.ada.id]}
    await place.here.get_partial_message(message.id).remove_reaction("👍", place.client.user)
    await server.until(lambda: place.client.of("raw_reaction_remove"))
    assert message.reactions == {"👍": [place.ada.id]}
    assert [event.user_id for event in place.client.of("raw_reaction_add")] == [server.me.id, place.ada.id]


async def test_a_previews_update_is_no_edit(server, place):
    message = server.say(place.channel, place.ada, "see http://127.0.0.1/")
    server.unfurl(message)
    await server.until(lambda: place.client.of("raw_message_edit"))
    update = place.client.of("raw_message_edit")[0].message
    assert (update.content, update.edited_at, len(update.embeds)) == ("see http://127.0.0.1/", None, 1)


async def test_a_full_bucket_makes_the_client_wait_before_it_is_refused(server, place):
    server.ratelimits.limits[POST] = (2, 0.4)
    began = time.monotonic()
    await asyncio.gather(*(place.here.send(str(count)) for count in range(5)))
    assert time.monotonic() - began >= 0.7
    assert sorted(place.channel.texts) == ["0", "1", "2", "3", "4"]
    assert sum(asked.status == 200 for asked in server.journal.of(*POST)) == 5


async def test_who_does_not_wait_gets_429_with_retry_after(server, place):
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


async def test_members_are_found_by_name_over_the_gateway_and_by_id_over_rest(server):
    ada, bob = server.person("ada"), server.person("bob")
    guild = server.guild("Library", ada, bob)
    client = await online(server, Client(discord.Intents.default()))
    seen = client.get_guild(guild.id)
    assert [member.id for member in seen.members] == [server.me.id]
    assert [member.name for member in await seen.query_members("ad")] == ["ada"]
    assert (await seen.fetch_member(bob.id)).name == "bob"
    assert await refused(seen.fetch_member(1)) == (404, 10013)
    assert [role.name for role in await seen.fetch_roles()] == ["@everyone"]
    await client.end()
