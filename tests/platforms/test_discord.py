"""The unmodified `lorebot discord` against a server that looks like Discord, and a model server of the test's."""

import pytest

from tests.discordlike.records import Can

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_mention_is_answered_with_what_was_said_before(bot, server, openai, library):
    await bot.up()
    bot.ask(library.general, library.ada, "My dog is called Rex.")
    await bot.final(library.general, "Rex!")
    openai.answer = lambda prompt: "He is called Rex."
    asked = bot.ask(library.general, library.bob, "What is Ada's dog called?")
    await bot.final(library.general, "He is called Rex.")
    assert "My dog is called Rex." in openai.prompts[-1]
    assert server.said(library.general)[-1].reply_to == asked.id


async def test_what_is_not_addressed_to_the_bot_is_not_answered(bot, server, openai, library):
    await bot.up()
    server.say(library.general, library.ada, "hello everybody")
    server.say(library.general, library.ada, f"{library.bob.mention} hello")
    bot.ask(library.general, library.ada, "hello")
    await bot.final(library.general, "Rex!")
    assert len(openai.chats) == 1


async def test_a_reply_to_the_bot_and_a_direct_message_are_answered(bot, server, openai, library):
    await bot.up()
    bot.ask(library.general, library.ada, "hello")
    (answer,) = await server.replied(library.general)
    await bot.final(library.general, "Rex!")
    server.say(library.general, library.ada, "and again", reply_to=answer, ping=False)
    await server.replied(library.general, 2)
    dm = server.dm(library.ada)
    server.say(dm, library.ada, "hello, just us")
    await bot.final(dm, "Rex!")


async def test_a_channel_that_was_closed_while_the_bot_was_away_is_closed_when_it_comes_back(
    bot, server, openai, library
):
    await bot.up()
    plans = server.channel(library.guild, "plans")
    bot.ask(plans, library.ada, "The party is in Kyoto.")
    await bot.final(plans, "Rex!")
    await bot.end()
    server.world.overwrite(plans, server.me, allow=Can.VIEW_CHANNEL)
    server.world.overwrite(plans, library.guild.everyone, deny=Can.VIEW_CHANNEL)
    await bot.up()
    bot.ask(library.general, library.bob, "Where is the party?")
    await bot.final(library.general, "Rex!")
    assert "Kyoto" not in openai.prompts[-1]


@pytest.mark.parametrize(
    ("token", "told"),
    [("", "DISCORD_BOT_TOKEN is not set"), ("xoxb-1", "Slack token"), ("wrong", "refuses DISCORD_BOT_TOKEN")],
)
async def test_without_a_token_or_with_a_refused_one_it_says_what_to_set_and_ends_with_78(bot, token, told):
    await bot.begin(DISCORD_BOT_TOKEN=token, LOG_LEVEL="WARNING")
    assert await bot.ended() == 78
    assert [told in line for line in bot.err.splitlines() if line.startswith("lorebot: ")] == [True]
    assert token == "wrong" or bot.err.count("\n") == 1  # before it asks, discord.py tells that it has no voice


async def test_without_the_intent_it_says_which_switch_and_ends_with_78(bot, server):
    server.rules.privileged = 0
    await bot.begin()
    assert await bot.ended() == 78
    assert "MESSAGE CONTENT INTENT" in bot.err
