"""Counts tokens as a model would, and never fails: not on lone surrogates, not on megabytes of one letter."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator

# The longest section that is tokenized at once. tiktoken's patterns overflow their stack (and panic) at about a
# million blanks; 100,000 characters of anything take less than 0.1 s.
SECTION = 100_000

# Every BPE pattern in use begins a new word at a blank that follows something, so a text split there takes exactly as
# many tokens in sections as in one piece.
_BOUNDARY = re.compile(r"(?<=\S)(?= )")
_SECTION = re.compile(rf"(?s:.{{1,{SECTION}}})(?:(?<=\S)(?= )|\Z)")


class SectionedTokenizer(ABC):
    """A tokenizer that takes long texts section by section.

    A run of more than 100,000 characters without a boundary counts its UTF-8 bytes, which no byte-level tokenizer
    exceeds; everything else is exact.
    """

    @abstractmethod
    def _size(self, section: str) -> int:
        """Return how many tokens a section takes."""

    @abstractmethod
    def _starts(self, section: str) -> list[int]:
        """Return the first character of each token of a section."""

    def count(self, text: str) -> int:
        """Return how many tokens `text` takes; text that looks like a special token counts as text."""
        return sum(
            self._size(section) if len(section) <= SECTION else len(section.encode())
            for section in _sections(readable(text))
        )

    def cut(self, text: str, tokens: int) -> str:
        """Return the longest beginning of `text` of at most `tokens` tokens, never splitting a character.

        A run of more than 100,000 characters without a blank may be cut earlier than it had to be.
        """
        kept, room = 0, tokens
        for section in _sections(readable(text)):
            head = section[:SECTION]
            starts = self._starts(head)
            if len(starts) > room:
                return text[: kept + self._shortened(head, starts, room)]
            kept += len(head)
            room -= len(starts)
            if len(head) < len(section):
                break
        return text[:kept]

    def _shortened(self, section: str, starts: list[int], room: int) -> int:
        """Return how many characters of a section fit; a word that is cut may take more tokens than its part did."""
        end = starts[room] if room > 0 else 0
        while end and self._size(section[:end]) > room:
            end -= 1
        return end


class ByteTokenizer(SectionedTokenizer):
    """Counts UTF-8 bytes: an upper bound for every byte-level BPE and every SentencePiece model with byte fallback.

    One more than the bytes, for the blank that SentencePiece may put in front.
    """

    def count(self, text: str) -> int:
        """Return the most tokens that `text` can take."""
        return len(readable(text).encode()) + 1 if text else 0

    def cut(self, text: str, tokens: int) -> str:
        """Return the longest beginning of `text` that surely takes at most `tokens` tokens."""
        return text[: len(readable(text).encode()[: max(0, tokens - 1)].decode(errors="ignore"))]

    def _size(self, section: str) -> int:
        return len(section.encode())

    def _starts(self, section: str) -> list[int]:
        return [at for at, character in enumerate(section) for _ in character.encode()]


def readable(text: str) -> str:
    """Return `text` with "?" for lone surrogates, which no server and no tokenizer takes; its length stays."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _sections(text: str) -> Iterator[str]:
    """Yield the text in sections that end at boundaries; longer than SECTION only where there is no boundary."""
    start = 0
    while start < len(text):
        found = _SECTION.match(text, start)
        if found:
            end = found.end()
        else:
            boundary = _BOUNDARY.search(text, start + 1)
            end = boundary.start() if boundary else len(text)
        yield text[start:end]
        start = end
