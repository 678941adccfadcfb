"""An unmodified discord.py talks with the server: the gateway."""

import asyncio
import json
import time
import zlib
from collections.abc import Callable

import aiohttp
import discord
import pytest

from tests.discordlike.conftest import Client, online
from tests.discordlike.records import MEMBERS, Can
from tests.discordlike.rules import GUILD_MEMBERS, PRIVILEGED, Rules
from tests.discordlike.server import DiscordLike


async def test_a_client_gets_ready_and_sees_guilds_roles_channels_and_threads(server, client):
    ada, bob = server.person("ada"), server.person("bob")
    guild = server.guild("Library", ada, bob)
    mods = server.role(guild, "mods", MEMBERS | Can.MANAGE_MESSAGES)
    general = server.channel(guild, "general")
    backroom = server.channel(guild, "backroom", hidden=[guild.everyone])
    thread = server.thread(general, "plans", ada)
    await online(server, client)
    seen = client.get_guild(guild.id)
    assert [channel.name for channel in seen.text_channels] == ["general", "backroom"]
    assert [thread.name for thread in seen.threads] == ["plans"]
    assert seen.get_role(mods.id).permissions.manage_messages
    assert seen.get_channel(general.id).permissions_for(seen.me).send_messages
    assert not seen.get_channel(backroom.id).permissions_for(seen.me).view_channel
    assert seen.get_thread(thread.id).parent.id == general.id
    assert (client.user.id, client.application.id) == (server.me.id, server.me.id)


async def test_what_people_say_edit_and_delete_reaches_the_client(server, client):
    ada = server.person("ada")
    general = server.channel(server.guild("Library", ada), "general")
    await online(server, client)
    first = server.say(general, ada, "hello")
    second = server.say(general, ada, f"{server.me.mention} look", reply_to=first, files=[("a.txt", b"text")])
    await server.until(lambda: len(client.heard) == 2)
    message = client.of("message")[1]
    assert message.mentions == [client.user]
    assert message.reference.resolved.content == "hello"
    assert message.author.display_name == "Ada"
    assert await message.attachments[0].read() == b"text"
    server.edit(second, "never mind")
    server.delete(first)
    server.delete(second, server.say(general, ada, "more"))
    await server.until(lambda: client.of("raw_bulk_message_delete"))
    assert [event.message.content for event in client.of("raw_message_edit")] == ["never mind"]
    assert [event.message_id for event in client.of("raw_message_delete")] == [first.id]
    assert second.id in client.of("raw_bulk_message_delete")[0].message_ids
    assert general.texts == []


async def test_without_the_intent_content_is_blank_except_where_the_bot_is_addressed(server):
    server.rules.privileged = 0
    ada = server.person("ada")
    general = server.channel(server.guild("Library", ada), "general")
    client = await online(server, Client(discord.Intents.default()))
    server.say(general, ada, "secret")
    asked = server.say(general, ada, f"{server.me.mention} hello")
    server.say(general, ada, "a reply", reply_to=asked)
    server.say(server.dm(ada), ada, "direct")
    await server.until(lambda: len(client.heard) == 4)
    assert client.heard == ["", f"{server.me.mention} hello", "", "direct"]
    assert client.of("message")[2].reference.resolved.content == f"{server.me.mention} hello"
    history = [message.content async for message in client.get_channel(general.id).history(limit=9)]
    assert history == ["", f"{server.me.mention} hello", ""]
    await client.end()


async def test_a_privileged_intent_that_is_not_switched_on_closes_with_4014(server, client):
    server.rules.privileged = PRIVILEGED & ~GUILD_MEMBERS
    eager = Client(discord.Intents.all())
    with pytest.raises(discord.PrivilegedIntentsRequired):
        await asyncio.wait_for(eager.begin(server.token), 10)
    await eager.end()


async def test_a_wrong_token_is_refused_by_rest_and_closes_the_gateway_with_4004(server, client):
    with pytest.raises(discord.LoginFailure):
        await client.start("not the token")
    async with aiohttp.ClientSession() as session, session.ws_connect(server.gateway_address) as socket:
        assert json.loads((await socket.receive()).data)["op"] == 10
        await socket.send_json({"op": 2, "d": {"token": "wrong", "intents": 1, "properties": {}}})
        await socket.receive()
        assert socket.close_code == 4004


def unzip() -> Callable[[bytes], bytes]:
    return zlib.decompressobj().decompress


def unzstd() -> Callable[[bytes], bytes]:
    return pytest.importorskip("zstandard").ZstdDecompressor().decompressobj().decompress


@pytest.mark.parametrize(
    ("query", "opened"), [("", lambda: str), ("?compress=zlib-stream", unzip), ("?compress=zstd-stream", unzstd)]
)
async def test_frames_are_plain_or_one_compressed_stream(server, query, opened):
    guild, read = server.guild("Library"), opened()
    async with aiohttp.ClientSession() as session, session.ws_connect(server.gateway_address + query) as socket:
        hello = json.loads(read((await socket.receive()).data))
        await socket.send_json({"op": 1, "d": None})
        await socket.send_json({"op": 2, "d": {"token": server.token, "intents": 1, "properties": {}}})
        frames = [json.loads(read((await socket.receive()).data)) for _ in range(3)]
    assert hello == {"op": 10, "d": {"heartbeat_interval": 41250}}
    assert [(frame["op"], frame.get("t"), frame.get("s")) for frame in frames] == [
        (11, None, None),
        (0, "READY", 1),
        (0, "GUILD_CREATE", 2),
    ]
    assert frames[2]["d"]["id"] == str(guild.id)


@pytest.mark.parametrize(("op", "code"), [(8, 4003), (3, 4003)])
async def test_who_asks_before_identifying_is_closed(server, op, code):
    async with aiohttp.ClientSession() as session, session.ws_connect(server.gateway_address) as socket:
        await socket.receive()
        await socket.send_json({"op": op, "d": {}})
        await socket.receive()
        assert socket.close_code == code


@pytest.mark.parametrize("break_it", ["reconnect", "cut", "resumable", "closed"])
async def test_a_broken_connection_resumes_and_misses_nothing(server, client, break_it):
    ada = server.person("ada")
    general = server.channel(server.guild("Library", ada), "general")
    await online(server, client)
    breaks = {
        "reconnect": server.gateway.reconnect,
        "cut": server.gateway.cut,
        "resumable": lambda: server.gateway.invalidate(resumable=True),
        "closed": lambda: server.gateway.close(4000),
    }
    server.say(general, ada, "before")
    breaks[break_it]()
    for count in range(3):
        server.say(general, ada, f"missed {count}")
    await server.until(lambda: "resumed" in dict(client.events))
    server.say(general, ada, "after")
    await server.until(lambda: "after" in client.heard)
    assert client.heard == ["before", "missed 0", "missed 1", "missed 2", "after"]
    assert (server.gateway.count("identify"), server.gateway.count("resume")) == (1, 1)


async def test_a_session_that_cannot_be_resumed_is_begun_anew(server, client):
    ada = server.person("ada")
    general = server.channel(server.guild("Library", ada), "general")
    await online(server, client)
    server.sessions.forget()
    server.gateway.cut()
    await server.until(lambda: server.gateway.count("identify") == 2)
    await server.connected()
    server.say(general, ada, "still there?")
    await server.until(lambda: client.heard)
    assert (server.gateway.count("resume"), client.heard) == (1, ["still there?"])


async def test_heartbeats_are_acknowledged_until_a_test_says_otherwise(server, client):
    server.rules.heartbeat_interval = 0.05
    await online(server, client)
    await server.until(lambda: server.gateway.count("heartbeat") > 3 and client.latency < 10)
    server.gateway.acks = False
    before = client.ws._keep_alive._last_ack
    beats = server.gateway.count("heartbeat")
    await server.until(lambda: server.gateway.count("heartbeat") > beats + 3)
    assert client.ws._keep_alive._last_ack <= before + 0.1


async def test_a_blackholed_socket_is_left_by_the_client_which_resumes_on_another(server):
    server.rules.heartbeat_interval = 0.05
    ada = server.person("ada")
    general = server.channel(server.guild("Library", ada), "general")
    client = await online(server, Client(heartbeat_timeout=0.3))
    client.ws.socket._timeout = aiohttp.ClientWSTimeout(ws_close=0.1)
    began = time.monotonic()
    server.gateway.blackhole()
    server.say(general, ada, "are you deaf?")
    await server.until(lambda: client.heard)
    assert time.monotonic() - began > 0.25
    assert (server.gateway.count("resume"), client.heard) == (1, ["are you deaf?"])
    await client.end()


async def test_a_client_that_was_killed_comes_again_to_the_same_guilds_and_messages(server, client):
    ada = server.person("ada")
    general = server.channel(server.guild("Library", ada), "general")
    await online(server, client)
    await client.get_channel(general.id).send("I was here")
    await client.end()
    server.say(general, ada, "said while nobody listened")
    again = await online(server, Client())
    history = [message.content async for message in again.get_channel(general.id).history(limit=5)]
    assert history == ["said while nobody listened", "I was here"]
    assert again.heard == []
    await again.end()


async def test_what_changes_in_a_guild_reaches_the_client(server, client):
    ada = server.person("ada")
    guild = server.guild("Library", ada)
    general = server.channel(guild, "general")
    await online(server, client)
    mods = server.role(guild, "mods")
    server.world.overwrite(general, guild.everyone, deny=Can.VIEW_CHANNEL)
    server.world.permit(guild, mods, MEMBERS | Can.MANAGE_MESSAGES)
    server.world.dress(guild, server.me, mods)
    fresh = server.channel(guild, "fresh")
    thread = server.thread(fresh, "plans", ada)
    server.thread(fresh, "hush", ada, private=True)
    server.world.remove(thread)
    server.world.remove(fresh)
    server.world.outage(guild)
    server.world.outage(guild, over=True)
    server.world.leave(guild, server.me)
    await server.until(lambda: client.of("guild_remove"))
    names = [name for name, _ in client.events if name.startswith(("guild_", "thread_"))]
    assert names[1:] == [
        "guild_role_create",
        "guild_channel_update",
        "guild_role_update",
        "guild_channel_create",
        "thread_create",
        "thread_delete",
        "guild_channel_delete",
        "guild_unavailable",
        "guild_available",
        "guild_remove",
    ]
    assert [one.id for one in client.of("thread_create")] == [thread.id]


async def test_shards_get_their_own_guilds_and_the_first_one_the_dms(server):
    server.rules.shards_required = 2
    ada = server.person("ada")
    guilds = [server.guild(f"guild {count}", ada) for count in range(4)]
    channels = [server.channel(guild, "general") for guild in guilds]

    class Sharded(discord.AutoShardedClient):
        heard: list[tuple[int, str]] = []  # noqa: RUF012

        async def before_identify_hook(self, shard_id, *, initial=False) -> None:
            pass

        async def on_message(self, message: discord.Message) -> None:
            self.heard.append((message.guild.shard_id if message.guild else -1, message.content))

    client = Sharded(intents=discord.Intents.all(), guild_ready_timeout=0.05)
    task = asyncio.create_task(client.start(server.token))
    await server.connected(2)
    for count, channel in enumerate(channels):
        server.say(channel, ada, f"in {count}")
    server.say(server.dm(ada), ada, "direct")
    await server.until(lambda: len(client.heard) == 5)
    expected = [((guild.id >> 22) % 2, f"in {count}") for count, guild in enumerate(guilds)]
    assert sorted(client.heard) == sorted([*expected, (-1, "direct")])
    await client.close()
    await asyncio.wait_for(task, 10)


async def test_a_server_with_rules_of_its_own_tells_them():
    async with DiscordLike(Rules(heartbeat_interval=1.5)) as server, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(server.gateway_address)
        assert await socket.receive_json() == {"op": 10, "d": {"heartbeat_interval": 1500}}


async def test_a_gateway_that_is_shut_is_tried_again_until_it_opens(server, client):
    server.gateway.shut = True
    client.begin(server.token)
    await server.until(lambda: server.journal.of("GET", "/users/@me"))
    server.gateway.shut = False
    await server.until(client.is_ready)
