"""Who can read a conversation, as memory was last told; and what happens when that changes.

That fewer people read a conversation is believed from every scope that says so, at once: its tag is put on the
tenant's list of closed conversations, which every query excludes until each of its turns has been tagged anew. That
more people read it is believed only when it is told by `moved`: a stale scope must not open what has been closed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import redis.asyncio

from memory.batch import Answer, Argument, Batch, command
from memory.keys import Keys, TenantKeys
from memory.scope import Audience, Scope, public_tag

CHUNK = 25  # turns tagged anew in one command: each is indexed again, about 1 ms, and nobody else is served meanwhile

# Lua that other scripts begin with. `told` takes in who can read a conversation and returns the tags that its turns
# carry now, and whether those of earlier turns must be changed. Threads that are open to it are public where it is.
TOLD = """
local function has(tags, tag) return string.find(',' .. tags .. ',', ',' .. tag .. ',', 1, true) ~= nil end
local function both(one, other)
  local kept = {}
  for tag in string.gmatch(one, '[^,]+') do if has(other, tag) then kept[#kept + 1] = tag end end
  return table.concat(kept, ',')
end
local function told(keys, tag, public, reach, records, facts, widen)
  local record, parent, closed, retag, threads, siblings = unpack(keys)
  local above = parent ~= record and redis.call('HGET', parent, 'reach')
  if above and not has(above, public) then reach = both(reach, tag .. ',' .. above) end
  if parent ~= record then redis.call('SADD', siblings, tag) end
  local known = redis.call('HGET', record, 'reach')
  if known and not widen then
    reach = both(known, reach)
    if reach == known then
      if parent ~= record and redis.call('HGET', record, 'parent') == '' then  -- heard before it was known as a thread
        redis.call('HSET', record, unpack(facts, 3))
      end
      return reach, false
    end
  end
  redis.call('HSET', record, 'reach', reach, unpack(facts))
  if not has(reach, public) and redis.call('HGET', record, 'audience') == 'public' then
    redis.call('HSET', record, 'audience', 'private')  -- the scope said more than is believed
  end
  local open = redis.call('SMEMBERS', threads)
  if not known and #open > 0 then  -- only its threads have been heard so far; they may say more than it, or less
    known = widen and has(reach, public) and tag or tag .. ',' .. public
  end
  if not known or known == reach then return reach, false end
  if both(known, reach) ~= known then redis.call('SADD', closed, tag) end
  redis.call('SADD', retag, tag)
  for _, thread in ipairs(open) do
    local theirs = redis.call('HMGET', records .. thread, 'reach', 'open')
    local everyone = has(reach, public)
    local carried = theirs[1] and has(theirs[1], tag)
    local late = theirs[1] and not carried and theirs[2] == '1' and has(theirs[1], public) and not everyone
    if late then  -- its turns came before it was known as a thread: they are not closed with the channel's
      redis.call('SADD', closed, thread)
      redis.call('SADD', retag, thread)
    end
    if carried or late then
      redis.call('HSET', records .. thread, 'reach', thread .. ',' .. tag .. (everyone and ',' .. public or ''),
        'audience', everyone and 'public' or 'private')
    end
  end
  return reach, true
end
"""

_MOVED = (
    TOLD
    + """
local _, changing = told(KEYS, ARGV[1], ARGV[2], ARGV[3], ARGV[4], {unpack(ARGV, 5)}, true)
return changing and 1 or 0
"""
)

# Give some turns of a conversation the reach that it has now. Only those that differ: each is indexed again.
_RETAG = """
local reach = redis.call('HGET', KEYS[1], 'reach')
if not reach then return 0 end
local changed = 0
for i = 3, #ARGV do
  local digest = string.sub(ARGV[i], 17)
  local turn = redis.call('HMGET', ARGV[1] .. digest, 'reach', 'passages')
  if turn[1] and turn[1] ~= reach then
    for number = 1, tonumber(turn[2] or '0') do
      redis.call('HSET', ARGV[2] .. digest .. ':' .. number, 'reach', reach)
    end
    redis.call('HSET', ARGV[1] .. digest, 'reach', reach)
    changed = changed + 1
  end
end
return changed
"""

# Take a conversation off the lists, unless some reach changed again meanwhile.
_THROUGH = """
for i = 3, #ARGV, 2 do
  if (redis.call('HGET', ARGV[2] .. ARGV[i], 'reach') or '') ~= ARGV[i + 1] then return 0 end
end
redis.call('SREM', KEYS[1], ARGV[1])
redis.call('SREM', KEYS[2], ARGV[1])
return 1
"""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Who can read a conversation, as memory was last told."""

    audience: Audience
    parent: str | None = None
    open_to_parent: bool = False


def facts(scope: Scope) -> list[Argument]:
    """Return what a conversation's record holds beside its reach, as names and values; the audience comes first."""
    return [
        *("audience", scope.audience.value),
        *("parent", scope.parent or ""),
        *("open", int(scope.open_to_parent)),
    ]


def told_keys(mine: TenantKeys, scope: Scope) -> list[str]:
    """Return the keys that `told` works on; where no parent is open, the conversation stands in for it."""
    here = scope.conversation_tag
    above = scope.parent_tag or here
    return [
        mine.conversation(here),
        mine.conversation(above),
        mine.closed,
        mine.retag,
        mine.threads(here),
        mine.threads(above),
    ]


def told_arguments(mine: TenantKeys, scope: Scope) -> list[Argument]:
    """Return what `told` is told: the conversation's tag, the public one, the reach, what records' keys begin with."""
    return [scope.conversation_tag, scope.public_tag, ",".join(scope.carried), mine.of("conversation")]


def moved(batch: Batch, keys: Keys, scope: Scope) -> Answer[bool]:
    """Tell who can read a conversation from now on; True where its turns must be tagged anew."""
    mine = keys.tenant(scope.tenant)
    names = told_keys(mine, scope)
    return batch.ask("EVAL", _MOVED, len(names), *names, *told_arguments(mine, scope), *facts(scope), read=bool)


def closed(batch: Batch, keys: Keys, tenant: str) -> Answer[frozenset[str]]:
    """Ask for the tags of a tenant's conversations that fewer people read than their turns' reach still says."""
    return batch.ask("SMEMBERS", keys.tenant(tenant).closed, read=lambda tags: frozenset(tag.decode() for tag in tags))


def known(batch: Batch, keys: Keys, tenant: str, tag: str) -> Answer[Conversation | None]:
    """Ask who can read a conversation."""
    key, public = keys.tenant(tenant).conversation(tag), public_tag(tenant)
    return batch.ask(
        *("HMGET", key, "reach", "audience", "parent", "open"), read=lambda row: _conversation(row, public)
    )


def _conversation(row: Sequence[bytes | None], public: str) -> Conversation | None:
    reach, audience, parent, open_ = (None if value is None else value.decode() for value in row)
    if reach is None:
        return None
    if not audience:  # memory of the first schema did not keep it, nor the tenant's name that would tell
        audience = Audience.PUBLIC if public in reach.split(",") else Audience.PRIVATE
    return Conversation(Audience(audience), parent or None, open_ == "1")


async def waiting(client: "redis.asyncio.Redis", keys: Keys) -> list[TenantKeys]:
    """Return the tenants of which conversations await re-tagging."""
    return [keys.tenant_of(key.decode()) async for key in client.scan_iter(match=keys.every("retag"), count=10_000)]


async def retag(client: "redis.asyncio.Redis", mine: TenantKeys) -> int:
    """Give the turns of a tenant's moved conversations, and of their open threads, the reach they have now.

    Returns how many were changed. Taken up again where it was interrupted: a conversation stays on the lists, and
    excluded from queries, until all its turns are through.
    """
    changed = 0
    while (tag := await command(client, "SRANDMEMBER", mine.retag)) is not None:
        changed += await _retag_one(client, mine, tag.decode())
    return changed


async def _retag_one(client: "redis.asyncio.Redis", mine: TenantKeys, tag: str) -> int:
    changed = 0
    reaches: list[Argument] = []
    for room in (tag, *(thread.decode() for thread in await command(client, "SMEMBERS", mine.threads(tag)))):
        reaches += [room, await command(client, "HGET", mine.conversation(room), "reach") or ""]
        changed += await _retag_room(client, mine, room)
    await command(client, "EVAL", _THROUGH, 2, mine.closed, mine.retag, tag, mine.of("conversation"), *reaches)
    return changed


async def _retag_room(client: "redis.asyncio.Redis", mine: TenantKeys, tag: str) -> int:
    """Tag one conversation's turns and summaries anew."""
    timeline, summaries = mine.timeline(tag), mine.summaries(tag)
    return await _retag_all(client, mine, tag, timeline) + await _retag_all(client, mine, tag, summaries)


async def _retag_all(client: "redis.asyncio.Redis", mine: TenantKeys, tag: str, places_of: str) -> int:
    """Tag turns anew. ZSCAN names each that is there all the while, whatever comes and goes."""
    changed = cursor = 0
    while True:
        cursor, found = await command(client, "ZSCAN", places_of, cursor, "COUNT", 10 * CHUNK)
        places = [place for place, _ in found]
        for start in range(0, len(places), CHUNK):
            some = places[start : start + CHUNK]
            room = mine.conversation(tag)
            changed += await command(client, "EVAL", _RETAG, 1, room, mine.turns, mine.passages, *some)
        if cursor == 0:
            return changed
