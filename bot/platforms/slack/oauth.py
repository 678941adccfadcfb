"""Installing the app into many workspaces: slack_bolt's OAuth flow over our stores."""

import redis.asyncio
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from bot.platforms.slack import uses
from bot.platforms.slack.authorizing import Authorize
from bot.platforms.slack.manifest import INSTALL, REDIRECT
from bot.platforms.slack.refreshing import FreshInstallations
from bot.platforms.slack.states import States
from bot.platforms.slack.tokens import ManyWorkspaces
from memory.keys import Keys


def installations(
    client: "redis.asyncio.Redis", keys: Keys, secrets: ManyWorkspaces, slack: AsyncWebClient
) -> FreshInstallations:
    """Return the app's installations. slack: a client without a token."""
    secret = secrets.client_secret.get_secret_value()
    rotator = AsyncTokenRotator(client_id=secrets.client_id, client_secret=secret, client=slack)
    return FreshInstallations(client, keys, secrets.sealing, secrets.client_id, rotator)


async def resealed(found: FreshInstallations, secrets: ManyWorkspaces) -> int:
    """Encrypt everything with the first key, where LOREBOT_SECRET_KEY has several; return how many installations.

    To be awaited once at the start. Raises RedisError, SettingsError where a key is missing.
    """
    return await found.rotate() if "," in secrets.sealing.get_secret_value() else 0


def flow(
    client: "redis.asyncio.Redis",
    keys: Keys,
    secrets: ManyWorkspaces,
    slack: AsyncWebClient,
    found: FreshInstallations,
) -> AsyncOAuthFlow:
    """Return the flow that `AsyncApp(oauth_flow=...)` takes; it asks for the scopes that are used."""
    settings = AsyncOAuthSettings(
        client_id=secrets.client_id,
        client_secret=secrets.client_secret.get_secret_value(),
        scopes=list(uses.scopes()),
        user_scopes=[],
        install_path=INSTALL,
        redirect_uri_path=REDIRECT,
        installation_store=found,
        state_store=States(client, keys),
    )
    settings.authorize = Authorize(found)
    return AsyncOAuthFlow(client=slack, settings=settings)
