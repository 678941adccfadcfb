"""A channel or a tenant that is gone: what was remembered of it, what is switched on there, what is being learned."""

from collections.abc import Iterable

from bot.listening import Listening
from memory import conversations
from memory.memory import Memory
from memory.records import Forgotten, Which
from memory.scope import Operator, conversation_tag


async def channel(memory: Memory, listening: Listening, tenant: str, conversation: str) -> int:
    """Forget all that was said in a channel and its threads; return how many turns that was. Raises RedisError.

    Who reads it stays known: what was said there must not surface while it is being forgotten.
    """
    gone = 0
    for _ in range(3):  # what was on its way to memory is found the next time
        places = await memory.find(Operator(tenant), Which())
        rooms = {conversation, *await _threads(memory, tenant, {one.conversation for one in places}, conversation)}
        for room in rooms:
            await _silence(listening, tenant, room)
        gone_too = [one for one in places if one.conversation in rooms]
        if not gone_too:
            break
        gone += (await memory.forget(Operator(tenant), gone_too, again=True)).turns
    return gone


async def thread(memory: Memory, listening: Listening, tenant: str, conversation: str) -> int:
    """Forget all that was said in a thread; return how many turns that was. Raises RedisError."""
    await _silence(listening, tenant, conversation)
    return (await memory.forget(Operator(tenant), Which(conversation=conversation), again=True)).turns


async def tenant(memory: Memory, listening: Listening, tenant: str) -> Forgotten:
    """Forget all that is kept of a tenant but who has paused. Raises RedisError."""
    for room in await listening.learning.unfinished(tenant):
        await listening.learning.stop(tenant, room)
    return await memory.leave(Operator(tenant))


async def _threads(memory: Memory, tenant: str, rooms: Iterable[str], parent: str) -> list[str]:
    """Return those of some conversations that are threads of a channel."""
    batch = memory.batch()
    found = {
        room: conversations.known(batch, memory.keys, tenant, conversation_tag(tenant, room)) for room in sorted(rooms)
    }
    await batch.send()
    return [room for room, known in found.items() if known.value is not None and known.value.parent == parent]


async def _silence(listening: Listening, tenant: str, conversation: str) -> None:
    """Remember nothing more that is said there, nor what was said before."""
    await listening.learning.stop(tenant, conversation)
    await listening.learning.forget(tenant, conversation)
    await listening.channels.forget(tenant, conversation)
    listening.overheard.withdraw(tenant, conversation)
