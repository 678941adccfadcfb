"""Connects to Slack by Socket Mode, or listens for its requests."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import structlog
from aiohttp import web
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app, send_async_response
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.errors import SettingsError
from bot.health import Health, add_routes
from bot.pauses import pauses
from bot.platforms.slack.failures import FAILED, refuse, why
from bot.platforms.slack.manifest import EVENTS
from bot.platforms.slack.socket_mode import Client, SocketMode
from bot.platforms.slack.tokens import Socket
from bot.platforms.slack.transport import Transport
from bot.platforms.slack.workspaces import Workspaces
from bot.settings import Settings
from memory.tasks import ended

log = structlog.get_logger()

T = TypeVar("T")


@asynccontextmanager
async def by_socket(
    bolt: AsyncApp, secrets: Socket, workspaces: Workspaces, settings: Settings
) -> AsyncIterator[SocketMode]:
    """Connect by Socket Mode, and stay connected. Raises Unconfigured where Slack refuses the app-level token.

    The client tries to connect for ever; whether it does is for whoever watches the transport.
    """
    app_token = secrets.app.get_secret_value()
    client = Client(app_token, workspaces.client(app_token), settings.slack_ping)

    async def dispatched(client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        began = time.time()
        await send_async_response(client, request, await run_async_bolt_app(bolt, request), began)

    client.socket_mode_request_listeners.append(dispatched)
    connecting: asyncio.Task[None] | None = None
    try:
        client.wss_uri = await answered(client.issue_new_wss_url, "SLACK_APP_TOKEN")
        connecting = asyncio.create_task(client.connect())  # type: ignore[no-untyped-call]
        yield SocketMode(client)
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(5.0):
                await client.close()  # type: ignore[no-untyped-call]
        if connecting is not None:
            await ended(connecting)


@asynccontextmanager
async def over_http(bolt: AsyncApp, settings: Settings, health: Health) -> AsyncIterator[Transport]:
    """Listen for Slack's requests, and for installations where there may be many. Raises SettingsError."""
    host, port = settings.slack_address
    app = bolt.web_app(path=EVENTS)
    if settings.slack_shares_port:
        add_routes(app, health)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=3.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise SettingsError(
                f"Slack's requests cannot be taken on port {port} of {host} ({error.strerror}); set LOREBOT_SLACK_PORT"
            ) from error
        print(f"Listening on {host}:{runner.addresses[0][1]}", flush=True)
        yield Transport()
    finally:
        await runner.cleanup()


async def answered(ask: Callable[[], Awaitable[T]], variable: str) -> T:
    """Ask Slack something until it answers. Raises Unconfigured where it refuses the token that a variable holds."""
    for pause in pauses():
        try:
            return await ask()
        except FAILED as error:
            if isinstance(error, SlackApiError):
                refuse(error, variable)
            log.warning("Slack not reached yet", error=why(error), again_in=round(pause, 1))
        await asyncio.sleep(pause)
    raise AssertionError
