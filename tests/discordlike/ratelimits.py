"""Rate limits: a bucket for each route and channel, and one for everything."""

import time
from dataclasses import dataclass, field

# Requests a window in seconds. Discord publishes none of these; they are what its headers show.
LIMITS = {
    ("POST", "/channels/{channel}/messages"): (5, 5.0),
    ("PATCH", "/channels/{channel}/messages/{message}"): (5, 5.0),
    ("DELETE", "/channels/{channel}/messages/{message}"): (5, 1.0),
    ("POST", "/channels/{channel}/messages/bulk-delete"): (1, 3.0),
    ("GET", "/channels/{channel}/messages"): (5, 5.0),
    ("POST", "/channels/{channel}/typing"): (5, 5.0),
    ("PUT", "/channels/{channel}/messages/{message}/reactions/{emoji}/@me"): (1, 0.25),
    ("POST", "/webhooks/{application}/{token}"): (5, 5.0),
    ("PATCH", "/webhooks/{application}/{token}/messages/{message}"): (5, 5.0),
}
OTHERS = (50, 5.0)


@dataclass
class Window:
    limit: int
    seconds: float
    started: float = 0.0
    used: int = 0

    def take(self, now: float) -> float:
        """Count a request; return 0, or the seconds to wait when the window is full."""
        if now - self.started >= self.seconds:
            self.started, self.used = now, 0
        if self.used >= self.limit:
            return self.started + self.seconds - now
        self.used += 1
        return 0.0


@dataclass
class RateLimits:
    """The server's buckets; a test sets `limits`, `per_second`, or switches them off."""

    on: bool = True
    per_second: int = 50
    limits: dict[tuple[str, str], tuple[int, float]] = field(default_factory=lambda: dict(LIMITS))
    _windows: dict[tuple[str, str, str], Window] = field(default_factory=dict)
    _everything: Window = field(default_factory=lambda: Window(50, 1.0))

    def take(self, method: str, route: str, major: str) -> tuple[dict[str, str], float, bool]:
        """Return the headers of a request, the seconds it must wait, and whether that is everybody's limit."""
        if not self.on:
            return {}, 0.0, False
        now = time.monotonic()
        self._everything.limit = self.per_second
        counted = not route.startswith(("/interactions", "/webhooks"))
        wait = self._everything.take(now) if counted else 0.0
        if wait:
            return (
                {"Retry-After": f"{wait:.3f}", "X-RateLimit-Global": "true", "X-RateLimit-Scope": "global"},
                wait,
                True,
            )
        limit, seconds = self.limits.get((method, route), OTHERS)
        window = self._windows.setdefault((method, route, major), Window(limit, seconds))
        window.limit, window.seconds = limit, seconds
        wait = window.take(now)
        rest = window.started + window.seconds - now
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(limit - window.used),
            "X-RateLimit-Reset": f"{time.time() + rest:.3f}",
            "X-RateLimit-Reset-After": f"{rest:.3f}",
            "X-RateLimit-Bucket": f"{abs(hash((method, route))):016x}",
        }
        return headers | ({"Retry-After": f"{wait:.3f}", "X-RateLimit-Scope": "user"} if wait else {}), wait, False
