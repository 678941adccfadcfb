"""Two runs over the same questions, side by side: whether the one is better, or was lucky."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from statistics import mean
from typing import Any

from bot.evaluate.metrics import differences
from memory.errors import TransferError

Row = Mapping[str, Any]
Pair = tuple[Mapping[str, float], Mapping[str, float]]  # the metrics of one question in both runs


@dataclass(frozen=True, slots=True)
class Compared:
    """One metric of both runs: means, b - a, its 95% interval, two-sided p; over so many questions."""

    questions: int
    a: float
    b: float
    difference: float
    interval: tuple[float, float]
    p: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """metrics, sessions: of turns and of whole conversations. shared: questions of both; only_a, only_b: of one.

    aside: shared questions that the overall figures leave out, and so do these.
    """

    shared: int
    only_a: int
    only_b: int
    aside: int
    metrics: Mapping[str, Compared]
    sessions: Mapping[str, Compared]

    def json(self) -> dict[str, Any]:
        """Return it as --json prints it."""
        return asdict(self)


def read(path: Path) -> dict[str, Row]:
    """Return the rows of an --out file by their question; raises TransferError naming file and line."""
    found: dict[str, Row] = {}
    times: Counter[str] = Counter()
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                row = _row(line, f"{path}, line {number}")
                key = json.dumps([row["conversation"], row["question"], row["relevant"]])
                times[key] += 1  # a data set may ask the same twice
                found[f"{key} {times[key]}"] = row
    except OSError as error:
        raise TransferError(f"{path} cannot be read: {error.strerror}") from error
    return found


def compare(a: Mapping[str, Row], b: Mapping[str, Row]) -> Comparison:
    """Compare what both have asked by the paired bootstrap; raises TransferError where that is nothing."""
    shared = [key for key in a if key in b]
    if not shared:
        raise TransferError("the two files share no question; run the same data set for both")
    pairs = [(a[key], b[key]) for key in shared if a[key].get("overall", True)]
    return Comparison(
        shared=len(shared),
        only_a=len(a) - len(shared),
        only_b=len(b) - len(shared),
        aside=len(shared) - len(pairs),
        metrics=_compared([(one["metrics"], other["metrics"]) for one, other in pairs]),
        sessions=_compared(
            [
                (one["sessions"]["metrics"], other["sessions"]["metrics"])
                for one, other in pairs
                if _by_session(one, other)
            ]
        ),
    )


def _compared(pairs: Sequence[Pair]) -> dict[str, Compared]:
    """Compare metric by metric, each over the questions where both have it: small talk has others than questions.

    Metrics of the same questions are resampled together.
    """
    asked: dict[str, list[int]] = {}
    for place, (one, other) in enumerate(pairs):
        for name in one:
            if name in other:
                asked.setdefault(name, []).append(place)
    found: dict[str, Compared] = {}
    for places in {tuple(places) for places in asked.values()}:
        names = [name for name, its in asked.items() if tuple(its) == places]
        first, second = ([[pairs[place][side][name] for name in names] for place in places] for side in (0, 1))
        for column, (name, gained) in enumerate(zip(names, differences(first, second), strict=True)):
            a, b = (mean(row[column] for row in table) for table in (first, second))
            found[name] = Compared(len(places), a, b, gained.mean, (gained.low, gained.high), gained.p)
    return {name: found[name] for name in asked}


def _by_session(one: Row, other: Row) -> bool:
    return "sessions" in one and "sessions" in other


def _row(line: bytes, where: str) -> Row:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise TransferError(f"{where}: not JSON ({error})") from error
    if not isinstance(found, dict) or not {"conversation", "question", "relevant"} <= found.keys():
        raise TransferError(f"{where}: not a row that `lorebot eval ... --out` wrote")
    levels = [found] if "sessions" not in found else [found, found["sessions"]]
    for level in levels:
        values = level.get("metrics") if isinstance(level, dict) else None
        if not isinstance(values, dict) or not all(_is_number(value) for value in values.values()):
            raise TransferError(f"{where}: it has no metrics; run the evaluation again with this release")
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
