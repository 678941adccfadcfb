"""`lorebot discord` without the privileged message content intent, and where it may not write."""

import pytest
import pytest_asyncio

from tests.discordlike.records import Can

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def unprivileged(bot):
    """Let Discord withhold what messages say that do not address the bot, and the bot not ask for it."""
    bot.server.rules.privileged = 0
    await bot.up(LOREBOT_DISCORD_MESSAGE_CONTENT="false")


async def test_without_the_intent_what_is_addressed_to_the_bot_is_answered(bot, unprivileged, server, openai, library):
    bot.ask(library.general, library.ada, "My dog is called Rex.")
    await bot.final(library.general, "Rex!")
    (answer,) = server.said(library.general)
    openai.answer = lambda prompt: "In Kyoto."
    server.say(library.general, library.ada, "And where does he live?", reply_to=answer)
    await bot.final(library.general, "In Kyoto.")
    assert "And where does he live?" in openai.prompts[-1]
    dm = server.dm(library.ada)
    openai.answer = lambda prompt: "Nobody else hears us."
    server.say(dm, library.ada, "Are we alone?")
    await bot.final(dm, "Nobody else hears us.")
    assert "Are we alone?" in openai.prompts[-1]


async def test_without_the_intent_what_others_say_does_not_reach_the_bot(bot, unprivileged, server, openai, library):
    server.say(library.general, library.bob, "The password is swordfish.")
    server.say(library.general, library.bob, "I have changed it to marlin.")
    asked = server.say(library.general, library.bob, "Guess it!")
    bot.ask(library.general, library.ada, "What is the password?", reply_to=asked)
    await bot.final(library.general, "Rex!")
    (prompt,) = openai.prompts
    assert "What is the password?" in prompt
    assert [word for word in ("swordfish", "marlin", "Guess it!") if word in prompt] == []
    assert server.journal.of("GET", "/channels/{channel}/messages")  # it has looked, and was shown nothing


async def test_without_the_intent_a_reply_that_does_not_ping_is_not_answered_for_its_text_is_withheld(
    bot, unprivileged, server, openai, library
):
    bot.ask(library.general, library.ada, "hello")
    await bot.final(library.general, "Rex!")
    (answer,) = server.said(library.general)
    server.say(library.general, library.ada, "and quietly", reply_to=answer, ping=False)
    asked = bot.ask(library.general, library.bob, "are you there?")
    await server.until(lambda: server.said(library.general)[-1].reply_to == asked.id)
    assert len(openai.chats) == len(server.said(library.general)) == 2
    assert "and quietly" not in openai.prompts[-1]


async def test_with_the_intent_what_others_say_is_seen(bot, server, openai, library):
    server.say(library.general, library.bob, "The password is swordfish.")
    await bot.up()
    bot.ask(library.general, library.ada, "What is the password?")
    await bot.final(library.general, "Rex!")
    assert "swordfish" in openai.prompts[-1]


async def test_where_it_may_not_write_it_stays_silent_and_asks_no_model(bot, server, openai, library):
    await bot.up()
    hall = server.channel(library.guild, "hall")
    server.world.overwrite(hall, server.me, deny=Can.SEND_MESSAGES)
    for text in ("hello?", "anybody?"):
        bot.ask(hall, library.ada, f"{text}")
    bot.ask(library.general, library.ada, "hello")
    await bot.final(library.general, "Rex!")
    assert len(openai.chats) == 1
    assert [one for one in server.journal.all if one.path.startswith(f"/channels/{hall.id}")] == []
    server.world.overwrite(hall, server.me)
    bot.ask(hall, library.ada, "and now?")
    await bot.final(hall, "Rex!")
    await bot.end()
    (told,) = bot.logged("silent for want of permissions")
    assert (told["channel"], told["missing"], "hello?" in bot.err) == (hall.id, "Send Messages", False)
