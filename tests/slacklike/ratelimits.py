"""Rate limits: of a method in a workspace, some of a method in a channel."""

import time
from dataclasses import dataclass, field

TIER_2, TIER_3, TIER_4 = (20, 60.0), (50, 60.0), (100, 60.0)

# The calls that a window of seconds takes. Slack's tiers are floors ("20+ a minute") with bursts that it does not
# describe; these are the floors. https://docs.slack.dev/apis/web-api/rate-limits
LIMITS: dict[str, tuple[int, float]] = {
    "apps.connections.open": (10, 60.0),
    "assistant.threads.setStatus": (600, 60.0),  # "special": known of use, not of the docs
    "chat.postMessage": (5, 5.0),  # "one a second, short bursts allowed", by channel
    "chat.postEphemeral": TIER_4,
    "chat.startStream": TIER_2,
    "chat.appendStream": TIER_4,
    "chat.stopStream": TIER_2,
    "conversations.list": TIER_2,
    "conversations.members": TIER_4,
    "files.info": TIER_4,
    "users.info": TIER_4,
    "views.open": TIER_4,
    "views.update": TIER_4,
    "views.publish": TIER_4,
}
BY_CHANNEL = ("chat.postMessage",)
DISTRIBUTED = ("conversations.history", "conversations.replies")  # once a minute for apps outside the Marketplace


@dataclass
class Window:
    started: float = 0.0
    used: int = 0

    def take(self, now: float, limit: int, seconds: float) -> float:
        """Count a call; return 0, or the seconds until the next window."""
        if now - self.started >= seconds:
            self.started, self.used = now, 0
        self.used += 1
        return self.started + seconds - now if self.used > limit else 0.0


@dataclass
class RateLimits:
    """The server's limits; a test sets `limits` or switches them off."""

    on: bool = True
    limits: dict[str, tuple[int, float]] = field(default_factory=lambda: dict(LIMITS))
    _windows: dict[tuple[str, str, str], Window] = field(default_factory=dict)

    def take(self, method: str, team: str, channel: str, *, distributed: bool) -> float:
        """Return the seconds that a call must wait, or 0."""
        if not self.on:
            return 0.0
        limit, seconds = self.limits.get(method, TIER_3)
        if distributed and method in DISTRIBUTED:
            limit, seconds = 1, 60.0
        key = (method, team, channel if method in BY_CHANNEL else "")
        return self._windows.setdefault(key, Window()).take(time.monotonic(), limit, seconds)
