"""What became of every incoming message: leases and outcomes in Redis, shared by all processes.

received -> answering -> answered -> sent. A lease and not a mark: a process that dies with a message in hand loses its
lease, and the message is answered by another; an answer that is remembered, and was not shown to its end, is shown by
another. A conversation's turn to be answered is a lease too, so that two processes that serve one app answer one
message at a time.

Beside its state an event holds which messages of the platform its reply stands in (`part:0`, `part:1` ...), which other
messages were answered with it, as one burst, and what its answer was made from: names, no text.

Attached texts are kept with a message until it is answered, images are not: whoever answers it in another's place does
so without them, and tells their names. What others say around it is not kept: who answers it looks at the screen anew.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

import structlog

from bot.delivery.receipts import Receipt
from bot.records import Attachment, Incoming, Seen
from memory import turns
from memory.batch import Answer, Batch
from memory.keys import EVENT_TTL, Keys
from memory.records import answer_id
from memory.scope import Audience, Scope

log = structlog.get_logger()

LEASE = 10_000  # milliseconds; renewed three times in it while an answer is being made

_CLAIM = """
local event, turn_taking, unfinished, paused = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local owner, now, lease, payload, ttl = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
local waiting = ARGV[6] == '1'
local known = redis.call('HMGET', event, 'state', 'owner', 'until')
if known[1] == 'sent' then return 'sent' end
if known[1] and known[2] ~= owner and tonumber(known[3]) > now then return 'answering' end
if known[1] == 'answered' and redis.call('EXISTS', KEYS[5]) == 1 then
  redis.call('HSET', event, 'owner', owner, 'until', now + lease)
  redis.call('ZADD', unfinished, now + lease, event)
  return 'answered'
end
local answering = redis.call('GET', turn_taking)
local free = not waiting and (not answering or answering == owner)
local state = (free or (known[1] == 'answering' and known[2] == owner)) and 'answering' or 'received'
local begins = state == 'answering' and (known[1] ~= 'answering' or known[2] ~= owner)
if begins then redis.call('HINCRBY', event, 'owners', 1) end
redis.call('HSET', event, 'state', state, 'owner', owner, 'until', now + lease)
redis.call('EXPIRE', event, ttl)
if redis.call('SISMEMBER', paused, ARGV[7]) == 0 then
  redis.call('HSET', event, 'payload', payload)
  redis.call('ZADD', unfinished, now + lease, event)
else  -- perhaps only since the message began to wait
  redis.call('HDEL', event, 'payload')
  redis.call('ZREM', unfinished, event)
end
if not free then return 'queued' end
redis.call('SET', turn_taking, owner, 'PX', lease)
return 'ours'
"""

_RENEW = """
local now, lease = tonumber(ARGV[2]), tonumber(ARGV[3])
local owner = redis.call('HGET', KEYS[1], 'owner')
if not owner then return 1 end  -- never claimed, or gone: nobody else has it
if owner ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'until', now + lease)
if redis.call('HEXISTS', KEYS[1], 'payload') == 1 then redis.call('ZADD', KEYS[3], now + lease, KEYS[1]) end
local turn = redis.call('GET', KEYS[2])
local answering = redis.call('HGET', KEYS[1], 'state') == 'answering'
if turn == ARGV[1] or (answering and not turn) then redis.call('SET', KEYS[2], ARGV[1], 'PX', lease) end
return 1
"""

# A message that was never remembered awaits its answer still, unless the person does not want it to be.
# ARGV[3]: 'sent', or 'answered' where whoever shows the answer will tell. ARGV[4]: what it was made from.
_FINISH = """
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
local paused = redis.call('SISMEMBER', KEYS[5], ARGV[2]) == 1
if not paused and redis.call('EXISTS', KEYS[4]) == 0 and redis.call('HEXISTS', KEYS[1], 'payload') == 1 then
  redis.call('HSET', KEYS[1], 'state', 'received', 'until', 0)
  redis.call('ZADD', KEYS[3], 0, KEYS[1])
  return 0
end
redis.call('HSET', KEYS[1], 'state', ARGV[3], 'why', ARGV[4])
if ARGV[3] == 'sent' then
  redis.call('HDEL', KEYS[1], 'payload')
  redis.call('ZREM', KEYS[3], KEYS[1])
end
return 1
"""

# Answered while memory was away: whoever owned it then, it needs no answer now.
_SETTLE = """
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
redis.call('HSET', KEYS[1], 'state', 'sent')
redis.call('HDEL', KEYS[1], 'payload')
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('ZREM', KEYS[3], KEYS[1])
return 1
"""

_REWORD = """
if redis.call('HEXISTS', KEYS[1], 'payload') == 0 then return 0 end
redis.call('HSET', KEYS[1], 'payload', ARGV[1])
return 1
"""

# Answered, and to be answered again: whoever claims it next may.
_REOPEN = """
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'sent' and state ~= 'answered' then return 0 end
redis.call('HSET', KEYS[1], 'state', 'received', 'until', 0)
redis.call('HDEL', KEYS[1], 'owners')
return 1
"""

# The messages of a burst are answered with its first, unless one of them has an answer that is to be shown, or was:
# whoever asks for that answer would not be told of the others. KEYS: unfinished, the first, the others. ARGV: the
# first's id and payload, the others' ids.
_JOIN = """
for at = 2, #KEYS do
  local known = redis.call('HMGET', KEYS[at], 'state', 'of')
  if (known[1] == 'answered' or known[1] == 'sent') and known[2] ~= ARGV[1] then return 0 end
end
redis.call('HSET', KEYS[2], 'with', ARGV[3])
if redis.call('HEXISTS', KEYS[2], 'payload') == 1 then redis.call('HSET', KEYS[2], 'payload', ARGV[2]) end
for at = 3, #KEYS do
  redis.call('HSET', KEYS[at], 'state', 'sent', 'of', ARGV[1])
  redis.call('HDEL', KEYS[at], 'payload')
  redis.call('EXPIRE', KEYS[at], ARGV[4])
  redis.call('ZREM', KEYS[1], KEYS[at])
end
return 1
"""

# Let another process take it up at once.
_RELEASE = """
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'until', 0)
if redis.call('HEXISTS', KEYS[1], 'payload') == 1 then redis.call('ZADD', KEYS[3], 0, KEYS[1]) end
return 1
"""

_UNFINISHED = """
local payloads = {}
for _, event in ipairs(redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE')) do
  local payload = redis.call('HGET', event, 'payload')
  if payload then payloads[#payloads + 1] = payload else redis.call('ZREM', KEYS[1], event) end
end
return payloads
"""


class Claim(StrEnum):
    """What came of a claim."""

    OURS = "ours"  # answer it
    QUEUED = "queued"  # another message of the conversation is being answered: claim again
    ANSWERING = "answering"  # another process answers it
    ANSWERED = "answered"  # its answer is remembered: show it
    SENT = "sent"  # it has been answered


@dataclass(frozen=True, slots=True)
class Burst:
    """Messages that are answered together, by the first one's id. others: those behind it, told for the first alone."""

    first: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of an answer: the messages that it stands in, and what it was made from.

    owners: how many processes have begun to answer the message as it is.
    """

    state: str
    receipts: tuple[Receipt, ...]
    why: str
    owners: int = 0


class Ledger:
    """Claims, renews and finishes events."""

    def __init__(self, keys: Keys, owner: str) -> None:
        self._keys = keys
        self._owner = owner

    def claim(self, batch: Batch, incoming: Incoming, now: int, *, waiting: bool = False) -> Answer[Claim]:
        """Ask to answer a message. now: milliseconds. What a paused person says is not written down."""
        scope = incoming.scope
        return batch.ask(
            "EVAL",
            _CLAIM,
            5,
            *self._names(incoming),
            self._keys.tenant(scope.tenant).paused,
            turns.key(self._keys, scope, answer_id(incoming.id)),
            self._mark(incoming),
            now,
            LEASE,
            _payload(incoming),
            EVENT_TTL,
            int(waiting),
            scope.person_tag,
            read=lambda reply: Claim(reply.decode()),
        )

    def renew(self, batch: Batch, incoming: Incoming, now: int) -> Answer[bool]:
        """Ask for more time; False where another process has the message by now."""
        return batch.ask("EVAL", _RENEW, 3, *self._names(incoming), self._mark(incoming), now, LEASE, read=bool)

    def finish(self, batch: Batch, incoming: Incoming, *, shown: bool = True, why: str = "") -> Answer[bool]:
        """Tell that a message has its answer; False where the lease had been lost.

        shown: False where that is still to be shown, and will be told by `settle`. why: what `why` is to return.
        """
        scope = incoming.scope
        turn, paused = turns.key(self._keys, scope, incoming.id), self._keys.tenant(scope.tenant).paused
        names = (*self._names(incoming), turn, paused)
        mark, state = self._mark(incoming), "sent" if shown else "answered"
        return batch.ask("EVAL", _FINISH, len(names), *names, mark, scope.person_tag, state, why, read=bool)

    def settle(self, batch: Batch, incoming: Incoming) -> Answer[bool]:
        """Tell that nothing more is to be done about a message, whoever owns it and whether it was claimed or not."""
        return batch.ask("EVAL", _SETTLE, 3, *self._names(incoming), self._mark(incoming), EVENT_TTL, read=bool)

    def reword(self, batch: Batch, incoming: Incoming) -> Answer[bool]:
        """Let a message that awaits its answer say something else now."""
        return batch.ask("EVAL", _REWORD, 1, self._names(incoming)[0], _payload(incoming), read=bool)

    def reopen(self, batch: Batch, incoming: Incoming) -> Answer[bool]:
        """Let a message that was answered be answered again; False where it was not."""
        return batch.ask("EVAL", _REOPEN, 1, self._names(incoming)[0], read=bool)

    def release(self, batch: Batch, incoming: Incoming) -> Answer[bool]:
        """Let another process take up a message at once; False where the lease had been lost."""
        return batch.ask("EVAL", _RELEASE, 3, *self._names(incoming), self._mark(incoming), read=bool)

    def join(self, batch: Batch, first: Incoming, others: Sequence[str]) -> Answer[bool]:
        """Tell that other messages of a conversation are answered with this one, which says what they say too.

        False where one of them has its answer.
        """
        scope = first.scope
        events = [self._keys.event(scope.tenant, scope.conversation, one) for one in (first.id, *others)]
        names = (self._keys.tenant(scope.tenant).unfinished, *events)
        told = json.dumps(list(others))
        return batch.ask("EVAL", _JOIN, len(names), *names, first.id, _payload(first), told, EVENT_TTL, read=bool)

    def burst(self, batch: Batch, scope: Scope, message: str) -> Answer[Burst]:
        """Ask with which messages one is answered."""

        def read(reply: Sequence[bytes | None]) -> Burst:
            of, others = reply
            return Burst(of.decode() if of else message, tuple(json.loads(others)) if others else ())

        return batch.ask("HMGET", self._keys.event(scope.tenant, scope.conversation, message), "of", "with", read=read)

    def place(self, batch: Batch, incoming: Incoming, part: int, receipt: Receipt) -> Answer[int]:
        """Note which message of the platform a part of the reply is, or that it is being sent."""
        event, value = self._names(incoming)[0], json.dumps([receipt.message, receipt.anew, receipt.at])
        batch.ask("HSET", event, f"part:{part}", value, read=int)
        return batch.ask("EXPIRE", event, EVENT_TTL, read=int)

    def told(self, batch: Batch, scope: Scope, message: str) -> Answer[Told]:
        """Ask what is known of the answer to a message."""
        return batch.ask("HGETALL", self._keys.event(scope.tenant, scope.conversation, message), read=_told)

    def unfinished(self, batch: Batch, tenant: str, now: int) -> Answer[list[Incoming]]:
        """Ask for a tenant's messages whose lease ran out before they were answered."""
        return batch.ask("EVAL", _UNFINISHED, 1, self._keys.tenant(tenant).unfinished, now, read=_readable)

    def owing(self, batch: Batch, tenant: str) -> Answer[bool]:
        """Ask whether any message of a tenant is unfinished, whoever holds its lease."""
        return batch.ask("ZCARD", self._keys.tenant(tenant).unfinished, read=bool)

    def _names(self, incoming: Incoming) -> Sequence[str]:
        scope = incoming.scope
        return (
            self._keys.event(scope.tenant, scope.conversation, incoming.id),
            self._keys.tenant(scope.tenant).turn_taking(scope.conversation_tag),
            self._keys.tenant(scope.tenant).unfinished,
        )

    def _mark(self, incoming: Incoming) -> str:
        return f"{self._owner}/{incoming.id}"


def _told(reply: Mapping[bytes, bytes]) -> Told:
    fields = {name.decode(): value.decode() for name, value in reply.items()}
    numbers = sorted(int(name[5:]) for name in fields if name.startswith("part:"))
    receipts = [Receipt(*json.loads(fields[f"part:{number}"])) for number in numbers]
    return Told(fields.get("state", ""), tuple(receipts), fields.get("why", ""), int(fields.get("owners", 0)))


def _payload(incoming: Incoming) -> str:
    kept = [
        one if one.image is None else replace(one, image=None, unread="lost when the bot was interrupted")
        for one in incoming.attachments
        if one.author is None
    ]
    shown = [one for one in incoming.context if not one.id]  # what the platform would not show again
    return json.dumps(asdict(replace(incoming, attachments=kept, context=shown)), ensure_ascii=False)


def _readable(payloads: Sequence[bytes]) -> list[Incoming]:
    found = []
    for payload in payloads:
        try:
            found.append(_read(payload))
        except (TypeError, ValueError, KeyError) as error:  # written by another version; gone after EVENT_TTL
            log.warning("unfinished message not understood", error=repr(error))
    return found


def _read(payload: bytes) -> Incoming:
    found: dict[str, Any] = json.loads(payload)
    scope = found.pop("scope")
    context = [Seen(**seen) for seen in found.pop("context")]
    attachments = [Attachment(**one) for one in found.pop("attachments", ())]
    whole = Scope(**{**scope, "audience": Audience(scope["audience"])})
    return Incoming(scope=whole, context=context, attachments=attachments, **found)
