"""Which messages of Slack's are addressed to the bot, and what a person there would see beside them."""

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.platforms.slack import words
from bot.platforms.slack.people import Channel
from bot.records import Seen

SAID = frozenset((None, "", "file_share", "thread_broadcast", "me_message"))  # subtypes of what people say
SEEN = 20  # messages of a channel or thread that are shown beside a question
MOST_PLACES = 2000


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
    thread = event.get("thread_ts")
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


class Screens:
    """What was said last in each channel and thread: Slack may forbid to ask for it. Held by this process alone."""

    def __init__(self) -> None:
        self._places: OrderedDict[tuple[str, str, str | None], deque[tuple[str, Seen]]] = OrderedDict()

    def add(self, team: str, one: Heard, seen: Seen) -> None:
        """Take in a message, in its thread too where it begins one."""
        for thread in {one.thread, one.ts if one.thread is None else one.thread}:
            place = self._places.setdefault((team, one.channel, thread), deque(maxlen=SEEN))
            self._places.move_to_end((team, one.channel, thread))
            place.append((one.ts, seen))
        while len(self._places) > MOST_PLACES:
            self._places.popitem(last=False)

    def before(self, team: str, one: Heard) -> tuple[Seen, ...]:
        """Return what a person sees around a message, oldest first."""
        shown = dict(self._places.get((team, one.channel, one.thread), ()))
        shown.pop(one.ts, None)
        return tuple(shown[ts] for ts in sorted(shown) if ts < one.ts)

    def reword(self, team: str, channel: str, ts: str, text: str) -> None:
        """Let a message say something else."""
        for (a_team, a_channel, _), place in self._places.items():
            if (a_team, a_channel) == (team, channel):
                for at, (one, seen) in enumerate(place):
                    if one == ts:
                        place[at] = one, replace(seen, text=text)

    def drop(self, team: str, channel: str, ts: str) -> None:
        """Take out a message that is gone."""
        for (a_team, a_channel, _), place in self._places.items():
            if (a_team, a_channel) == (team, channel):
                for one in [one for one in place if one[0] == ts]:
                    place.remove(one)
