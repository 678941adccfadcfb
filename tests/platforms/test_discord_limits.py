"""`lorebot discord` within its limits: told once, others still answered, and silence for whom the operator denies."""

import asyncio

from tests.platforms.conftest import final

FAST = "That is faster than I can answer you."
SPENT = "That was all I may answer you today. Please come back tomorrow"


def words(server, channel, start: str) -> int:
    return sum(message.text.startswith(start) for message in server.said(channel))


async def test_whoever_asks_too_fast_is_told_once_and_others_are_answered(home, start, server, openai, library):
    """Complaint: rate limits turn answers into silence."""
    home.settings["LOREBOT_PERSON_PER_MINUTE"] = "2"
    openai.answer = lambda prompt: "Hello Bob!" if 'with "Bob"' in prompt else "Hello Ada!"
    await start()
    asked = [server.say(library.general, library.ada, f"{server.me.mention} hello {number}") for number in range(6)]
    await server.until(lambda: words(server, library.general, FAST))
    server.say(library.general, library.bob, f"{server.me.mention} hello")
    await final(server, library.general, "Hello Ada!")
    await final(server, library.general, "Hello Bob!")
    (told,) = [message for message in server.said(library.general) if message.text.startswith(FAST)]
    assert told.reply_to == asked[2].id
    assert not told.mentions
    assert len(openai.chats) == 2
    assert openai.chats[0]["messages"][-1]["content"].endswith("hello 0\nhello 1")


async def test_an_edit_that_would_be_answered_anew_counts_as_a_message(home, start, server, openai, library):
    home.settings["LOREBOT_PERSON_PER_MINUTE"] = "2"
    await start()
    openai.let_go = asyncio.Event()
    asked = server.say(library.general, library.ada, f"{server.me.mention} Who is Rex?")
    await server.until(lambda: len(openai.chats) == 1)
    server.edit(asked, f"{server.me.mention} Who is Bello?")
    await server.until(lambda: len(openai.chats) == 2)
    server.edit(asked, f"{server.me.mention} Who is Hasso?")
    await server.until(lambda: words(server, library.general, FAST))
    openai.answer = lambda prompt: "Hello Bob!" if 'with "Bob"' in prompt else "He is a dog."
    openai.let_go.set()
    server.say(library.general, library.bob, f"{server.me.mention} hello")  # answered after all that Ada asked
    await final(server, library.general, "Hello Bob!")
    await final(server, library.general, "He is a dog.")
    assert len(openai.chats) == 3


async def test_a_links_preview_is_no_edit(home, start, server, openai, library):
    home.settings["LOREBOT_PERSON_PER_MINUTE"] = "2"
    await start()
    openai.let_go = asyncio.Event()
    asked = server.say(library.general, library.ada, f"{server.me.mention} What is http://127.0.0.1/ about?")
    await server.until(lambda: len(openai.chats) == 1)
    server.unfurl(asked)
    server.say(library.general, library.ada, f"{server.me.mention} hello")
    openai.let_go.set()
    await server.until(lambda: len(server.said(library.general)) == 2)
    await server.until(lambda: all(one.text == "Rex!" for one in server.said(library.general)))
    assert len(openai.chats) == 2


async def test_a_denied_guild_hears_nothing_and_nothing_of_it_is_remembered(home, start, server, openai, library):
    other = server.guild("Other", library.bob)
    lounge = server.channel(other, "lounge")
    home.settings["LOREBOT_DENY"] = f"discord:{other.id}, person:{library.bob.id}"
    await start()
    server.say(lounge, library.bob, f"{server.me.mention} Rex is in Kyoto.")
    denied = server.say(library.general, library.bob, f"{server.me.mention} Bello is in Paris.")
    server.edit(denied, f"{server.me.mention} Bello is in Rome.")
    server.say(library.general, library.ada, f"{server.me.mention} hello")
    await final(server, library.general, "Rex!")
    assert (len(openai.chats), server.said(lounge)) == (1, [])
    remembered = [await home.run("memory", "export", "--tenant", f"discord:{one.id}") for one in (library.guild, other)]
    assert [ran.out.count("\n") for ran in remembered] == [2, 0]  # Ada's hello, and the answer


async def test_where_one_guild_is_allowed_another_and_direct_messages_hear_nothing(
    home, start, server, openai, library
):
    lounge = server.channel(server.guild("Other", library.bob), "lounge")
    home.settings["LOREBOT_ALLOW"] = f"discord:{library.guild.id}"
    await start()
    dm = server.dm(library.ada)
    server.say(lounge, library.bob, f"{server.me.mention} hello")
    server.say(dm, library.ada, "hello")
    server.say(library.general, library.ada, f"{server.me.mention} hello")
    await final(server, library.general, "Rex!")
    assert (len(openai.chats), server.said(lounge), server.said(dm)) == (1, [], [])


async def test_a_budget_that_is_used_up_is_told_once_and_holds_after_a_restart(home, start, server, openai, library):
    home.settings["LOREBOT_PERSON_TOKENS_PER_DAY"] = "20"
    process = await start()
    server.say(library.general, library.ada, f"{server.me.mention} hello")
    await final(server, library.general, "Rex!")
    process.terminate()  # what was spent is counted when it has ended
    await process.wait()
    await server.until(lambda: not server.gateway.ready)
    await start()
    asked = [server.say(library.general, library.ada, f"{server.me.mention} and now {number}?") for number in range(3)]
    await server.until(lambda: words(server, library.general, SPENT))
    server.say(library.general, library.bob, f"{server.me.mention} hello")
    await server.until(lambda: len(openai.chats) == 2)
    (told,) = [message for message in server.said(library.general) if message.text.startswith(SPENT)]
    assert told.reply_to == asked[0].id


async def test_commands_that_ask_count_too_and_memory_is_managed_all_the_same(home, start, server, openai, library):
    home.settings |= {"LOREBOT_PERSON_PER_MINUTE": "1", "LOREBOT_DENY": f"person:{library.bob.id}"}
    await start()

    async def told(person, name: str, options: dict[str, str] | None = None) -> str:
        interaction = server.slash(library.general, person, name, options)
        await server.until(lambda: interaction.texts and not any(one.loading for one in interaction.messages))
        return interaction.texts[-1]

    assert "Who is Rex?" in await told(library.ada, "ask", {"question": "Who is Rex?"})
    await final(server, library.general, "Rex!")
    assert (await told(library.ada, "ask", {"question": "Who is Bello?"})).startswith(FAST)
    assert await told(library.bob, "ask", {"question": "Who is Bello?"}) == "I may not answer you here."
    assert "What Lorebot remembers" in await told(library.bob, "privacy")
    assert "messages you may send in this minute: 0" in await told(library.ada, "usage")
    assert len(openai.chats) == 1
