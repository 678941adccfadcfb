"""Channels of the unmodified `lorebot discord`: what is switched on there, overheard, learned, and forgotten."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from bot import settings, wiring
from bot.channels import Channels
from bot.learning import Learning
from memory.memory import Memory
from memory.records import Turn
from memory.scope import Audience, Scope
from tests.waiting import until_it

pytestmark = pytest.mark.asyncio(loop_scope="module")

MANY = 400  # messages of a past


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def memory(running) -> AsyncIterator[Memory]:
    """The memory that the process has, seen from another."""
    config = settings.load(data_dir=running.home.settings["LOREBOT_DATA_DIR"], embedder="local", llm="local")
    async with wiring.opened_memory(config) as memory:
        yield memory


def scope(channel) -> Scope:
    if channel.is_thread:
        parent = {"parent": str(channel.parent.id), "open_to_parent": True}
        return Scope(f"discord:{channel.guild.id}", str(channel.id), "bot", Audience.PUBLIC, **parent)
    return Scope(f"discord:{channel.guild.id}", str(channel.id), "bot", Audience.PUBLIC)


async def remembered(memory: Memory, channel) -> list[str]:
    return [turn.text for turn in await memory.recent(scope(channel), 2000)]


async def holds(memory: Memory, channel, *texts: str) -> None:
    """Wait until memory has these turns of a channel, and no others."""

    async def it_does() -> bool:
        return await remembered(memory, channel) == list(texts)

    await until_it(it_does)


async def joining(server, memory: Memory, library) -> None:
    """Let the bot join in the general channel, and wait until the process has noticed."""
    await Channels(memory).set(scope(library.general), joins=True)

    async def noticed() -> bool:
        asked = server.say(library.general, library.ada, "Are you there?")
        return await soon(lambda: _answered(server, asked))

    await until_it(noticed)


async def remembering(server, memory: Memory, library) -> None:
    """Let the general channel be remembered, and wait until the process has noticed."""
    await Channels(memory).set(scope(library.general), remembers=True)

    async def noticed() -> bool:
        probe = server.say(library.general, library.ada, "probe")
        return await soon(lambda: _known(memory, probe))

    await until_it(noticed)


async def soon(holds: Callable[[], Awaitable[object]]) -> bool:
    """Tell whether something holds within 3 seconds."""
    try:
        await until_it(holds, seconds=3)
    except TimeoutError:
        return False
    return True


async def _answered(server, asked) -> bool:
    return any(one.reply_to == asked.id for one in server.said(asked.channel))


async def _known(memory: Memory, message) -> bool:
    return (await memory.known(scope(message.channel), [str(message.id)]))[0]


async def overheard(memory: Memory, message) -> None:
    """Wait until a message is remembered."""
    await until_it(lambda: _known(memory, message))


async def test_what_is_not_addressed_to_the_bot_is_remembered_where_that_is_on(bot, server, openai, library, memory):
    await bot.up()
    await remembering(server, memory, library)
    elsewhere = server.channel(library.guild, "elsewhere")
    server.say(elsewhere, library.ada, "My cat is called Mia.")
    hook = server.say(library.general, library.bob, "I am a webhook", webhook=True)
    server.say(library.general, library.ada, f"{library.bob.mention} my dog is called Rex.")
    last = server.say(library.general, library.ada, "and he is old")
    await overheard(memory, last)
    texts = await remembered(memory, library.general)
    assert texts[-2:] == ["@Bob my dog is called Rex.", "and he is old"]
    assert await memory.known(scope(library.general), [str(hook.id)]) == [False]
    assert (await remembered(memory, elsewhere), len(openai.chats)) == ([], 0)
    openai.answer = lambda prompt: "Rex it is."
    bot.ask(elsewhere, library.bob, "What is Ada's dog called?")
    await bot.final(elsewhere, "Rex it is.")
    assert "my dog is called Rex." in openai.prompts[-1]


async def test_what_was_overheard_stands_in_the_prompt_once(bot, server, openai, library, memory):
    await bot.up()
    await remembering(server, memory, library)
    said = server.say(library.general, library.ada, "My dog is called Rex.")
    await overheard(memory, said)
    openai.answer = lambda prompt: "He is called Rex."
    asked = f"{server.me.mention} What is the dog called?"
    for count in (1, 2):
        server.say(library.general, library.bob, asked)
        await server.replied(library.general, count)
        await server.until(lambda: server.said(library.general)[-1].text == "He is called Rex.")
        assert openai.prompts[-1].count("My dog is called Rex.") == 1
    assert openai.prompts[-1].count("He is called Rex.") == 1


async def test_edits_and_deletes_of_what_was_overheard_reach_memory(bot, server, library, memory):
    await bot.up()
    await remembering(server, memory, library)
    kept, gone = [server.say(library.general, library.ada, text) for text in ("I like tea", "My PIN is 4711")]
    await overheard(memory, gone)
    server.edit(kept, "I like coffee")
    server.delete(gone)

    async def done() -> bool:
        return (await remembered(memory, library.general))[-1] == "I like coffee"

    await until_it(done)
    assert await memory.known(scope(library.general), [str(gone.id)]) == [False]
    server.unfurl(kept)
    server.delete(kept, server.say(library.general, library.ada, "spam"))

    async def nothing() -> bool:
        return set(await remembered(memory, library.general)) == {"probe"}

    await until_it(nothing)


async def test_who_has_paused_is_not_overheard(bot, server, library, memory):
    await bot.up()
    await remembering(server, memory, library)
    await memory.pause(replace(scope(library.general), person=str(library.bob.id)))
    server.say(library.general, library.bob, "My PIN is 4711")
    last = server.say(library.general, library.ada, "fine weather")
    await overheard(memory, last)
    assert "My PIN is 4711" not in await remembered(memory, library.general)


async def test_where_it_joins_in_it_answers_unasked_in_threads_too(bot, server, openai, library, memory):
    await bot.up()
    await joining(server, memory, library)
    count = len(server.said(library.general))
    server.say(library.general, library.ada, f"{library.bob.mention} this is for you")
    server.say(library.general, library.bob, "What is my dog called?")
    await server.replied(library.general, count + 1)
    assert server.said(library.general)[-1].reply_to == server.talk.posted[-2].id
    thread = server.thread(library.general, "dogs", library.ada)
    server.say(thread, library.bob, "And here?")
    await server.replied(thread)


async def test_the_operator_may_have_it_join_in(bot, server, library):
    lounge = server.channel(library.guild, "lounge")
    await bot.up(LOREBOT_DISCORD_JOIN=f"1, {library.general.id}")
    server.say(lounge, library.ada, "not here")
    server.say(library.general, library.ada, "here")
    await bot.final(library.general, "Rex!")
    assert server.said(lounge) == []


def a_past(server, library, count: int = MANY) -> list[Turn]:
    """Let people have talked; return what is to be remembered, without its times."""
    began = datetime.now(UTC) - timedelta(days=400)
    room, turns = str(library.general.id), []
    for number in range(count):
        who = (library.ada, library.bob)[number % 2]
        said = server.say(library.general, who, f"sentence {number}", at=began + timedelta(hours=number))
        turns.append(Turn(str(said.id), room, str(who.id), who.name.title(), "user", said.text, 0))
    return turns


async def lesson(memory: Memory, library) -> None:
    """Ask that the channel's past be learned, as a process does that dies at once."""
    await Channels(memory).set(scope(library.general), remembers=True)
    batch = memory.batch()
    batch.ask("SADD", memory.keys.tenant(scope(library.general).tenant).learning, str(library.general.id), read=int)
    await batch.send()


@pytest.mark.soak
async def test_a_past_that_is_being_learned_survives_kill_9_and_nothing_is_learned_twice(bot, server, library, memory):
    server.ratelimits.on = False
    past = a_past(server, library)
    await lesson(memory, library)
    await bot.start()

    async def some() -> bool:
        return len(await remembered(memory, library.general)) >= MANY // 4

    await until_it(some)
    await bot.kill()
    assert len(await remembered(memory, library.general)) < MANY
    learning = Learning(memory, Channels(memory), "test")
    tenant = scope(library.general).tenant
    assert await learning.unfinished(tenant) == [str(library.general.id)]
    await bot.start()

    async def over() -> bool:
        return not await learning.unfinished(tenant)

    await until_it(over, seconds=40)
    turns = await memory.recent(scope(library.general), 2000)
    assert [replace(turn, sent_at=0) for turn in turns] == past


async def test_answers_are_given_while_a_past_is_learned(bot, server, openai, library, memory):
    server.ratelimits.on = False
    a_past(server, library)
    await lesson(memory, library)
    await bot.start()

    async def begun() -> bool:
        return bool(await remembered(memory, library.general))

    await until_it(begun)
    lounge = server.channel(library.guild, "lounge")
    bot.ask(lounge, library.ada, "hello")
    await bot.final(lounge, "Rex!")
    assert len(await remembered(memory, library.general)) < MANY


async def test_a_deleted_channel_is_forgotten_with_its_threads_and_its_answer_stops(
    bot, server, openai, library, memory
):
    await bot.up()
    plans = server.channel(library.guild, "plans")
    thread = server.thread(plans, "party", library.ada)
    for place in (plans, thread, library.general):
        bot.ask(place, library.ada, "The party is in Kyoto.")
        await bot.final(place, "Rex!")
    openai.let_go = asyncio.Event()
    bot.ask(plans, library.ada, "And when?")
    await server.until(lambda: openai.busy)
    server.remove(plans)
    await server.until(lambda: not openai.busy)
    await holds(memory, plans)
    await holds(memory, thread)
    assert await remembered(memory, library.general) == ["The party is in Kyoto.", "Rex!"]


async def test_a_deleted_thread_is_forgotten_and_its_channel_is_not(bot, server, library, memory):
    await bot.up()
    thread = server.thread(library.general, "party", library.ada)
    for place in (thread, library.general):
        bot.ask(place, library.ada, "The party is in Kyoto.")
        await bot.final(place, "Rex!")
    server.remove(thread)
    await holds(memory, thread)
    assert len(await remembered(memory, library.general)) == 2


@pytest.mark.parametrize(("settings", "left"), [({}, 2), ({"LOREBOT_FORGET_LEFT": "forget"}, 0)])
async def test_a_server_that_the_bot_has_left_is_forgotten_or_kept_as_the_operator_wishes(
    bot, server, library, memory, settings, left
):
    await bot.up(**settings)
    bot.ask(library.general, library.ada, "The party is in Kyoto.")
    await bot.final(library.general, "Rex!")
    server.outage(library.guild)
    server.outage(library.guild, over=True)
    bot.ask(library.general, library.ada, "And when?")
    await server.replied(library.general, 2)

    async def all_there() -> bool:
        return len(await remembered(memory, library.general)) == 4

    await until_it(all_there)
    server.leave(library.guild, server.me)
    told = lambda: bot.logged("left") + bot.logged("left and forgotten")  # noqa: E731
    await server.until(lambda: library.guild.id in [line["guild"] for line in told()])
    assert len(await remembered(memory, library.general)) == 2 * left
