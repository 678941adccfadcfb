"""Whose tokens those are, as Slack says, and whether they may do what the app does."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
from pydantic import SecretStr

from bot.errors import DeliveryError, Unconfigured
from bot.findings import Finding, Verdict
from bot.platforms.slack import tokens, uses
from bot.settings import Settings

API = "https://slack.com/api/"
PATIENCE = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Installed:
    """What a bot token stands for. bot and team: their names; scopes: None where Slack does not tell."""

    bot: str
    team: str
    scopes: frozenset[str] | None


async def findings(settings: Settings) -> AsyncIterator[Finding]:
    """Look at what is set of Slack's, by its form first, and ask Slack whose it is and what it may do."""
    given = (settings.slack_bot_token, settings.slack_app_token, settings.slack_client_id)
    if not any(given):
        yield Finding("SLACK_BOT_TOKEN", Verdict.GOOD, "not set; only `lorebot slack` needs it")
        return
    try:
        alone = settings.slack_app_token is None and settings.slack_signing_secret is not None
        secrets = tokens.checked(settings, http=alone or settings.slack_client_id is not None)
    except Unconfigured as error:
        what, _, advice = str(error).partition("; ")
        yield Finding(what.split()[0], Verdict.BAD, what, advice)
        return
    if isinstance(secrets, tokens.ManyWorkspaces):
        yield Finding("SLACK_CLIENT_ID", Verdict.GOOD, "complete, for `lorebot slack --http`")
        return
    async for finding in _bot(secrets.bot, settings):
        yield finding
    if isinstance(secrets, tokens.Socket):
        yield await _app(secrets.app, settings)


async def _bot(token: SecretStr, settings: Settings) -> AsyncIterator[Finding]:
    check = "SLACK_BOT_TOKEN"
    try:
        found = await installed(token, settings.slack_api)
    except (Unconfigured, DeliveryError) as error:
        yield _failed(check, error)
        return
    yield Finding(check, Verdict.GOOD, f"{found.bot} in {found.team}")
    if found.scopes is None:
        return
    missing = sorted({*uses.scopes()} - found.scopes)
    if missing:
        advice = "paste what `lorebot slack-manifest` prints into your app's page App Manifest, and install it again"
        yield Finding("Slack scopes", Verdict.BAD, f"without {', '.join(missing)}", advice)
    else:
        yield Finding("Slack scopes", Verdict.GOOD, "all that are used")


async def _app(token: SecretStr, settings: Settings) -> Finding:
    check = "SLACK_APP_TOKEN"
    try:
        await _asked("apps.connections.open", token, settings.slack_api)
    except (Unconfigured, DeliveryError) as error:
        return _failed(check, error)
    return Finding(check, Verdict.GOOD, "opens Socket Mode")


def _failed(variable: str, error: Unconfigured | DeliveryError) -> Finding:
    if isinstance(error, Unconfigured):
        return Finding(variable, Verdict.BAD, str(error), tokens.ADVICE[variable])
    return Finding(variable, Verdict.WARNING, f"looks right, but {error}", "see whether this machine reaches Slack")


async def installed(token: SecretStr, api: str | None = None) -> Installed:
    """Ask Slack whose bot token this is; api: another address of its API.

    Raises Unconfigured where Slack refuses the token, DeliveryError where it can't be asked.
    """
    found, scopes = await _asked("auth.test", token, api)
    granted = None if scopes is None else frozenset(one.strip() for one in scopes.split(","))
    return Installed(str(found.get("user", "")), str(found.get("team", "")), granted)


async def _asked(method: str, token: SecretStr, api: str | None) -> tuple[dict[str, Any], str | None]:
    """Return what Slack answers, and which scopes it says the token has; errors say nothing of what was sent."""
    headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
    try:
        async with httpx2.AsyncClient(headers=headers, timeout=PATIENCE, follow_redirects=False) as client:
            response = await client.post(f"{(api or API).rstrip('/')}/{method}")
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise DeliveryError(f"Slack can't be reached ({type(error).__name__})") from None
    try:
        answer = response.json()
        good = bool(answer["ok"])
    except (ValueError, KeyError, TypeError):
        raise DeliveryError(f"Slack does not tell now ({response.status_code})") from None
    if good:
        return answer, response.headers.get("X-OAuth-Scopes")
    code = str(answer.get("error"))
    if response.status_code == 429 or code in ("ratelimited", "internal_error", "fatal_error", "service_unavailable"):
        raise DeliveryError(f"Slack does not tell now ({code})")
    raise Unconfigured(f"Slack refuses it ({code})")
