"""Buttons, dialogs and pages of Slack's, as its blocks."""

from collections.abc import Sequence
from typing import Any

from bot.delivery.stream import Controls

Block = dict[str, Any]

STOP, REGENERATE, WHY, GOOD, BAD = "lore_stop", "lore_regenerate", "lore_why", "lore_good", "lore_bad"
YES, NO = "lore_yes", "lore_no"
FORGET, PAUSE, RESUME, EXPORT, SEARCH = "lore_forget", "lore_pause", "lore_resume", "lore_export", "lore_search"
ASK, PERSONA, MODEL = "lore_ask", "lore_persona", "lore_model"  # dialogs

LONGEST_SECTION = 3000


def controls(which: Controls, message: str, asker: str) -> Sequence[Block]:
    """Return what people may do with the last message of a reply."""
    value = f"{message}:{asker}"
    if which is Controls.STOP:
        return (_actions(_button(STOP, "Stop", value, "danger")),)
    if which is Controls.DONE:
        return (
            _actions(
                _button(REGENERATE, "Regenerate", value),
                _button(WHY, "Why?", value),
                _button(GOOD, "👍", value),
                _button(BAD, "👎", value),
            ),
        )
    return ()


def markdown(text: str) -> Block:
    """Return a text in Markdown."""
    return {"type": "markdown", "text": text}


def confirm(token: str) -> Block:
    """Return Yes and No. token: what is to be done is kept under it."""
    return _actions(_button(YES, "Yes", token, "danger"), _button(NO, "No", token))


def dialog(callback: str, title: str, label: str, *, value: str = "", about: str = "", most: int = 3000) -> Block:
    """Return a dialog that asks for one text. about: kept with it."""
    entry: Block = {"type": "plain_text_input", "action_id": "text", "multiline": True, "max_length": most}
    if value:
        entry["initial_value"] = value[:most]
    return {
        "type": "modal",
        "callback_id": callback,
        "title": {"type": "plain_text", "text": title},
        "submit": {"type": "plain_text", "text": "Send"},
        "close": {"type": "plain_text", "text": "Cancel"},
        "private_metadata": about,
        "blocks": [
            {
                "type": "input",
                "block_id": "text",
                "optional": callback != ASK,
                "label": {"type": "plain_text", "text": label},
                "element": entry,
            }
        ],
    }


def said(view: Block) -> str:
    """Return what was put into a dialog."""
    return str(view["state"]["values"]["text"]["text"].get("value") or "").strip()


def page(told: str, turns: Sequence[tuple[str, str]], *, paused: bool) -> Block:
    """Return the App Home: what is remembered of a person, with ways to end it. turns: (name, line) of each."""
    wish = _button(RESUME, "Remember me again", "-") if paused else _button(PAUSE, "Don't remember me", "-")
    rows: list[Block] = [
        {"type": "header", "text": {"type": "plain_text", "text": "What I remember of you"}},
        markdown(told),
        _actions(wish, _button(EXPORT, "Send me all of it", "-")),
        {
            "type": "input",
            "dispatch_action": True,
            "block_id": "search",
            "element": {"type": "plain_text_input", "action_id": SEARCH, "max_length": 200},
            "label": {"type": "plain_text", "text": "Search"},
        },
        {"type": "divider"},
    ]
    for name, line in turns:
        rows.append(
            {
                "type": "section",
                "text": {"type": "plain_text", "text": line[:LONGEST_SECTION] or "…"},
                "accessory": _button(FORGET, "Forget", name),
            }
        )
    return {"type": "home", "blocks": rows}


def _actions(*buttons: Block) -> Block:
    return {"type": "actions", "elements": list(buttons)}


def _button(action: str, text: str, value: str, style: str | None = None) -> Block:
    found: Block = {
        "type": "button",
        "action_id": action,
        "text": {"type": "plain_text", "text": text, "emoji": True},
        "value": value,
    }
    return found | ({"style": style} if style else {})
