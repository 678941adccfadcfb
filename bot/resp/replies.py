"""Values as bytes of the Redis protocol, version 2 or 3."""

import math
from collections.abc import Mapping

from bot.resp.base import Reply, Simple

_INT64 = 2**63


def encode(reply: Reply, protocol: int) -> bytes:
    """Return a reply as a client that speaks this protocol reads it.

    Floats come back exactly. In RESP2, which has no such types, a float and an integer beyond 64 bits are bulk strings
    and a mapping is a flat array.
    """
    parts: list[bytes] = []
    _add(reply, protocol, parts)
    return b"".join(parts)


def error(text: str, code: str = "ERR") -> bytes:
    """Return an error reply; it is one line, whatever the text has."""
    return f"-{code} {' '.join(text.split())}\r\n".encode("utf-8", "replace")


def bulk(value: bytes) -> bytes:
    """Return a bulk string."""
    return b"$%d\r\n%b\r\n" % (len(value), value)


def request(*arguments: bytes) -> bytes:
    """Return a command as Redis reads it."""
    return b"*%d\r\n%b" % (len(arguments), b"".join(map(bulk, arguments)))


def _add(reply: Reply, protocol: int, parts: list[bytes]) -> None:
    if reply is None:
        parts.append(b"_\r\n" if protocol == 3 else b"$-1\r\n")
    elif isinstance(reply, Simple):
        parts.append(b"+%b\r\n" % " ".join(reply.split()).encode("utf-8", "replace"))
    elif isinstance(reply, str):
        parts.append(bulk(reply.encode("utf-8", "replace")))
    elif isinstance(reply, bytes):
        parts.append(bulk(reply))
    elif isinstance(reply, int):
        parts.append(_integer(int(reply), protocol))
    elif isinstance(reply, float):
        digits = _digits(reply)
        parts.append(b",%b\r\n" % digits if protocol == 3 else bulk(digits))
    elif isinstance(reply, Mapping):
        parts.append(b"%%%d\r\n" % len(reply) if protocol == 3 else b"*%d\r\n" % (2 * len(reply)))
        for name, value in reply.items():
            _add(name, protocol, parts)
            _add(value, protocol, parts)
    else:
        parts.append(b"*%d\r\n" % len(reply))
        for one in reply:
            _add(one, protocol, parts)


def _integer(value: int, protocol: int) -> bytes:
    if -_INT64 <= value < _INT64:
        return b":%d\r\n" % value
    digits = b"%d" % value
    return b"(%b\r\n" % digits if protocol == 3 else bulk(digits)


def _digits(value: float) -> bytes:
    if math.isnan(value):
        return b"nan"
    return repr(value).removesuffix(".0").encode()  # repr: the shortest digits that read back as the same number
