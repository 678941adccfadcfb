"""What must stay whole inside a paragraph: code, links, mentions, emphasis."""

import re
from bisect import bisect_right
from collections import defaultdict

Span = tuple[int, int]

_LABEL = r"(?:[^\[\]\\]|\\.|\[[^\[\]]{0,200}(?:\]|\Z)){0,2000}"
_TARGET = r'(?:[^()\s\\]|\\.|\([^()\s]{0,200}(?:\)|\Z)){0,2000}(?:\s"[^"]{0,200}(?:"|\Z))?'
_LINK = re.compile(rf"!?\[{_LABEL}(?:\Z|\](?:\Z|\({_TARGET}(?:\)|\Z)))", re.DOTALL)
_ANGLE = re.compile(r"<[^<>\s][^<>\n]{0,300}(?:>|\Z)")  # mentions, and Slack's <address|words>
_TOKEN = re.compile(r"\\.|`+|<|!?\[|https?://[^\s<>]+|\*+|_+|~~|\|\|", re.DOTALL)
_TICKS = re.compile(r"`+")


def spans(text: str, start: int, end: int, patience: int = 0) -> list[Span]:
    """Return what must stay whole in text[start:end], a paragraph, as [(start, end)] in no order.

    What is open at the end counts too where it began at most `patience` characters before: it may be closed by what
    comes next. In a paragraph that is over, nothing is open: 0.
    """
    found: list[Span] = []
    ticks: dict[int, list[int]] = defaultdict(list)
    for run in _TICKS.finditer(text, start, end):
        ticks[len(run[0])].append(run.start())
    marks: list[tuple[str, int]] = []
    at = start
    while token := _TOKEN.search(text, at, end):
        at, mark = token.end(), token[0]
        if mark[0] == "`":
            later = ticks[len(mark)]
            place = bisect_right(later, token.start())
            if place < len(later):
                at = later[place] + len(mark)
                found.append((token.start(), at))
            elif end - token.start() <= patience:
                found.append((token.start(), end))
        elif mark[0] in "<![":
            whole = (_ANGLE if mark == "<" else _LINK).match(text, token.start(), end)
            if whole and (whole[0][-1] in ">)" or end - token.start() <= patience):
                at = whole.end()
                found.append(whole.span())
        elif mark[0] == "h":
            found.append(token.span())
        elif mark[0] != "\\":
            _emphasis(text, (token.start(), min(at, end)), end, marks, found)
    return found + [(begun, end) for _, begun in marks if end - begun <= patience]


def _emphasis(text: str, token: Span, end: int, marks: list[tuple[str, int]], found: list[Span]) -> None:
    """Let a run of marks close what the same run opened, else open something; marks: what is open."""
    start, stop = token
    mark = text[start:stop]
    before, after = text[start - 1 : start], text[stop : stop + 1] if stop < end else "."
    if mark[0] == "_" and before.isalnum() and after.isalnum():
        return
    if before.strip():
        for place in range(len(marks) - 1, max(len(marks) - 9, -1), -1):  # nobody nests deeper
            if marks[place][0] == mark:
                found.append((marks[place][1], stop))
                del marks[place:]
                return
    if after.strip():
        marks.append((mark, start))
