"""A server for each test, and a bare discord.py client that is pointed at it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import discord
import discord.gateway
import discord.http
import pytest
import yarl
from discord import app_commands

from tests.discordlike.server import DiscordLike


class Client(discord.Client):
    """A client that notes its events and can be reacted to."""

    def __init__(self, intents: discord.Intents | None = None, **options: Any) -> None:
        intents = intents or discord.Intents(discord.Intents.default().value, message_content=True)
        super().__init__(intents=intents, guild_ready_timeout=0.05, **options)
        self.tree = app_commands.CommandTree(self)
        self.events: list[tuple[str, tuple[Any, ...]]] = []
        self.running: asyncio.Task[None] | None = None

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Do not wait five seconds between one identify and the next."""

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        self.events.append((event, args))
        super().dispatch(event, *args, **kwargs)

    def of(self, event: str) -> list[Any]:
        """Return the first argument of each such event."""
        return [args[0] if args else None for name, args in self.events if name == event]

    @property
    def heard(self) -> list[str]:
        return [message.content for message in self.of("message") if message.author != self.user]

    def begin(self, token: str) -> asyncio.Task[None]:
        self.running = asyncio.create_task(self.start(token))
        return self.running

    async def end(self) -> None:
        """Hang up as a process does that is killed: no goodbye, no waiting."""
        if self.running is not None:
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)
        if self.ws is not None:
            if self.ws._keep_alive is not None:
                self.ws._keep_alive.stop()
            self.ws.socket._response.close()
        await self.http.close()


@pytest.fixture
async def server() -> AsyncIterator[DiscordLike]:
    async with DiscordLike() as server:
        with pointed_at(server):
            yield server


@pytest.fixture
async def client(server: DiscordLike) -> AsyncIterator[Client]:
    """A client that connects when a test calls `online`."""
    client = Client()
    yield client
    await client.end()


@contextlib.contextmanager
def pointed_at(server: DiscordLike):
    """Point discord.py at the server, as the bot does by its environment."""
    before = discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY
    discord.http.Route.BASE = server.api
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(server.gateway_address)
    yield
    discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = before


async def online(server: DiscordLike, client: Client) -> Client:
    """Connect the client and wait until it is ready."""
    task = client.begin(server.token)
    await server.until(lambda: client.is_ready() or task.done())
    if task.done():
        task.result()
    return client


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
    server.ratelimits.on = False
    await online(server, client)
    return place


async def refused(coroutine) -> tuple[int, int]:
    """Return the status and the code of an error."""
    with pytest.raises(discord.HTTPException) as caught:
        await coroutine
    return caught.value.status, caught.value.code
