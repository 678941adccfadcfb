"""Order what the searches found. Pure functions: the same on every server version, and worked out by eye in tests.

Each signal is a number from 0 to 1 a passage; a passage's score is their weighted sum. Signals that compare, such as
`vector`, are scaled to what was found for the same question: its best passage has 1, its worst 0.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np

from memory import cue as cues
from memory.cue import Cue
from memory.keys import digest_of
from memory.times import MONTHS, WEEKDAYS
from memory.views import Card
from memory.words import stems

Column = np.ndarray[Any, np.dtype[np.float64]]  # a number a candidate

SHARPNESS = 20.0  # a turn is exp(20 d) times as likely to be the answer as one whose score is less by d, as was learned
K1, B = 1.2, 0.3  # BM25: how soon repeating a word stops paying, how much long passages lose
BEFORE = 0.7  # what a word counts that the turn before it said: answers seldom repeat what was asked
DATE = 0.5  # what a word counts that names the day it was said on
SESSION = 4 * 3600 * 1000  # milliseconds of silence after which people begin anew
ENOUGH = 20  # stems; shorter passages seldom hold an answer
LITTLE = 0.2  # of what is asked; a passage that is not like it either is about something else
BESIDE = 0.5  # what the passage's own words and its meaning each count in what a session is judged by


class Candidate(NamedTuple):  # hundreds are made a question: a dataclass takes three times as long
    """A passage that a search found. key: its own.

    words, before: stems, of its own and of the turn before it, behind a question mark if that asks. similarity: the
    cosine with what is asked, nan where that is not known.
    """

    key: bytes
    card: Card
    words: bytes
    before: bytes = b""
    similarity: float = math.nan

    @property
    def turn(self) -> str:
        """The digest of its turn."""
        return digest_of(self.key)


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each signal counts; those above 0 add up to 1. The reason for each stands in `signals`.

    Learned by `lorebot eval learn locomo.json tests/data/*.jsonl`, locomo.json being LoCoMo's first four conversations.
    """

    vector: float = 0.227
    text: float = 0.076
    coverage: float = 0.103
    own: float = 0.039
    answers: float = 0.067
    asked: float = 0.023
    session: float = 0.154
    speaker: float = 0.059
    length: float = 0.031
    dated: float = 0.063
    when: float = 0.093
    latest: float = 0.065
    bot: float = -0.066
    asks: float = -0.051


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with its score and the signals that it is made of."""

    candidate: Candidate
    score: float
    signals: Mapping[str, float]


def rank(
    found: Sequence[Candidate], cue: Cue, most: int, weights: Weights = Weights(), *, floor: float = -1.0
) -> list[Ranked]:
    """Return the best passages of at most so many turns, best first, a passage a turn.

    floor: a cosine; what lies below it and speaks of little that is asked has nothing to do with it.
    """
    if not found:
        return []
    columns = signals(found, cue)
    table = np.stack(list(columns.values()), axis=1)
    scores: list[float] = np.round(table @ [getattr(weights, name) for name in columns], 6).tolist()
    related = [at for at, one in enumerate(found) if not (one.similarity < floor and columns["coverage"][at] <= LITTLE)]
    order = sorted(related, key=lambda at: (-scores[at], -found[at].card.sent_at, found[at].key))
    return [
        Ranked(found[at], scores[at], dict(zip(columns, np.round(table[at], 6).tolist(), strict=True)))
        for at in islice(_first_of_each(found, order), most)
    ]


def _first_of_each(found: Sequence[Candidate], order: Iterable[int]) -> Iterator[int]:
    """Yield the first passage of each turn."""
    seen: set[str] = set()
    for at in order:
        turn = found[at].turn
        if turn not in seen:
            seen.add(turn)
            yield at


def signals(found: Sequence[Candidate], cue: Cue) -> dict[str, Column]:
    """Return each signal's column: by name, a number a candidate."""
    speakers = cues.named(cue.text, {one.card.author for one in found})
    terms = _asked_about(cue, speakers)
    own = _counts((one.words for one in found), terms)
    before = _counts((one.before for one in found), terms)
    date = _dates(found, terms)
    rarity = _rarity(own)
    met = own + BEFORE * before + DATE * date
    vector = _scaled(_known(np.array([one.similarity for one in found])))
    text = _scaled(_bm25(met, rarity, _lengths(found)))
    asked = np.array([one.before.startswith(b"?") for one in found], dtype=float)
    return {
        # The two that find it: what it means, and the words that it shares, rare ones more.
        "vector": vector,
        "text": text,
        # How much of what is asked it speaks of, with the turn before it and its date, and by itself: BM25 alone would
        # let one rare word outweigh all others.
        "coverage": (met > 0) @ rarity,
        "own": (own > 0) @ rarity,
        # The turn before it asks, and asks about the same: then this is the answer.
        "answers": asked * ((before > 0) @ rarity),
        "asked": asked,
        # Something else in the same session fits: people stay with a subject.
        "session": _session(found, BESIDE * vector + BESIDE * text),
        # It is said by whom the question is about. Small: questions that name the wrong speaker must find their turn.
        "speaker": np.array([_speaks(one, cue, speakers) for one in found], dtype=float),
        "length": np.minimum([_length(one.words) for one in found], ENOUGH) / ENOUGH,
        # When something was is asked, and it names a time.
        "dated": np.array([cue.when and _TIMES.search(one.words) is not None for one in found], dtype=float),
        # It was said at the time that the question names.
        "when": np.array([any(window.holds(one.card.sent_at) for window in cue.windows) for one in found], dtype=float),
        # How things are now was said last.
        "latest": cue.now * _scaled(np.array([float(one.card.sent_at) for one in found])),
        # What people say of themselves is what is asked for later, rather than the bot's advice.
        "bot": np.array([one.card.role == "assistant" for one in found], dtype=float),
        # Who asks tells little.
        "asks": np.array([one.card.asks for one in found]),
    }


# Words that tell a time, as stems.
_TIMES = re.compile(
    rb"(?:^| )(?:\d{1,2}(?:st|nd|rd|th)|(?:19|20)\d\d|%s)(?= |$)"
    % "|".join(
        stems(
            "yesterday today tonight tomorrow ago last next recently since week weekend month year "
            + " ".join([*MONTHS, *WEEKDAYS]).title()
        )
    ).encode()
)


def _asked_about(cue: Cue, speakers: Iterable[str]) -> list[bytes]:
    """Return the stems that an answer may repeat: not the names of who speaks, unless there is nothing else."""
    names = {stem for speaker in speakers for stem in stems(speaker, cue.language)}
    return [term.encode() for term in cue.terms if term not in names] or [term.encode() for term in cue.terms]


def _counts(texts: Iterable[bytes], terms: Sequence[bytes]) -> Column:
    """Return how often each text holds each term, shape (texts, terms)."""
    padded = [b" %b " % term for term in terms]
    rows = [[text.count(term) for term in padded] for text in (b" %b " % text for text in texts)]
    return np.array(rows, dtype=float).reshape(len(rows), len(terms))


def _dates(found: Sequence[Candidate], terms: Sequence[bytes]) -> Column:
    """Return which terms name the day that each candidate was said on, shape (candidates, terms)."""
    matches = np.zeros((len(found), len(terms)))
    for place, term in enumerate(terms):
        part = _DATE_PARTS.get(term) or (int(term) if term.isdigit() and len(term) <= 4 else None)
        if part is not None:
            for at, one in enumerate(found):
                moment = datetime.fromtimestamp(one.card.sent_at / 1000, UTC)
                told = (MONTHS[moment.month - 1], WEEKDAYS[moment.weekday()], moment.day, moment.year)
                matches[at, place] = part in told
    return matches


_DATE_PARTS = {stems(name.title())[0].encode(): name for name in (*MONTHS, *WEEKDAYS)}


def _rarity(own: Column) -> Column:
    """Return how much each term tells, by how few of the candidates hold it; all terms together have 1.

    Counted among the candidates: what others say in places that cannot be read here has no part in it.
    """
    held = (own > 0).sum(axis=0)
    weight: Column = np.log(1 + (len(own) - held + 0.5) / (held + 0.5))
    total = float(weight.sum())
    return weight / total if total else weight


def _lengths(found: Sequence[Candidate]) -> Column:
    return np.array([_length(one.words) + BEFORE * _length(one.before) for one in found])


def _length(words: bytes) -> int:
    return words.count(b" ") + 1 if words else 0


def _bm25(counts: Column, rarity: Column, lengths: Column) -> Column:
    """Return Robertson's BM25 over weighted counts (BM25F: Robertson, Zaragoza and Taylor, CIKM 2004)."""
    norm = K1 * (1 - B + B * lengths / max(float(lengths.mean()), 1.0))
    scores: Column = (counts * (K1 + 1) / (counts + norm[:, None])) @ rarity
    return scores


def _session(found: Sequence[Candidate], fits: Column) -> Column:
    """Return for each candidate how well the best other one fits that was said in the same session."""
    sessions = _sessions(found)
    top: dict[int, tuple[float, float]] = {}  # how well the best and the second of each session fit
    for session, fit in zip(sessions, fits.tolist(), strict=True):
        best, second = top.get(session, (0.0, 0.0))
        top[session] = (fit, best) if fit > best else (best, max(second, fit))
    others = [
        top[session][1] if fit == top[session][0] else top[session][0]
        for session, fit in zip(sessions, fits.tolist(), strict=True)
    ]
    return np.array(others)


def _sessions(found: Sequence[Candidate]) -> list[int]:
    """Return which session each candidate is of: a silence ends one."""
    order = sorted(range(len(found)), key=lambda at: (found[at].card.room, found[at].card.sent_at))
    sessions = [0] * len(found)
    for one, following in pairwise(order):
        before, after = found[one].card, found[following].card
        apart = before.room != after.room or after.sent_at - before.sent_at > SESSION
        sessions[following] = sessions[one] + apart
    return sessions


def _speaks(one: Candidate, cue: Cue, speakers: Iterable[str]) -> bool:
    """Tell whether a candidate is said by whom the question is about: a name, the asker ("I"), the bot ("you")."""
    if one.card.role == "assistant":
        return cue.yours
    return one.card.author in speakers or (cue.mine and cue.person.startswith(one.card.person))


def _known(values: Column) -> Column:
    """Put the mean of what is known in the place of what is not: a passage not embedded yet is neither near nor far."""
    known = values[~np.isnan(values)]
    return np.where(np.isnan(values), known.mean() if len(known) else 0.0, values)


def _scaled(values: Column) -> Column:
    """Map the lowest value to 0 and the highest to 1; where all are alike, to 1 if they are above 0."""
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else (values > 0).astype(float)
