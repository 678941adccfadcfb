"""`lorebot discord` without the privileged message content intent, and where it may not write."""

import asyncio
import json

import pytest

from tests.discordlike.records import Can
from tests.platforms.conftest import final, saying


@pytest.fixture
def unprivileged(home, server):
    """Let Discord withhold what messages say that do not address the bot, and the bot not ask for it."""
    server.rules.privileged = 0
    home.settings["LOREBOT_DISCORD_MESSAGE_CONTENT"] = "false"


async def test_without_the_intent_what_is_addressed_to_the_bot_is_answered(
    start, unprivileged, server, openai, library
):
    await start()
    server.say(library.general, library.ada, f"{server.me.mention} My dog is called Rex.")
    await final(server, library.general, "Rex!")
    (answer,) = server.said(library.general)
    openai.answer = lambda prompt: "In Kyoto."
    server.say(library.general, library.ada, "And where does he live?", reply_to=answer)
    await final(server, library.general, "In Kyoto.")
    assert "And where does he live?" in openai.prompts[-1]
    dm = server.dm(library.ada)
    openai.answer = lambda prompt: "Nobody else hears us."
    server.say(dm, library.ada, "Are we alone?")
    await final(server, dm, "Nobody else hears us.")
    assert "Are we alone?" in openai.prompts[-1]


async def test_without_the_intent_what_others_say_does_not_reach_the_bot(start, unprivileged, server, openai, library):
    server.say(library.general, library.bob, "The password is swordfish.")
    await start()
    server.say(library.general, library.bob, "I have changed it to marlin.")
    asked = server.say(library.general, library.bob, "Guess it!")
    server.say(library.general, library.ada, f"{server.me.mention} What is the password?", reply_to=asked)
    await final(server, library.general, "Rex!")
    (prompt,) = openai.prompts
    assert "What is the password?" in prompt
    assert [word for word in ("swordfish", "marlin", "Guess it!") if word in prompt] == []
    assert server.journal.of("GET", "/channels/{channel}/messages")  # it has looked, and was shown nothing


async def test_without_the_intent_a_reply_that_does_not_ping_is_not_answered_for_its_text_is_withheld(
    start, unprivileged, server, openai, library
):
    await start()
    server.say(library.general, library.ada, f"{server.me.mention} hello")
    await final(server, library.general, "Rex!")
    (answer,) = server.said(library.general)
    server.say(library.general, library.ada, "and quietly", reply_to=answer, ping=False)
    asked = server.say(library.general, library.bob, f"{server.me.mention} are you there?")
    await server.until(lambda: server.said(library.general)[-1].reply_to == asked.id)
    assert len(openai.chats) == len(server.said(library.general)) == 2
    assert "and quietly" not in openai.prompts[-1]


async def test_with_the_intent_what_others_say_is_seen(start, server, openai, library):
    server.say(library.general, library.bob, "The password is swordfish.")
    await start()
    server.say(library.general, library.ada, f"{server.me.mention} What is the password?")
    await final(server, library.general, "Rex!")
    assert "swordfish" in openai.prompts[-1]


async def test_where_it_may_not_write_it_stays_silent_and_asks_no_model(home, start, server, openai, library):
    home.settings["LOG_LEVEL"] = "INFO"
    process = await start()
    hall = server.channel(library.guild, "hall")
    server.world.overwrite(hall, server.me, deny=Can.SEND_MESSAGES)
    for text in ("hello?", "anybody?"):
        server.say(hall, library.ada, f"{server.me.mention} {text}")
    server.say(library.general, library.ada, f"{server.me.mention} hello")
    await final(server, library.general, "Rex!")
    assert len(openai.chats) == 1
    assert [one for one in server.journal.all if one.path.startswith(f"/channels/{hall.id}")] == []
    server.world.overwrite(hall, server.me)
    server.say(hall, library.ada, f"{server.me.mention} and now?")
    await final(server, hall, "Rex!")
    process.terminate()
    _, err = await asyncio.wait_for(process.communicate(), 30)
    told = [line for line in err.decode().splitlines() if "silent for want of permissions" in line]
    assert len(told) == 1
    assert (str(hall.id) in told[0], "Send Messages" in told[0], "hello?" in err.decode()) == (True, True, False)


async def test_the_doctor_tells_whose_token_it_is_and_what_it_may_hear(home, server, model):
    model.will(saying("Hello."))
    home.settings |= {"DISCORD_BOT_TOKEN": server.token, "LOREBOT_DISCORD_API": server.api}
    server.rules.privileged = 0
    ran = await home.run("doctor", "--json")
    found = {one["check"]: one for one in json.loads(ran.out)}
    assert found["DISCORD_BOT_TOKEN"]["text"] == f"{server.me.name}, application {server.me.id}"
    assert found["message content intent"]["verdict"] == "bad"
    assert "MESSAGE CONTENT INTENT" in found["message content intent"]["fix"]
    assert server.token not in ran.out + ran.err
