"""The unmodified `lorebot discord` against a server that looks like Discord, and a model server of the test's."""

import signal

from tests.discordlike.records import Can
from tests.platforms.conftest import final


async def test_a_mention_is_answered_with_what_was_said_before(start, server, openai, library):
    await start()
    server.say(library.general, library.ada, f"{server.me.mention} My dog is called Rex.")
    await final(server, library.general, "Rex!")
    openai.answer = lambda prompt: "He is called Rex."
    asked = server.say(library.general, library.bob, f"{server.me.mention} What is Ada's dog called?")
    await final(server, library.general, "He is called Rex.")
    assert "My dog is called Rex." in openai.prompts[-1]
    assert server.said(library.general)[-1].reply_to == asked.id


async def test_what_is_not_addressed_to_the_bot_is_not_answered(start, server, openai, library):
    await start()
    server.say(library.general, library.ada, "hello everybody")
    server.say(library.general, library.ada, f"{library.bob.mention} hello")
    server.say(library.general, library.ada, f"{server.me.mention} hello")
    await final(server, library.general, "Rex!")
    assert len(openai.chats) == 1


async def test_a_reply_to_the_bot_and_a_direct_message_are_answered(start, server, openai, library):
    await start()
    server.say(library.general, library.ada, f"{server.me.mention} hello")
    (answer,) = await server.replied(library.general)
    await final(server, library.general, "Rex!")
    server.say(library.general, library.ada, "and again", reply_to=answer, ping=False)
    await server.replied(library.general, 2)
    dm = server.dm(library.ada)
    server.say(dm, library.ada, "hello, just us")
    await final(server, dm, "Rex!")


async def test_a_channel_that_was_closed_while_the_bot_was_away_is_closed_when_it_comes_back(
    start, server, openai, library
):
    process = await start()
    plans = server.channel(library.guild, "plans")
    server.say(plans, library.ada, f"{server.me.mention} The party is in Kyoto.")
    await final(server, plans, "Rex!")
    process.send_signal(signal.SIGTERM)
    await process.wait()
    await server.until(lambda: not server.gateway.ready)
    server.world.overwrite(plans, server.me, allow=Can.VIEW_CHANNEL)
    server.world.overwrite(plans, library.guild.everyone, deny=Can.VIEW_CHANNEL)
    await start()
    server.say(library.general, library.bob, f"{server.me.mention} Where is the party?")
    await final(server, library.general, "Rex!")
    assert "Kyoto" not in openai.prompts[-1]


async def test_without_a_token_or_with_a_refused_one_it_says_what_to_set_and_ends_with_78(home, server):
    ran = await home.run("discord")
    assert (ran.code, "DISCORD_BOT_TOKEN is not set" in ran.err, ran.err.count("\n")) == (78, True, 1)
    home.settings |= {"DISCORD_BOT_TOKEN": "xoxb-1", "LOREBOT_DISCORD_API": server.api}
    ran = await home.run("discord")
    assert (ran.code, "Slack token" in ran.err) == (78, True)
    home.settings["DISCORD_BOT_TOKEN"] = "wrong"
    ran = await home.run("discord")
    assert (ran.code, "refuses DISCORD_BOT_TOKEN" in ran.err) == (78, True)


async def test_without_the_intent_it_says_which_switch_and_ends_with_78(home, server, openai):
    server.rules.privileged = 0
    home.settings |= {
        "OPENAI_BASE_URL": f"{openai.address}/v1",
        "DISCORD_BOT_TOKEN": server.token,
        "LOREBOT_DISCORD_API": server.api,
    }
    ran = await home.run("discord")
    assert (ran.code, "MESSAGE CONTENT INTENT" in ran.err) == (78, True)
