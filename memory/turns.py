"""Turns in Redis: a hash each, its place in the conversation's timeline, and the recent window."""

from collections.abc import Sequence
from typing import Any

from memory import views
from memory.batch import Answer, Batch
from memory.keys import Keys, tag
from memory.records import Role, Status, Turn
from memory.scope import Scope

FIELDS = ("id", "conversation", "person", "author", "role", "text", "sent_at", "status")

# One turn, all or nothing: the hash, the timeline, the names heard. The timeline's members begin with a counter, so
# that turns of one millisecond keep the order in which they came. The previous turn is read here and not by the caller:
# between two commands somebody else may speak. Its words go along only where both can be recalled by the same people:
# else a search would tell what was said behind closed doors.
_REMEMBER = """
local turn, timeline, order, speakers = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local prefix, digest, speaker, sent_at = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local longest, reach = tonumber(ARGV[5]), ARGV[6]
if redis.call('EXISTS', turn) == 1 then return 0 end
local last = redis.call('ZRANGE', timeline, sent_at, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, 1)[1]
local before = ''
if last then
  local previous = redis.call('HMGET', prefix .. string.sub(last, 17), 'words', 'reach')
  if previous[1] and previous[2] == reach then before = string.sub(previous[1], 1, longest) end
end
local place = string.format('%016x', redis.call('INCR', order)) .. digest
redis.call('ZADD', timeline, sent_at, place)
if speaker ~= '' then redis.call('ZADD', speakers, 'GT', sent_at, speaker) end
redis.call('HSET', turn, 'place', place, 'before', before, 'reach', reach, unpack(ARGV, 7))
return 1
"""

# The last turns of a conversation since it was begun anew, oldest first.
_RECENT = """
local since = redis.call('GET', KEYS[2])
local places = redis.call('ZRANGE', KEYS[1], '+inf', '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, ARGV[2])
local turns = {}
for i = #places, 1, -1 do
  if not since or string.sub(places[i], 1, 16) > since then
    turns[#turns + 1] = redis.call('HMGET', ARGV[1] .. string.sub(places[i], 17), unpack(ARGV, 3))
  end
end
return turns
"""

# Where the conversation stands by the counter that orders turns, not by a clock: the platform's may differ from ours.
_BEGIN_ANEW = """
redis.call('SET', KEYS[1], string.format('%016x', tonumber(redis.call('GET', KEYS[2]) or 0)))
return 1
"""

BEFORE_BYTES = 400  # of the previous turn, in the text index: long ones would drown the turn itself


def remember(batch: Batch, keys: Keys, scope: Scope, turn: Turn, vector: bytes | None) -> Answer[bool]:
    """Add a turn; False where a turn of this id was there already, which then stays as it is.

    One without a vector is found by its words alone.
    """
    heard = turn.author if turn.role == "user" else ""
    conversation = scope.conversation
    return batch.ask(
        "EVAL",
        _REMEMBER,
        4,
        keys.turn(scope.tenant, conversation, turn.id),
        keys.timeline(scope.tenant, conversation),
        keys.order(scope.tenant),
        keys.speakers(scope.tenant, conversation),
        keys.tenant_turns(scope.tenant),
        keys.turn_digest(scope.tenant, conversation, turn.id),
        heard,
        turn.sent_at,
        BEFORE_BYTES,
        ",".join(scope.carried),
        *_pairs(scope, turn, vector),
        read=bool,
    )


def _pairs(scope: Scope, turn: Turn, vector: bytes | None) -> Sequence[str | bytes | int]:
    stored: dict[str, str | bytes | int] = {
        "id": turn.id,
        "conversation": scope.conversation,
        "person": turn.person,
        "author": turn.author,
        "role": turn.role,
        "text": turn.text,
        "sent_at": turn.sent_at,
        "status": turn.status.value,
        "conversation_tag": scope.conversation_tag,
        "person_tag": tag("person", scope.tenant, turn.person),
        "asker_tag": tag("person", scope.tenant, scope.person),
        "words": views.body(turn.text),
        "heading": views.heading(turn.author, turn.sent_at),
    }
    if vector is not None:
        stored["vector"] = vector
    return [item for pair in stored.items() for item in pair]


def recent(batch: Batch, keys: Keys, scope: Scope, count: int) -> Answer[tuple[Turn, ...]]:
    """Ask for the conversation's last turns since it was begun anew, oldest first."""
    return batch.ask(
        "EVAL",
        _RECENT,
        2,
        keys.timeline(scope.tenant, scope.conversation),
        keys.fresh(scope.tenant, scope.conversation),
        keys.tenant_turns(scope.tenant),
        count,
        *FIELDS,
        read=lambda rows: tuple(parse(row) for row in rows if row[0] is not None),
    )


def known(batch: Batch, keys: Keys, scope: Scope, turn_id: str) -> Answer[bool]:
    """Ask whether a turn of this id has been remembered."""
    return batch.ask("EXISTS", keys.turn(scope.tenant, scope.conversation, turn_id), read=bool)


def get(batch: Batch, keys: Keys, scope: Scope, turn_id: str) -> Answer[Turn | None]:
    """Ask for one turn of this conversation."""
    key = keys.turn(scope.tenant, scope.conversation, turn_id)
    return batch.ask("HMGET", key, *FIELDS, read=lambda row: None if row[0] is None else parse(row))


def begin_anew(batch: Batch, keys: Keys, scope: Scope) -> Answer[bool]:
    """Let the recent window begin after what has been said by now; that is still recalled."""
    fresh = keys.fresh(scope.tenant, scope.conversation)
    return batch.ask("EVAL", _BEGIN_ANEW, 2, fresh, keys.order(scope.tenant), read=bool)


def speakers(batch: Batch, keys: Keys, scope: Scope, most: int = 50) -> Answer[tuple[str, ...]]:
    """Ask for the names heard in this conversation, the latest first."""
    return batch.ask(
        "ZRANGE",
        keys.speakers(scope.tenant, scope.conversation),
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
    )


def text(raw: bytes) -> str:
    """Decode what Redis holds; nothing but UTF-8 is ever written."""
    return raw.decode("utf-8")


def _role(name: str) -> Role:
    return "assistant" if name == "assistant" else "system" if name == "system" else "user"
