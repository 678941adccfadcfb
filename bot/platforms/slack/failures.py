"""How calls of slack_sdk fail, and what Slack says then; it may be something in between that answers."""

import aiohttp
from slack_sdk.errors import SlackApiError

from bot.errors import Unconfigured
from bot.platforms.slack.tokens import ADVICE

FAILED = (SlackApiError, aiohttp.ClientError, TimeoutError, OSError)  # what a call raises
BUSY = frozenset({"ratelimited", "rate_limited"})
# What Slack says of a token that it will not take again.
REFUSED = frozenset({
    "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type",
})  # fmt: skip
PAUSE = 5.0  # seconds, where Slack asks to wait and does not say how long


def coded(error: Exception) -> str:
    """Return the name that Slack has for a refusal; empty where it gave none."""
    try:
        return str(error.response.get("error") or "") if isinstance(error, SlackApiError) else ""
    except (AttributeError, ValueError):  # the answer is not Slack's
        return ""


def why(error: Exception) -> str:
    """Return how a failure is called in the log: by Slack's name for it, or by what it is."""
    return coded(error) or type(error).__name__


def status(error: SlackApiError) -> int:
    """Return the status of an answer of HTTP's; 0 where there was none."""
    response = error.response
    return int(getattr(response, "status_code", None) or getattr(response, "status", None) or 0)


def busy(error: Exception) -> bool:
    """Tell whether Slack asks to wait."""
    return isinstance(error, SlackApiError) and (coded(error) in BUSY or status(error) == 429)


def after(error: SlackApiError) -> float:
    """Return for how many seconds Slack asks to wait."""
    headers = getattr(error.response, "headers", None) or {}
    said = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    try:
        return max(float(said), 0.0)
    except (TypeError, ValueError):
        return PAUSE


def refused(error: SlackApiError) -> bool:
    """Tell whether Slack will not take a token again."""
    return coded(error) in REFUSED


def refuse(error: SlackApiError, variable: str) -> None:
    """Raise Unconfigured where Slack will not take the token that a variable holds."""
    code = coded(error)
    if code in REFUSED or code == "missing_scope":
        raise Unconfigured(f"Slack refuses {variable} ({code}); {ADVICE[variable]}") from None
