"""Connects to Slack by Socket Mode, or listens for its requests, and ends in good order."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import aiohttp
import redis.asyncio
import structlog
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError

from bot import grace
from bot.engine import Engine
from bot.errors import PlatformLost, SettingsError, Unconfigured
from bot.health import Health, add_routes
from bot.metrics import Socket as Socket_
from bot.pauses import pauses
from bot.platforms.slack import oauth
from bot.platforms.slack.app import SlackApp
from bot.platforms.slack.manifest import EVENTS
from bot.platforms.slack.purging import Purging
from bot.platforms.slack.rooms import Rooms
from bot.platforms.slack.tenants import Served, tenant
from bot.platforms.slack.tokens import ManyWorkspaces, OneWorkspace, Secrets, Socket
from bot.platforms.slack.workspaces import Workspaces
from bot.service import Service
from bot.settings import Settings
from bot.unfinished import Unfinished
from memory.batch import explaining
from memory.memory import Memory
from memory.tasks import ended

log = structlog.get_logger()

DRAIN, HURRIED = 30.0, 10.0  # seconds in which answers under way may come to their end
PING = 10  # seconds between signs of life; slack_sdk connects anew after four of them were not answered
SILENT = 60.0  # seconds after which a connection is not taken for one
LOST = 90.0  # seconds after which the process ends
REFUSED = frozenset({
    "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type",
})  # fmt: skip


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
        unfinished = Unfinished(engine, lambda: [tenant(one) for one in workspaces.teams()], app.talks.take_up)
        sweeping = grace.keep_up(memory, service.listening)
        work: list[asyncio.Task[Any]] = [asyncio.create_task(unfinished.run()), asyncio.create_task(sweeping)]
        line: _Line
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
            await app.drain(DRAIN)
        except PlatformLost:
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
    for name in ("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"):  # from these bolt would make stores of its own, in files
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
    for pause in pauses():
        try:
            who = await workspaces.client(token).auth_test()
            return Served(str(who["team_id"]), who.get("enterprise_id"), bool(who.get("is_enterprise_install")))
        except SlackApiError as error:
            _refuse(error, "SLACK_BOT_TOKEN", "install the app again and copy its Bot User OAuth Token")
            log.warning("Slack not reached yet", error=str(error.response.get("error")), again_in=round(pause, 1))
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            log.warning("Slack not reached yet", error=type(error).__name__, again_in=round(pause, 1))
        await asyncio.sleep(pause)
    raise AssertionError


def _refuse(error: SlackApiError, variable: str, advice: str) -> None:
    code = str(error.response.get("error", "")) if error.response is not None else ""
    if code in REFUSED or code == "missing_scope":
        raise Unconfigured(f"Slack refuses {variable} ({code}); {advice}") from None


class _Line:
    """How Slack's events come. A line without a socket has nothing to look after."""

    async def trouble(self) -> str:
        """Tell what is wrong; empty where nothing is."""
        return ""

    def sockets(self) -> "list[Socket_]":
        """Return the sockets, for the figures."""
        return []

    async def watch(self) -> None:
        """Look after it for ever. Raises PlatformLost."""
        await asyncio.Event().wait()


class _Socket(_Line):
    """A socket of Socket Mode, which slack_sdk keeps connected; it has been silent since its last pong."""

    def __init__(self, handler: AsyncSocketModeHandler) -> None:
        self._client = handler.client
        self._heard = time.time()

    @property
    def silence(self) -> float:
        """Seconds since Slack was heard last."""
        self._heard = max(self._heard, self._client.last_ping_pong_time or 0.0)
        return time.time() - self._heard

    async def trouble(self) -> str:
        """Tell whether Slack is heard."""
        if self.silence > SILENT or not await self._client.is_connected():
            return f"Slack has not been heard for {self.silence:.0f} s"
        return ""

    def sockets(self) -> "list[Socket_]":
        """Return the socket, for the figures."""
        return [Socket_("0", self.silence <= SILENT, self.silence)]

    async def watch(self) -> None:
        """Look at it every second. Raises PlatformLost where it stays silent though it was connected anew."""
        while True:
            await asyncio.sleep(1.0)
            if not await self._client.is_connected():
                self._client.wss_uri = None  # slack_sdk would try the same address for ever, which is good for once
            if self.silence > LOST:
                raise PlatformLost(f"Slack has not been heard for {self.silence:.0f} s; start again")


@asynccontextmanager
async def _socket(
    bolt: AsyncApp, secrets: Socket, workspaces: Workspaces, settings: Settings
) -> AsyncIterator[_Socket]:
    """Be connected by Socket Mode. Raises Unconfigured where Slack refuses the app-level token."""
    app_token = secrets.app.get_secret_value()
    for pause in pauses():
        try:
            await workspaces.client(app_token).apps_connections_open(app_token=app_token)
            break
        except SlackApiError as error:
            _refuse(error, "SLACK_APP_TOKEN", "make an app-level token (xapp-) with the scope connections:write")
            log.warning("Slack not reached yet", error=str(error.response.get("error")), again_in=round(pause, 1))
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            log.warning("Slack not reached yet", error=type(error).__name__, again_in=round(pause, 1))
        await asyncio.sleep(pause)
    handler = AsyncSocketModeHandler(bolt, app_token, web_client=workspaces.client(app_token), ping_interval=PING)
    try:
        await handler.connect_async()  # type: ignore[no-untyped-call]
        yield _Socket(handler)
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(5.0):
                await handler.close_async()  # type: ignore[no-untyped-call]


@asynccontextmanager
async def _http(bolt: AsyncApp, settings: Settings, health: Health) -> AsyncIterator[_Line]:
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
        yield _Line()
    finally:
        await runner.cleanup()
