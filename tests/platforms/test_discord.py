"""The unmodified `lorebot discord` against a server that looks like Discord, and a model server of the test's."""

import asyncio

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


async def test_memories_of_direct_messages_and_closed_channels_do_not_surface_elsewhere(bot, server, openai, library):
    """Complaints: another user's memories, and private ones, show up in public answers."""
    await bot.up()
    closed = server.channel(library.guild, "closed", hidden=[library.guild.everyone])
    server.world.overwrite(closed, server.me, allow=Can.VIEW_CHANNEL)
    server.world.overwrite(closed, library.ada, allow=Can.VIEW_CHANNEL)
    dm = server.dm(library.ada)
    for place, secret in ((dm, "My PIN is 4711."), (closed, "My PIN is 4712.")):
        bot.ask(place, library.ada, secret)
        await bot.final(place, "Rex!")
    bot.ask(library.general, library.bob, "What is Ada's PIN?")
    await bot.final(library.general, "Rex!")
    assert "47" not in openai.prompts[-1]


async def test_a_channel_that_is_closed_is_closed_for_the_next_recall(bot, server, openai, library):
    await bot.up()
    plans = server.channel(library.guild, "plans")
    bot.ask(plans, library.ada, "The party is in Kyoto.")
    await bot.final(plans, "Rex!")
    bot.ask(library.general, library.bob, "Where is the party?")
    await bot.final(library.general, "Rex!")
    assert "Kyoto" in openai.prompts[-1]
    server.world.overwrite(plans, server.me, allow=Can.VIEW_CHANNEL)
    server.world.overwrite(plans, library.guild.everyone, deny=Can.VIEW_CHANNEL)
    openai.answer = lambda prompt: "I do not know."
    lounge = server.channel(library.guild, "lounge")
    bot.ask(lounge, library.bob, "Where is the party?")
    await bot.final(lounge, "I do not know.")
    assert "Kyoto" not in openai.prompts[-1]


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


async def test_nobody_is_pinged_by_the_model(bot, server, openai, library):
    """Complaint: the model pings @everyone."""
    await bot.up()
    openai.answer = lambda prompt: f"@everyone @here <@&{library.guild.everyone.id}> {library.bob.mention} wake up"
    bot.ask(library.general, library.ada, "wake them")
    await server.until(lambda: any("wake up" in one.text for one in server.said(library.general)))
    assert server.broadcasts() == []


async def test_a_long_reply_is_split_and_none_of_it_lost(bot, server, openai, library):
    """Complaints: long replies cut at 2000 characters, code fences broken by splitting."""
    await bot.up()
    lines = [f"line {number} of the code" for number in range(300)]
    openai.answer = lambda prompt: "Here:\n```python\n" + "\n".join(lines) + "\n```\nDone."
    bot.ask(library.general, library.ada, "show me")
    await server.until(lambda: server.said(library.general) and "Done." in server.said(library.general)[-1].text)
    said = [one.text for one in server.said(library.general)]
    assert all(len(text) <= 2000 and text.count("```") % 2 == 0 for text in said)
    assert [line for line in lines if not any(line in text for text in said)] == []


async def test_an_edited_question_is_answered_anew_and_a_deleted_one_not_at_all(bot, server, openai, library):
    """Complaint: edits and deletes ignored."""
    await bot.up()
    openai.let_go = asyncio.Event()
    asked = bot.ask(library.general, library.ada, "Who is Rex?")
    await server.until(lambda: len(openai.chats) == 1)
    server.edit(asked, f"{server.me.mention} Who is Bello?")
    await server.until(lambda: len(openai.chats) == 2)
    assert "Who is Bello?" in openai.prompts[-1]
    server.delete(asked)
    await server.until(lambda: openai.busy == 0)
    assert [one for one in server.said(library.general) if "Rex!" in one.text] == []


async def test_sigterm_answers_what_is_under_way(bot, server, openai, library):
    await bot.up()
    openai.let_go = asyncio.Event()
    bot.ask(library.general, library.ada, "hello")
    await server.until(lambda: openai.busy)
    bot.process.terminate()
    openai.let_go.set()
    assert await bot.ended() == 0
    assert [one.text for one in server.said(library.general)] == ["Rex!"]


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
