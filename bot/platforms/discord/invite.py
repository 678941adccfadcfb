"""The address at which people add the bot to their server."""

from discord.utils import oauth_url

from bot.platforms.discord.permissions import all_used

SCOPES = ("bot", "applications.commands")


def address(application: int) -> str:
    """Return the address that adds an application to a server, with the permissions that the bot uses."""
    return oauth_url(application, permissions=all_used(), scopes=SCOPES)
