"""Commands that are not passed on, and why. What is not named here and reaches memory, Redis itself refuses."""

from bot.resp import replies
from bot.resp.requests import Request

_MEMORY = "it would reach Lorebot's memory"
_SERVER = "the server is its operator's"
_NAMES = "it would show the names of memory's keys"
_COUNT = "replies must stay in step with commands here"

_WHY = {
    **dict.fromkeys("FLUSHALL FLUSHDB SWAPDB MIGRATE".split(), _MEMORY),
    **dict.fromkeys(
        "CONFIG SCRIPT FUNCTION DEBUG SHUTDOWN ACL SAVE BGSAVE BGREWRITEAOF LASTSAVE REPLICAOF SLAVEOF FAILOVER ROLE "
        "CLUSTER MODULE LATENCY RESTORE-ASKING PFDEBUG PFSELFTEST".split(),
        _SERVER,
    ),
    **dict.fromkeys("MONITOR SLOWLOG SYNC PSYNC REPLCONF".split(), "it would show what others do"),
    "RANDOMKEY": f"{_NAMES}; use SCAN",
}
_CLIENT = {
    "REPLY": _COUNT,
    **dict.fromkeys("TRACKING CACHING".split(), _NAMES),
    **dict.fromkeys("LIST KILL PAUSE UNPAUSE UNBLOCK NO-EVICT".split(), _SERVER),
}
_YET_ALLOWED = {(b"SCRIPT", b"LOAD"), (b"SCRIPT", b"EXISTS"), (b"MODULE", b"LIST")}

PREFIXES = (b"FT.", b"_FT.", b"SEARCH.")
NAMES = frozenset(name.encode() for name in [*_WHY, "CLIENT"])
_REASONS = {name.encode(): why for name, why in _WHY.items()}
_CLIENT_REASONS = {name.encode(): why for name, why in _CLIENT.items()}


def why(request: Request) -> bytes | None:
    """Return the error that refuses a command; None where it may be passed on."""
    name = request.name
    if name.startswith(PREFIXES):
        return _no(name, "an index reads the keys of all")
    if name == b"CLIENT":
        part = request.word(1)
        reason = _CLIENT_REASONS.get(part)
        return _no(name + b" " + part, reason) if reason else None
    reason = _REASONS.get(name)
    if reason is None or (name, request.word(1)) in _YET_ALLOWED:
        return None
    return _no(name, reason)


NO_CHANNEL = replies.error(f"channels that begin with __key are refused here: {_NAMES}; ask Redis itself", "NOPERM")


def channel(name: bytes) -> bool:
    """Tell whether a channel, or every one of a pattern, tells about keys, memory's among them."""
    return name.startswith(b"__key")


def _no(name: bytes, reason: str) -> bytes:
    return replies.error(f"{name.decode()} is refused here: {reason}; ask Redis itself", "NOPERM")
