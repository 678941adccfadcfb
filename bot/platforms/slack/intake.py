"""Which messages of Slack's are addressed to the bot, and what became of those that come late."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.platforms.slack import words
from bot.platforms.slack.people import Channel

SAID = frozenset((None, "", "file_share", "thread_broadcast", "me_message"))  # subtypes of what people say
MOST_EARLY = 1000  # messages that were edited or deleted before they came


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


class Early:
    """What became of messages before they came: Slack does not keep the order, least of all when it sends again."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str, str], Mapping[str, Any] | None] = OrderedDict()

    def note(self, team: str, channel: str, ts: str, message: Mapping[str, Any] | None) -> None:
        """Take in what a message says by now; None: it is gone."""
        self._known[team, channel, ts] = message
        self._known.move_to_end((team, channel, ts))
        if len(self._known) > MOST_EARLY:
            self._known.popitem(last=False)

    def latest(self, team: str, event: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return a message that has come as it is by now; None where it is gone."""
        now = self._known.get((team, str(event["channel"]), str(event.get("ts"))), event)
        return now if now is None or now is event else {**event, **now}
