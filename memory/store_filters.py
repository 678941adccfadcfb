"""Which items of a vector store a search may find: by what their metadata is, is not, or between what it lies.

Names and values reach a query as digests only, bounds as numbers.
"""

import csv
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from memory.errors import StoreError
from memory.store_items import Value, finite, number_field, value_tag

_SAID = re.compile(r"\s*(?P<name>[^=!<>]*[^=!<>\s])\s*(?P<sign>!=|>=|<=|=|>|<)(?P<value>.*)", re.DOTALL)
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Is:
    """The metadata of a name is one of the values, which are compared with their types: 1 is 1.0, and not "1"."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class IsNot:
    """The metadata of a name is none of the values; items that have none of this name are found too."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """The metadata of a numeric name lies between two bounds, which belong to it unless told otherwise."""

    name: str
    low: float = -math.inf
    high: float = math.inf
    above: bool = False  # low itself is not included
    below: bool = False  # high itself is not included


Condition = Is | IsNot | Between


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a query, and its parameters."""

    text: str
    params: dict[str, str]


def where(*said: str) -> tuple[Condition, ...]:
    """Read conditions as people write them, all of which must hold.

    Such as where("lang=en,fr", "year>=2020", "tag!=draft"). Commas part values, quotes keep them together
    ('city="Paris, Texas"'). What looks like a number or says true or false is meant as that, and as a string too.
    Raises StoreError for what is no condition.
    """
    return tuple(map(_condition, said))


def _condition(said: str) -> Condition:
    found = _SAID.fullmatch(said)
    if found is None:
        raise StoreError(f"{said[:80]!r} is no condition; it looks like lang=en, lang=en,fr, tag!=draft or year>=2020")
    name, sign, value = found.group("name", "sign", "value")
    if sign in ("=", "!="):
        return (Is if sign == "=" else IsNot)(name, tuple(one for part in _parts(value) for one in _meant(part)))
    if not _NUMBER.fullmatch(value.strip()):
        raise StoreError(f"{said[:80]!r} compares with what is no number; a range looks like year>=2020")
    bound = float(value)
    return Between(name, low=bound, above=sign == ">") if ">" in sign else Between(name, high=bound, below=sign == "<")


def _parts(value: str) -> list[str]:
    try:
        rows = list(csv.reader([value.strip()], skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise StoreError(f"{value[:80]!r} cannot be read as values ({error}); check its quotes") from error
    return (rows[0] if rows else []) or [""]


def _meant(text: str) -> Iterable[Value]:
    yield text
    if _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        yield float(text) if set(text) & set(".eE") else int(text)
    if text.lower() in ("true", "false"):
        yield text.lower() == "true"


def clause(conditions: Sequence[Condition], numeric: Sequence[str]) -> Clause:
    """Return the query that finds what meets every condition.

    Raises StoreError for a range over a name that the store does not compare as a number, and where no value is given.
    """
    if not conditions:
        return Clause("*", {})
    params: dict[str, str] = {}
    texts = [_clause(condition, numeric, params) for condition in conditions]
    return Clause(" ".join(f"({text})" for text in texts), params)


def _clause(condition: Condition, numeric: Sequence[str], params: dict[str, str]) -> str:
    if isinstance(condition, Between):
        return _range(condition, numeric)
    if not condition.values:
        raise StoreError(f"the condition on {condition.name!r} names no value")
    names = []
    for value in condition.values:
        if not isinstance(value, str | bool):
            finite(value, f"the metadata {condition.name!r}")
        names.append(f"is{len(params)}")
        params[names[-1]] = value_tag(condition.name, value)
    any_of = "@tags:{" + "|".join(f"${name}" for name in names) + "}"
    return f"-{any_of}" if isinstance(condition, IsNot) else any_of


def _range(condition: Between, numeric: Sequence[str]) -> str:
    if condition.name not in numeric:
        raise StoreError(
            f"the store was not made to compare {condition.name!r} by size; make one with {condition.name!r} declared "
            "among its numeric metadata"
        )
    low, high = (_bound(bound, condition.name) for bound in (condition.low, condition.high))
    left, right = "(" if condition.above else "", "(" if condition.below else ""
    return f"@{number_field(condition.name)}:[{left}{low} {right}{high}]"


def _bound(bound: float, name: str) -> str:
    if isinstance(bound, float) and math.isinf(bound):
        return "inf" if bound > 0 else "-inf"
    return repr(finite(bound, f"what {name!r} is compared with"))
