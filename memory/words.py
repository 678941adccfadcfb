"""Texts as the index knows them: lower case, without the commonest words, each word cut down to its stem.

Stemming is done here and not by RediSearch, which files a stem apart from the word itself ("+group" beside "group"):
the stem then counts as a rare word, and turns with "groups" outrank those with "group".
"""

import re
from functools import lru_cache

import snowballstemmer

_WORD = re.compile(r"\w+(?:['\u2019]\w+)?")

COMMON = frozenset(
    """a an the and or but if then than so of to in on at for from by with about as it its this that these those there
    here is are was were be been am do does did has have had i you he she we they me him her us them my your his our
    their what when where which who whom whose why how will would could should can may might no not just very really
    s t im its thats dont didnt doesnt isnt wasnt ive id ill youre""".split()
)


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, possessives without their 's."""
    found = (word.lower().replace("\u2019", "'") for word in _WORD.findall(text))
    return [word.removesuffix("'s").replace("'", "") for word in found]


def stems(text: str) -> list[str]:
    """Return what the text index holds of a text, in the text's order."""
    return [_stem(word) for word in words(text) if word not in COMMON]


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    return str(_english().stemWord(word))


@lru_cache(maxsize=1)
def _english() -> "snowballstemmer.stemmer":
    return snowballstemmer.stemmer("english")
