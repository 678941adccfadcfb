"""Times that a message names, in English: "last Friday", "in May", "three weeks ago". Pure functions."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MONTHS = "january february march april may june july august september october november december".split()
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()

_NUMBERS = {
    word: number
    for number, word in enumerate("zero one two three four five six seven eight nine ten eleven twelve".split())
} | {"a": 1, "an": 1, "couple": 2, "few": 3}

# "may" is a month only where it is written so, and not at the beginning of a sentence ("May I ...").
_MONTH = (
    r"(?P<month>(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|(?<=\s)May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?))\b"
)
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_DATES = [
    re.compile(rf"\b{_YEAR}-(?P<number>[01]\d)-(?P<day>[0-3]\d)\b"),
    re.compile(rf"\b{_DAY}(?: of)? {_MONTH}\.?(?:,? {_YEAR})?"),
    re.compile(rf"(?:\b|(?<=\s)){_MONTH}\.? {_DAY}\b(?!\d)(?:,? {_YEAR})?"),
    re.compile(rf"(?:\b|(?<=\s)){_MONTH}(?:,? (?:of )?{_YEAR})?"),
    re.compile(rf"\b{_YEAR}\b"),
]
_AGO = re.compile(r"\b(?P<count>\d{1,3}|[a-z]+)(?: of)? (?P<unit>day|week|month|year)s? ago\b", re.IGNORECASE)
_NEAR = re.compile(
    r"\b(?P<which>last|this|past) (?P<unit>night|week(?:end)?|month|year|" + "|".join(WEEKDAYS) + r")\b"
    r"|\b(?P<day>today|yesterday|this morning|tonight)\b",
    re.IGNORECASE,
)
_UNIT = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30), "year": timedelta(days=365)}


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time. since, until: milliseconds, until not included. month, day: of every year, if none is named."""

    since: int = 0
    until: int = 0
    month: int | None = None
    day: int | None = None

    def holds(self, sent_at: int) -> bool:
        """Tell whether a moment (milliseconds, UTC) lies in it."""
        if self.month is None:
            return self.since <= sent_at < self.until
        moment = datetime.fromtimestamp(sent_at / 1000, UTC)
        return moment.month == self.month and (self.day is None or moment.day == self.day)


def windows(text: str, now: datetime | None = None) -> Iterator[Window]:
    """Yield the times that a text names. now: when it was said; without it, "yesterday" says nothing."""
    taken: list[tuple[int, int]] = []
    for pattern in _DATES:
        for found in pattern.finditer(text):
            if any(found.start() < end and start < found.end() for start, end in taken):
                continue
            window = _date(found)
            if window is not None:
                taken.append(found.span())
                yield window
    if now is not None:
        yield from (_ago(found, now) for found in _AGO.finditer(text) if _count(found) is not None)
        yield from (_near(found, now) for found in _NEAR.finditer(text))


def _date(found: re.Match[str]) -> Window | None:
    part = found.groupdict()
    year = int(part["year"]) if part.get("year") else None
    day = int(part["day"]) if part.get("day") else None
    month = int(part["number"]) if part.get("number") else None
    if part.get("month"):
        month = 1 + next(number for number, name in enumerate(MONTHS) if name.startswith(part["month"].lower()[:3]))
    try:
        if year is None:
            datetime(2024, month or 1, day or 1)  # a leap year has every day
            return Window(month=month, day=day)
        begin = datetime(year, month or 1, day or 1, tzinfo=UTC)
    except ValueError:
        return None
    if month is None:
        end = begin.replace(year=year + 1)
    elif day is None:
        end = begin.replace(year=year + month // 12, month=month % 12 + 1)
    else:
        end = begin + timedelta(days=1)
    return _window(begin, end)


def _count(found: re.Match[str]) -> int | None:
    said = found["count"].lower()
    return int(said) if said.isdecimal() else _NUMBERS.get(said)


def _ago(found: re.Match[str], now: datetime) -> Window:
    """Return the time so long ago, with a margin of half a unit: 'two weeks ago' is no day."""
    unit = found["unit"].lower()
    moment = _midnight(now) - (_count(found) or 0) * _UNIT[unit]
    margin = timedelta(0) if unit == "day" else _UNIT[unit] / 2
    return _window(moment - margin, moment + margin + timedelta(days=1))


def _near(found: re.Match[str], now: datetime) -> Window:
    today = _midnight(now)
    tomorrow = today + timedelta(days=1)
    if found["day"]:
        gone = timedelta(days=found["day"].lower() == "yesterday")
        return _window(today - gone, tomorrow - gone)
    last, unit = found["which"].lower() != "this", found["unit"].lower()
    monday = today - timedelta(days=today.weekday())
    if unit == "night":
        return _window(today - timedelta(days=1), tomorrow)
    if unit == "week":
        return _window(monday - timedelta(days=7), monday) if last else _window(monday, tomorrow)
    if unit == "weekend":
        saturday = monday - timedelta(days=2) if last else monday + timedelta(days=5)
        return _window(saturday, saturday + timedelta(days=2))
    if unit == "month":
        first = today.replace(day=1)
        return _window((first - timedelta(days=1)).replace(day=1), first) if last else _window(first, tomorrow)
    if unit == "year":
        first = today.replace(month=1, day=1)
        return _window(first.replace(year=first.year - 1), first) if last else _window(first, tomorrow)
    back = timedelta(days=(today.weekday() - WEEKDAYS.index(unit)) % 7 or (7 if last else 0))
    return _window(today - back, tomorrow - back)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _window(begin: datetime, end: datetime) -> Window:
    return Window(round(begin.timestamp() * 1000), round(end.timestamp() * 1000))
