"""What travels in and out of memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Role = Literal["user", "assistant", "system", "summary"]


class Status(StrEnum):
    """How a turn came to its end."""

    WHOLE = "whole"
    CUT = "cut"  # the model stopped at its token limit
    CANCELLED = "cancelled"  # somebody stopped the answer
    BROKEN = "broken"  # the model or the connection failed in the middle


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation.

    id: unique within its conversation; the answer to a turn has `answer_id` of it. person: the platform's id of who
    said it; author: the name shown. sent_at: milliseconds since 1970, UTC. to: the person whom an answer is for; it is
    theirs as much as what they said themselves. covers: of a summary, the ids of the turns that it is made of.
    """

    id: str
    conversation: str
    person: str
    author: str
    role: Role
    text: str
    sent_at: int
    status: Status = Status.WHOLE
    to: str | None = None
    covers: tuple[str, ...] = ()


def answer_id(turn_id: str) -> str:
    """Return the id of the answer to a turn: what is derived from a turn goes with it."""
    return f"{turn_id}.reply"


@dataclass(frozen=True, slots=True)
class Which:
    """Some turns: those that meet every condition given; all of them where none is given.

    turns: (conversation, id) of each. person: who said it, or whom it answers. since, until: milliseconds; until is
    not included.
    """

    turns: tuple[tuple[str, str], ...] | None = None
    person: str | None = None
    conversation: str | None = None
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What forgetting did. turns: how many are gone. trouble: why the disk may still hold them; empty: it does not."""

    turns: int
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Recalled:
    """A turn that recall found, and why: the weighted score and each signal that went into it.

    span: where in the turn's text the passage stands that was found, in characters; None: all of it.
    """

    turn: Turn
    score: float
    signals: Mapping[str, float]
    span: tuple[int, int] | None = None

    @property
    def excerpt(self) -> str:
        """What was found of the turn's text."""
        return self.turn.text if self.span is None else self.turn.text[slice(*self.span)]


@dataclass(frozen=True, slots=True)
class Context:
    """What memory gives to an answer: turns recalled (best first) and the recent window (oldest first).

    new: False where this very turn had been remembered before, or is not remembered since the person has paused.
    trouble: why the text could not be embedded; then it was searched for by its words alone. unread: why the reranker
    has not read what was recalled; then it stands in the order that it has without one.
    """

    recalled: tuple[Recalled, ...] = ()
    recent: tuple[Turn, ...] = ()
    new: bool = True
    paused: bool = False
    trouble: str = ""
    unread: str = ""
