"""Slack's texts as people read them, and back."""

import html
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|([^>]*))?>")
_CHANNEL = re.compile(r"<#([CG][A-Z0-9]+)(?:\|([^>]*))?>")
_SPECIAL = re.compile(r"<!(here|channel|everyone)(?:\|[^>]*)?>")
_GROUP = re.compile(r"<!subteam\^[A-Z0-9]+(?:\|([^>]*))?>")
_DATE = re.compile(r"<!date\^[^|>]*\|([^>]*)>")
_LINK = re.compile(r"<((?:https?|mailto|tel):[^|>]+)(?:\|([^>]*))?>")


def mentioned(text: str) -> list[str]:
    """Return the ids of the people whom a text mentions."""
    return [match[1] for match in _MENTION.finditer(text)]


def read(text: str, name: Callable[[str], str]) -> str:
    """Return what a text of Slack's says: mentions and links as they are shown, no escapes. name: of a person's id."""
    text = _MENTION.sub(lambda match: f"@{match[2] or name(match[1])}", text)
    text = _CHANNEL.sub(lambda match: f"#{match[2] or match[1]}", text)
    text = _SPECIAL.sub(lambda match: f"@{match[1]}", text)
    text = _GROUP.sub(lambda match: match[1] or "@group", text)
    text = _DATE.sub(lambda match: match[1], text)
    text = _LINK.sub(lambda match: f"{match[2]} ({match[1]})" if match[2] and match[2] != match[1] else match[1], text)
    return html.unescape(text)


def without(text: str, person: str) -> str:
    """Return a text of Slack's without its first mention of somebody."""
    return re.sub(rf"<@{person}(?:\|[^>]*)?>[\s,:]*", "", text, count=1).strip()


def escaped(text: str) -> str:
    """Return a text whose marks Slack does not read as its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def shown(message: Mapping[str, Any]) -> str:
    """Return what people see of a message, in Slack's form: its text, else that of its blocks; and its files' names."""
    said = str(message.get("text") or "").strip() or "\n".join(_beside(message)).strip()
    files = [escaped(str(one.get("name") or one.get("title") or "a file")) for one in message.get("files") or () if one]
    return "\n".join(filter(None, (said, f"(attached: {', '.join(files)})" if files else "")))


def answered(message: Mapping[str, Any]) -> str:
    """Return what a message of ours says in Markdown, whole; empty where Slack does not tell."""
    blocks = message.get("blocks") or ()
    return "\n".join(str(one.get("text") or "") for one in blocks if one.get("type") == "markdown").strip()


def _beside(message: Mapping[str, Any]) -> Iterator[str]:
    """Yield what bots say without a text."""
    for block in message.get("blocks") or ():
        found = block.get("text") if isinstance(block, Mapping) else None
        yield str((found.get("text") if isinstance(found, Mapping) else found) or "")
    for one in message.get("attachments") or ():
        yield str(one.get("text") or one.get("fallback") or one.get("title") or "")
