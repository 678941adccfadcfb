"""A tenant that left is erased once its time of grace is over, by whichever process looks first."""

import asyncio

from bot import grace
from bot.listening import Listening
from memory.memory import Memory
from memory.records import Turn
from memory.scope import Audience, Scope
from tests.conftest import NOON
from tests.waiting import until_it

ADA = Scope("slack:T1", "C1", "ada", Audience.PUBLIC)
BOB = Scope("slack:T2", "C1", "bob", Audience.PUBLIC)


async def say(memory: Memory, *scopes: Scope) -> None:
    for scope in scopes:
        turn = Turn("1", scope.conversation, scope.person, scope.person, "user", "I have a dog", NOON)
        await memory.remember(scope, [turn])


async def left(memory: Memory) -> list[Scope]:
    return [scope for scope in (ADA, BOB) if await memory.recent(scope)]


async def schedule(memory: Memory, *due: tuple[str, int]) -> None:
    batch = memory.batch()
    for tenant, at in due:
        grace.schedule(batch, memory.keys, tenant, at)
    await batch.send()


async def cancel(memory: Memory, *tenants: str) -> int:
    batch = memory.batch()
    cancelled = grace.cancel(batch, memory.keys, tenants)
    await batch.send()
    return cancelled.value


async def test_a_tenant_is_erased_when_its_time_is_over_and_not_before(memory: Memory, client, keys):
    listening = Listening(memory, "one")
    await say(memory, ADA, BOB)
    await listening.channels.set(ADA, remembers=True)
    await schedule(memory, ("slack:T1", NOON))
    assert await grace.sweep(memory, listening, NOON - 1) == []
    assert await left(memory) == [ADA, BOB]
    assert await grace.sweep(memory, listening, NOON) == ["slack:T1"]
    assert await left(memory) == [BOB]
    assert [key async for key in client.scan_iter(match=keys.tenant("slack:T1").everything)] == []
    assert await client.exists(keys.purges) == 0


async def test_who_comes_back_in_time_is_kept(memory: Memory):
    await say(memory, ADA)
    await schedule(memory, ("slack:T1", NOON))
    assert await cancel(memory, "slack:T1", "slack:T2") == 1
    assert await grace.sweep(memory, Listening(memory, "one"), NOON) == []
    assert await left(memory) == [ADA]


async def test_the_first_time_that_was_told_holds(memory: Memory):
    await schedule(memory, ("slack:T1", 5), ("slack:T1", 9))
    assert await grace.due(memory, "slack:T1") == 5
    assert await grace.due(memory, "slack:T2") is None


async def test_several_processes_erase_each_tenant_once(memory: Memory):
    tenants = [f"slack:T{number}" for number in range(6)]
    await schedule(memory, *((one, NOON) for one in tenants))
    erased = await asyncio.gather(*(grace.sweep(memory, Listening(memory, who), NOON) for who in ("one", "two")))
    assert sorted(erased[0] + erased[1]) == tenants


class HeldUp(Listening):
    """Keeps whoever erases a tenant waiting, before anything of it is gone."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory, "one")
        self.learning = self
        self.erasing, self.going_on = asyncio.Event(), asyncio.Event()

    async def unfinished(self, tenant: str) -> list[str]:
        self.erasing.set()
        await self.going_on.wait()
        return []


async def test_what_a_dying_process_left_undone_is_done_by_another(memory: Memory):
    await say(memory, ADA)
    await schedule(memory, ("slack:T1", NOON))
    held_up, other = HeldUp(memory), Listening(memory, "two")
    dying = asyncio.create_task(grace.sweep(memory, held_up, NOON))
    await held_up.erasing.wait()
    assert await grace.sweep(memory, other, NOON) == []
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert await left(memory) == [ADA]
    assert await grace.sweep(memory, other, NOON + grace.CLAIM - 1) == []
    assert await grace.sweep(memory, other, NOON + grace.CLAIM) == ["slack:T1"]
    assert await left(memory) == []


async def test_who_came_back_and_left_again_while_being_erased_stays_on_the_list(memory: Memory):
    await schedule(memory, ("slack:T1", NOON))
    held_up = HeldUp(memory)
    erasing = asyncio.create_task(grace.sweep(memory, held_up, NOON))
    await held_up.erasing.wait()
    await cancel(memory, "slack:T1")
    await schedule(memory, ("slack:T1", NOON + 7))
    held_up.going_on.set()
    assert await erasing == ["slack:T1"]
    assert await grace.due(memory, "slack:T1") == NOON + 7


async def test_it_goes_on_by_itself(memory: Memory):
    await say(memory, ADA)
    await schedule(memory, ("slack:T1", NOON))
    keeping_up = asyncio.create_task(grace.keep_up(memory, Listening(memory, "one")))

    async def erased() -> bool:
        return await left(memory) == [] and await grace.due(memory, "slack:T1") is None

    await until_it(erased)
    keeping_up.cancel()
    await asyncio.gather(keeping_up, return_exceptions=True)
