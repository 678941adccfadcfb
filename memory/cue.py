"""What is searched for: a message boiled down to what can find its memories. Pure functions."""

from collections.abc import Iterable

from memory.words import COMMON, stems, words

MOST_TERMS = 12  # BM25 costs a posting list a term; beyond a dozen recall gains nothing

# Words that shape a question and say nothing about its answer.
_ASKING = frozenset(
    """what when where which who whom whose why how does did do is are was were will would could should can may might
    has have had been being be many much long often kind type sort tell me please remember know recall say
    said""".split()
)


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


def gist(text: str, speakers: Iterable[str]) -> str:
    """Return the text without names and question words, for the vector search.

    They pull a question's vector towards every turn that holds them. Where nothing else is left, the text stays.
    """
    names = {part for speaker in named(text, speakers) for part in words(speaker)}
    kept = [word for word in words(text) if word not in _ASKING and word not in names]
    return " ".join(kept) if kept else text


def terms(text: str) -> tuple[str, ...]:
    """Return the stems to search the text index for, none twice, at most MOST_TERMS.

    Of a long message the longest are taken: they are the rarest ones more often than not.
    """
    found = list(dict.fromkeys(stems(text)))
    longest = set(sorted(found, key=len, reverse=True)[:MOST_TERMS])
    return tuple(stem for stem in found if stem in longest)
