"""How much of what need not be Slack takes from an app in a workspace; what must be, such as ends, is always tried."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.latest import Latest

MINUTE = 60.0  # seconds; Slack counts calls of a method in a workspace by the minute
STARTS = 15  # streams begun in a minute, so that their ends are within Slack's limit too
CLOSED = 600.0  # seconds for which a channel that takes no streams is not asked again
MOST_CLOSED = 1000


class Rate:
    """So many calls at once, and as many again spread over a minute."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._left = float(most)
        self._at = clock()

    def take(self) -> bool:
        """Make one more call, if that is allowed."""
        now = self._clock()
        self._left = min(self._left + (now - self._at) * self._most / MINUTE, float(self._most))
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Starts:
    """How many streams may be begun in a workspace: Slack takes 20 beginnings and 20 ends a minute, with a few more."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: deque[float] = deque(maxlen=STARTS)
        self._closed: Latest[str, float] = Latest(MOST_CLOSED)

    def take(self, channel: str = "") -> bool:
        """Begin one more, if that is allowed; what is beyond is posted and updated."""
        now = self._clock()
        if self._closed.get(channel, 0.0) > now or (len(self._times) == STARTS and now - self._times[0] < MINUTE):
            return False
        self._times.append(now)
        return True

    def close(self, channel: str) -> None:
        """Begin none in a channel for a while: Slack does not stream there."""
        self._closed[channel] = self._clock() + CLOSED


@dataclass(frozen=True, slots=True)
class Rates:
    """What is left in a workspace, by what it is for.

    Slack's tiers are floors, of which a call at once and a call a minute later take one each, so no figure is more than
    half of its tier's: https://docs.slack.dev/apis/web-api/rate-limits

    pieces: added to streams; tier 4, 100 a minute. drafts: messages that are posted before they are whole; each is
    updated at its end, tier 3, 50 a minute. updates: those before the end; the same tier. starts: streams.
    """

    pieces: Rate = field(default_factory=lambda: Rate(50))
    drafts: Rate = field(default_factory=lambda: Rate(15))
    updates: Rate = field(default_factory=lambda: Rate(10))
    starts: Starts = field(default_factory=Starts)
