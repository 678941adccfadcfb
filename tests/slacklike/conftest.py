"""A server for each test, and an unmodified slack-bolt app that is pointed at it."""

import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.slacklike.rules import Rules
from tests.slacklike.server import SlackLike


class Bot:
    """An app that notes its events."""

    def __init__(self, server: SlackLike, oauth: AsyncOAuthSettings | None = None) -> None:
        self.server = server
        self.client = AsyncWebClient(server.bot_token, base_url=server.url)
        client = AsyncWebClient(None if oauth else server.bot_token, base_url=server.url)
        self.app = AsyncApp(client=client, signing_secret=server.app.signing_secret, oauth_settings=oauth)
        self.events: list[dict[str, Any]] = []
        self.bodies: list[dict[str, Any]] = []
        self.app.use(self._note)
        self.handlers: list[AsyncSocketModeHandler] = []
        self.runner: web.AppRunner | None = None

    async def _note(self, body: dict[str, Any], next: Any) -> None:
        if "event" in body:
            self.events.append(body["event"])
        self.bodies.append(body)
        await next()

    def ready(self) -> None:
        """Take what no test listens to; bolt leaves unacknowledged what nobody handles."""
        app = self.app
        for kind in (app.event, app.action, app.view, app.view_closed, app.command, app.shortcut):
            kind(re.compile(".*"))(acknowledge)

    def of(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if name in (event["type"], event.get("subtype"))]

    @property
    def heard(self) -> list[str]:
        """What people said."""
        return [event["text"] for event in self.of("message") if "subtype" not in event]

    async def connect(self, ping_interval: float = 10) -> AsyncSocketModeHandler:
        self.ready()
        handler = AsyncSocketModeHandler(self.app, self.server.app.token, ping_interval=ping_interval)
        self.handlers.append(handler)
        await handler.connect_async()
        await self.server.connected(len(self.handlers))
        return handler

    async def serve(self) -> str:
        """Serve HTTP; return the address, which is not yet the request URL."""
        self.ready()
        server = self.app.server(path="/slack/events")
        self.runner = web.AppRunner(server.web_app, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self.runner.addresses[0][1]}"

    async def end(self) -> None:
        for handler in self.handlers:
            await handler.close_async()
        if self.runner is not None:
            await self.runner.cleanup()


async def acknowledge(ack: Any) -> None:
    await ack()


@pytest.fixture
def rules() -> Rules:
    """A Slack in a hurry: what it does after minutes comes at once."""
    return Rules(ack_within=0.3, retries=(0.0, 0.05, 0.05), close_after=0.05, ping_every=0.05)


@pytest.fixture
async def server(rules: Rules) -> AsyncIterator[SlackLike]:
    async with SlackLike(rules) as server:
        server.ratelimits.on = False
        yield server


@pytest.fixture
async def bot(server: SlackLike) -> AsyncIterator[Bot]:
    """An app that connects when a test calls `connect`."""
    bot = Bot(server)
    yield bot
    await bot.end()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class Place:
    """A channel with Ada and Ben in it, and the app."""

    def __init__(self, server: SlackLike) -> None:
        self.ada, self.ben = server.person("ada"), server.person("ben")
        self.channel = server.channel("general", self.ada, self.ben)
        self.dm = server.dm(self.ada)


@pytest.fixture
def place(server: SlackLike) -> Place:
    return Place(server)


async def refused(call: Any) -> str:
    """Return the error that a call is refused with."""
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])
