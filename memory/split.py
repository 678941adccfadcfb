"""Long texts, cut where they breathe: at paragraphs, else lines, else sentences, else between words. Pure functions."""

import re
from collections.abc import Iterator

WHOLE = 1600  # characters; a text up to here stays in one piece: some 300 words, 400 of the 512 tokens that bge reads
PIECE = 1000  # characters of a piece of a longer text: it must be about one thing, and costs its length when quoted

Span = tuple[int, int]  # where a piece starts and ends in its text

# What pieces are cut at, the best place first; each matches what stands between two of them.
_BREAKS = tuple(
    re.compile(pattern) for pattern in (r"\n[ \t]*\n\s*", r"\n\s*", r"(?<=[.!?\u3002\uff01\uff1f])\s+", r"\s+")
)


def spans(text: str) -> list[Span]:
    """Return where a text's pieces are, in order and without overlap; a short text is one."""
    if len(text) <= WHOLE:
        return [(0, len(text))]
    pieces: list[Span] = []
    for start, end in _cut(text, (0, len(text)), 0):
        if pieces and end - pieces[-1][0] <= PIECE:
            pieces[-1] = (pieces[-1][0], end)
        else:
            pieces.append((start, end))
    return pieces or [(0, len(text))]


def _cut(text: str, span: Span, depth: int) -> Iterator[Span]:
    """Yield the parts of a span that are no longer than a piece, cut at breaks as good as can be."""
    start, end = span
    if end - start <= PIECE:
        if text[start:end].strip():
            yield span
    elif depth == len(_BREAKS):  # one word beyond all measure
        yield from ((at, min(at + PIECE, end)) for at in range(start, end, PIECE))
    else:
        for found in _BREAKS[depth].finditer(text, start, end):
            yield from _cut(text, (start, found.start()), depth + 1)
            start = found.end()
        yield from _cut(text, (start, end), depth + 1)
