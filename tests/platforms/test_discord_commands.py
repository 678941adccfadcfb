"""Commands, menus and buttons of `lorebot discord`, as people in a guild use them."""

import pytest
import pytest_asyncio

from tests.discordlike.records import Can
from tests.platforms.online import Online

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def bot(bot: Online) -> Online:
    await bot.up()
    return bot


async def test_every_command_is_registered_and_offered_where_it_makes_sense(bot, library):
    names = {one["name"] for one in bot.server.commands}
    assert names >= set("ask chat new why memory persona model lookup usage status help privacy".split())
    assert {"Ask about this", "Forget this"} <= names
    with pytest.raises(PermissionError):
        bot.server.slash(library.general, library.ada, "persona", {"text": "a pirate"})
    with pytest.raises(LookupError):
        bot.server.slash(bot.server.dm(library.ada), library.ada, "model", {})


async def test_ask_answers_in_front_of_everybody_and_remembers(bot, library):
    interaction = bot.server.slash(library.general, library.ada, "ask", {"question": "Who is @everyone's dog?"})
    await interaction.answered()
    assert interaction.took < 1
    answer = await bot.final(library.general, "Rex!")
    assert answer.reply_to == interaction.original.id
    assert interaction.original.text.startswith("**Ada** asks: Who is")
    assert bot.server.broadcasts() == []
    await bot.answered(library.general, library.bob, "What did Ada ask?")
    assert "Who is" in bot.openai.prompts[-1]


async def test_chat_opens_a_thread_in_which_nobody_needs_to_mention_the_bot(bot, library):
    interaction = bot.server.slash(library.general, library.ada, "chat", {"topic": "my dog"})
    await interaction.answered()
    threads = lambda: [one for one in bot.server.world.channels.values() if one.parent is library.general]  # noqa: E731
    await bot.server.until(threads)
    (thread,) = threads()
    assert thread.name == "my dog"
    await bot.final(thread, "Rex!")
    bot.openai.answer = lambda prompt: "Bello!"
    bot.server.say(thread, library.ada, "and the other one?")
    await bot.final(thread, "Bello!")


async def test_why_shows_what_was_recalled_with_links(bot, library):
    first, _ = await bot.answered(library.general, library.ada, "My dog is called Rex.")
    lounge = bot.server.channel(library.guild, "lounge")
    _, answer = await bot.answered(lounge, library.bob, "What is Ada's dog called?")
    said = await bot.told(lounge, library.bob, "why")
    link = f"https://discord.com/channels/{library.guild.id}/{library.general.id}/{first.id}"
    assert link in said
    assert "My dog is called Rex." in said
    pressed = bot.server.press(answer, library.ada, "Why?")
    await pressed.answered()
    await bot.server.until(lambda: any(link in text for text in pressed.texts))
    assert all(one.seen_by is library.ada for one in pressed.messages)


async def test_who_pauses_is_answered_and_not_remembered(bot, library):
    assert "nothing you say is remembered" in await bot.told(library.general, library.ada, "memory pause")
    await bot.answered(library.general, library.ada, "My PIN is 4711.")
    assert "4711" not in await bot.told(library.general, library.ada, "memory list")
    await bot.told(library.general, library.ada, "memory resume")
    await bot.answered(library.general, library.ada, "My dog is called Rex.")
    assert "Rex" in await bot.told(library.general, library.ada, "memory list")


async def test_regenerate_replaces_the_answer_and_its_turn(bot, library):
    _, answer = await bot.answered(library.general, library.ada, "Who is my dog?")
    bot.openai.answer = lambda prompt: "Bello, I think."
    refused = bot.server.press(answer, library.bob, "Regenerate")
    await bot.server.until(lambda: refused.texts)
    assert "Only whoever asked" in refused.texts[0]
    bot.server.press(answer, library.ada, "Regenerate")
    await bot.server.until(lambda: answer.text == "Bello, I think.")
    await bot.server.until(lambda: "Why?" in answer.buttons)
    listed = await bot.told(library.general, library.ada, "memory list")
    assert ("Bello" in listed, "Rex!" in listed) == (True, False)
    assert len(bot.server.said(library.general)) == 1


async def test_ask_about_this_and_forget_this(bot, library):
    note = bot.server.say(library.general, library.bob, "The meeting is at noon in Kyoto.")
    form = bot.server.menu(library.general, library.ada, "Ask about this", note)
    await form.answered()
    bot.server.submit(form, question="Where is it?")
    await bot.final(library.general, "Rex!")
    assert "noon in Kyoto" in bot.openai.prompts[-1]
    question, _ = await bot.answered(library.general, library.ada, "My dog is called Rex.")
    others = bot.server.menu(library.general, library.bob, "Forget this", question)
    await bot.server.until(lambda: others.texts and "nothing of yours" in others.texts[-1])
    mine = bot.server.menu(library.general, library.ada, "Forget this", question)
    await bot.server.until(lambda: mine.texts and "Forgotten." in mine.texts[-1])
    assert "called Rex" not in await bot.told(library.general, library.ada, "memory list")


async def test_a_server_has_a_persona_and_a_model_of_its_own(bot, library):
    everyone = library.guild.everyone
    bot.server.permit(library.guild, everyone, everyone.permissions | Can.MANAGE_GUILD)
    assert "no persona" in await bot.told(library.general, library.ada, "persona")
    await bot.told(library.general, library.ada, "persona", {"text": "You are a pirate."})
    await bot.answered(library.general, library.ada, "Who are you?")
    assert "You are a pirate." in bot.openai.prompts[-1]
    assert "there is no model" in await bot.told(library.general, library.ada, "model", {"name": "gpt"})
    ran = await bot.home.run("llm", "create", "gpt", "--shared", "-p", "chat.model=other", "-p",
                             f"base_url={bot.openai.address}/v1")  # fmt: skip
    assert ran.code == 0, ran.err
    assert "`gpt` answers here" in await bot.told(library.general, library.ada, "model", {"name": "gpt"})
    await bot.answered(library.general, library.ada, "Who are you now?")
    assert bot.openai.chats[-1]["model"] == "other"
    await bot.told(library.general, library.ada, "persona", {"text": "none"})
    await bot.answered(library.general, library.ada, "Who are you at last?")
    assert "pirate" not in bot.openai.prompts[-1].split("Who are you at last?")[0].split("From memory")[0][:400]


async def test_a_channel_is_joined_remembered_and_learned_by_command(bot, library):
    everyone = library.guild.everyone
    bot.server.permit(library.guild, everyone, everyone.permissions | Can.MANAGE_GUILD)
    bot.server.say(library.general, library.bob, "The meeting is at noon in Kyoto.")
    assert "answer what is addressed" in await bot.told(library.general, library.ada, "channel")
    assert "`/channel remembers on`" in await bot.told(library.general, library.ada, "memory learn-channel")
    assert "remember everything" in await bot.told(library.general, library.ada, "channel", {"remembers": "on"})
    assert any("From now on I remember" in one.text for one in bot.server.said(library.general))
    assert "begin to learn" in await bot.told(library.general, library.ada, "memory learn-channel")
    await bot.server.until(lambda: any("I have learned" in one.text for one in bot.server.said(library.general)))
    lounge = bot.server.channel(library.guild, "lounge")
    await bot.answered(lounge, library.ada, "Where is the meeting?")
    assert "noon in Kyoto" in bot.openai.prompts[-1]
    assert "answer unasked" in await bot.told(lounge, library.ada, "channel", {"joins": "on"})
    bot.openai.answer = lambda prompt: "Here I am."
    bot.server.say(lounge, library.bob, "Is anybody here?")
    await bot.final(lounge, "Here I am.")


async def test_lookup_answers_from_a_store_and_status_and_help_tell(bot, library):
    assert "nothing to look things up" in await bot.told(library.general, library.ada, "lookup", {"question": "badge?"})
    for line in (
        "store create handbook --shared",
        "store add handbook Badges_are_made_on_the_ground_floor.",
        "app create ask --type search --store handbook --shared",
    ):
        ran = await bot.home.run(*(word.replace("_", " ") for word in line.split()))
        assert ran.code == 0, ran.err
    assert "Rex!" in await bot.told(library.general, library.ada, "lookup", {"question": "Where are badges made?"})
    assert "ground floor" in bot.openai.prompts[-1]
    assert "memory answers in" in await bot.told(library.general, library.ada, "status")
    assert "`/memory forget" in await bot.told(library.general, library.ada, "help")


async def test_a_button_outlives_the_process(bot, library):
    _, answer = await bot.answered(library.general, library.ada, "My dog is called Rex.")
    await bot.kill()
    registered = len(bot.server.journal.of("PUT", "/applications/{application}/commands"))
    await bot.start()
    assert len(bot.server.journal.of("PUT", "/applications/{application}/commands")) == registered, "they are known"
    why = bot.server.press(answer, library.ada, "Why?")
    await bot.server.until(lambda: any("recalled" in text for text in why.texts))
