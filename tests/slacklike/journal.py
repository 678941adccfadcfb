"""What was asked of the Web API, and when."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

UNKNOWN = "unknown_method"


@dataclass(eq=False)
class Asked:
    """A call; `at` is of time.monotonic, and a status of 0 means that the connection was cut."""

    at: float
    method: str  # such as chat.postMessage
    body: dict[str, Any] = field(default_factory=dict)  # all arguments, however they came; never the token
    status: int = 0
    error: str = ""
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def channel(self) -> str:
        return str(self.body.get("channel") or self.body.get("channel_id") or "")


class Journal:
    """All calls, in the order in which they came."""

    def __init__(self) -> None:
        self.all: list[Asked] = []

    def of(self, method: str) -> list[Asked]:
        """Return the calls of one method: `of("chat.postMessage")`."""
        return [asked for asked in self.all if asked.method == method]

    def unknown(self) -> list[Asked]:
        """Return the calls of methods that the server does not have."""
        return [asked for asked in self.all if asked.error == UNKNOWN]

    def refused(self) -> list[Asked]:
        """Return the calls that were answered with an error."""
        return [asked for asked in self.all if asked.error]

    def gaps(self, method: str, channel: str = "") -> list[float]:
        """Return the seconds between one call of a method and the next, in one channel or in all."""
        times = [asked.at for asked in self.of(method) if channel in ("", asked.channel)]
        return [later - earlier for earlier, later in pairwise(times)]
