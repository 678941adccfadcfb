"""Texts as the index knows them: lower case, without the commonest words, each word cut down to its stem.

The stems are those of one language, whichever people speak; of English, the commonest words are known and left out.
Stemming is done here and not by RediSearch, which files a stem apart from the word itself ("+group" beside "group"):
the stem then counts as a rare word, and turns with "groups" outrank those with "group".
"""

import re
import unicodedata
from functools import lru_cache

import snowballstemmer

# Chinese and Japanese are written without spaces: each character stands for a word there.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|(?:(?![\u3040-\u30ff\u3400-\u9fff])\w)+(?:['\u2019]\w+)?")

ENGLISH = "english"
LONGEST = 40  # characters; RediSearch finds no word beyond 128 bytes
NAMES = frozenset({"May", "Will"})  # a month and a name when they are written so, else common words

COMMON = frozenset(
    """a an the and or but if then than so of to in on at for from by with about as it its this that these those there
    here is are was were be been am do does did has have had i you he she we they me him her us them my your his our
    their what when where which who whom whose why how will would could should can may might no not just very really
    s t im its thats dont didnt doesnt isnt wasnt ive id ill youre""".split()
)


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, possessives without their 's."""
    return [_lower(word) for word in _said(text)]


def languages() -> tuple[str, ...]:
    """Return the languages whose words are cut down to stems, and "none", which leaves words as they are."""
    return ("none", *snowballstemmer.algorithms())


def stems(text: str, language: str = ENGLISH) -> list[str]:
    """Return what the text index holds of a text, in the text's order."""
    lowered = ((said, _lower(said)) for said in _said(text))
    common = COMMON if language == ENGLISH else frozenset()
    return [_stem(word, language) for said, word in lowered if word not in common or said in NAMES]


def _said(text: str) -> list[str]:
    """Return the words as they stand, in one Unicode form; those of no natural length (keys, hashes) are cut."""
    return [word[:LONGEST] for word in _WORD.findall(unicodedata.normalize("NFKC", text))]


def _lower(word: str) -> str:
    return word.lower().replace("\u2019", "'").removesuffix("'s").replace("'", "")


@lru_cache(maxsize=50_000)
def _stem(word: str, language: str) -> str:
    return word if language == "none" else str(_stemmer(language).stemWord(word))


@lru_cache(maxsize=4)
def _stemmer(language: str) -> "snowballstemmer.stemmer":
    return snowballstemmer.stemmer(language)
