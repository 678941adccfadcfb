"""What was asked of the REST side, and when."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

UNKNOWN = "unknown"


@dataclass(eq=False)
class Asked:
    """A request; `at` is of time.monotonic, and a status of 0 means that the connection was cut."""

    at: float
    method: str
    path: str
    route: str  # such as /channels/{channel}/messages
    body: Any = None
    files: list[str] = field(default_factory=list)
    status: int = 0
    code: int = 0  # of the JSON error


class Journal:
    """All requests, in the order in which they came."""

    def __init__(self) -> None:
        self.all: list[Asked] = []

    def of(self, method: str, route: str) -> list[Asked]:
        """Return the requests to one route: `of("POST", "/channels/{channel}/messages")`."""
        return [asked for asked in self.all if (asked.method, asked.route) == (method, route)]

    def unknown(self) -> list[Asked]:
        """Return the requests that the server has no route for."""
        return [asked for asked in self.all if asked.route == UNKNOWN]

    def refused(self) -> list[Asked]:
        """Return what counts towards the ban for invalid requests: 401, 403 and 429."""
        return [asked for asked in self.all if asked.status in (401, 403, 429)]

    def gaps(self, method: str, route: str) -> list[float]:
        """Return the seconds between one request to a route and the next."""
        times = [asked.at for asked in self.of(method, route)]
        return [later - earlier for earlier, later in pairwise(times)]
