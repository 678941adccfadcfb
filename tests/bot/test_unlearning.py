"""A channel that is gone is forgotten with its threads, a tenant with all that was kept of it."""

from dataclasses import replace

from bot import unlearning
from bot.channels import Channel
from bot.listening import Listening
from memory.memory import Memory
from memory.records import Turn
from memory.scope import Audience, Scope
from tests.conftest import NOON

GENERAL = Scope("discord:1", "10", "ada", Audience.PUBLIC)
OPEN = replace(GENERAL, conversation="11", parent="10", open_to_parent=True)
PRIVATE = replace(GENERAL, conversation="12", parent="10", audience=Audience.PRIVATE)
RANDOM = replace(GENERAL, conversation="20")
ELSEWHERE = replace(GENERAL, tenant="discord:2")
ALL = (GENERAL, OPEN, PRIVATE, RANDOM, ELSEWHERE)


async def say(memory: Memory, *scopes: Scope) -> None:
    for scope in scopes:
        await memory.remember(scope, [Turn("1", scope.conversation, "ada", "Ada", "user", "I have a dog", NOON)])


async def left(memory: Memory) -> list[Scope]:
    return [scope for scope in ALL if await memory.recent(scope)]


async def test_a_channel_is_forgotten_with_its_threads_and_settings(memory: Memory):
    listening = Listening(memory, "one")
    await listening.channels.set(GENERAL, joins=True, remembers=True)
    await listening.channels.set(RANDOM, joins=True)
    await say(memory, *ALL)
    listening.overheard.hear(OPEN, Turn("2", "11", "ada", "Ada", "user", "I have a cat", NOON))
    assert await unlearning.channel(memory, listening, "discord:1", "10") == 3
    assert await left(memory) == [RANDOM, ELSEWHERE]
    assert await listening.channels.get(GENERAL) == Channel()
    assert await listening.channels.get(RANDOM) == Channel(joins=True)
    assert len(listening.overheard) == 0


async def test_a_thread_is_forgotten_and_its_channel_is_not(memory: Memory):
    listening = Listening(memory, "one")
    await listening.channels.set(GENERAL, remembers=True)
    await say(memory, *ALL)
    assert await unlearning.thread(memory, listening, "discord:1", "11") == 1
    assert await left(memory) == [GENERAL, PRIVATE, RANDOM, ELSEWHERE]
    assert await listening.channels.get(GENERAL) == Channel(remembers=True)


async def test_of_a_tenant_only_who_has_paused_is_known(memory: Memory, client, keys):
    listening = Listening(memory, "one")
    await listening.channels.set(GENERAL, remembers=True)
    await say(memory, *ALL)
    await memory.retain(GENERAL, 30)
    await memory.pause(replace(GENERAL, person="bob"))
    others = sorted([one async for one in client.scan_iter(match=keys.tenant("discord:2").everything)])
    assert (await unlearning.tenant(memory, listening, "discord:1")).turns == 4
    mine = keys.tenant("discord:1")
    kept = {one.decode() async for one in client.scan_iter(match=mine.everything)}
    assert kept == {mine.paused, mine.pauses}
    assert sorted([one async for one in client.scan_iter(match=keys.tenant("discord:2").everything)]) == others
    assert await left(memory) == [ELSEWHERE]
