"""What people and tenants want of memory: not to be remembered for now, or not for longer than some days."""

from collections.abc import Sequence

from memory.batch import Answer, Batch
from memory.errors import ScopeError
from memory.keys import Keys
from memory.scope import Scope

LONGEST = 36_500  # days; a hundred years
_NEVER = 1 << 62  # milliseconds; when a pause ends that still lasts

# A person's pauses are kept as "from-until,from-until,": the last has no end while it lasts.
_PAUSE = """
if redis.call('SADD', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], (redis.call('HGET', KEYS[2], ARGV[1]) or '') .. ARGV[2] .. '-')
return 1
"""

_RESUME = """
if redis.call('SREM', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], (redis.call('HGET', KEYS[2], ARGV[1]) or '0-') .. ARGV[2] .. ',')
return 1
"""


def pause(batch: Batch, keys: Keys, scope: Scope, now: int) -> Answer[bool]:
    """Remember nothing that the scope's person says in this tenant from now on, nor what answers them."""
    mine = keys.tenant(scope.tenant)
    return batch.ask("EVAL", _PAUSE, 2, mine.paused, mine.pauses, scope.person_tag, now, read=bool)


def resume(batch: Batch, keys: Keys, scope: Scope, now: int) -> Answer[bool]:
    """Remember the person again."""
    mine = keys.tenant(scope.tenant)
    return batch.ask("EVAL", _RESUME, 2, mine.paused, mine.pauses, scope.person_tag, now, read=bool)


def pauses(batch: Batch, keys: Keys, tenant: str, people: Sequence[str]) -> Answer[list[list[range]]]:
    """Ask when each of some people, by their tags, had paused: milliseconds since 1970."""
    return batch.ask(
        "HMGET", keys.tenant(tenant).pauses, *people, read=lambda rows: [_pauses((raw or b"").decode()) for raw in rows]
    )


def _pauses(text: str) -> list[range]:
    found = [one.split("-") for one in text.split(",") if one]
    return [range(int(start), int(end) if end else _NEVER) for start, end in found]


def paused(batch: Batch, keys: Keys, scope: Scope) -> Answer[bool]:
    """Ask whether the person has paused."""
    return batch.ask("SISMEMBER", keys.tenant(scope.tenant).paused, scope.person_tag, read=bool)


def retain(batch: Batch, keys: Keys, tenant: str, days: int | None) -> Answer[bool]:
    """Keep the tenant's turns for so many days; None: for ever. Raises ScopeError for a number that is no such time."""
    key = keys.tenant(tenant).retention
    if days is None:
        return batch.ask("DEL", key, read=bool)
    if not 1 <= days <= LONGEST:
        raise ScopeError(f"turns can be kept for 1 to {LONGEST:,} days; got {days}")
    # The tenant's name goes along: whoever forgets needs it, and keys hold digests only.
    return batch.ask("SET", key, f"{days} {tenant}", read=bool)


def retention(batch: Batch, keys: Keys, tenant: str) -> Answer[int | None]:
    """Ask for how many days the tenant's turns are kept; None: for ever."""
    return batch.ask("GET", keys.tenant(tenant).retention, read=lambda raw: None if raw is None else kept(raw)[0])


def kept(raw: bytes) -> tuple[int, str]:
    """Read for how many days which tenant's turns are kept."""
    days, _, tenant = raw.decode("utf-8").partition(" ")
    return int(days), tenant
