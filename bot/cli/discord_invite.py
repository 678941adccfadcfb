"""lorebot discord-invite: the address that adds the bot to a Discord server."""

import json

import click

from bot import settings
from bot.cli.shared import as_json
from bot.errors import Unconfigured
from bot.platforms.discord import invite, tokens
from bot.platforms.discord.permissions import USES, all_used


@click.command()
@click.option(
    "--application-id", type=click.IntRange(min=1), metavar="ID", help="Instead of the id in the bot's token."
)
@as_json
def command(application_id: int | None, json_: bool) -> None:
    """Print the address that adds the bot to a Discord server, with the permissions that it uses and no others.

    Open it in a browser, as somebody who may manage the server. The application's id is the first part of
    DISCORD_BOT_TOKEN, or what you give: it stands on your application's page General Information at
    https://discord.com/developers/applications. Nothing is sent anywhere.

    \b
    Example:
      lorebot discord-invite
      lorebot discord-invite --application-id 1234567890123456789
      lorebot discord-invite --json | jq .permissions
    """
    application = application_id or _of_the_token()
    address = invite.address(application)
    if not json_:
        print(address)
        return
    found = {
        "url": address,
        "application_id": str(application),
        "scopes": list(invite.SCOPES),
        "permissions": str(all_used().value),
        "uses": [{"permission": use.flag, "name": use.name, "why": use.why} for use in USES],
    }
    print(json.dumps(found, ensure_ascii=False))


def _of_the_token() -> int:
    """Return the id in the token. Raises Unconfigured."""
    secret = settings.load().discord_bot_token
    if secret is None:
        raise Unconfigured("there is no application to invite; give --application-id, or set DISCORD_BOT_TOKEN")
    token = secret.get_secret_value().strip()
    found = tokens.bot_id(token)
    if fault := tokens.fault(token):
        raise Unconfigured(f"DISCORD_BOT_TOKEN {fault}; copy the token again, or give --application-id")
    assert found is not None
    return found
