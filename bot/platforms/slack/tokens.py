"""What `lorebot slack` needs to be let in: which variables, and whether each holds what it should.

Socket Mode wants a bot token and an app-level token. Over HTTP Slack's requests are signed; there the app is in one
workspace, with a bot token, or installs itself into many, with a client ID and its secret.
"""

import re
from dataclasses import dataclass

from pydantic import SecretStr

from bot.errors import Unconfigured
from bot.registry.secrets import fernet
from bot.settings import Settings

BASIC = "from your app's page Basic Information at https://api.slack.com/apps"

# What each kind of token begins with; Slack puts xoxe. before those that expire.
_KINDS = {
    "xoxb-": "a bot token (xoxb-)",
    "xapp-": "an app-level token (xapp-)",
    "xoxp-": "a user's token (xoxp-)",
    "xoxe-": "a refresh token (xoxe-)",
}

# What to do about one that Slack does not take, by the variable that holds it.
ADVICE = {
    "SLACK_BOT_TOKEN": "install the app again and copy its Bot User OAuth Token",
    "SLACK_APP_TOKEN": "make an app-level token (xapp-) with the scope connections:write",
}


@dataclass(frozen=True, slots=True)
class Socket:
    """What Socket Mode needs."""

    bot: SecretStr
    app: SecretStr


@dataclass(frozen=True, slots=True)
class OneWorkspace:
    """What a single workspace over HTTP needs."""

    signing: SecretStr
    bot: SecretStr


@dataclass(frozen=True, slots=True)
class ManyWorkspaces:
    """What installing into many workspaces over HTTP needs. sealing: what their tokens are encrypted with."""

    signing: SecretStr
    client_id: str
    client_secret: SecretStr
    sealing: SecretStr


Secrets = Socket | OneWorkspace | ManyWorkspaces


def checked(settings: Settings, http: bool) -> Secrets:
    """Return what lets the bot in. Raises Unconfigured naming the variable that is missing or holds something else."""
    return _web(settings) if http else _socket(settings)


def _socket(settings: Settings) -> Socket:
    _not_swapped(settings)
    return Socket(_bot(settings), _app(settings))


def _web(settings: Settings) -> OneWorkspace | ManyWorkspaces:
    signing = _secret("SLACK_SIGNING_SECRET", settings.slack_signing_secret, f"copy it {BASIC}")
    if settings.slack_client_id is None and settings.slack_client_secret is None:
        if settings.slack_bot_token is None:
            raise Unconfigured(
                "SLACK_CLIENT_ID is not set; set it and SLACK_CLIENT_SECRET to install the app in many workspaces, "
                "or SLACK_BOT_TOKEN to serve one"
            )
        return OneWorkspace(signing, _bot(settings))
    secret = _secret("SLACK_CLIENT_SECRET", settings.slack_client_secret, f"copy it {BASIC}, beside the client ID")
    if settings.secret_key is None:
        raise Unconfigured(
            "LOREBOT_SECRET_KEY is not set, and the tokens of workspaces are stored encrypted only; "
            "`lorebot llm new-secret` makes one"
        )
    fernet(settings.secret_key)  # a key that is none is to be told now, and not when somebody installs the app
    return ManyWorkspaces(signing, _client_id(settings), secret, settings.secret_key)


def _not_swapped(settings: Settings) -> None:
    bot, app = (_text(one) for one in (settings.slack_bot_token, settings.slack_app_token))
    if kind(bot) == "xapp-" and kind(app) == "xoxb-":
        raise Unconfigured("SLACK_BOT_TOKEN and SLACK_APP_TOKEN are swapped; the bot token begins with xoxb-")


def _bot(settings: Settings) -> SecretStr:
    advice = "copy the Bot User OAuth Token (xoxb-) from your app's page OAuth & Permissions"
    return _token("SLACK_BOT_TOKEN", settings.slack_bot_token, "xoxb-", advice)


def _app(settings: Settings) -> SecretStr:
    advice = f"make an app-level token (xapp-) with the scope connections:write, {BASIC}"
    return _token("SLACK_APP_TOKEN", settings.slack_app_token, "xapp-", advice)


def _token(variable: str, secret: SecretStr | None, wanted: str, advice: str) -> SecretStr:
    if secret is None:
        raise Unconfigured(f"{variable} is not set; {advice}")
    token = _text(secret)
    found = kind(token)
    if found != wanted:
        what = (
            f"holds {_KINDS[found]}" if found else f"holds {_foreign(token) or f'no token that begins with {wanted}'}"
        )
        raise Unconfigured(f"{variable} {what}; {advice}")
    if fault := _unreadable(token):
        raise Unconfigured(f"{variable} {fault}; {advice}")
    return SecretStr(token)


def _secret(variable: str, secret: SecretStr | None, advice: str) -> SecretStr:
    """Return a secret that has no prefix of its own."""
    if secret is None:
        raise Unconfigured(f"{variable} is not set; {advice}")
    found = _text(secret)
    if mistaken := _KINDS.get(kind(found)) or _foreign(found):
        raise Unconfigured(f"{variable} holds {mistaken}; {advice}")
    if re.fullmatch(r"\d+\.\d+", found):
        raise Unconfigured(f"{variable} holds a client ID; {advice}")
    if fault := _unreadable(found):
        raise Unconfigured(f"{variable} {fault}; {advice}")
    return SecretStr(found)


def _client_id(settings: Settings) -> str:
    if settings.slack_client_id is None:
        raise Unconfigured(f"SLACK_CLIENT_ID is not set; copy it {BASIC}")
    found = settings.slack_client_id.strip()
    if not re.fullmatch(r"\d+\.\d+", found):  # it may be a secret: it is not to be shown
        raise Unconfigured(f"SLACK_CLIENT_ID is no client ID, which is two numbers with a dot; copy it {BASIC}")
    return found


def kind(token: str) -> str:
    """Return what a token of Slack's begins with, such as xoxb-; "" where it is none."""
    return next((prefix for prefix in _KINDS if token.removeprefix("xoxe.").startswith(prefix)), "")


def _foreign(token: str) -> str:
    return "a Discord token" if re.fullmatch(r"[\w-]{20,}\.[\w-]{4,}\.[\w-]{20,}", token, re.ASCII) else ""


def _unreadable(token: str) -> str:
    odd = not token.isascii() or any(char.isspace() or not char.isprintable() for char in token)
    return "holds characters that no such secret has" if odd else ""


def _text(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value().strip()
