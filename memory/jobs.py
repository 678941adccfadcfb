"""The queue of conversations to summarise: a stream a tenant, shared by the workers of all processes.

A job is taken, worked on under a lease that is renewed meanwhile, and finished. What its worker did not finish, since
it died or the model failed, is taken again later: after the lease the first time, then after twice as long each time.
What was taken DELIVERIES times is given up, until its conversation goes on.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import redis.asyncio

from memory.batch import command, explaining
from memory.keys import DEAD_JOB_TTL, Keys, TenantKeys

GROUP = "workers"
LEASE = 60_000  # milliseconds; renewed three times in it while a summary is being made
DELIVERIES = 5
DEAD = 1000  # jobs given up that are kept to be looked at, a tenant

# Take what others have left long enough ago, or else what nobody has taken yet.
_TAKE = """
local jobs, queued, dead = KEYS[1], KEYS[2], KEYS[3]
local group, worker, lease, most, kept, ttl = unpack(ARGV)
lease, most = tonumber(lease), tonumber(most)
if redis.call('EXISTS', jobs) == 0 then return false end
redis.pcall('XGROUP', 'CREATE', jobs, group, '0')
for _, one in ipairs(redis.call('XPENDING', jobs, group, 'IDLE', lease, '-', '+', 1000)) do
  local id, idle, times = one[1], one[3], one[4]
  if idle >= lease * 2 ^ (times - 1) then
    if times < most then
      local job = redis.call('XCLAIM', jobs, group, worker, lease, id)[1]
      if job then return {job[1], job[2][2], job[2][4], times + 1} end
    else
      local job = redis.call('XRANGE', jobs, id, id)[1]
      if job then
        redis.call('XADD', dead, 'MAXLEN', kept, '*', unpack(job[2]))
        redis.call('EXPIRE', dead, ttl)
        if redis.call('HGET', queued, job[2][2]) == id then redis.call('HDEL', queued, job[2][2]) end
      end
      redis.call('XACK', jobs, group, id)
      redis.call('XDEL', jobs, id)
    end
  end
end
local found = redis.call('XREADGROUP', 'GROUP', group, worker, 'COUNT', 1, 'STREAMS', jobs, '>')
if found then
  local job = found[1][2][1]
  return {job[1], job[2][2], job[2][4], 1}
end
if redis.call('XLEN', jobs) == 0 then redis.call('DEL', jobs) end
return false
"""

_RENEW = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2]) == 0 then return 0 end
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], 'JUSTID')
return 1
"""

# While the job was in the queue, none was added for its conversation: it is done only where no other summary is due.
_FINISH = """
local jobs, queued, pending = KEYS[1], KEYS[2], KEYS[3]
local group, id, tag, least = unpack(ARGV)
if tonumber(least) > 0 and redis.call('ZCARD', pending) >= tonumber(least) then return 0 end
if redis.call('HGET', queued, tag) == id then redis.call('HDEL', queued, tag) end
if redis.call('EXISTS', jobs) == 0 then return 1 end
redis.pcall('XACK', jobs, group, id)
redis.call('XDEL', jobs, id)
if redis.call('XLEN', jobs) == 0 then redis.call('DEL', jobs) end
return 1
"""


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker has taken. conversation: its tag; told: what was said when it was queued; delivery: from 1."""

    id: str
    conversation: str
    told: str
    delivery: int


class Jobs:
    """The queue as one process sees it. lease: milliseconds."""

    def __init__(self, client: "redis.asyncio.Redis", keys: Keys, *, lease: int = LEASE) -> None:
        self._client = client
        self._keys = keys
        self.lease = lease
        self._rung: set[str] = set()
        self._bell = asyncio.Event()

    def ring(self, tenant: str) -> None:
        """Tell whoever works in this process that a tenant has a job."""
        self._rung.add(self._keys.tenant(tenant).digest)
        self._bell.set()

    async def rung(self, patience: float) -> list[TenantKeys]:
        """Return the tenants that have a new job from this process; none where so many seconds pass without one."""
        try:
            await asyncio.wait_for(self._bell.wait(), patience)
        except TimeoutError:
            return []
        self._bell.clear()
        rung, self._rung = self._rung, set()
        return [TenantKeys(self._keys.namespace, digest) for digest in sorted(rung)]

    async def waiting(self) -> list[TenantKeys]:
        """Return all tenants that have jobs. Raises RedisError."""
        return await explaining(self._waiting())

    async def _waiting(self) -> list[TenantKeys]:
        pattern = self._keys.every("jobs")
        return [self._keys.tenant_of(key.decode()) async for key in self._client.scan_iter(match=pattern, count=10_000)]

    async def take(self, mine: TenantKeys, worker: str) -> Job | None:
        """Take a job of a tenant, or None where none can be taken now. Raises RedisError."""
        names, limits = (mine.jobs, mine.queued, mine.dead_jobs), (self.lease, DELIVERIES, DEAD, DEAD_JOB_TTL)
        found = await self._ask(_TAKE, len(names), *names, GROUP, worker, *limits)
        if found is None:
            return None
        return Job(found[0].decode(), found[1].decode(), found[2].decode(), int(found[3]))

    async def renew(self, mine: TenantKeys, job: Job, worker: str) -> bool:
        """Ask for another lease; False where somebody else has taken the job. Raises RedisError."""
        return bool(await self._ask(_RENEW, 1, mine.jobs, GROUP, worker, job.id))

    async def finish(self, mine: TenantKeys, job: Job, least: int = 0) -> bool:
        """Take a job off the queue; False where as many turns as that await a summary again. 0: whatever does.

        Raises RedisError.
        """
        names = (mine.jobs, mine.queued, mine.pending(job.conversation))
        return bool(await self._ask(_FINISH, len(names), *names, GROUP, job.id, job.conversation, least))

    async def _ask(self, script: str, *arguments: str | int) -> Any:
        return await explaining(command(self._client, "EVAL", script, *arguments))
