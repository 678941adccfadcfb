"""Connects to Slack by Socket Mode, or listens for its requests, and ends in good order."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, TypeVar

import aiohttp
import redis.asyncio
import structlog
from aiohttp import web
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app, send_async_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot import grace
from bot.engine import Engine
from bot.errors import PlatformLost, SettingsError, Unconfigured
from bot.health import Health, add_routes
from bot.pauses import pauses
from bot.platforms.slack import oauth
from bot.platforms.slack.app import SlackApp
from bot.platforms.slack.line import Ending, Line
from bot.platforms.slack.manifest import EVENTS
from bot.platforms.slack.purging import Purging
from bot.platforms.slack.rooms import Rooms
from bot.platforms.slack.socket_mode import SURE, Client, SocketMode
from bot.platforms.slack.tenants import Served, tenant
from bot.platforms.slack.tokens import ManyWorkspaces, OneWorkspace, Secrets, Socket, refuse, refused
from bot.platforms.slack.workspaces import Workspaces
from bot.service import Service
from bot.settings import Settings
from bot.unfinished import Unfinished
from memory.batch import explaining
from memory.memory import Memory
from memory.tasks import ended

log = structlog.get_logger()

T = TypeVar("T")

DRAIN, HURRIED = 30.0, 10.0  # seconds in which answers under way may come to their end
CHECKED = 30.0  # pings between looks at whether Slack still takes the bot's token


async def serve(
    engine: Engine,
    memory: Memory,
    client: "redis.asyncio.Redis",
    service: Service,
    settings: Settings,
    secrets: Secrets,
    ending: asyncio.Event,
    health: Health,
) -> None:
    """Serve workspaces until `ending` is set; then answer what is under way.

    Raises Unconfigured where Slack refuses a token, PlatformLost where its connection is lost for good, SettingsError
    where the port cannot be had.
    """
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)))
        bolt, workspaces, purging = await _opened(client, memory, service, settings, secrets, session)
        app = SlackApp(bolt, Rooms(engine, memory, service, settings, workspaces, purging))
        await stack.enter_async_context(service.listening)
        if not isinstance(secrets, ManyWorkspaces):
            for workspace in workspaces.known():
                await purging.here(workspace.team)
                await app.places.ready(workspace)
        app.resume()
        unfinished = Unfinished(engine, lambda: [tenant(one) for one in workspaces.teams()], app.talks.take_up)
        sweeping = grace.keep_up(memory, service.listening)
        taking_up = asyncio.create_task(unfinished.run())
        work: list[asyncio.Task[Any]] = [taking_up, asyncio.create_task(sweeping)]
        if not isinstance(secrets, ManyWorkspaces):
            token = secrets.bot.get_secret_value()
            work.append(asyncio.create_task(_still_taken(workspaces, token, settings.slack_ping)))
        line: Line
        if isinstance(secrets, Socket):
            line = await stack.enter_async_context(_socket(bolt, secrets, workspaces, settings))
        else:
            line = await stack.enter_async_context(_http(bolt, settings, health))
        if not isinstance(secrets, ManyWorkspaces):
            work += [asyncio.create_task(app.missed.run(one, line.trouble)) for one in workspaces.known()]
        health.check("slack", line)
        service.metrics.serves("slack", line.sockets, lambda: len(app.talks))
        log.info("online", workspaces=workspaces.teams())
        watching, stopping = asyncio.create_task(line.watch()), asyncio.create_task(ending.wait())
        try:
            await asyncio.wait([*work, watching, stopping], return_when=asyncio.FIRST_COMPLETED)
            for one in (*work, watching):
                if one.done():
                    one.result()
            health.check("slack", Ending())
            await ended(taking_up)
            await app.drain(DRAIN)
        except (PlatformLost, Unconfigured):
            await app.drain(HURRIED)
            raise
        finally:
            for one in (*work, watching, stopping):
                await ended(one)


async def _opened(
    client: "redis.asyncio.Redis",
    memory: Memory,
    service: Service,
    settings: Settings,
    secrets: Secrets,
    session: aiohttp.ClientSession,
) -> tuple[AsyncApp, Workspaces, Purging]:
    """Return the app, the workspaces that it serves, and what becomes of those that leave."""
    options: dict[str, Any] = {"process_before_response": True, "raise_error_for_unhandled_request": False}
    if isinstance(secrets, ManyWorkspaces):
        bare = Workspaces(_nobody, session, settings.slack_api).client(None)
        installed = oauth.installations(client, memory.keys, secrets, bare)
        await oauth.resealed(installed, secrets)

        async def token(home: Served) -> str:
            found = await installed.async_find_bot(
                enterprise_id=home.enterprise, team_id=home.team, is_enterprise_install=home.org_wide
            )
            if found is None:
                raise LookupError(f"the app is not installed in {home.team}")
            return str(found.bot_token)

        bolt = AsyncApp(
            client=bare,
            signing_secret=secrets.signing.get_secret_value(),
            oauth_flow=oauth.flow(client, memory.keys, secrets, bare, installed),
            **options,
        )
        purging = Purging(memory, service.listening, installed, settings.slack_grace_days)
        workspaces = Workspaces(token, session, settings.slack_api)
        workspaces.expect(await explaining(installed.homes()))
        return bolt, workspaces, purging
    own = secrets.bot.get_secret_value()

    async def only(home: Served) -> str:
        return own

    workspaces = Workspaces(only, session, settings.slack_api)
    home = await _home(workspaces, own)
    signing = secrets.signing.get_secret_value() if isinstance(secrets, OneWorkspace) else None
    # From the first two bolt would make stores of its own, in files; the third it would warn of, as it has a client.
    for name in ("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET", "SLACK_BOT_TOKEN"):
        os.environ.pop(name, None)
    known = await workspaces.of(home)
    if not home.org_wide:
        workspaces.only(home)

    async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        """Return who we are: there is one workspace."""
        return AuthorizeResult(
            enterprise_id=enterprise_id, team_id=team_id, bot_user_id=known.me, bot_id=known.bot, bot_token=own
        )

    bolt = AsyncApp(client=workspaces.client(None), signing_secret=signing, authorize=authorize, **options)
    return bolt, workspaces, Purging(memory, service.listening, None, settings.slack_grace_days)


async def _nobody(home: Served) -> str:
    raise LookupError(home.team)


async def _home(workspaces: Workspaces, token: str) -> Served:
    """Return the workspace of a token; asked until Slack answers. Raises Unconfigured where it refuses."""
    who = await _asked(workspaces.client(token).auth_test, "SLACK_BOT_TOKEN")
    return Served(str(who["team_id"]), who.get("enterprise_id"), bool(who.get("is_enterprise_install")))


async def _asked(ask: Callable[[], Awaitable[T]], variable: str) -> T:
    """Ask Slack something until it answers. Raises Unconfigured where it refuses the token that a variable holds."""
    for pause in pauses():
        try:
            return await ask()
        except SlackApiError as error:
            refuse(error, variable)
            log.warning("Slack not reached yet", error=str(error.response.get("error")), again_in=round(pause, 1))
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            log.warning("Slack not reached yet", error=type(error).__name__, again_in=round(pause, 1))
        await asyncio.sleep(pause)
    raise AssertionError


async def _still_taken(workspaces: Workspaces, token: str, ping: float) -> None:
    """Look now and then whether Slack still takes the bot's token, at once where it tells us that it may not.

    Raises Unconfigured: to be started again with the same token would not help.
    """
    client, refusals = workspaces.client(token), 0
    while True:
        await workspaces.dropped(ping if refusals else CHECKED * ping)
        try:
            await client.auth_test()
            refusals = 0
        except SlackApiError as error:
            refusals = refusals + 1 if refused(error) else 0
            if refusals == SURE:
                refuse(error, "SLACK_BOT_TOKEN")
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            log.info("token not checked", error=type(error).__name__)


@asynccontextmanager
async def _socket(
    bolt: AsyncApp, secrets: Socket, workspaces: Workspaces, settings: Settings
) -> AsyncIterator[SocketMode]:
    """Connect by Socket Mode, and stay connected. Raises Unconfigured where Slack refuses the app-level token.

    The client tries to connect for ever; whether it does is for whoever watches the line.
    """
    app_token = secrets.app.get_secret_value()
    client = Client(app_token, workspaces.client(app_token), settings.slack_ping)

    async def dispatched(client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        began = time.time()
        await send_async_response(client, request, await run_async_bolt_app(bolt, request), began)

    client.socket_mode_request_listeners.append(dispatched)
    connecting: asyncio.Task[None] | None = None
    try:
        client.wss_uri = await _asked(client.issue_new_wss_url, "SLACK_APP_TOKEN")
        connecting = asyncio.create_task(client.connect())  # type: ignore[no-untyped-call]
        yield SocketMode(client)
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(5.0):
                await client.close()  # type: ignore[no-untyped-call]
        if connecting is not None:
            await ended(connecting)


@asynccontextmanager
async def _http(bolt: AsyncApp, settings: Settings, health: Health) -> AsyncIterator[Line]:
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
        yield Line()
    finally:
        await runner.cleanup()
