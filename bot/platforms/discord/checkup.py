"""Whose token it is, as Discord says; it is told to nobody but Discord."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2

from bot.errors import DeliveryError, Unconfigured
from bot.findings import Finding, Verdict
from bot.platforms.discord import tokens
from bot.settings import Settings

API = "https://discord.com/api/v10"
# Discord's edge refuses clients that do not name themselves so.
NAMED = "DiscordBot (https://discord.com/developers/applications, 1)"
# Of an application's flags: the message content intent of one in 100 servers and more, and of one in fewer.
MESSAGE_CONTENT = 1 << 18 | 1 << 19
PATIENCE = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Application:
    """What a token stands for. bot: its name; message_content: whether the message content intent is switched on."""

    id: int
    bot: str
    message_content: bool


async def findings(settings: Settings) -> AsyncIterator[Finding]:
    """Look at the bot's token, by its form first, and ask Discord whose it is and what it may hear."""
    check, secret = "DISCORD_BOT_TOKEN", settings.discord_bot_token
    if secret is None:
        yield Finding(check, Verdict.GOOD, "not set; only `lorebot discord` needs it")
        return
    token = secret.get_secret_value().strip()
    if fault := tokens.fault(token):
        yield Finding(check, Verdict.BAD, fault, f"copy the token into {check} again")
        return
    try:
        found = await application(token, settings.discord_api)
    except Unconfigured as error:
        yield Finding(check, Verdict.BAD, str(error), "reset it on your application's page Bot and set it anew")
    except DeliveryError as error:
        yield Finding(check, Verdict.WARNING, f"looks right, but {error}", "see whether this machine reaches Discord")
    else:
        yield Finding(check, Verdict.GOOD, f"{found.bot}, application {found.id}")
        yield _intent(settings, found)


def _intent(settings: Settings, found: Application) -> Finding:
    """Look at whether the bot may hear what it asks to hear: Discord hangs up on one that may not."""
    check = "message content intent"
    if not settings.discord_message_content:
        return Finding(check, Verdict.GOOD, "not asked for: mentions, DMs and replies that ping the bot are heard")
    if found.message_content:
        return Finding(check, Verdict.GOOD, "switched on")
    return Finding(
        check,
        Verdict.BAD,
        "switched off",
        "switch on MESSAGE CONTENT INTENT on your application's page Bot, or set LOREBOT_DISCORD_MESSAGE_CONTENT=false",
    )


async def application(token: str, api: str | None = None) -> Application:
    """Ask Discord whose token this is; api: another address of its API.

    Raises Unconfigured where Discord refuses the token, DeliveryError where it can't be asked.
    """
    headers = {"Authorization": f"Bot {token}", "User-Agent": NAMED}
    base = (api or API).rstrip("/")
    async with httpx2.AsyncClient(headers=headers, timeout=PATIENCE, follow_redirects=False) as client:
        me = await _got(client, f"{base}/users/@me")
        found = await _got(client, f"{base}/applications/@me")
    try:
        return Application(int(found["id"]), str(me["username"]), bool(int(found.get("flags", 0)) & MESSAGE_CONTENT))
    except (KeyError, TypeError, ValueError):
        raise DeliveryError("something answers at Discord's address that is not Discord") from None


async def _got(client: httpx2.AsyncClient, address: str) -> Any:
    """Return what Discord has at an address; errors say nothing of what was sent."""
    try:
        response = await client.get(address)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise DeliveryError(f"Discord can't be reached ({type(error).__name__})") from None
    if response.status_code == 401:
        raise Unconfigured("Discord refuses it")
    if response.status_code != 200:
        raise DeliveryError(f"Discord does not tell now ({response.status_code})")
    try:
        return response.json()
    except ValueError:
        raise DeliveryError("something answers at Discord's address that is not Discord") from None
