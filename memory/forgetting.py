"""Turns forgotten or changed, with all that came of them.

That is: the answers to them, summaries of them, the words that their neighbours hold of them, names heard, cached
vectors, and what still awaits an answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import redis.asyncio

from memory import erasure, summaries, turns
from memory.batch import ALSO_WHEN_FULL, Answer, Batch, command
from memory.keys import Keys, TenantKeys
from memory.pending import WITHDRAW
from memory.records import Turn, answer_id
from memory.scope import Scope, conversation_tag
from memory.selection import Place

TOGETHER = 100  # turns deleted in one command: each is taken out of the index, and nobody else is served meanwhile

# Delete turns, and let those that follow them hold the words of the turn that now comes before. Those that follow are
# written once, at the end: each is indexed again. Returns how many turns there were.
_FORGET = (
    ALSO_WHEN_FULL
    + turns.BEFORE
    + turns.PASSAGES
    + summaries.UNCOVER
    + WITHDRAW
    + """
local turns, passages, timelines, speakers, spoken, fresh, summaries, pending, covered = unpack(ARGV, 1, 9)
local jobs, queued, forgotten = ARGV[10], ARGV[11], ARGV[12]
local gone, after, rooms = 0, {}, {}
for i = 13, #ARGV do
  local key = turns .. ARGV[i]
  local turn = redis.call('HMGET', key, 'conversation_tag', 'place', 'author', 'role')
  local room, place, author = turn[1], turn[2], turn[3]
  if room and turn[4] == 'summary' then
    gone = gone + discard(turns, passages, summaries, pending, covered, ARGV[i])
  elseif room then
    gone = gone + uncover(turns, passages, summaries, pending, covered, room, ARGV[i])
    local timeline = timelines .. room
    local rank = redis.call('ZRANK', timeline, place)
    local following = rank and redis.call('ZRANGE', timeline, rank + 1, rank + 1)[1]
    if following then after[following] = timeline end
    after[place] = nil
    scrap(turns, passages, ARGV[i])
    redis.call('DEL', key)
    redis.call('ZREM', timeline, place)
    redis.call('ZREM', pending .. room, place)
    if turn[4] == 'user' and redis.call('HINCRBY', spoken .. room, author, -1) <= 0 then
      redis.call('HDEL', spoken .. room, author)
      redis.call('ZREM', speakers .. room, author)
    end
    if redis.call('EXISTS', timeline) == 0 then redis.call('DEL', fresh .. room) end
    gone = gone + 1
    rooms[room] = true
    if forgotten ~= '' then redis.call('SADD', forgotten, ARGV[i]) end
  end
end
for room in pairs(rooms) do withdraw(jobs, queued, pending .. room, room) end
for place, timeline in pairs(after) do
  local rank = redis.call('ZRANK', timeline, place)
  local last = rank and rank > 0 and redis.call('ZRANGE', timeline, rank - 1, rank - 1)[1]
  follow(turns, passages, place, last)
end
return gone
"""
)

# Change a turn's text. Its passages and vectors are the old text's, so they go, and so does a summary of it.
_EDIT = (
    turns.BEFORE
    + turns.PASSAGES
    + summaries.UNCOVER
    + """
local key, timeline = KEYS[1], KEYS[2]
local turns, passages, digest, room, summaries, pending, covered, count = unpack(ARGV, 1, 8)
local turn = redis.call('HMGET', key, 'place', 'reach', 'embedded', 'before')
if not turn[1] then return 0 end
for generation in string.gmatch(turn[3] or '', '[^,]+') do redis.call('HDEL', key, 'vector' .. generation) end
scrap(turns, passages, digest)
redis.call('HDEL', key, 'embedded', 'asks', 'passages')
redis.call('HSET', key, unpack(ARGV, 9, 8 + count))
store(passages, digest, turn[2], turn[4] or '', ARGV, 9 + count)
uncover(turns, passages, summaries, pending, covered, room, digest)
local rank = redis.call('ZRANK', timeline, turn[1])
if not rank then return 1 end
local following = redis.call('ZRANGE', timeline, rank + 1, rank + 1)[1]
if following then follow(turns, passages, following, turn[1]) end
return 1
"""
)

# A message that is forgotten needs no answer any more, and gets none when its platform sends it again.
_SETTLE = (
    ALSO_WHEN_FULL
    + """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'state', 'sent')
redis.call('HDEL', KEYS[1], 'payload')
redis.call('ZREM', KEYS[2], KEYS[1])
return 1
"""
)


async def forget(
    client: "redis.asyncio.Redis",
    keys: Keys,
    tenant: str,
    embedder: str,
    places: Sequence[Place],
    progress: Callable[[int], None],
    *,
    again: bool,
) -> int:
    """Forget turns and the answers to them; return how many there were. Safe to repeat where it was interrupted.

    again: they may be learned again from where they were said.
    """
    gone = 0
    for start in range(0, len(places), TOGETHER):
        some = places[start : start + TOGETHER]
        digests = [place.digest for place in some]
        gone += await _forget_some(client, keys, tenant, embedder, digests, again=again)
        progress(len(some))
    return gone


async def _forget_some(
    client: "redis.asyncio.Redis", keys: Keys, tenant: str, embedder: str, digests: Sequence[str], *, again: bool
) -> int:
    """Forget some turns: all or nothing, so that a crash leaves none half forgotten."""
    mine = keys.tenant(tenant)
    found = await _read(client, mine, digests)
    answers = [turns.turn_digest(tenant, one.conversation, answer_id(one.id)) for one in found]
    found += await _read(client, mine, [one for one in answers if one not in digests])
    found += await _read(client, mine, await _summaries(client, keys, tenant, found))
    batch = Batch(client, atomic=True)
    names = [*(mine.of(kind) for kind in _KINDS), mine.jobs, mine.queued, "" if again else mine.forgotten]
    gone = batch.ask("EVAL", _FORGET, 0, *names, *dict.fromkeys([*digests, *answers]), read=int)
    for one in found:
        derived(batch, keys, tenant, embedder, one)
    erasure.mark(batch, keys)
    await batch.send()
    return gone.value


_KINDS = ("turn", "passage", "timeline", "speakers", "spoken", "fresh", "summaries", "pending", "covered")


async def _summaries(client: "redis.asyncio.Redis", keys: Keys, tenant: str, found: "Sequence[Trace]") -> list[str]:
    """Return the digests of the summaries of some turns; the script deletes them, and those that are made meanwhile."""
    mine, batch = keys.tenant(tenant), Batch(client)
    rows = [
        batch.ask(
            "HGET",
            mine.covered(conversation_tag(tenant, one.conversation)),
            turns.turn_digest(tenant, one.conversation, one.id),
            read=lambda digest: digest and digest.decode(),
        )
        for one in found
    ]
    await batch.send()
    return list(dict.fromkeys(row.value for row in rows if row.value))


def forgotten(batch: Batch, keys: Keys, tenant: str, digests: Sequence[str]) -> Answer[list[bool]]:
    """Ask of each turn whether it was forgotten once, and not to be learned again."""
    return batch.ask("SMISMEMBER", keys.tenant(tenant).forgotten, *digests, read=lambda row: [bool(one) for one in row])


@dataclass(frozen=True, slots=True)
class Trace:
    """What of a turn tells where else it left something."""

    conversation: str
    id: str
    text: str


def derived(batch: Batch, keys: Keys, tenant: str, embedder: str, turn: Trace) -> None:
    """Delete what a turn left elsewhere: its cached vectors, and the message it was where that awaits an answer."""
    mine = keys.tenant(tenant)
    batch.ask("DEL", mine.embedding(embedder, turn.text), read=int)
    batch.ask("EVAL", _SETTLE, 2, keys.event(tenant, turn.conversation, turn.id), mine.unfinished, read=int)


async def _read(client: "redis.asyncio.Redis", mine: TenantKeys, digests: Sequence[str]) -> list[Trace]:
    batch = Batch(client)
    rows = [batch.ask("HMGET", mine.turn(one), "conversation", "id", "text", read=tuple) for one in digests]
    await batch.send()
    return [Trace(*(turns.text(value) for value in row.value)) for row in rows if row.value[0] is not None]


async def clear(client: "redis.asyncio.Redis", keys: Keys, tenant: str) -> None:
    """Delete whatever else is kept of a tenant whose turns are forgotten: audiences, events, settings, objects.

    Who has paused stays: whoever did not want to be remembered does not want it when the tenant comes back either.
    """
    mine = keys.tenant(tenant)
    gone = []
    async for key in client.scan_iter(match=mine.everything, count=10_000):
        if key.decode() not in (mine.paused, mine.pauses):
            gone.append(key)
    for start in range(0, len(gone), TOGETHER):
        await command(client, "UNLINK", *gone[start : start + TOGETHER])


def edit(batch: Batch, keys: Keys, scope: Scope, turn: Turn, indexed: Sequence[turns.Indexed]) -> Answer[bool]:
    """Give a turn of this conversation the text that it has here; False where it is not there."""
    mine = keys.tenant(scope.tenant)
    digest = turns.turn_digest(scope.tenant, scope.conversation, turn.id)
    return batch.ask(
        "EVAL",
        _EDIT,
        2,
        mine.turn(digest),
        mine.timeline(scope.conversation_tag),
        mine.turns,
        mine.passages,
        digest,
        scope.conversation_tag,
        *(mine.of(kind) for kind in ("summaries", "pending", "covered")),
        *turns.counted({"text": turn.text, **turns.found_by(turns.whose(scope, turn), turn, indexed)}),
        *turns.further(turns.whose(scope, turn), turn, indexed),
        read=bool,
    )
