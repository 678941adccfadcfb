"""The unmodified `lorebot discord` against a server that looks like Discord, and a model server of the test's."""

import asyncio
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


async def test_memories_of_direct_messages_and_closed_channels_do_not_surface_elsewhere(start, server, openai, library):
    """Complaints: another user's memories, and private ones, show up in public answers."""
    await start()
    closed = server.channel(library.guild, "closed", hidden=[library.guild.everyone])
    server.world.overwrite(closed, server.me, allow=Can.VIEW_CHANNEL)
    server.world.overwrite(closed, library.ada, allow=Can.VIEW_CHANNEL)
    dm = server.dm(library.ada)
    for place, secret in ((dm, "My PIN is 4711."), (closed, "My PIN is 4712.")):
        server.say(place, library.ada, f"{server.me.mention} {secret}")
        await final(server, place, "Rex!")
    server.say(library.general, library.bob, f"{server.me.mention} What is Ada's PIN?")
    await final(server, library.general, "Rex!")
    assert "47" not in openai.prompts[-1]


async def test_a_channel_that_is_closed_is_closed_for_the_next_recall(start, server, openai, library):
    await start()
    plans = server.channel(library.guild, "plans")
    server.say(plans, library.ada, f"{server.me.mention} The party is in Kyoto.")
    await final(server, plans, "Rex!")
    server.say(library.general, library.bob, f"{server.me.mention} Where is the party?")
    await final(server, library.general, "Rex!")
    assert "Kyoto" in openai.prompts[-1]
    server.world.overwrite(plans, server.me, allow=Can.VIEW_CHANNEL)
    server.world.overwrite(plans, library.guild.everyone, deny=Can.VIEW_CHANNEL)
    openai.answer = lambda prompt: "I do not know."
    lounge = server.channel(library.guild, "lounge")
    server.say(lounge, library.bob, f"{server.me.mention} Where is the party?")
    await final(server, lounge, "I do not know.")
    assert "Kyoto" not in openai.prompts[-1]


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


async def test_nobody_is_pinged_by_the_model(start, server, openai, library):
    """Complaint: the model pings @everyone."""
    await start()
    openai.answer = lambda prompt: f"@everyone @here <@&{library.guild.everyone.id}> {library.bob.mention} wake up"
    server.say(library.general, library.ada, f"{server.me.mention} wake them")
    await server.until(lambda: any("wake up" in one.text for one in server.said(library.general)))
    assert server.broadcasts() == []


async def test_a_long_reply_is_split_and_none_of_it_lost(start, server, openai, library):
    """Complaints: long replies cut at 2000 characters, code fences broken by splitting."""
    await start()
    lines = [f"line {number} of the code" for number in range(300)]
    openai.answer = lambda prompt: "Here:\n```python\n" + "\n".join(lines) + "\n```\nDone."
    server.say(library.general, library.ada, f"{server.me.mention} show me")
    await server.until(lambda: server.said(library.general) and "Done." in server.said(library.general)[-1].text)
    said = [one.text for one in server.said(library.general)]
    assert all(len(text) <= 2000 and text.count("```") % 2 == 0 for text in said)
    assert [line for line in lines if not any(line in text for text in said)] == []


async def test_an_edited_question_is_answered_anew_and_a_deleted_one_not_at_all(start, server, openai, library):
    """Complaint: edits and deletes ignored."""
    await start()
    openai.let_go = asyncio.Event()
    asked = server.say(library.general, library.ada, f"{server.me.mention} Who is Rex?")
    await server.until(lambda: len(openai.chats) == 1)
    server.edit(asked, f"{server.me.mention} Who is Bello?")
    await server.until(lambda: len(openai.chats) == 2)
    assert "Who is Bello?" in openai.prompts[-1]
    server.delete(asked)
    await server.until(lambda: openai.busy == 0)
    assert [one for one in server.said(library.general) if "Rex!" in one.text] == []


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


async def test_sigterm_answers_what_is_under_way(start, server, openai, library):
    process = await start()
    openai.let_go = asyncio.Event()
    server.say(library.general, library.ada, f"{server.me.mention} hello")
    await server.until(lambda: openai.busy)
    process.send_signal(signal.SIGTERM)
    openai.let_go.set()
    assert await asyncio.wait_for(process.wait(), 30) == 0
    assert [one.text for one in server.said(library.general)] == ["Rex!"]
