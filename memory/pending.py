"""Turns that await a summary: a sorted set a conversation, written together with the turns themselves.

Where enough turns of a conversation wait, a job for it is put into the tenant's queue (see jobs.py).
"""

from dataclasses import dataclass

MOST = 2000  # turns shown while they wait; where no summary can be made for so long, no prompt has room for more

# Lua that other scripts begin with. `await` lets a turn wait, and queues a job where enough turns do and none is
# queued; returns whether it has queued one.
AWAIT = """
local function await(pending, jobs, queued, place, sent_at, tag, count, job)
  redis.call('ZADD', pending, sent_at, place)
  if redis.call('ZCARD', pending) < count then return false end
  local known = redis.call('HGET', queued, tag)
  if known and #redis.call('XRANGE', jobs, known, known) == 1 then return false end
  redis.call('HSET', queued, tag, redis.call('XADD', jobs, '*', 'conversation', tag, 'job', job))
  return true
end
"""

# `withdraw` takes the job of a conversation out of the queue in which nothing awaits a summary any more.
WITHDRAW = """
local function withdraw(jobs, queued, pending, tag)
  local known = redis.call('HGET', queued, tag)
  if not known or redis.call('EXISTS', pending) == 1 then return end
  redis.call('HDEL', queued, tag)
  redis.call('XDEL', jobs, known)
  if redis.call('XLEN', jobs) == 0 then redis.call('DEL', jobs) end
end
"""


@dataclass(frozen=True, slots=True)
class Due:
    """When a conversation is to be summarised, and what the queue is told then.

    count: the turns that make a summary, at least 1. job: what whoever makes summaries needs to know; no text of turns.
    """

    count: int
    job: str


WAITING = Due(2**53, "")  # nobody knows yet who summarises it: the job is queued when the conversation goes on
