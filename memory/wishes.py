"""What people and tenants want of memory: not to be remembered for now, or not for longer than some days."""

from memory.batch import Answer, Batch
from memory.errors import ScopeError
from memory.keys import Keys
from memory.scope import Scope

LONGEST = 36_500  # days; a hundred years


def pause(batch: Batch, keys: Keys, scope: Scope) -> Answer[bool]:
    """Remember nothing that the scope's person says in this tenant, nor what answers them."""
    return batch.ask("SADD", keys.tenant(scope.tenant).paused, scope.person_tag, read=bool)


def resume(batch: Batch, keys: Keys, scope: Scope) -> Answer[bool]:
    """Remember the person again."""
    return batch.ask("SREM", keys.tenant(scope.tenant).paused, scope.person_tag, read=bool)


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
