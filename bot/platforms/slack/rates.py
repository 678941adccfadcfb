"""How much of what need not be Slack takes from an app in a workspace; what must be, such as ends, is always tried."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

MINUTE = 60.0  # seconds; Slack counts calls of a method in a workspace by the minute


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


@dataclass(frozen=True, slots=True)
class Rates:
    """What is left in a workspace, by what it is for.

    Slack's tiers are floors, of which a call at once and a call a minute later take one each, so no figure is more than
    half of its tier's: https://docs.slack.dev/apis/web-api/rate-limits

    pieces: added to streams; tier 4, 100 a minute. drafts: messages that are posted before they are whole; each is
    updated at its end, tier 3, 50 a minute. updates: those before the end; the same tier.
    """

    pieces: Rate = field(default_factory=lambda: Rate(50))
    drafts: Rate = field(default_factory=lambda: Rate(15))
    updates: Rate = field(default_factory=lambda: Rate(10))
