"""An unmodified discord.py talks with the server: connections, and how they break."""

import asyncio
import json
import time
import zlib
from collections.abc import Callable

import aiohttp
import discord
import pytest

from tests.discordlike.conftest import Client, online
from tests.discordlike.rules import GUILD_MEMBERS, PRIVILEGED


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
    beats = server.gateway.count("heartbeat")
    await server.until(lambda: server.gateway.count("heartbeat") > beats + 1)
    latest = client.ws._keep_alive._last_ack
    await server.until(lambda: server.gateway.count("heartbeat") > beats + 4)
    assert client.ws._keep_alive._last_ack == latest


async def test_a_blackholed_socket_is_left_by_the_client_which_resumes_on_another(server):
    server.rules.heartbeat_interval = 0.05
    ada = server.person("ada")
    general = server.channel(server.guild("Library", ada), "general")
    client = await online(server, Client(heartbeat_timeout=0.3))
    began = time.monotonic()
    server.gateway.blackhole()
    server.say(general, ada, "are you deaf?")
    await server.until(lambda: client.heard)
    assert time.monotonic() - began > 0.25
    assert (server.gateway.count("resume"), client.heard) == (1, ["are you deaf?"])
    await client.end()


async def test_a_gateway_that_is_shut_is_tried_again_until_it_opens(server, client):
    ada = server.person("ada")
    general = server.channel(server.guild("Library", ada), "general")
    await online(server, client)
    server.gateway.shut = True
    server.gateway.cut()
    server.say(general, ada, "through a closed door")
    await server.until(lambda: server.gateway.count("turned away"))
    server.gateway.shut = False
    await server.until(lambda: client.heard == ["through a closed door"])
    assert server.gateway.count("resume") == 1
