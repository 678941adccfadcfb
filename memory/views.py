"""What of a turn is indexed: its passages, what the vector sees of each, the text fields, and the schema.

A passage is what is found: the whole of a short turn, a piece of a long one. The vector sees who says it and what they
state: a question says little of what an answer will be found by, and a previous turn in the vector hurts. The text
index sees speaker, date and the previous turn too: people ask "what did Ada say in May about it?", and an answer seldom
repeats the words of its question.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from memory import split
from memory.errors import VectorError
from memory.keys import Keys
from memory.records import Turn
from memory.words import ENGLISH, stems

if TYPE_CHECKING:
    from redisvl.schema import IndexSchema

DType = Literal["float16", "float32"]

SCHEMA = 3  # of the fields below; an index of an older schema is migrated (see migrate.py)

BRIEF = 12  # hex digits of a tag that tell conversations and people of one answer apart
FEWEST_STATED = 4  # words; fewer beside a question are a greeting

_SENTENCE_END = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s+|\n+|(?<=[\u3002\uff01\uff1f])")


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """How the HNSW graph is built and searched.

    m: links a node. ef_construction: candidates looked at when adding. ef_runtime: candidates looked at when
    searching. dtype: float16 halves the memory at the same recall. language: whose stems the text index holds, one of
    `words.languages`.
    """

    m: int = 16
    ef_construction: int = 64
    ef_runtime: int = 200
    dtype: DType = "float16"
    language: str = ENGLISH


def vector_field(generation: int) -> str:
    """Return the field that holds the vectors of one generation of the index: several may live side by side."""
    return f"vector{generation}"


def schema(keys: Keys, generation: int, dim: int, options: IndexOptions) -> "IndexSchema":
    """Return the schema of one generation of the index, for vectors of `dim` numbers."""
    from redisvl.schema import IndexSchema  # heavy, and only needed where an index is made

    tag = {"separator": ",", "case_sensitive": True}
    return IndexSchema.from_dict(
        {
            "index": {
                "name": keys.generation(generation),
                "prefix": keys.turns,
                "key_separator": "",
                "storage_type": "hash",
                "stopwords": [],
            },
            "fields": [
                {"name": "reach", "type": "tag", "attrs": tag},
                {"name": "tenant_tag", "type": "tag", "attrs": tag},
                {"name": "conversation_tag", "type": "tag", "attrs": tag},
                {"name": "person_tag", "type": "tag", "attrs": tag},
                {"name": "embedded", "type": "tag", "attrs": tag},  # the generations that it has a vector for
                {"name": "sent_at", "type": "numeric", "attrs": {"sortable": True}},
                {"name": "words", "type": "text", "attrs": {"no_stem": True}},
                {"name": "heading", "type": "text", "attrs": {"no_stem": True}},
                {"name": "before", "type": "text", "attrs": {"no_stem": True}},
                {
                    "name": vector_field(generation),
                    "type": "vector",
                    "attrs": {
                        "algorithm": "hnsw",
                        "datatype": options.dtype,
                        "dims": dim,
                        "distance_metric": "cosine",
                        "m": options.m,
                        "ef_construction": options.ef_construction,
                        "ef_runtime": options.ef_runtime,
                    },
                },
            ],
        }
    )


@dataclass(frozen=True, slots=True)
class Passage:
    """What is found of a turn: all of it, or a piece. span: where it stands in the turn's text, in characters.

    said: what the vector sees. words: its own words as stems; heading: who said it on which day, as stems. asks: how
    many percent of its sentences are questions.
    """

    span: split.Span
    said: str
    words: str
    heading: str
    asks: int


def passages(turn: Turn, language: str) -> list[Passage]:
    """Return a turn's passages, the first of which is indexed with the turn itself."""
    top = heading(turn.author, turn.sent_at, language)
    return [_passage(turn, span, top, language) for span in split.spans(turn.text)]


def _passage(turn: Turn, span: split.Span, top: str, language: str) -> Passage:
    text = turn.text[slice(*span)]
    return Passage(span, said(turn.author, text), body(text, language), top, asks(text))


@dataclass(frozen=True, slots=True)
class Whose:
    """Where a turn is said and whose it is, as tags."""

    room: str
    person: str


class Card(NamedTuple):
    """What ranking weighs of a passage beside its words. room, person: the beginnings of tags. asks: 0 to 1."""

    room: bytes
    person: bytes
    role: str
    sent_at: int
    asks: float
    span: split.Span | None
    author: str


def card(whose: Whose, turn: Turn, passage: Passage) -> str:
    """Return what ranking weighs as one field: a search that returns ten of them takes twice the time."""
    whole = passage.span == (0, len(turn.text))
    start, end = ("", "") if whole else passage.span
    told = (whose.room[:BRIEF], whose.person[:BRIEF], turn.role, turn.sent_at, passage.asks, start, end)
    return "|".join(map(str, (*told, turn.author)))


@lru_cache(maxsize=10_000)  # what is asked about once is asked about again
def read_card(raw: bytes) -> Card:
    """Read what `card` wrote."""
    room, person, role, sent_at, asks, start, end, author = raw.split(b"|", 7)
    span = (int(start), int(end)) if start else None
    return Card(room, person, role.decode(), int(sent_at), int(asks) / 100, span, author.decode())


def said(author: str, text: str) -> str:
    """Return what the vector sees: 'Ada: I went to the lake.'; questions are left out where something is stated too."""
    stated = " ".join(sentence for sentence in _sentences(text) if not _asks(sentence))
    return f"{author}: {stated if len(stated.split()) >= FEWEST_STATED else text}"


def asks(text: str) -> int:
    """Return how many percent of a text's sentences are questions."""
    sentences = _sentences(text)
    return round(100 * sum(map(_asks, sentences)) / max(len(sentences), 1))


def _sentences(text: str) -> list[str]:
    return [sentence for sentence in _SENTENCE_END.split(text) if sentence.strip()]


def _asks(sentence: str) -> bool:
    return sentence.rstrip(" \"')*_").endswith(("?", "\uff1f"))


def heading(author: str, sent_at: int, language: str = ENGLISH) -> str:
    """Return who spoke on which day, in the words people ask with: 'ada monday 8 may 2023', as stems."""
    moment = datetime.fromtimestamp(sent_at / 1000, UTC)
    return " ".join(stems(f"{author} {moment:%A} {moment.day} {moment:%B} {moment.year}", language))


def body(text: str, language: str = ENGLISH) -> str:
    """Return the turn's own words, as stems."""
    return " ".join(stems(text, language))


def findable(vector: np.ndarray[Any, Any]) -> bool:
    """Tell whether a search could find a vector: not where it is zero or not finite."""
    return bool(np.isfinite(vector).all() and vector.any())


def indexable(raw: bytes, dim: int, dtype: DType) -> bool:
    """Tell whether the index takes a vector as it is stored; one that it does not take costs the turn its place."""
    stored = np.dtype(dtype)
    return len(raw) == dim * stored.itemsize and findable(np.frombuffer(raw, dtype=stored))


def packed(vector: np.ndarray[Any, Any], dim: int, dtype: DType) -> bytes:
    """Return the vector as Redis stores it.

    Raises VectorError for what the index would drop without a word: another size, zero, not finite.
    """
    if vector.shape != (dim,):
        raise VectorError(f"the index holds vectors of {dim} numbers, this one has shape {vector.shape}")
    stored = vector.astype(np.dtype(dtype))
    if not findable(stored):
        raise VectorError("the embedder gave a vector that is zero or not finite, which no search would find")
    return stored.tobytes()


def unpacked(raw: bytes, dtype: DType) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return a stored vector as float32."""
    return np.frombuffer(raw, dtype=np.dtype(dtype)).astype(np.float32)
