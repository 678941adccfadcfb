"""What EXPIRE, TTL and their like mean for an object, as Redis has it for a key."""

from collections.abc import Sequence

from bot.errors import CommandError
from bot.resp.base import Reply

_LAST = 2**63 - 1  # ms since 1970
_OPTIONS = frozenset((b"NX", b"XX", b"GT", b"LT"))

SETTING = frozenset((b"EXPIRE", b"PEXPIRE", b"EXPIREAT", b"PEXPIREAT"))
ASKING = frozenset((b"TTL", b"PTTL", b"EXPIRETIME", b"PEXPIRETIME"))


def asked(name: bytes, arguments: Sequence[bytes], now: int) -> tuple[int, frozenset[bytes]]:
    """Return until when, in ms since 1970, and the options of a command of SETTING; `arguments` come after the key.

    Raises CommandError in Redis' words.
    """
    number = _whole(arguments[0])
    at = number * (1 if name.startswith(b"P") else 1000) + (0 if name.endswith(b"AT") else now)
    if not -_LAST <= at <= _LAST:
        raise CommandError(f"invalid expire time in '{name.decode().lower()}' command")
    options = frozenset(option.upper() for option in arguments[1:])
    for option in options - _OPTIONS:
        raise CommandError(f"Unsupported option {option.decode(errors='replace')}")
    if b"NX" in options and len(options) > 1:
        raise CommandError("NX and XX, GT or LT options at the same time are not compatible")
    if {b"GT", b"LT"} <= options:
        raise CommandError("GT and LT options at the same time are not compatible")
    return at, options


def holds(options: frozenset[bytes], at: int, current: int | None) -> bool:
    """Tell whether an object that lives until `current` (None: for ever) is to live until `at`."""
    if current is None:
        return not options & {b"XX", b"GT"}
    if b"NX" in options:
        return False
    if b"GT" in options:
        return at > current
    return b"LT" not in options or at < current


def told(name: bytes, expires: int | None, now: int) -> Reply:
    """Return what a command of ASKING answers for an object that is there."""
    if expires is None:
        return -1
    left = expires if name.endswith(b"TIME") else max(expires - now, 0)
    return left if name.startswith(b"P") else (left + 500) // 1000


def _whole(word: bytes) -> int:
    try:
        number = int(word)
    except ValueError:
        number = _LAST + 1
    if abs(number) > _LAST or word != b"%d" % number:
        raise CommandError("value is not an integer or out of range")
    return number
