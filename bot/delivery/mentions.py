"""Mentions that would call everybody, made harmless: the model's words ring nobody's phone.

A zero-width space inside the word is enough, and people read the same. It goes in only where the mention is certain,
so that what has been said of a prefix of a reply holds for the whole: `quiet(text + more).startswith(quiet(text))`.
Made quiet before it is cut into messages: a mention may come in two pieces.
"""

import re

_BREAK = "\u200b"
_DISCORD = re.compile(r"(@everyon)(?=e)|(@her)(?=e)|(<@)(?=&)")
_SLACK = re.compile(
    r"(<!channe)(?=l)|(<!her)(?=e)|(<!everyon)(?=e)|(<!grou)(?=p)|(<!subteam)(?=\^)|(<@)(?=[UW])", re.IGNORECASE
)


def quiet_on_discord(text: str) -> str:
    """Return a text whose @everyone, @here and <@&role> call nobody; AllowedMentions holds beside it."""
    return _DISCORD.sub(rf"\g<0>{_BREAK}", text)


def quiet_on_slack(text: str) -> str:
    """Return a text whose <!channel>, <!here>, <!everyone>, <!group> and <!subteam^...> and <@U...> call nobody."""
    return _SLACK.sub(rf"\g<0>{_BREAK}", text)
