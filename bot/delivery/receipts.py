"""Where the parts of a reply stand, written down: whoever goes on after a crash edits them and sends none twice."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Receipt:
    """A part of a reply that was sent. message: its id; "" where nobody heard whether it came through.

    anew: how often the part had been sent before. at: when it was sent, milliseconds since 1970.
    """

    message: str
    anew: int = 0
    at: int = 0


class Receipts(Protocol):
    """Keeps receipts where they survive this process; never raises."""

    async def sending(self, part: int, anew: int) -> None:
        """Note that a part is about to be sent."""

    async def sent(self, part: int, anew: int, message: str) -> None:
        """Note which message a part has become; "" where it is there no more."""
