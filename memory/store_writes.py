"""What changes a vector store, each in one script: several processes may do so at once."""

from collections.abc import Mapping, Sequence

from memory.batch import ALSO_WHEN_FULL, Answer, Argument, Batch
from memory.keys import StoreKeys

TOGETHER = 500  # items written, read or removed in one round trip

# Lua that other scripts begin with. An item may still be read in the very millisecond that it expires at.
NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function expired(expiring) return redis.call('ZCOUNT', expiring, '-inf', '(' .. now) end
"""

# How many numbers a vector has, decided by who comes first, and whether the index stands; -1: it was dropped.
_OPEN = """
local told = redis.call('HMGET', KEYS[1], 'dropped', 'dim', 'indexed')
if told[1] then return {-1, 0} end
if not told[2] and ARGV[1] ~= '0' then
  redis.call('HSET', KEYS[1], 'dim', ARGV[1])
  told[2] = ARGV[1]
end
return {tonumber(told[2] or '0'), told[3] and 1 or 0}
"""

# The index stands; not if the store was dropped meanwhile.
_INDEXED = """
if redis.call('HEXISTS', KEYS[1], 'dim') == 0 or redis.call('HEXISTS', KEYS[1], 'dropped') == 1 then return 0 end
redis.call('HSET', KEYS[1], 'indexed', 1)
return 1
"""

_ADD = (
    NOW
    + """
local state, ids, expiring = unpack(KEYS)
local items, id, ttl, most, dim = unpack(ARGV)
local told = redis.call('HMGET', state, 'dim', 'last', 'dropped')
if told[1] ~= dim or told[3] then return 'dropped' end
local known, due = false, false
if id ~= '' then
  known, due = redis.call('ZSCORE', ids, id), redis.call('ZSCORE', expiring, id)
end
local replaced = known and not (due and tonumber(due) < now)
if not replaced and redis.call('ZCARD', ids) - expired(expiring) >= tonumber(most) then return 'full' end
if id == '' then
  local last = tonumber(told[2] or '0')
  repeat
    last = last + 1
    id = string.format('%020.0f', last)
  until not redis.call('ZSCORE', ids, id)
  redis.call('HSET', state, 'last', string.format('%.0f', last))
end
redis.call('UNLINK', items .. id)
redis.call('HSET', items .. id, unpack(ARGV, 6))
redis.call('ZADD', ids, 0, id)
if ttl == '' then
  redis.call('ZREM', expiring, id)
else
  redis.call('PEXPIREAT', items .. id, now + tonumber(ttl))
  redis.call('ZADD', expiring, now + tonumber(ttl), id)
end
return id
"""
)

_REMOVE = (
    ALSO_WHEN_FULL
    + """
local removed = 0
for i = 2, #ARGV do
  removed = removed + redis.call('UNLINK', ARGV[1] .. ARGV[i])
  redis.call('ZREM', KEYS[1], ARGV[i])
  redis.call('ZREM', KEYS[2], ARGV[i])
end
return removed
"""
)

_EXPIRE = (
    NOW
    + """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local id, ttl = unpack(ARGV)
if ttl == '' then
  redis.call('PERSIST', KEYS[1])
  redis.call('ZREM', KEYS[2], id)
else
  redis.call('PEXPIREAT', KEYS[1], now + tonumber(ttl))
  redis.call('ZADD', KEYS[2], now + tonumber(ttl), id)
end
return 1
"""
)

_DROP = (
    ALSO_WHEN_FULL
    + """
local some = redis.call('ZPOPMIN', KEYS[2], ARGV[2])
for i = 1, #some, 2 do redis.call('UNLINK', ARGV[1] .. some[i]) end
if #some == 0 then redis.call('UNLINK', KEYS[1], KEYS[3]) end
return #some
"""
)


def begin(batch: Batch, keys: StoreKeys, dim: int) -> Answer[tuple[int, bool]]:
    """Ask for how many numbers a vector has, this many if nobody has decided yet (0: not now), and if the index stands.

    The answer is -1 where the store is being dropped.
    """
    return batch.ask("EVAL", _OPEN, 1, keys.state, dim, read=lambda reply: (int(reply[0]), bool(reply[1])))


def indexed(batch: Batch, keys: StoreKeys) -> Answer[bool]:
    """Write down that the index stands; False: the store was dropped meanwhile."""
    return batch.ask("EVAL", _INDEXED, 1, keys.state, read=bool)


def write(
    batch: Batch, keys: StoreKeys, dim: int, most: int, named: str, life: int | None, item: Mapping[str, Argument]
) -> Answer[str]:
    """Write an item, for so many milliseconds; an empty name asks for the next id.

    The answer is its id in 20 digits, or why it was not written: "full", "dropped".
    """
    return batch.ask(
        *("EVAL", _ADD, 3, keys.state, keys.ids, keys.expiring, keys.items),
        *(named, "" if life is None else life, most, dim),
        *(part for pair in item.items() for part in pair),
        read=bytes.decode,
    )


def remove(batch: Batch, keys: StoreKeys, named: Sequence[str]) -> Answer[int]:
    """Remove items, and answer how many there were."""
    return batch.ask("EVAL", _REMOVE, 2, keys.ids, keys.expiring, keys.items, *named, read=int)


def expire(batch: Batch, keys: StoreKeys, named: str, life: int | None) -> Answer[bool]:
    """Let an item expire in so many milliseconds, or never; False: there is none."""
    lasts = "" if life is None else life
    return batch.ask("EVAL", _EXPIRE, 2, keys.item(named), keys.expiring, named, lasts, read=bool)


def mark_dropped(batch: Batch, keys: StoreKeys) -> Answer[int]:
    """Let nothing be added any more."""
    return batch.ask("HSET", keys.state, "dropped", 1, read=int)


def scrap(batch: Batch, keys: StoreKeys) -> Answer[bool]:
    """Delete some of the items, and all else once none is left; True: there may be more."""
    names = (keys.state, keys.ids, keys.expiring)
    return batch.ask("EVAL", _DROP, len(names), *names, keys.items, TOGETHER, read=bool)
