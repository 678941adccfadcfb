"""Summaries: turns of role "summary" that are made of other turns of one conversation, and go with any of them.

A turn that awaits a summary is in the conversation's `pending` set, one that has one in its `covered` hash, never in
both. A summary is indexed like any turn; it stands in no timeline, and beside no turn that it could lend its words to.
"""

import hashlib
from collections.abc import Sequence

from memory import conversations, turns
from memory.batch import Answer, Batch
from memory.keys import Keys, tag
from memory.records import Turn
from memory.scope import Scope
from memory.turns import Indexed, Written

# Lua that other scripts begin with, after turns.PASSAGES. `discard` deletes a summary: what it was made of awaits
# another. `uncover` does so with the one that covers a turn, if any. Both return how many summaries are gone.
UNCOVER = """
local function discard(turns, passages, summaries, pending, covered, digest)
  local summary = redis.call('HMGET', turns .. digest, 'conversation_tag', 'place', 'sources')
  local room = summary[1]
  if not room or not summary[3] then return 0 end
  scrap(turns, passages, digest)
  redis.call('DEL', turns .. digest)
  redis.call('ZREM', summaries .. room, summary[2])
  for source in string.gmatch(summary[3], '[^,]+') do
    if redis.call('HGET', covered .. room, source) == digest then
      redis.call('HDEL', covered .. room, source)
      local turn = redis.call('HMGET', turns .. source, 'sent_at', 'place')
      if turn[1] then redis.call('ZADD', pending .. room, turn[1], turn[2]) end
    end
  end
  return 1
end
local function uncover(turns, passages, summaries, pending, covered, room, digest)
  local summary = redis.call('HGET', covered .. room, digest)
  return summary and discard(turns, passages, summaries, pending, covered, summary) or 0
end
"""

# A summary, all or nothing. A strict one is made of turns that await it and say what they said when it was made; its
# reach is the conversation's of now, whoever asked for it. One that is brought in covers what there is of its sources.
_SUMMARISE = (
    conversations.TOLD
    + turns.PASSAGES
    + """
local summary, summaries, order, pending, covered = unpack(KEYS, 7)
local tag, public, carried, records, turns, passages, digest, sent_at = unpack(ARGV)
local strict, facts = ARGV[9] == '1', tonumber(ARGV[10])
local at = 11 + facts
local count = tonumber(ARGV[at])
local reach, closing
if strict then reach = redis.call('HGET', KEYS[1], 'reach')
else reach, closing = told(KEYS, tag, public, carried, records, {unpack(ARGV, 11, 10 + facts)}, false) end
if not strict and redis.call('EXISTS', summary) == 1 then return 'known' end
local sources = {}
for i = at + 1, at + 2 * count, 2 do
  local turn = redis.call('HMGET', turns .. ARGV[i], 'place', 'text')
  local waits = turn[1] and redis.call('ZSCORE', pending, turn[1])
  local same = turn[1] and redis.call('HEXISTS', covered, ARGV[i]) == 0
  if strict then same = waits and redis.sha1hex(turn[2]) == ARGV[i + 1] end
  if same then sources[#sources + 1] = {ARGV[i], turn[1]} elseif strict then return 'forgotten' end
end
local old = redis.call('HGET', summary, 'place')
if old then  -- brought in before its sources were here
  scrap(turns, passages, digest)
  redis.call('DEL', summary)
  redis.call('ZREM', summaries, old)
end
local digests = {}
for _, source in ipairs(sources) do
  digests[#digests + 1] = source[1]
  redis.call('ZREM', pending, source[2])
  redis.call('HSET', covered, source[1], digest)
end
at = at + 2 * count + 1
count = tonumber(ARGV[at])
local place = string.format('%016x', redis.call('INCR', order)) .. digest
redis.call('ZADD', summaries, sent_at, place)
redis.call('HSET', summary, 'place', place, 'before', '', 'reach', reach, 'sources', table.concat(digests, ','),
  unpack(ARGV, at + 1, at + count))
store(passages, digest, reach, '', ARGV, at + count + 1)
return closing and 'closing' or 'new'
"""
)

# The oldest turns that await a summary; what is not there any more, whoever deleted it, awaits none.
_AWAITING = """
local turns = {}
for _, place in ipairs(redis.call('ZRANGE', KEYS[1], 0, ARGV[2] - 1)) do
  local turn = redis.call('HMGET', ARGV[1] .. string.sub(place, 17), unpack(ARGV, 3))
  if turn[1] then turns[#turns + 1] = turn else redis.call('ZREM', KEYS[1], place) end
end
return turns
"""

_OVER = """
local summary = redis.call('HGET', KEYS[1], ARGV[2])
return summary and redis.call('HGET', ARGV[1] .. summary, 'text')
"""


def summary_id(covers: Sequence[str]) -> str:
    """Return the id of a summary of these turns: made twice, it is there once."""
    return tag("summary", *covers)


def of(scope: Scope, sources: Sequence[Turn], text: str, person: str, author: str) -> Turn:
    """Return a summary of these turns of the scope's conversation, said when the last of them was."""
    covers = tuple(turn.id for turn in sources)
    sent_at = max(turn.sent_at for turn in sources)
    return Turn(summary_id(covers), scope.conversation, person, author, "summary", text, sent_at, covers=covers)


def write(
    batch: Batch,
    keys: Keys,
    scope: Scope,
    turn: Turn,
    indexed: Sequence[Indexed],
    sources: Sequence[Turn] | None = None,
) -> Answer[Written]:
    """Add a summary, and take its sources off what awaits one; neither where one was forgotten or edited meanwhile.

    sources: the turns as they were when it was made. None: it is brought in from elsewhere, with what is here of them.
    """
    mine, here = keys.tenant(scope.tenant), scope.conversation_tag
    digest = turns.turn_digest(scope.tenant, scope.conversation, turn.id)
    names = [
        *conversations.told_keys(mine, scope),
        mine.turn(digest),
        mine.summaries(here),
        mine.order,
        mine.pending(here),
        mine.covered(here),
    ]
    facts = conversations.facts(scope)
    covered = {source: turns.turn_digest(scope.tenant, scope.conversation, source) for source in turn.covers}
    texts = {source.id: hashlib.sha1(source.text.encode()).hexdigest() for source in sources or ()}
    return batch.ask(
        "EVAL",
        _SUMMARISE,
        len(names),
        *names,
        *conversations.told_arguments(mine, scope),
        mine.turns,
        mine.passages,
        digest,
        turn.sent_at,
        int(sources is not None),
        len(facts),
        *facts,
        len(covered),
        *(item for source, digest in covered.items() for item in (digest, texts.get(source, ""))),
        *turns.counted(
            {**turns.described(mine, scope, turn), **turns.found_by(turns.whose(scope, turn), turn, indexed)}
        ),
        *turns.further(turns.whose(scope, turn), turn, indexed),
        read=lambda reply: Written(reply.decode()),
    )


def awaiting(batch: Batch, keys: Keys, scope: Scope, count: int) -> Answer[tuple[Turn, ...]]:
    """Ask for the oldest turns of the conversation that await a summary, at most so many, oldest first."""
    mine = keys.tenant(scope.tenant)
    return batch.ask(
        "EVAL",
        _AWAITING,
        1,
        mine.pending(scope.conversation_tag),
        mine.turns,
        count,
        *turns.FIELDS,
        read=lambda rows: tuple(turns.parse(row) for row in rows),
    )


def over(batch: Batch, keys: Keys, scope: Scope, turn_id: str) -> Answer[str | None]:
    """Ask for the text of the summary that covers a turn of this conversation."""
    mine = keys.tenant(scope.tenant)
    digest = turns.turn_digest(scope.tenant, scope.conversation, turn_id)
    return batch.ask(
        *("EVAL", _OVER, 1, mine.covered(scope.conversation_tag), mine.turns, digest),
        read=lambda text: None if text is None else turns.text(text),
    )
