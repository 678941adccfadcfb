"""A Markdown reply cut into messages: at paragraphs, else blocks, else lines, else sentences, else words. Pure.

Cutting goes from front to back and never looks beyond the first character that does not fit. So a part that is
finished stays as it is whatever comes next, and a reply can be cut again and again while it is being made.

The parts' ranges join up: `text[parts[0].start : parts[-1].end]` is the whole reply. What a part shows is its range
without white space at its ends, between a head (the fence or the table's header opened again) and a tail (the fence
closed).
"""

import re
from collections.abc import Iterator

from wcwidth import grapheme_boundary_before

from bot.delivery.fences import INDENT, OPENING, RUN, margin_again, opened, turns
from bot.delivery.inline import Span, spans
from bot.delivery.parts import Limit, Open, Part
from bot.delivery.places import Inside, Place, Rank, best

_SPACE = re.compile(r"\s*")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]")
_BLOCK = re.compile(r"[ \t]*(?:#{1,6}[ \t]|[-*+][ \t]|\d{1,9}[.)][ \t]|>|`{3}|~{3}|[|])")
_RULER = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?\s*")
_RUNS = frozenset(mark * length for mark in "`~" for length in (1, 2, 3))  # at a line's start they may open a fence
_WORDS = re.compile(r"(?<=[.!?\u2026])[\"')\]*_\u201d]{0,4}(\s+)|(?<=[\u3002\uff01\uff1f])()|(\s+)")


def split(text: str, limit: Limit, after: Part | None = None) -> Iterator[Part]:
    """Yield the parts of a reply, or those after one of them.

    Every part but the last is finished: no more text will change it. A blank text has no parts. Linear in the text.
    """
    while part := _Scan(text, limit, after).part():
        yield part
        if part.end == len(text):
            return
        after = part


def fit(text: str, limit: Limit, most: int) -> tuple[list[Part], str]:
    """Return at most this many parts of a reply, and the rest, which goes into a file; "" where everything fits."""
    parts: list[Part] = []
    for part in split(text, limit):
        if len(parts) == most:
            return parts, rest(text, parts[-1])
        parts.append(part)
    return parts, ""


def rest(text: str, after: Part) -> str:
    """Return what comes after a part, as a text that stands alone."""
    return after.open.head + text[after.end :]


def closed(text: str, limit: Limit, after: Part | None = None) -> str:
    """Return a text with the fence closed that is open at its end. after: the last of its parts that is known."""
    for part in split(text, limit, after):
        after = part
    if after is None or after.open.fence is None:
        return text
    return text + ("" if text.endswith("\n") else "\n") + after.open.fence.closing


class _Scan:
    """Reads one part from front to back, until something does not fit."""

    def __init__(self, text: str, limit: Limit, after: Part | None) -> None:
        self._text = text
        self._most = limit.characters
        self._size = limit.size
        self._wide = limit.wide
        self._anywhere = limit.fences_anywhere
        self._begun = after.end if after else 0
        self._open = after.open if after else Open()
        self._head = self._open.head
        self._start = self._begun if self._open.fence else self._margin(self._begun)
        self._used = self._size(self._head)
        self._at = self._start  # where the line begins that is being read
        self._before = ""  # the line before
        self._quiet = False  # whether nothing may end here: code or a table has just begun
        self._opens = False  # whether the line that does not fit may open a fence
        self._closed = False  # whether the line before closed a fence
        self._places: list[Place] = []
        self._blocks: list[Span] = []  # paragraphs, items and rows: nothing inline goes beyond them

    def part(self) -> Part | None:
        """Return the part; None where there is nothing left to show."""
        if self._start >= len(self._text):
            return None
        while self._at < len(self._text):
            end = self._text.find("\n", self._at) + 1 or len(self._text)
            self._leave_quotation(end)
            if (over := self._overflow(end)) is not None:
                return self._cut(over)
            self._read(end)
        return self._shown(len(self._text), self._open)

    def _margin(self, at: int) -> int:
        """Return where the text goes on, with the little indentation that means no code."""
        found = _SPACE.match(self._text, at)
        assert found is not None
        start = found.end()
        while found.end() - start < INDENT and start > at and self._text[start - 1] == " ":
            start -= 1
        return start if found.end() < len(self._text) else len(self._text)

    def _leave_quotation(self, end: int) -> None:
        fence = self._open.fence
        if fence and fence.quoted and fence.left_by(self._text[self._at : end]):
            self._open, self._closed = Open(), True

    def _overflow(self, end: int) -> int | None:
        """Return the first character of the line that does not fit, its fence closed behind it; None where all fit."""
        fence = self._open.fence
        opening = None if fence else OPENING.match(self._text, self._at, min(end, self._at + self._most))
        run = opening.span(2) if opening else (end, end)
        margin = len(margin_again(opening[1])) if opening else 0
        room = self._most - self._used
        reserve = 1 + self._size(fence.closing) if fence else 1 + run[1] - self._at if opening else 0
        amid = not fence and self._anywhere and self._text.find(RUN, self._at, end) >= 0
        if amid:
            reserve = max(reserve, 1 + len(RUN))
        if end - self._at <= room and self._size(self._text[self._at : end]) + reserve <= room:
            return None
        used = 0
        for at in range(self._at, end):
            char = self._text[at]
            used += self._wide if char > "\uffff" else 1
            if not fence:
                length = min(at + 1, run[1]) - run[0]
                reserve = 1 + margin + length if length >= 3 and margin + length <= self._longest else 0
                if amid and turns(self._text[self._at : at + 1]):
                    reserve = max(reserve, 1 + len(RUN))
            if not reserve and char.isspace():  # not shown where the part ends behind it
                continue
            if used + reserve - (char == "\n") > room:
                return at
        return None

    @property
    def _longest(self) -> int:
        """The most characters of a fence's line."""
        return self._most // 10

    def _read(self, end: int) -> None:
        """Take in a line that fits."""
        line = self._text[self._at : end]
        self._places.extend(self._line_places(line))
        fence, table, quiet, closed = self._open.fence, "", False, False
        if fence:
            closed = fence.closed_by(line)
            fence = None if closed else fence
        elif fence := opened(line, self._longest, self._anywhere):
            quiet = True
        elif line.strip():
            table, quiet = self._table(line)
            self._add_block(line, end)
        self._open, self._quiet, self._closed = Open(fence, table), quiet, closed
        self._used += self._size(line)
        self._before = line
        self._at = end

    def _table(self, line: str) -> tuple[str, bool]:
        """Return the header of the table that a line is in, and whether it has just begun."""
        if self._open.table and "|" in line:
            return self._open.table, False
        if "|" in line and "|" in self._before and _RULER.fullmatch(line) and line.endswith("\n"):
            header = self._before.lstrip() + line.lstrip()
            return (header, True) if self._size(header) <= self._most // 4 else ("", True)
        return "", False

    def _add_block(self, line: str, end: int) -> None:
        goes_on = self._blocks and self._blocks[-1][1] == self._at and not _BLOCK.match(line)
        start = self._blocks.pop()[0] if goes_on else self._at
        self._blocks.append((start, end))

    def _line_places(self, line: str) -> Iterator[Place]:
        """Yield the place before a line of which this is known, where a part may end there."""
        if self._at == self._start or self._quiet:
            return
        fence = self._open.fence
        if fence:
            closes = fence.anywhere and line.lstrip(" \t").startswith(RUN)
            if not closes and line.strip(" \t\r\n>" + fence.closing[-1]):  # else it may become the line that closes it
                yield Place(self._at, Rank.ROW, self._used, self._open)
            return
        row = bool(self._open.table) and "|" in line
        ruler = "|" in self._before and not line.strip(" \t\r\n|:-")
        if not line.strip() or (ruler and not row):
            return
        yield Place(self._at, self._line_rank(line, row), self._used, self._open if row else Open())

    def _line_rank(self, line: str, row: bool) -> Rank:
        if row or _HEADING.match(self._before):
            return Rank.ROW
        blank = not self._before.strip()
        if _HEADING.match(line) or (blank and not line[0].isspace()):
            return Rank.PARAGRAPH
        return Rank.BLOCK if blank or self._closed or _BLOCK.match(line) else Rank.LINE

    def _cut(self, over: int) -> Part:
        """Return the part, cut at the best place before a character that does not fit."""
        known = self._text[self._at : over + 1]
        if self._open.fence is None:
            self._opens = OPENING.match(known) is not None
            self._add_block(known, over + 1)
        kept: list[Span] = []
        for start, end in self._blocks:
            last = end == over + 1
            kept += spans(self._text, start, end, self._most // 4 if last else 0)
        inside = Inside(kept)
        places = [self._ranked(place, inside) for place in (*self._places, *self._line_places(known))]
        places += [self._ranked(place, inside) for place in self._word_places(over)]
        place = best(places, self._most // 2) or self._forced(over, inside)
        return self._shown(place.at, place.open)

    def _ranked(self, place: Place, inside: Inside) -> Place:
        if inside.start(place.at) is None or place.open.fence:
            return place
        return Place(place.at, Rank.INSIDE, place.used, place.open)

    def _word_places(self, over: int) -> Iterator[Place]:
        """Yield the places between the words of the line that does not fit."""
        begun = _SPACE.match(self._text, self._at, over)
        used, measured = self._used, self._at
        for found in _WORDS.finditer(self._text, begun.end() + 1 if begun else over, over):
            at = found.end()
            used, measured = used + self._size(self._text[measured:at]), at
            if self._text[at : min(at + 3, over + 1)] in _RUNS or not self._parts_graphemes(at):
                continue
            rank = Rank.WORD if found[3] is not None else Rank.SENTENCE
            here = self._open_within(at)
            odd = here.fence != self._open.fence or (not here.fence and _BLOCK.match(self._text, at, over + 1))
            yield Place(at, Rank.INSIDE if odd else rank, used, here)

    def _open_within(self, at: int) -> Open:
        """Return what is open at a place in the line that does not fit, which may itself open or close a fence."""
        fence = self._open.fence
        line = self._text[self._at : min(at, self._at + self._most)]
        if fence:
            return Open(None if fence.closed_by(line) else fence)
        opens = self._opens or (self._anywhere and RUN in line)
        return Open(opened(line, self._longest, self._anywhere) if opens else None)

    def _parts_graphemes(self, at: int) -> bool:
        """Tell whether what looks like one character to people does not go across a place."""
        near = max(at - 32, self._start)
        return grapheme_boundary_before(self._text[near : at + 1], at - near + 1) == at - near

    def _forced(self, over: int, inside: Inside) -> Place:
        """Return the place where one word beyond all measure is cut."""
        window = self._text[self._start : over + 1]
        at = self._start + grapheme_boundary_before(window, len(window))
        begun = inside.start(at)
        if begun is not None and begun - self._start > self._most // 2 and self._parts_graphemes(begun):
            at = begun
        if not self._text[self._start : at].strip():  # one that people see as a single character
            at = max(over, self._start + 1)
        return Place(at, Rank.INSIDE, 0, self._open_within(at))

    def _shown(self, end: int, opened: Open) -> Part:
        body = self._text[self._start : end]
        if opened.fence is None:
            return Part(self._begun, end, self._head + body.rstrip(), opened)
        apart = "" if (self._head + body).endswith("\n") else "\n"
        return Part(self._begun, end, f"{self._head}{body}{apart}{opened.fence.closing}", opened)
