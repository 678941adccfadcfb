"""Where the replies of Redis end, whatever pieces they arrive in: nothing is kept of them, and nothing is decoded."""

from typing import NamedTuple

_BULK = frozenset(b"$=!")
_ARRAY = frozenset(b"*~>")
_MAP = ord("%")
_ATTRIBUTE = ord("|")


class Frame(NamedTuple):
    """A whole reply, or a push of RESP3. kind: its first byte; end: where it ends in the piece just read."""

    kind: int
    end: int


class Frames:
    """Finds the ends of replies in a stream of RESP2 or RESP3; it holds less than one line of it."""

    def __init__(self) -> None:
        """Stand at the beginning of a reply."""
        self._line = b""  # a line whose end has not come
        self._skip = 0  # bytes of a bulk string, and its line end, that have not come
        self._missing = 1  # values that the reply still wants
        self._kind = 0  # of the reply; 0: not begun

    @property
    def between(self) -> bool:
        """Whether everything read so far is whole replies."""
        return not (self._kind or self._line)

    def feed(self, piece: bytes) -> list[Frame]:
        """Return what ends in this piece."""
        found: list[Frame] = []
        offset = len(self._line)  # the piece begins there
        data = self._line + piece if offset else piece
        at, size = 0, len(data)
        self._line = b""
        while at < size:
            if self._skip:
                step = min(self._skip, size - at)
                self._skip -= step
                at += step
                if self._skip:
                    break
            else:
                end = data.find(b"\r\n", at)
                if end < 0:
                    self._line = data[at:]
                    break
                self._read(data, at, end)
                at = end + 2
                if self._skip:
                    continue
            if not self._missing:
                found.append(Frame(self._kind, at - offset))
                self._kind, self._missing = 0, 1
        return found

    def _read(self, data: bytes, at: int, end: int) -> None:
        kind = data[at]
        self._kind = self._kind or kind
        self._missing -= 1
        if kind in _BULK:
            length = int(data[at + 1 : end])
            if length >= 0:
                self._skip = length + 2
        elif kind in _ARRAY:
            self._missing += max(int(data[at + 1 : end]), 0)
        elif kind == _MAP:
            self._missing += 2 * int(data[at + 1 : end])
        elif kind == _ATTRIBUTE:  # stands before the value that it tells about
            self._missing += 2 * int(data[at + 1 : end]) + 1
