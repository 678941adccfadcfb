"""What travels in and out of memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Role = Literal["user", "assistant", "system"]


class Status(StrEnum):
    """How a turn came to its end."""

    WHOLE = "whole"
    CUT = "cut"  # the model stopped at its token limit
    CANCELLED = "cancelled"  # somebody stopped the answer
    BROKEN = "broken"  # the model or the connection failed in the middle


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation.

    id: unique within its conversation. person: the platform's id of who said it; author: the name shown.
    sent_at: milliseconds since 1970, UTC.
    """

    id: str
    conversation: str
    person: str
    author: str
    role: Role
    text: str
    sent_at: int
    status: Status = Status.WHOLE


@dataclass(frozen=True, slots=True)
class Recalled:
    """A turn that recall found, and why: the weighted score and each signal that went into it."""

    turn: Turn
    score: float
    signals: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Context:
    """What memory gives to an answer: turns recalled (best first) and the recent window (oldest first)."""

    recalled: tuple[Recalled, ...]
    recent: tuple[Turn, ...]
    new: bool = True  # False: this very turn had been remembered before
