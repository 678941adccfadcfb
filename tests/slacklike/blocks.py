"""Block Kit as people see it: the words, the buttons, the inputs, and who is called."""

import html
import re
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

# Slack does not say whether code spans and fallback texts ring; whatever could is taken to.
_CALLS = re.compile(r"<!(?:channel|here|everyone|group|subteam\^\w+)(?:\|[^>]*)?>", re.IGNORECASE)
_NAMES = re.compile(r"(?<!\w)@(?:channel|here|everyone|group)\b", re.IGNORECASE)


def shown(blocks: list[Json]) -> str:
    """Return the words of blocks, a line or more each."""
    return "\n".join(words for block in blocks if (words := _words(block)))


def unescaped(text: str) -> str:
    """Return a text as people read it: &lt; is <."""
    return html.unescape(text)


def walk(item: Any) -> Iterator[Json]:
    """Yield every object in blocks, however deep."""
    if isinstance(item, list):
        for one in item:
            yield from walk(one)
    elif isinstance(item, dict):
        yield item
        for one in item.values():
            yield from walk(one)


def elements(blocks: list[Json]) -> Iterator[tuple[str, Json]]:
    """Yield what can be used, each with the id of its block."""
    for block in blocks:
        inner = [*(block.get("elements") or []), block.get("element"), block.get("accessory")]
        for element in inner:
            if isinstance(element, dict) and "action_id" in element:
                yield block.get("block_id", ""), element


def buttons(blocks: list[Json]) -> dict[str, Json]:
    found = [element for _, element in elements(blocks) if element["type"] == "button"]
    return {element["text"]["text"]: element for element in found}


def characters(blocks: list[Json]) -> int:
    """Return how much text there is in blocks."""
    return sum(len(item["text"]) for item in walk(blocks) if isinstance(item.get("text"), str))


def rings(text: str, blocks: list[Json], attachments: list[Json], *, names: bool = False) -> bool:
    """Whether a message calls a channel, everyone or a group; with `names` a bare @channel does too."""
    read = [text]
    for item in walk([*blocks, *attachments]):
        if item.get("type") in ("broadcast", "usergroup"):
            return True
        if item.get("type") != "plain_text":
            read += [one for name, one in item.items() if isinstance(one, str) and name in _READ]
    return any(_CALLS.search(one) or (names and _NAMES.search(one)) for one in read)


_READ = ("text", "pretext", "title", "fallback", "footer", "value")


def _words(block: Json) -> str:
    kind = block.get("type")
    if kind == "markdown":
        return str(block["text"])
    if kind == "divider":
        return "---"
    if kind == "rich_text":
        return "".join(_rich(item) for item in walk(block["elements"]))
    parts = [block.get("text"), block.get("label"), *(block.get("fields") or [])]
    parts += [one.get("text", one) for one in block.get("elements") or [] if "type" in one]
    parts.append((block.get("accessory") or {}).get("text"))
    return " ".join(_plain(part) for part in parts if part)


def _plain(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part.get("text"), str):
        return html.unescape(part["text"]) if part.get("type") == "mrkdwn" else part["text"]
    return ""


def _rich(item: Json) -> str:
    if item.get("type") == "user":
        return f"<@{item['user_id']}>"
    return str(item.get("text", "")) if item.get("type") in ("text", "link") else ""
