"""lorebot slack-manifest: what Slack is to be told about the app."""

import json
import re
from urllib.parse import urlsplit

import click
import yaml

from bot import settings
from bot.platforms.slack import manifest


def _address(context: click.Context, option: click.Parameter, url: str | None) -> str | None:
    """Return an address without a slash at its end."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        raise click.BadParameter("an address such as https://bot.example.com") from None
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise click.BadParameter("Slack takes an address that begins with https://, such as https://bot.example.com")
    return url.rstrip("/")


def _prefix(context: click.Context, option: click.Parameter, prefix: str) -> str:
    if not re.fullmatch(r"([a-z0-9_-]{1,20}-)?", prefix):
        raise click.BadParameter('small letters, digits, "_" and "-", with a "-" at the end, such as acme-')
    return prefix


@click.command()
@click.option(
    "--http", metavar="URL", callback=_address, help="For `lorebot slack --http`, reached at this https:// address."
)
@click.option("--alone", is_flag=True, help="With --http: for one workspace, whose token is SLACK_BOT_TOKEN.")
@click.option("--prefix", default="", callback=_prefix, help="Put this before each slash command, such as acme-.")
@click.option("--assistant", is_flag=True, help="For an app that has the assistant view and shall keep it.")
@click.option("--json/--yaml", "json_", default=True, help="As JSON, which is the default, or as YAML.")
def command(http: str | None, alone: bool, prefix: str, assistant: bool, json_: bool) -> None:
    """Print the manifest of the Slack app: its commands, events and scopes, those that are used and no others.

    Paste it at https://api.slack.com/apps under "Create New App", "From a manifest", or into the page App Manifest of
    an app that you have. Without --http the app uses Socket Mode. Nothing is sent anywhere.

    \b
    Example:
      lorebot slack-manifest
      lorebot slack-manifest --http https://bot.example.com --yaml
      lorebot slack-manifest | jq .oauth_config.scopes.bot
    """
    if alone and http is None:
        raise click.UsageError("--alone goes with --http; in Socket Mode there is one workspace anyway")
    made = manifest.made(manifest.Shape(settings.load().name, http, prefix, alone, assistant))
    if json_:
        print(json.dumps(made, indent=2, ensure_ascii=False))
    else:
        print(yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=1000), end="")
