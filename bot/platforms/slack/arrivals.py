"""Which messages of Slack's have come, and what became of others before they came."""

from collections.abc import Mapping
from typing import Any

from bot.latest import Latest

MOST_CAME = 10_000  # messages that are known to have come
MOST_EARLY = 1000  # messages that were edited or deleted before they came


class Arrivals:
    """Slack tells of a mention twice, sends again, and does not keep the order, least of all when it sends again."""

    def __init__(self) -> None:
        self._came: Latest[tuple[str, str, str], None] = Latest(MOST_CAME)
        self._early: Latest[tuple[str, str, str], Mapping[str, Any] | None] = Latest(MOST_EARLY)

    def come(self, team: str, channel: str, ts: str) -> bool:
        """Take in that a message comes; False where it has come already."""
        if (team, channel, ts) in self._came:
            return False
        self._came[team, channel, ts] = None
        return True

    def lost(self, team: str, channel: str, ts: str) -> None:
        """Take in that a message was not taken in after all: it is to come again."""
        self._came.pop((team, channel, ts), None)

    def changed(self, team: str, channel: str, ts: str, message: Mapping[str, Any] | None) -> None:
        """Take in what a message says by now, if it has not come yet; None: it is gone."""
        if (team, channel, ts) not in self._came:
            self._early[team, channel, ts] = message

    def latest(self, team: str, event: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return a message that comes as it is by now; None where it is gone."""
        now = self._early.get((team, str(event["channel"]), str(event.get("ts"))), event)
        return now if now is None or now is event else {**event, **now}
