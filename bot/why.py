"""Why an answer says what it says: what it was made from, kept by name, so that what is forgotten is not kept here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from bot.records import Answered

MOST = 12  # turns, the best


@dataclass(frozen=True, slots=True)
class Source:
    """A turn that was recalled, by name. span: where in its text the passage stands that was found; None: all of it."""

    conversation: str
    turn: str
    score: float
    signals: Mapping[str, float]
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an answer was made from. recent: turns of the window; prompt, completion: tokens."""

    model: str
    sources: tuple[Source, ...]
    recent: int
    prompt: int
    completion: int


def kept(answered: Answered) -> str:
    """Return what is kept of an answer, as text."""
    sources = [
        [
            one.turn.conversation,
            one.turn.id,
            round(one.score, 4),
            {name: round(value, 4) for name, value in one.signals.items()},
            one.span,
        ]
        for one in answered.recalled[:MOST]
    ]
    tokens = answered.tokens
    return json.dumps([answered.model, sources, len(answered.recent), tokens.prompt, tokens.completion])


def read(text: str) -> Explanation:
    """Return what was kept."""
    model, sources, recent, prompt, completion = json.loads(text)
    found = [
        Source(where, turn, score, signals, (span[0], span[1]) if span else None)
        for where, turn, score, signals, span in sources
    ]
    return Explanation(model, tuple(found), recent, prompt, completion)
