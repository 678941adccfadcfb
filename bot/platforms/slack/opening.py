"""What the app is to Slack: in one workspace by a token, or wherever it has been installed."""

import os
from typing import Any

import aiohttp
import redis.asyncio
import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError

from bot.platforms.slack import oauth
from bot.platforms.slack.connecting import answered
from bot.platforms.slack.failures import refuse, refused
from bot.platforms.slack.purging import Purging
from bot.platforms.slack.socket_mode import SURE
from bot.platforms.slack.tenants import Served
from bot.platforms.slack.tokens import ManyWorkspaces, OneWorkspace, Secrets, Socket
from bot.platforms.slack.workspaces import Workspaces
from bot.service import Service
from bot.settings import Settings
from memory.batch import explaining
from memory.memory import Memory

log = structlog.get_logger()

CHECKED = 30.0  # pings between looks at whether Slack still takes the bot's token


OPTIONS: dict[str, Any] = {"process_before_response": True, "raise_error_for_unhandled_request": False}

Opened = tuple[AsyncApp, Workspaces, Purging]


async def opened(
    client: "redis.asyncio.Redis",
    memory: Memory,
    service: Service,
    settings: Settings,
    secrets: Secrets,
    session: aiohttp.ClientSession,
) -> Opened:
    """Return the app, the workspaces that it serves, and what becomes of those that leave.

    Raises Unconfigured where Slack refuses a token.
    """
    if isinstance(secrets, ManyWorkspaces):
        return await _wherever_installed(client, memory, service, settings, secrets, session)
    return await _in_one(memory, service, settings, secrets, session)


async def _wherever_installed(
    client: "redis.asyncio.Redis",
    memory: Memory,
    service: Service,
    settings: Settings,
    secrets: ManyWorkspaces,
    session: aiohttp.ClientSession,
) -> Opened:
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
        **OPTIONS,
    )
    purging = Purging(memory, service.listening, installed, settings.slack_grace_days)
    workspaces = Workspaces(token, session, settings.slack_api)
    workspaces.expect(await explaining(installed.homes()))
    return bolt, workspaces, purging


async def _in_one(
    memory: Memory,
    service: Service,
    settings: Settings,
    secrets: Socket | OneWorkspace,
    session: aiohttp.ClientSession,
) -> Opened:
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

    bolt = AsyncApp(client=workspaces.client(None), signing_secret=signing, authorize=authorize, **OPTIONS)
    return bolt, workspaces, Purging(memory, service.listening, None, settings.slack_grace_days)


async def _nobody(home: Served) -> str:
    raise LookupError(home.team)


async def _home(workspaces: Workspaces, token: str) -> Served:
    """Return the workspace of a token; asked until Slack answers. Raises Unconfigured where it refuses."""
    who = await answered(workspaces.client(token).auth_test, "SLACK_BOT_TOKEN")
    return Served(str(who["team_id"]), who.get("enterprise_id"), bool(who.get("is_enterprise_install")))


async def still_taken(workspaces: Workspaces, token: str, ping: float) -> None:
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
