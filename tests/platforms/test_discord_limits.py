"""`lorebot discord` within its limits: told once, others still answered, and silence for whom the operator denies."""

import asyncio

import pytest
import pytest_asyncio

from tests.platforms.online import Library, Online

pytestmark = pytest.mark.asyncio(loop_scope="module")


FAST = "That is faster than I can answer you."
SPENT = "That was all I may answer you today. Please come back tomorrow"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def denied(running: Online) -> Library:
    """A guild that the operator denies; its Bob is denied wherever he is."""
    return Library(running.server)


@pytest_asyncio.fixture(loop_scope="module")
async def limited(bot: Online, denied: Library) -> None:
    """Have a bot online that answers two messages a minute, but not the denied."""
    bot.server.join(denied.guild, bot.server.me)
    denies = f"discord:{denied.guild.id}, person:{denied.bob.id}"
    await bot.up(LOREBOT_PERSON_PER_MINUTE="2", LOREBOT_DENY=denies)


def words(server, channel, start: str) -> int:
    return sum(message.text.startswith(start) for message in server.said(channel))


async def test_whoever_asks_too_fast_is_told_once_and_others_are_answered(bot, limited, server, openai, library):
    """Complaint: rate limits turn answers into silence."""
    openai.answer = lambda prompt: "Hello Bob!" if 'with "Bob"' in prompt else "Hello Ada!"
    asked = [bot.ask(library.general, library.ada, f"hello {number}") for number in range(6)]
    await server.until(lambda: words(server, library.general, FAST))
    bot.ask(library.general, library.bob, "hello")
    await bot.final(library.general, "Hello Ada!")
    await bot.final(library.general, "Hello Bob!")
    (told,) = [message for message in server.said(library.general) if message.text.startswith(FAST)]
    assert told.reply_to == asked[2].id
    assert not told.mentions
    assert len(openai.chats) == 2
    assert openai.chats[0]["messages"][-1]["content"].endswith("hello 0\nhello 1")


async def test_an_edit_that_would_be_answered_anew_counts_as_a_message(bot, limited, server, openai, library):
    openai.let_go = asyncio.Event()
    asked = bot.ask(library.general, library.ada, "Who is Rex?")
    await server.until(lambda: len(openai.chats) == 1)
    server.edit(asked, f"{server.me.mention} Who is Bello?")
    await server.until(lambda: len(openai.chats) == 2)
    server.edit(asked, f"{server.me.mention} Who is Hasso?")
    await server.until(lambda: words(server, library.general, FAST))
    openai.answer = lambda prompt: "Hello Bob!" if 'with "Bob"' in prompt else "He is a dog."
    openai.let_go.set()
    bot.ask(library.general, library.bob, "hello")  # answered after all that Ada asked
    await bot.final(library.general, "Hello Bob!")
    await bot.final(library.general, "He is a dog.")
    assert len(openai.chats) == 3


async def test_a_links_preview_is_no_edit(bot, limited, server, openai, library):
    openai.let_go = asyncio.Event()
    asked = bot.ask(library.general, library.ada, "What is http://127.0.0.1/ about?")
    await server.until(lambda: len(openai.chats) == 1)
    server.unfurl(asked)
    bot.ask(library.general, library.ada, "hello")
    openai.let_go.set()
    await server.until(lambda: len(server.said(library.general)) == 2)
    await server.until(lambda: all(one.text == "Rex!" for one in server.said(library.general)))
    assert len(openai.chats) == 2


async def test_a_denied_guild_hears_nothing_and_nothing_of_it_is_remembered(
    bot, limited, denied, server, openai, library
):
    server.join(library.guild, denied.bob)
    bot.ask(denied.general, denied.ada, "Rex is in Kyoto.")
    asked = bot.ask(library.general, denied.bob, "Bello is in Paris.")
    server.edit(asked, f"{server.me.mention} Bello is in Rome.")
    bot.ask(library.general, library.ada, "hello")
    await bot.final(library.general, "Rex!")
    assert (len(openai.chats), server.said(denied.general)) == (1, [])
    exports = [["memory", "export", "--tenant", f"discord:{one.guild.id}"] for one in (library, denied)]
    remembered = [(await bot.home.run(*export)).out.count("\n") for export in exports]
    assert remembered == [2, 0]  # Ada's hello, and the answer


async def test_commands_that_ask_count_too_and_memory_is_managed_all_the_same(
    bot, limited, denied, server, openai, library
):
    server.join(library.guild, denied.bob)

    async def told(person, name: str, options: dict[str, str] | None = None) -> str:
        interaction = server.slash(library.general, person, name, options)
        await server.until(lambda: interaction.texts and not any(one.loading for one in interaction.messages))
        return interaction.texts[-1]

    assert "Who is Rex?" in await told(library.ada, "ask", {"question": "Who is Rex?"})
    await bot.final(library.general, "Rex!")
    assert "messages you may send in this minute: 1" in await told(library.ada, "usage")
    openai.answer = lambda prompt: "Hasso!"
    assert "Who is Hasso?" in await told(library.ada, "ask", {"question": "Who is Hasso?"})
    await bot.final(library.general, "Hasso!")
    assert (await told(library.ada, "ask", {"question": "Who is Bello?"})).startswith(FAST)
    assert await told(denied.bob, "ask", {"question": "Who is Bello?"}) == "I may not answer you here."
    assert "What Lorebot remembers" in await told(denied.bob, "privacy")
    assert "messages you may send in this minute: 0" in await told(library.ada, "usage")
    assert len(openai.chats) == 2


async def test_where_one_guild_is_allowed_another_and_direct_messages_hear_nothing(bot, server, openai, library):
    lounge = server.channel(server.guild("Other", library.bob), "lounge")
    await bot.up(LOREBOT_ALLOW=f"discord:{library.guild.id}")
    dm = server.dm(library.ada)
    bot.ask(lounge, library.bob, "hello")
    server.say(dm, library.ada, "hello")
    bot.ask(library.general, library.ada, "hello")
    await bot.final(library.general, "Rex!")
    assert (len(openai.chats), server.said(lounge), server.said(dm)) == (1, [], [])


async def test_a_budget_that_is_used_up_is_told_once_and_holds_after_a_restart(bot, server, openai, library):
    await bot.up(LOREBOT_PERSON_TOKENS_PER_DAY="20")
    bot.ask(library.general, library.ada, "hello")
    await bot.final(library.general, "Rex!")
    await bot.start(LOREBOT_PERSON_TOKENS_PER_DAY="20")  # what was spent is counted when it has ended
    asked = [bot.ask(library.general, library.ada, f"and now {number}?") for number in range(3)]
    await server.until(lambda: words(server, library.general, SPENT))
    bot.ask(library.general, library.bob, "hello")
    await server.until(lambda: len(openai.chats) == 2)
    (told,) = [message for message in server.said(library.general) if message.text.startswith(SPENT)]
    assert told.reply_to == asked[0].id
