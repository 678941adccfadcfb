"""The form of a Discord bot's token: three parts, the first of which is the bot's id."""

import base64
import binascii


def fault(token: str) -> str:
    """Return what is wrong with a token's form, as the rest of a sentence about its variable; "" where nothing is."""
    if token.startswith(("xoxb-", "xapp-", "xoxp-")):
        return "is a Slack token"
    if token.startswith("Bot "):
        return "begins with the word Bot, which is not a part of it"
    if not token.isascii() or any(char.isspace() or not char.isprintable() for char in token):
        return "holds characters that no token has"
    if token.count(".") != 2:
        return "should have three parts with dots between them"
    return "" if bot_id(token) is not None else "does not begin with a bot's id"


def bot_id(token: str) -> int | None:
    """Return the bot's id; None where there is none. Applications made since autumn 2016 have the same one."""
    first = token.partition(".")[0]
    try:
        digits = base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    return int(digits) if digits.isdecimal() else None
