"""What is searched for: a message boiled down to what can find its memories. Pure functions."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from memory import times
from memory.times import Window
from memory.words import COMMON, ENGLISH, stems, words

MOST_TERMS = 12  # BM25 costs a posting list a term; beyond a dozen recall gains nothing

_MINE = frozenset("i me my mine myself im ive id ill".split())
_YOURS = frozenset("you your yours yourself youve youd".split())
# What is said to whoever is asked, and is not about them: "can you tell me", "do you remember".
_ADDRESS = re.compile(
    r"\b(?:(?:can|could|would|will|do|did) you(?: please)? (?:please )?(?:still )?"
    r"(?:remind|tell|remember|recall|know|help|give|show|say|explain|list|find|check)(?: me)?"
    r"|remind me|tell me|help me|give me|show me|let me know|thank you)\b",
    re.IGNORECASE,
)
_NOW = re.compile(
    r"\b(?:now|nowadays|current|currently|latest|most recent|most recently|at present|at the moment|these days|still"
    r"|any ?more|in the end)\b",
    re.IGNORECASE,
)
LONGEST_IDLE = 12  # words
_QUESTIONS = frozenset("what when where which who whom whose why".split())
_PLEASANT = frozenset(
    """thanks thank thx ty cheers please welcome hi hello hey hiya yo morning good evening afternoon night goodnight bye
    goodbye later ok okay k kk sure fine great nice cool lovely perfect awesome amazing brilliant wonderful excellent
    super wow yes yeah yep yup no nope nah right exactly indeed true agreed absolutely definitely haha hahaha ha lol
    lmao hehe heh hmm hm oh ah aha ooh aww oops sorry pardon done got gotcha understood noted makes sense help helps
    helped lot much well quite fair enough all everyone everybody guys folks again day weekend brb afk gtg np worries
    problem pleasure bed off typo gracias merci danke let think see one moment second sec minute bit like way works
    worked back soon""".split()
)
_ASKING_WHEN = frozenset("when date day week month year long ago since".split())


@dataclass(frozen=True, slots=True)
class Cue:
    """A message as what it asks for.

    query: what the vector search is given. terms: stems for the text search, of the language. person: the tag of who
    asks; mine, yours: whether it is about them, or about what the bot said. when: whether a time is asked for; now:
    whether it is about how things are now. windows: the times that it names. idle: whether it is small talk, which
    needs no memory.
    """

    text: str
    query: str
    terms: tuple[str, ...]
    person: bytes = b""
    mine: bool = False
    yours: bool = False
    language: str = ENGLISH
    when: bool = False
    now: bool = False
    windows: tuple[Window, ...] = ()
    idle: bool = False


def read(
    text: str, speakers: Iterable[str] = (), *, person: bytes = b"", at: int | None = None, language: str = ENGLISH
) -> Cue:
    """Return what a message asks for. speakers: names that may be heard in it. at: when it is asked, milliseconds."""
    plain = set(words(_ADDRESS.sub(" ", text)))
    asked = words(text)
    return Cue(
        text=text,
        query=stated(text, speakers),
        terms=terms(text, language),
        person=person,
        language=language,
        mine=not plain.isdisjoint(_MINE),
        yours=not plain.isdisjoint(_YOURS),
        when=not _ASKING_WHEN.isdisjoint(asked),
        now=_NOW.search(text) is not None,
        idle=_idle(asked, speakers),
        windows=tuple(times.windows(text, datetime.fromtimestamp(at / 1000, UTC) if at is not None else None)),
    )


def _idle(said: Sequence[str], speakers: Iterable[str]) -> bool:
    """Tell whether nothing is said but pleasantries, by the names of whoever is there: English only."""
    if len(said) > LONGEST_IDLE or not _QUESTIONS.isdisjoint(said):
        return False
    names = {part for speaker in speakers for part in words(speaker)}
    return all(word in COMMON or word in _PLEASANT or word in names for word in said)


def named(text: str, speakers: Iterable[str]) -> frozenset[str]:
    """Return those speakers whom the text names, by their whole or their first name."""
    said = words(text)
    line = f" {' '.join(said)} "
    parts = {speaker: words(speaker) for speaker in speakers}
    return frozenset(
        speaker
        for speaker, name in parts.items()
        if name and ((name[0] in said and name[0] not in COMMON) or f" {' '.join(name)} " in line)
    )


def stated(text: str, speakers: Iterable[str]) -> str:
    """Return the text as whoever it names would say it: 'I adopted my dog' for "Ada adopted Ada's dog".

    People speak of themselves as "I": with a name in its place, a question's vector is drawn towards all that hold the
    name, and away from what its bearer says.
    """
    names = {part for speaker in named(text, speakers) for part in words(speaker)}
    if not names:
        return text
    name = "|".join(re.escape(part) for part in sorted(names, key=len, reverse=True))
    mine = re.sub(rf"\b(?:{name})(?: (?:{name}))*['\u2019]s\b", "my", text, flags=re.IGNORECASE)
    return re.sub(rf"\b(?:{name})(?: (?:{name}))*\b", "I", mine, flags=re.IGNORECASE)


def terms(text: str, language: str = ENGLISH) -> tuple[str, ...]:
    """Return the stems to search the text index for, none twice, at most MOST_TERMS.

    Of a long message the longest are taken: they are the rarest ones more often than not.
    """
    found = list(dict.fromkeys(stems(text, language)))
    longest = set(sorted(found, key=len, reverse=True)[:MOST_TERMS])
    return tuple(stem for stem in found if stem in longest)
