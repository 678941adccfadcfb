"""The watchdog over real sockets: what discord.py would not notice, or not in time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import discord
import pytest

from bot.errors import PlatformLost
from bot.metrics import Metrics
from bot.platforms.discord.shards import Sharded
from bot.platforms.discord.watchdog import Watchdog
from tests.discordlike.conftest import pointed_at
from tests.discordlike.server import DiscordLike


class Client(Sharded):
    """A client that notes what it hears, and takes one second of silence for too much."""

    def __init__(self, **options) -> None:
        super().__init__(intents=discord.Intents.default(), metrics=Metrics(), guild_ready_timeout=0.05, **options)
        self.stale_after = 1.0
        self.heard: list[str] = []

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Do not wait five seconds between one identify and the next."""

    async def on_message(self, message: discord.Message) -> None:
        self.heard.append(message.content)


@pytest.fixture
async def server() -> AsyncIterator[DiscordLike]:
    async with DiscordLike() as server:
        server.rules.heartbeat_interval = 0.2
        with pointed_at(server):
            yield server


@contextlib.asynccontextmanager
async def online(server: DiscordLike, **options) -> AsyncIterator[Client]:
    client = Client(**options)
    running = asyncio.create_task(client.start(server.token))
    try:
        await server.until(lambda: client.launched and all(socket.fresh for socket in client.sockets()))
        yield client
    finally:
        for shard in client.shards:
            client.cut(shard)
        await client.close()
        await asyncio.gather(running, return_exceptions=True)


@contextlib.asynccontextmanager
async def looked_after(client: Client, grace: float) -> AsyncIterator[asyncio.Task[None]]:
    watching = asyncio.create_task(Watchdog(client, grace=grace, every=0.05).watch())
    yield watching
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_a_blackholed_shard_is_cut_and_resumes_with_what_was_said_meanwhile(server):
    ada = server.person("ada")
    dm = server.dm(ada)
    async with online(server) as client, looked_after(client, grace=20) as watching:
        server.gateway.blackhole()
        server.say(dm, ada, "are you deaf?")
        await server.until(lambda: client.heard == ["are you deaf?"])
        assert (server.gateway.count("identify"), server.gateway.count("resume")) == (1, 1)
        await server.until(lambda: client.sockets()[0].fresh)
        assert not watching.done()


async def test_events_are_no_heartbeats(server):
    """discord.py takes any frame for life; a socket whose heartbeats nobody answers is half dead."""
    ada = server.person("ada")
    dm = server.dm(ada)
    async with online(server) as client, looked_after(client, grace=20):
        server.gateway.acks = False
        while not server.gateway.count("resume"):
            server.say(dm, ada, "still here")
            await asyncio.sleep(0.02)
        server.gateway.acks = True
        await server.until(lambda: client.sockets()[0].fresh)


async def test_a_shard_that_is_online_but_deaf_after_a_resume_that_nobody_answers_ends_the_process(server):
    """Complaint: online but deaf after a failed resume. Heartbeats are answered all the time."""
    async with online(server) as client, looked_after(client, grace=1) as watching:
        server.gateway.resumes = False
        server.gateway.reconnect()
        await server.until(lambda: client.silence(0) > 0.5)
        assert client._get_websocket(shard_id=0)._keep_alive.latency < 10
        await server.until(watching.done)
        with pytest.raises(PlatformLost, match="shard 0"):
            watching.result()
        assert await client.trouble() != ""


async def test_a_gateway_that_stays_away_ends_the_process(server):
    async with online(server) as client, looked_after(client, grace=1) as watching:
        server.gateway.shut = True
        server.gateway.cut()
        await server.until(watching.done)
        with pytest.raises(PlatformLost, match="shard 0"):
            watching.result()


async def test_each_shard_is_looked_after_by_itself(server):
    async with online(server, shard_count=2) as client, looked_after(client, grace=20):
        (silent,) = [socket for socket in server.gateway.open if socket.session.shard == 1]
        silent.blackholed = True
        await server.until(lambda: client.silence(1) > 0.8)
        assert client.sockets()[0].fresh
        await server.until(lambda: server.gateway.count("resume") == 1)
        await server.until(lambda: all(socket.fresh for socket in client.sockets()))
        assert server.gateway.count("connect") == 3


async def test_a_shard_that_resumes_in_good_order_is_never_called_silent(server):
    async with online(server) as client, looked_after(client, grace=20):
        for count in range(1, 4):
            server.gateway.reconnect()
            await server.until(lambda count=count: server.gateway.count("resume") == count and server.gateway.ready)
            assert await client.trouble() == ""
