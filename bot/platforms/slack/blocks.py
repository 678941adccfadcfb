"""Buttons, dialogs and pages of Slack's, as its blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.delivery.stream import Controls

Block = dict[str, Any]

STOP, REGENERATE, WHY, GOOD, BAD = "lore_stop", "lore_regenerate", "lore_why", "lore_good", "lore_bad"
BELOW = frozenset({STOP, REGENERATE, WHY, GOOD, BAD})  # an answer; their value names the message that was asked
YES, NO = "lore_yes", "lore_no"
FORGET, PAUSE, RESUME, EXPORT, SEARCH = "lore_forget", "lore_pause", "lore_resume", "lore_export", "lore_search"
FORGET_ALL, ALL, OLDER, NEWER = "lore_forget_all", "lore_all", "lore_older", "lore_newer"
ASK, PERSONA, MODEL, SURE = "lore_ask", "lore_persona", "lore_model", "lore_sure"  # dialogs
TEXT = "text"  # the one field of a dialog

LONGEST_INPUT, LONGEST_LABEL = 3000, 2000  # characters; these three are Slack's
LONGEST_VALUE = 2000  # of a button
LONGEST_ROW = 600  # of a turn on the App Home; /memory show has it whole

PRIVACY = (
    "What you said in direct messages or private channels is used there alone; what you said in public channels may be "
    "used in answers to everybody in the workspace. Nobody but you sees this page."
)


@dataclass(frozen=True, slots=True)
class Row:
    """A turn on the App Home. named: as its button names it; where: in Slack's words; at: seconds since 1970."""

    named: str
    author: str
    text: str
    where: str
    at: int
    link: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the App Home. remembered: turns in all; found: with the words searched for; skipped: newer ones."""

    remembered: int
    found: int
    skipped: int
    search: str
    paused: bool
    rows: tuple[Row, ...]


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


def dialog(callback: str, title: str, label: str, *, value: str = "", about: str = "", optional: bool = False) -> Block:
    """Return a dialog that asks for one text. about: kept with it."""
    entry: Block = {"type": "plain_text_input", "action_id": TEXT, "multiline": True, "max_length": LONGEST_INPUT}
    if value:
        entry["initial_value"] = value
    label_ = {"type": "plain_text", "text": label}
    asked = {"type": "input", "block_id": TEXT, "optional": optional, "label": label_, "element": entry}
    return _modal(callback, title, "Send", about, asked)


def sure(callback: str, title: str, question: str, yes: str, about: str = "") -> Block:
    """Return a dialog that asks whether somebody is sure."""
    return _modal(callback, title, yes, about, {"type": "section", "text": {"type": "mrkdwn", "text": question}})


def said(view: Block) -> str:
    """Return what was put into a dialog."""
    return str(view["state"]["values"][TEXT][TEXT].get("value") or "").strip()


def wrong(why: str) -> Block:
    """Return what a dialog is answered with that cannot be taken as it is: it stays open and says why."""
    return {"response_action": "errors", "errors": {TEXT: why}}


def page(shown: Page, kept: str, *, more: bool) -> Block:
    """Return the App Home: what is remembered of a person, with ways to end it. kept: with the page; more: are older.

    At most 28 blocks: Slack takes 100.
    """
    wish = _button(RESUME, "Remember me again", "-") if shown.paused else _button(PAUSE, "Don't remember me", "-")
    everything = [_button(EXPORT, "Send me all of it", "-"), _button(FORGET_ALL, "Forget everything", "-", "danger")]
    rows: list[Block] = [
        {"type": "header", "text": {"type": "plain_text", "text": "What I remember of you"}},
        _section(_told(shown)),
        _actions(wish, *(everything if shown.remembered else ())),
        _context(PRIVACY),
        {"type": "divider"},
    ]
    if shown.remembered:
        rows.append(_search(shown.search))
        if shown.search:
            found = f"{_counted(shown.found)} with these words." if shown.found else "Nothing of yours has these words."
            rows += [_context(found), _actions(_button(ALL, "Show all again", "-"))]
    for row in shown.rows:
        rows += _row(row)
    turning = [_button(NEWER, "Newer", "-")] if shown.skipped else []
    turning += [_button(OLDER, "Older", "-")] if more else []
    if turning:
        rows += [{"type": "divider"}, _actions(*turning)]
    return {"type": "home", "private_metadata": kept, "blocks": rows}


def _told(shown: Page) -> str:
    if not shown.remembered:
        text = "Nothing is remembered of you yet. Write to me in the Messages tab, or mention me in a channel."
    else:
        text = f"{_counted(shown.remembered)}: what you said to me, and what I answered. The latest come first."
    return f"You are answered, and nothing you say is remembered: you asked for that. {text}" if shown.paused else text


def _counted(turns: int) -> str:
    return "1 turn" if turns == 1 else f"{turns:,} turns"


def _search(words: str) -> Block:
    entry: Block = {"type": "plain_text_input", "action_id": SEARCH, "max_length": 200}
    entry |= {"initial_value": words} if words else {}
    label = {"type": "plain_text", "text": "Search"}
    # Another id for other words: in a block that keeps its id, Slack leaves what was typed.
    block_id = f"search {words}" if words else "search"
    return {"type": "input", "dispatch_action": True, "optional": True, "block_id": block_id,
            "element": entry, "label": label}  # fmt: skip


def _row(row: Row) -> list[Block]:
    """Return a turn: who said what, and below it where and when, in the time zone of whoever reads it."""
    text = f"{row.author}: {row.text}"
    text = text if len(text) <= LONGEST_ROW else f"{text[: LONGEST_ROW - 1]}…"
    said: Block = {"type": "section", "text": {"type": "plain_text", "text": text}}
    if len(row.named) <= LONGEST_VALUE:
        said["accessory"] = _button(FORGET, "Forget", row.named)
    moment = f"{datetime.fromtimestamp(row.at, UTC):%Y-%m-%d %H:%M} UTC"
    when = f"<!date^{row.at}^{{date_short_pretty}}, {{time}}{f'^{row.link}' if row.link else ''}|{moment}>"
    return [said, _context(f"{row.where} · {when}")]


def _modal(callback: str, title: str, yes: str, about: str, *shown: Block) -> Block:
    texts = {"title": title, "submit": yes, "close": "Cancel"}
    told = {name: {"type": "plain_text", "text": text} for name, text in texts.items()}
    return {"type": "modal", "callback_id": callback, "private_metadata": about, "blocks": list(shown), **told}


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}


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
