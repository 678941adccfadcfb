"""Where an answer is shown."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Destination:
    """A channel, or a thread in one. thread: None outside of threads. asked: the time stamp of what is answered.

    recipient: (team, person), who sees a stream grow in a channel; None in a direct message, which has one reader.
    """

    channel: str
    thread: str | None
    asked: str
    recipient: tuple[str, str] | None
