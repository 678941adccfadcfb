"""Commands as clients send them: arrays of bulk strings, or lines that a person types."""

import re
from dataclasses import dataclass

from bot.resp import replies

_NUMBER = re.compile(rb"-?\d{1,19}")
_QUOTED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}
_INLINE = re.compile(
    rb"""\s*(?:"((?:\\x[0-9a-fA-F]{2}|\\.|[^"\\])*)"|'((?:\\'|[^'])*)'|([^\s"']+))(?=\s|$)""", re.DOTALL
)
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Limits:
    """The most a client may send: bytes of an argument (bulk), a line and a command, and arguments a command."""

    bulk: int = 512 * 2**20
    arguments: int = 2**20
    inline: int = 64 * 2**10
    request: int = 2**30


# As Redis has it: a stranger must not make us keep much.
BEFORE_LOGIN = Limits(bulk=16384, arguments=10)
AFTER_LOGIN = Limits()


class ProtocolError(Exception):
    """What came is no command; the client is told so and let go."""


class Request:
    """A command: `raw` as Redis reads it, the name in upper case, and its arguments when they are looked at."""

    __slots__ = ("_spans", "name", "raw")

    def __init__(self, raw: bytes, spans: list[tuple[int, int]]) -> None:
        """Take the bytes of an array of bulk strings, and where in them the strings are."""
        self.raw = raw
        self._spans = spans
        start, end = spans[0]
        self.name = raw[start:end].upper()

    def __len__(self) -> int:
        """Count the arguments, the name among them."""
        return len(self._spans)

    def word(self, number: int) -> bytes:
        """Return an argument in upper case, empty where there is none; the name is number 0."""
        if number >= len(self._spans):
            return b""
        start, end = self._spans[number]
        return self.raw[start:end].upper()

    @property
    def arguments(self) -> list[bytes]:
        """The arguments after the name."""
        raw = self.raw
        return [raw[start:end] for start, end in self._spans[1:]]


class Requests:
    """Finds commands in what a client sends, whatever pieces it comes in."""

    def __init__(self, limits: Limits) -> None:
        """Begin with nothing read; `limits` may be changed at any time and hold for what is read from then on."""
        self.limits = limits
        self._data = bytearray()
        self._at = 0  # what was looked at
        self._missing = 0  # bulk strings that the command still wants; 0: not within one
        self._length = -1  # of the bulk string whose length has been read
        self._spans: list[tuple[int, int]] = []

    def feed(self, piece: bytes) -> None:
        """Take what has come."""
        self._data += piece

    @property
    def held(self) -> int:
        """How many bytes are kept."""
        return len(self._data)

    def clear(self) -> None:
        """Forget what has come."""
        self._data.clear()
        self._at, self._missing, self._length, self._spans = 0, 0, -1, []

    def next(self) -> Request | None:
        """Return the next command, None where it has not come whole; raises ProtocolError."""
        while self._data:
            if not self._missing:
                if self._data[0] != 0x2A:  # *
                    words = self._typed()
                    if words is None:
                        return None
                    if words:
                        return _made(words)
                    continue
                if not self._begun():
                    return None
                if not self._missing:  # an empty array: Redis ignores it too
                    self._drop()
                    continue
            if not self._whole():
                return None
            raw, spans = bytes(memoryview(self._data)[: self._at]), self._spans
            self._drop()
            return Request(raw, spans)
        return None

    def _begun(self) -> bool:
        count = self._number(1, "multibulk length", "too big mbulk count string")
        if count is None:
            return False
        if count > self.limits.arguments:
            raise ProtocolError(_said(self.limits, "multibulk length"))
        self._missing = max(count, 0)
        self._spans = []
        return True

    def _whole(self) -> bool:
        """Read bulk strings until the command is whole, or what came is used up."""
        data, limits = self._data, self.limits
        while self._missing:
            if self._length < 0:
                if len(data) <= self._at:
                    return False
                if data[self._at] != 0x24:  # $
                    raise ProtocolError(f"expected '$', got '{chr(data[self._at])}'")
                length = self._number(self._at + 1, "bulk length", "too big bulk count string")
                if length is None:
                    return False
                if not 0 <= length <= limits.bulk:
                    raise ProtocolError(_said(limits, "bulk length"))
                if self._at + length > limits.request:
                    raise ProtocolError("too big a command")
                self._length = length
            end = self._at + self._length
            if len(data) < end + 2:
                return False
            self._spans.append((self._at, end))
            self._at, self._length = end + 2, -1
            self._missing -= 1
        return True

    def _number(self, start: int, name: str, too_long: str) -> int | None:
        """Read a number and go past its line; None where the line has not ended."""
        end = self._data.find(b"\r", start, start + 32)
        if end < 0:
            if len(self._data) - start >= 32:
                raise ProtocolError(too_long if len(self._data) - start > self.limits.inline else f"invalid {name}")
            return None
        if len(self._data) < end + 2:
            return None
        digits = bytes(self._data[start:end])
        if not _NUMBER.fullmatch(digits):
            raise ProtocolError(f"invalid {name}")
        self._at = end + 2
        return int(digits)

    def _typed(self) -> list[bytes] | None:
        end = self._data.find(b"\n")
        if max(end, 0 if end >= 0 else len(self._data)) > self.limits.inline:
            raise ProtocolError("too big inline request")
        if end < 0:
            return None
        line = bytes(self._data[:end])
        self._at = end + 1
        self._drop()
        return words(line)

    def _drop(self) -> None:
        del self._data[: self._at]
        self._at = 0


def words(line: bytes) -> list[bytes]:
    r"""Return the words of a line; "quoted\n" ones may have spaces and escapes, 'quoted' ones spaces.

    Raises ProtocolError where quotes do not match.
    """
    line = line.rstrip(b"\r\n\t ")
    found, at = [], 0
    while at < len(line):
        match = _INLINE.match(line, at)
        if match is None:
            raise ProtocolError("unbalanced quotes in request")
        double, single, plain = match.groups()
        if double is not None:
            found.append(
                _ESCAPE.sub(lambda one: bytes([int(one[1], 16)]) if one[1] else _QUOTED.get(one[2], one[2]), double)
            )
        else:
            found.append(single.replace(b"\\'", b"'") if single is not None else plain)
        at = match.end()
    return found


def _made(words: list[bytes]) -> Request:
    raw = replies.request(*words)
    spans, at = [], len(b"*%d\r\n" % len(words))
    for word in words:
        at += len(b"$%d\r\n" % len(word))
        spans.append((at, at + len(word)))
        at += len(word) + 2
    return Request(raw, spans)


def _said(limits: Limits, what: str) -> str:
    return f"{'unauthenticated' if limits == BEFORE_LOGIN else 'invalid'} {what}"
