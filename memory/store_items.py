"""What is put into a vector store and found in it, and what of an item is written: checked first, by pure functions."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from memory.batch import Argument
from memory.errors import StoreError, VectorError
from memory.keys import tag
from memory.words import stems

Value = str | int | float | bool  # of metadata
Metric = Literal["l2", "cosine", "ip"]
DType = Literal["float16", "float32", "float64"]
Vector = np.ndarray[Any, np.dtype[np.floating[Any]]]
Numbers = Vector | Sequence[float]

LAST_ID = 2**64 - 1
LARGEST = 32_768  # numbers; RediSearch takes no larger vectors
LONGEST_TTL = 100 * 365 * 24 * 3600.0  # seconds; times stay exact in a sorted set
LONGEST_WORD = 32  # characters; RediSearch finds no word beyond 128 bytes, and some characters take four


@dataclass(frozen=True, slots=True, eq=False)
class New:
    """An item to be put into a store.

    vector: None: it is found by its words only. id: None: the store gives the next. ttl: seconds until it expires;
    None: it does not.
    """

    text: str
    vector: Numbers | None = None
    id: int | None = None
    metadata: Mapping[str, Value] = field(default_factory=dict)
    ttl: float | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """An item as it is stored; two compare without their vectors.

    vector: exactly as stored, of the store's dtype; None where it was added without. expires_at: milliseconds since
    1970; None: never.
    """

    id: int
    text: str
    metadata: Mapping[str, Value]
    vector: Vector | None = field(default=None, compare=False)
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class Near:
    """An item that a search by vector found; the distance is what the store's metric says: the smaller, the nearer."""

    id: int
    distance: float
    text: str
    metadata: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Found:
    """An item that a search by words found; score: its BM25, the higher, the better."""

    id: int
    score: float
    text: str
    metadata: Mapping[str, Value]


def digits(id: int) -> str:
    """Return an id as keys and sorted sets hold it: in 20 digits. Raises StoreError for what is no unsigned 64 bits."""
    if isinstance(id, bool) or not isinstance(id, int | np.integer) or not 0 <= id <= LAST_ID:
        raise StoreError(f"an id is a whole number from 0 to {LAST_ID}, not {str(id)[:40]!r}")
    return f"{int(id):020d}"


def checked(vector: Numbers, dtype: DType, metric: Metric) -> Vector:
    """Return a vector in the dtype. Raises VectorError for what the index would drop or never find."""
    try:
        with np.errstate(over="ignore"):
            stored: Vector = np.asarray(vector, dtype=np.dtype(dtype))
    except (TypeError, ValueError, OverflowError) as error:
        raise VectorError(f"a vector is a list of numbers: {error}") from error
    if stored.ndim != 1 or not 0 < len(stored) <= LARGEST:
        raise VectorError(f"a vector is one row of 1 to {LARGEST} numbers, this one has shape {stored.shape}")
    if not np.isfinite(stored).all():
        raise VectorError(f"a vector holds a number that is not finite in {dtype}; leave it out, or scale it")
    if metric == "cosine" and not 0 < length(stored) < math.inf:
        raise VectorError("a vector without length has no cosine: it is zero, or too small or large for its dtype")
    return stored


def length(vector: Vector) -> float:
    """Return a vector's length, worked out as exactly as the engine does."""
    wide = vector.astype(np.promote_types(vector.dtype, np.float32))
    with np.errstate(over="ignore", under="ignore"):
        return float(np.sqrt(np.dot(wide, wide)))


def distance(one: Vector, other: Vector, metric: Metric) -> float:
    """Return the squared Euclidean distance, or 1 less the cosine or the product, in float64."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):
        if metric == "l2":
            return float(np.dot(one - other, one - other))
        product = float(np.dot(one, other))
        return 1.0 - (product / length(one) / length(other) if metric == "cosine" else product)


def milliseconds(ttl: float | None) -> int | None:
    """Return how long an item lives, rounded up. Raises StoreError unless that is a time to come."""
    if ttl is None:
        return None
    if not 0 < ttl <= LONGEST_TTL:
        raise StoreError(f"a time to live is more than 0 and at most {LONGEST_TTL:.0f} seconds, not {ttl}")
    return math.ceil(ttl * 1000)


def fields(new: New, vector: Vector | None, words: str, numeric: Sequence[str]) -> dict[str, Argument]:
    """Return what is written of an item. Raises StoreError for text and metadata that cannot be stored."""
    sound(new.text, "the text")
    found: dict[str, Argument] = {
        "text": new.text,
        "words": words,
        "metadata": json.dumps({name: _sound(name, value) for name, value in new.metadata.items()}),
        "tags": ",".join(value_tag(name, value) for name, value in new.metadata.items()),
    }
    for name in numeric:
        if name in new.metadata:
            found[number_field(name)] = repr(_number(name, new.metadata[name]))
    return found if vector is None else {**found, "vector": vector.tobytes()}


def sound(text: str, what: str) -> None:
    """Raise StoreError unless a text can be written as UTF-8."""
    if not isinstance(text, str):
        raise StoreError(f"{what} must be a string, not {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise StoreError(f"{what} holds half a character (a lone surrogate) and cannot be stored; remove it") from error


def _sound(name: str, value: Value) -> Value:
    sound(name, "a name of the metadata")
    if isinstance(value, str):
        sound(value, f"the metadata {name!r}")
    elif not isinstance(value, bool):
        finite(value, f"the metadata {name!r}")
    return value


def finite(value: float, what: str) -> float:
    """Return a number as a float. Raises StoreError for what is none, or none that is finite."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except OverflowError:
        pass
    raise StoreError(f"{what} must be a string, true, false or a number of at most 1.8e308, and a range is of numbers")


def _number(name: str, value: Value) -> float:
    if isinstance(value, str | bool):
        raise StoreError(f"the store compares {name!r} as a number; give a number for it, not {type(value).__name__}")
    return finite(value, name)


def value_tag(name: str, value: Value) -> str:
    """Return what an item with this name and value is found by.

    A string, a number and a truth value always differ ("1", 1, True); numbers are the same where Python says so
    (1 and 1.0).
    """
    if isinstance(value, bool):
        return tag("metadata", name, "bool", str(value))
    if isinstance(value, str):
        return tag("metadata", name, "str", value)
    number = int(value) if isinstance(value, int) or value.is_integer() else float(value)
    return tag("metadata", name, "number", repr(number))


def number_field(name: str) -> str:
    """Return the field that holds the metadata of a name as a number."""
    return "number_" + tag("number", name)


def terms(text: str, language: str) -> Iterator[str]:
    """Return the words that a text is found by."""
    return (stem[:LONGEST_WORD] for stem in stems(text, language) if stem)
