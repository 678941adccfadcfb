"""Which messages of Slack's are addressed to the bot."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.platforms.slack import words
from bot.platforms.slack.people import Channel

SAID = frozenset((None, "", "file_share", "thread_broadcast", "me_message"))  # subtypes of what people say


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of a person's. thread: the time stamp of the thread's first message, where it is in one."""

    ts: str
    channel: str
    person: str
    text: str
    thread: str | None = None
    files: tuple[Mapping[str, Any], ...] = ()

    @property
    def sent_at(self) -> int:
        """Milliseconds since 1970."""
        return int(float(self.ts) * 1000)


def heard(event: Mapping[str, Any]) -> Heard | None:
    """Return what a person says; None for what bots and Slack itself say."""
    if event.get("subtype") not in SAID or event.get("bot_id") or not event.get("user"):
        return None
    thread = event.get("thread_ts") if event.get("thread_ts") != event["ts"] else None  # else it begins one
    files = tuple(one for one in event.get("files") or () if one.get("mode") != "tombstone")
    text = str(event.get("text") or "")
    return Heard(str(event["ts"]), str(event["channel"]), str(event["user"]), text, thread, files)


def addressed(one: Heard, me: str, channel: Channel, *, joins: bool, in_thread: bool) -> bool:
    """Tell whether a message is for the bot: it names it, or is said where only the bot is spoken to.

    joins: the bot answers unasked in this channel; in_thread: it has been spoken to in this thread before.
    """
    named = words.mentioned(one.text)
    if me in named or channel.kind == "direct":
        return True
    if named:
        return False  # it is for those
    return joins or (one.thread is not None and in_thread)
