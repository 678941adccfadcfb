"""What an answer was made from, told to somebody: as far as they may recall it, and it is not forgotten."""

from dataclasses import replace

from bot.engine import Engine
from bot.records import Answered, Tokens
from bot.why import read
from memory.memory import Memory
from memory.records import Recalled, Which
from memory.scope import Scope

LOOKED_AT = 10  # turns of the window among which the last answer is


async def explained(engine: Engine, memory: Memory, scope: Scope, message: str) -> Answered | None:
    """Return the answer to a message with what it was made from; None where that is not known. Raises RedisError."""
    told = await engine.inbox.told(scope, message)
    if not told.why:
        return None
    known = read(told.why)
    which = Which(turns=tuple((one.conversation, one.turn) for one in known.sources))
    places = await memory.find(scope, which) if known.sources else []
    turns = {(turn.conversation, turn.id): turn for turn in await memory.read(scope, places)}
    recalled = [
        Recalled(turns[one.conversation, one.turn], one.score, one.signals, one.span)
        for one in known.sources
        if (one.conversation, one.turn) in turns
    ]
    return Answered("", message, known.model, tuple(recalled), (), Tokens(known.prompt, known.completion, 0))


async def last(engine: Engine, memory: Memory, scope: Scope) -> Answered | None:
    """Return the last answer of a conversation, explained. Raises RedisError."""
    recent = await memory.recent(scope, LOOKED_AT)
    answers = [turn for turn in recent if turn.role == "assistant" and turn.id.endswith(".reply")]
    return await explained(engine, memory, scope, answers[-1].id.removesuffix(".reply")) if answers else None


async def beginning(engine: Engine, memory: Memory, scope: Scope) -> Answered | None:
    """Return the answer to the message that begins a thread, where that was asked in its parent. Raises RedisError.

    So it is in Slack's direct messages, whose answers stand in threads.
    """
    if scope.parent is None:
        return None
    outside = replace(scope, conversation=scope.parent, parent=None, open_to_parent=False)
    return await explained(engine, memory, outside, scope.conversation.removeprefix(f"{scope.parent}:"))
