"""Turns in Redis: a hash each, its place in the conversation's timeline, and the recent window."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from memory import conversations, views
from memory.batch import Answer, Argument, Batch
from memory.keys import Keys, TenantKeys, tag
from memory.pending import AWAIT, MOST, Due
from memory.records import Role, Status, Turn, answer_id
from memory.scope import Scope
from memory.views import Passage, Whose

FIELDS = ("id", "conversation", "person", "author", "role", "text", "sent_at", "status", "to", "covers")

BEFORE_BYTES = 400  # of the previous turn, in the text index: long ones would drown the turn itself

# Lua that other scripts begin with. `before`: what a turn holds of the one before it, that is its words, behind a
# question mark if it asks. They go along only where both can be recalled by the same people: else a search would tell
# what was said behind closed doors. `follow` lets a turn, with all its passages, hold those of the turn that comes
# before it now.
BEFORE = f"""
local function before(turns, last, reach)
  if not last then return '' end
  local previous = redis.call('HMGET', turns .. string.sub(last, 17), 'words', 'reach', 'asks')
  if not previous[1] or previous[2] ~= reach then return '' end
  local words = string.sub(previous[1], 1, {BEFORE_BYTES})
  return previous[3] and '? ' .. words or words
end
local function follow(turns, passages, place, last)
  local digest = string.sub(place, 17)
  local turn = redis.call('HMGET', turns .. digest, 'reach', 'before', 'passages')
  if not turn[1] then return end
  local words = before(turns, last, turn[1])
  if words == turn[2] then return end
  redis.call('HSET', turns .. digest, 'before', words)
  for number = 1, tonumber(turn[3] or '0') do
    redis.call('HSET', passages .. digest .. ':' .. number, 'before', words)
  end
end
"""
# Lua that other scripts begin with, too. `store` writes a turn's further passages, each given as the number of its
# fields and the fields; `scrap` deletes them.
PASSAGES = """
local function store(passages, digest, reach, words, given, at)
  local number = 0
  while at <= #given do
    number = number + 1
    local count = tonumber(given[at])
    local key = passages .. digest .. ':' .. number
    redis.call('HSET', key, 'reach', reach, 'before', words, unpack(given, at + 1, at + count))
    at = at + count + 1
  end
end
local function scrap(turns, passages, digest)
  for number = 1, tonumber(redis.call('HGET', turns .. digest, 'passages') or '0') do
    redis.call('DEL', passages .. digest .. ':' .. number)
  end
end
"""

# One turn, all or nothing: the hash, the timeline, the names heard. The timeline's members begin with a counter, so
# that turns of one millisecond keep the order in which they came. The previous turn is read here and not by the caller:
# between two commands somebody else may speak. So is who can read the conversation: a scope that says that fewer do
# is believed and closes it; one that says that more do is not (see conversations.py).
_REMEMBER = (
    conversations.TOLD
    + BEFORE
    + PASSAGES
    + AWAIT
    + """
local turn, timeline, order, speakers, spoken, paused, answered, pending, jobs, queued = unpack(KEYS, 7)
local tag, public, carried, records, turns, passages, digest, speaker, sent_at, person = unpack(ARGV)
local live, due, job, facts = ARGV[11] == '1', tonumber(ARGV[12]), ARGV[13], tonumber(ARGV[14])
local reach, closing = told(KEYS, tag, public, carried, records, {unpack(ARGV, 15, 14 + facts)}, false)
if live and redis.call('SISMEMBER', paused, person) == 1 then return 'paused' end
if live and answered ~= turn and redis.call('EXISTS', answered) == 0 then return 'forgotten' end
if redis.call('EXISTS', turn) == 1 then return 'known' end
local last = redis.call('ZRANGE', timeline, sent_at, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, 1)[1]
local place = string.format('%016x', redis.call('INCR', order)) .. digest
redis.call('ZADD', timeline, sent_at, place)
if speaker ~= '' then
  redis.call('ZADD', speakers, 'GT', sent_at, speaker)
  redis.call('HINCRBY', spoken, speaker, 1)
end
local words = before(turns, last, reach)
local at = 15 + facts
local count = tonumber(ARGV[at])
redis.call('HSET', turn, 'place', place, 'before', words, 'reach', reach, unpack(ARGV, at + 1, at + count))
store(passages, digest, reach, words, ARGV, at + count + 1)
local rank = redis.call('ZRANK', timeline, place)
local following = redis.call('ZRANGE', timeline, rank + 1, rank + 1)[1]
if following then  -- it came late: the next turn no longer holds the words of the one before, which may be forgotten
  follow(turns, passages, following, place)
end
local ready = due > 0 and await(pending, jobs, queued, place, sent_at, tag, due, job)
return (closing and 'closing' or 'new') .. (ready and ' due' or '')
"""
)

# The last turns of a conversation since it was begun anew, oldest first. What awaits a summary is shown too, where its
# key is given: it is in the timeline as well, so that what is not among the last is older than all of them.
_RECENT = """
local since = redis.call('GET', KEYS[2])
local places = redis.call('ZRANGE', KEYS[1], '+inf', '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, ARGV[2])
if KEYS[3] then
  local shown = {}
  for _, place in ipairs(places) do shown[place] = true end
  for _, place in ipairs(redis.call('ZRANGE', KEYS[3], 0, ARGV[3] - 1, 'REV')) do
    if not shown[place] then places[#places + 1] = place end
  end
end
local turns = {}
for i = #places, 1, -1 do
  if not since or string.sub(places[i], 1, 16) > since then
    turns[#turns + 1] = redis.call('HMGET', ARGV[1] .. string.sub(places[i], 17), unpack(ARGV, 4))
  end
end
return turns
"""

# Where the conversation stands by the counter that orders turns, not by a clock: the platform's may differ from ours.
_BEGIN_ANEW = """
redis.call('SET', KEYS[1], string.format('%016x', tonumber(redis.call('GET', KEYS[2]) or 0)))
return 1
"""


class Written(StrEnum):
    """What came of remembering a turn."""

    NEW = "new"
    CLOSING = "closing"  # new, and fewer people read the conversation than before: its turns await re-tagging
    DUE = "new due"  # new, and there are enough turns for a summary now
    CLOSING_DUE = "closing due"  # all of it
    KNOWN = "known"  # it stays as it was
    PAUSED = "paused"  # the person does not want to be remembered for now
    FORGOTTEN = "forgotten"  # the answer to a turn that is not remembered, or a summary of one

    @property
    def new(self) -> bool:
        """Whether the turn is remembered now and was not before."""
        return self in (Written.NEW, Written.CLOSING, Written.DUE, Written.CLOSING_DUE)

    @property
    def closing(self) -> bool:
        """Whether the conversation's turns await re-tagging."""
        return self in (Written.CLOSING, Written.CLOSING_DUE)

    @property
    def due(self) -> bool:
        """Whether a job to summarise the conversation has been queued."""
        return self in (Written.DUE, Written.CLOSING_DUE)


@dataclass(frozen=True, slots=True)
class Stored:
    """A passage's vector as the index holds it, and the generation of the index that it is for."""

    generation: int
    vector: bytes


Indexed = tuple[Passage, Stored | None]  # a passage, and its vector where that is known


def remember(
    batch: Batch,
    keys: Keys,
    scope: Scope,
    turn: Turn,
    indexed: Sequence[Indexed],
    *,
    live: bool = False,
    due: Due | None = None,
) -> Answer[Written]:
    """Add a turn; where one of this id is there already, that stays as it is.

    A passage without a vector is found by its words alone, until it is embedded. live: it is being said now, so neither
    what a paused person says is kept nor the answer to a turn that has been forgotten meanwhile. due: it awaits a
    summary.
    """
    mine = keys.tenant(scope.tenant)
    here = scope.conversation_tag
    digest = turn_digest(scope.tenant, scope.conversation, turn.id)
    asked = turn.id.removesuffix(answer_id("")) if turn.role == "assistant" else turn.id
    names = [
        *conversations.told_keys(mine, scope),
        mine.turn(digest),
        mine.timeline(here),
        mine.order,
        mine.speakers(here),
        mine.spoken(here),
        mine.paused,
        mine.turn(turn_digest(scope.tenant, scope.conversation, asked)),
        mine.pending(here),
        mine.jobs,
        mine.queued,
    ]
    facts = conversations.facts(scope)
    return batch.ask(
        "EVAL",
        _REMEMBER,
        len(names),
        *names,
        *conversations.told_arguments(mine, scope),
        mine.turns,
        mine.passages,
        digest,
        speaker(turn),
        turn.sent_at,
        whose(scope, turn).person,  # what is overheard in a channel comes from many people, in one scope
        int(live),
        due.count if due else 0,
        due.job if due else "",
        len(facts),
        *facts,
        *counted({**described(mine, scope, turn), **found_by(whose(scope, turn), turn, indexed)}),
        *further(whose(scope, turn), turn, indexed),
        read=lambda reply: Written(reply.decode()),
    )


def turn_digest(tenant: str, conversation: str, turn_id: str) -> str:
    """Name a turn within its tenant; platforms promise unique ids within a conversation only."""
    return tag("turn", tenant, conversation, turn_id)


def speaker(turn: Turn) -> str:
    """Return the name that a turn makes known in its conversation; the bot's own is none."""
    return turn.author if turn.role == "user" else ""


def described(mine: TenantKeys, scope: Scope, turn: Turn) -> dict[str, Argument]:
    """Return what a turn is, and what it is listed by."""
    fields: dict[str, Argument] = {
        "id": turn.id,
        "conversation": scope.conversation,
        "person": turn.person,
        "author": turn.author,
        "role": turn.role,
        "text": turn.text,
        "sent_at": turn.sent_at,
        "status": turn.status.value,
        "tenant_tag": mine.digest,
        "conversation_tag": scope.conversation_tag,
        "person_tag": whose(scope, turn).person,
    }
    if turn.to is not None:
        fields["to"] = turn.to
    if turn.covers:
        fields["covers"] = json.dumps(turn.covers, ensure_ascii=False)
    return fields


def whose(scope: Scope, turn: Turn) -> Whose:
    """Return the tags of where a turn is said and whose it is."""
    return Whose(scope.conversation_tag, tag("person", scope.tenant, turn.to or turn.person))


def found_by(whose: Whose, turn: Turn, indexed: Sequence[Indexed]) -> dict[str, Argument]:
    """Return what the turn itself is found by: its first passage, and how many others there are."""
    fields = _passage(whose, turn, *indexed[0])
    return {**fields, "passages": len(indexed) - 1} if len(indexed) > 1 else fields


def further(whose: Whose, turn: Turn, indexed: Sequence[Indexed]) -> list[Argument]:
    """Return the fields of the passages after the first, as `store` takes them."""
    shared: dict[str, Argument] = {"conversation_tag": whose.room, "sent_at": turn.sent_at}
    return [item for one in indexed[1:] for item in counted({**shared, **_passage(whose, turn, *one)})]


def _passage(whose: Whose, turn: Turn, passage: Passage, stored: Stored | None) -> dict[str, Argument]:
    fields: dict[str, Argument] = {
        "words": passage.words,
        "heading": passage.heading,
        "card": views.card(whose, turn, passage),
    }
    if passage.asks:
        fields["asks"] = passage.asks
    if stored is not None:
        fields |= {"embedded": stored.generation, views.vector_field(stored.generation): stored.vector}
    return fields


def counted(fields: Mapping[str, Argument]) -> list[Argument]:
    """Return names and values, behind how many items they are."""
    return [2 * len(fields), *(item for pair in fields.items() for item in pair)]


def recent(batch: Batch, keys: Keys, scope: Scope, count: int, *, pending: bool = False) -> Answer[tuple[Turn, ...]]:
    """Ask for the conversation's last turns since it was begun anew, oldest first.

    pending: with all that await a summary, so that none is neither here nor there.
    """
    mine, here = keys.tenant(scope.tenant), scope.conversation_tag
    names = [mine.timeline(here), mine.fresh(here), *([mine.pending(here)] if pending else [])]
    return batch.ask(
        "EVAL",
        _RECENT,
        len(names),
        *names,
        mine.turns,
        count,
        MOST,
        *FIELDS,
        read=lambda rows: tuple(parse(row) for row in rows if row[0] is not None),
    )


def known(batch: Batch, keys: Keys, scope: Scope, turn_id: str) -> Answer[bool]:
    """Ask whether a turn of this id has been remembered."""
    return batch.ask("EXISTS", key(keys, scope, turn_id), read=bool)


def get(batch: Batch, keys: Keys, scope: Scope, turn_id: str) -> Answer[Turn | None]:
    """Ask for one turn of this conversation."""
    return batch.ask(
        "HMGET", key(keys, scope, turn_id), *FIELDS, read=lambda row: None if row[0] is None else parse(row)
    )


def key(keys: Keys, scope: Scope, turn_id: str) -> str:
    """Return the key of a turn of this conversation."""
    return keys.tenant(scope.tenant).turn(turn_digest(scope.tenant, scope.conversation, turn_id))


def begin_anew(batch: Batch, keys: Keys, scope: Scope) -> Answer[bool]:
    """Let the recent window begin after what has been said by now; that is still recalled."""
    mine = keys.tenant(scope.tenant)
    return batch.ask("EVAL", _BEGIN_ANEW, 2, mine.fresh(scope.conversation_tag), mine.order, read=bool)


def speakers(batch: Batch, keys: Keys, scope: Scope, most: int = 50) -> Answer[tuple[str, ...]]:
    """Ask for the names heard in this conversation, the latest first."""
    return batch.ask(
        "ZRANGE",
        keys.tenant(scope.tenant).speakers(scope.conversation_tag),
        0,
        most - 1,
        "REV",
        read=lambda names: tuple(text(name) for name in names),
    )


def parse(row: Sequence[Any]) -> Turn:
    """Read a turn from the values of FIELDS."""
    return Turn(
        id=text(row[0]),
        conversation=text(row[1]),
        person=text(row[2]),
        author=text(row[3]),
        role=_role(text(row[4])),
        text=text(row[5]),
        sent_at=int(row[6]),
        status=Status(text(row[7])),
        to=None if row[8] is None else text(row[8]),
        covers=() if row[9] is None else tuple(json.loads(row[9])),
    )


def text(raw: bytes) -> str:
    """Decode what Redis holds; nothing but UTF-8 is ever written."""
    return raw.decode("utf-8")


def _role(name: str) -> Role:
    return name if name in ("assistant", "system", "summary") else "user"  # type: ignore[return-value]


_RATE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
"""


def rating_of(scope: Scope) -> str:
    """Return the field of a turn in which stands what a person thinks of it."""
    return f"rating:{scope.person_tag}"


def rate(batch: Batch, keys: Keys, scope: Scope, turn_id: str, good: bool) -> Answer[bool]:
    """Write down what a person thinks of a turn, in the turn itself: it goes with it."""
    return batch.ask(
        "EVAL", _RATE, 1, key(keys, scope, turn_id), rating_of(scope), "good" if good else "bad", read=bool
    )
