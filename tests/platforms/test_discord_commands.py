"""Commands, menus and buttons of `lorebot discord`, as people in a guild use them."""

import asyncio
import json

import pytest
import pytest_asyncio

from tests.discordlike.records import Can
from tests.platforms.online import Online

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def bot(bot: Online) -> Online:
    await bot.up()
    return bot


async def told(bot: Online, channel, person, name: str, options=None) -> str:
    """Give a command; return what the person reads."""
    interaction = bot.server.slash(channel, person, name, options)
    await interaction.answered()
    await bot.server.until(lambda: interaction.texts and not any(one.loading for one in interaction.messages))
    return "\n".join(interaction.texts)


async def answered(bot: Online, channel, person, text: str):
    """Ask something; return the question, and the answer with its last buttons."""
    question = bot.ask(channel, person, text)
    await bot.server.until(lambda: [one for one in bot.server.said(channel) if one.reply_to == question.id])
    answer = next(one for one in bot.server.said(channel) if one.reply_to == question.id)
    await bot.server.until(lambda: "Why?" in json.dumps(answer.components))
    return question, answer


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
    await answered(bot, library.general, library.bob, "What did Ada ask?")
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
    first, _ = await answered(bot, library.general, library.ada, "My dog is called Rex.")
    lounge = bot.server.channel(library.guild, "lounge")
    _, answer = await answered(bot, lounge, library.bob, "What is Ada's dog called?")
    said = await told(bot, lounge, library.bob, "why")
    link = f"https://discord.com/channels/{library.guild.id}/{library.general.id}/{first.id}"
    assert link in said
    assert "My dog is called Rex." in said
    pressed = bot.server.press(answer, library.ada, "Why?")
    await pressed.answered()
    await bot.server.until(lambda: any(link in text for text in pressed.texts))
    assert all(one.seen_by is library.ada for one in pressed.messages)


async def test_people_see_search_take_along_and_forget_what_is_remembered_of_them(bot, library):
    """Complaint: no way to see, correct or delete what the bot remembers."""
    await answered(bot, library.general, library.ada, "My dog is called Rex.")
    await answered(bot, library.general, library.bob, "My cat is called Tom.")
    assert "My dog is called Rex." in await told(bot, library.general, library.ada, "memory list")
    assert "My cat" in await told(bot, library.general, library.ada, "memory search", {"words": "cat"})
    export = bot.server.slash(library.general, library.ada, "memory export")
    await bot.server.until(lambda: export.texts and export.messages[0].attachments)
    lines = [json.loads(line) for line in export.messages[0].attachments[0].data.decode().splitlines()]
    assert [line["text"] for line in lines] == ["My dog is called Rex.", "Rex!"]
    forget = bot.server.slash(library.general, library.ada, "memory forget", {"which": "all"})
    await bot.server.until(lambda: forget.texts and forget.messages[-1].components)
    assert "My cat" not in forget.texts[-1]
    done = bot.server.press(forget.messages[-1], library.ada, "Yes")
    await bot.server.until(lambda: any("forgotten" in text for text in done.texts))
    listed = await told(bot, library.general, library.bob, "memory list")
    assert ("My dog" in listed, "My cat" in listed) == (False, True)


async def test_who_pauses_is_answered_and_not_remembered(bot, library):
    assert "nothing you say is remembered" in await told(bot, library.general, library.ada, "memory pause")
    await answered(bot, library.general, library.ada, "My PIN is 4711.")
    assert "4711" not in await told(bot, library.general, library.bob, "memory list")
    await told(bot, library.general, library.ada, "memory resume")
    await answered(bot, library.general, library.ada, "My dog is called Rex.")
    assert "Rex" in await told(bot, library.general, library.bob, "memory list")


async def test_stop_stops_the_model_within_half_a_second(bot, library):
    """Complaint: no way to stop an answer."""
    bot.openai.let_go = asyncio.Event()
    bot.openai.first = "It was "
    question = bot.ask(library.general, library.ada, "Tell me a story.")
    await bot.server.until(lambda: bot.server.said(library.general))
    (answer,) = bot.server.said(library.general)
    refused = bot.server.press(answer, library.bob, "Stop")
    await bot.server.until(lambda: refused.texts)
    assert ("Only whoever asked" in refused.texts[0], bot.openai.busy) == (True, 1)
    began = asyncio.get_running_loop().time()
    bot.server.press(answer, library.ada, "Stop")
    await bot.server.until(lambda: bot.openai.busy == 0)
    assert asyncio.get_running_loop().time() - began < 2  # half a second on a machine that does nothing else
    await bot.server.until(lambda: "(stopped)" in answer.text)
    assert answer.reply_to == question.id


async def test_regenerate_replaces_the_answer_and_its_turn(bot, library):
    _, answer = await answered(bot, library.general, library.ada, "Who is my dog?")
    bot.openai.answer = lambda prompt: "Bello, I think."
    bot.server.press(answer, library.ada, "Regenerate")
    await bot.server.until(lambda: answer.text == "Bello, I think.")
    await bot.server.until(lambda: "Why?" in json.dumps(answer.components))
    listed = await told(bot, library.general, library.ada, "memory list")
    assert ("Bello" in listed, "Rex!" in listed) == (True, False)
    assert len(bot.server.said(library.general)) == 1


async def test_ask_about_this_and_forget_this(bot, library):
    note = bot.server.say(library.general, library.bob, "The meeting is at noon in Kyoto.")
    form = bot.server.menu(library.general, library.ada, "Ask about this", note)
    await form.answered()
    bot.server.submit(form, question="Where is it?")
    await bot.final(library.general, "Rex!")
    assert "noon in Kyoto" in bot.openai.prompts[-1]
    question, _ = await answered(bot, library.general, library.ada, "My dog is called Rex.")
    others = bot.server.menu(library.general, library.bob, "Forget this", question)
    await bot.server.until(lambda: others.texts and "nothing of yours" in others.texts[-1])
    mine = bot.server.menu(library.general, library.ada, "Forget this", question)
    await bot.server.until(lambda: mine.texts and "Forgotten." in mine.texts[-1])
    assert "called Rex" not in await told(bot, library.general, library.ada, "memory list")


async def test_a_server_has_a_persona_and_a_model_of_its_own(bot, library):
    everyone = library.guild.everyone
    bot.server.permit(library.guild, everyone, everyone.permissions | Can.MANAGE_GUILD)
    assert "no persona" in await told(bot, library.general, library.ada, "persona")
    await told(bot, library.general, library.ada, "persona", {"text": "You are a pirate."})
    await answered(bot, library.general, library.ada, "Who are you?")
    assert "You are a pirate." in bot.openai.prompts[-1]
    assert "there is no model" in await told(bot, library.general, library.ada, "model", {"name": "gpt"})
    ran = await bot.home.run("llm", "create", "gpt", "--shared", "-p", "chat.model=other", "-p",
                             f"base_url={bot.openai.address}/v1")  # fmt: skip
    assert ran.code == 0, ran.err
    assert "`gpt` answers here" in await told(bot, library.general, library.ada, "model", {"name": "gpt"})
    await answered(bot, library.general, library.ada, "Who are you now?")
    assert bot.openai.chats[-1]["model"] == "other"
    await told(bot, library.general, library.ada, "persona", {"text": "none"})
    await answered(bot, library.general, library.ada, "Who are you at last?")
    assert "pirate" not in bot.openai.prompts[-1].split("Who are you at last?")[0].split("From memory")[0][:400]


async def test_lookup_answers_from_a_store_and_status_and_help_tell(bot, library):
    assert "nothing to look things up" in await told(
        bot, library.general, library.ada, "lookup", {"question": "badge?"}
    )
    for line in (
        "store create handbook --shared",
        "store add handbook Badges_are_made_on_the_ground_floor.",
        "app create ask --type search --store handbook --shared",
    ):
        ran = await bot.home.run(*(word.replace("_", " ") for word in line.split()))
        assert ran.code == 0, ran.err
    assert "Rex!" in await told(bot, library.general, library.ada, "lookup", {"question": "Where are badges made?"})
    assert "ground floor" in bot.openai.prompts[-1]
    assert "memory answers in" in await told(bot, library.general, library.ada, "status")
    assert "`/memory forget" in await told(bot, library.general, library.ada, "help")


async def test_a_button_outlives_the_process(bot, library):
    _, answer = await answered(bot, library.general, library.ada, "My dog is called Rex.")
    await bot.kill()
    registered = len(bot.server.journal.of("PUT", "/applications/{application}/commands"))
    await bot.start()
    assert len(bot.server.journal.of("PUT", "/applications/{application}/commands")) == registered, "they are known"
    why = bot.server.press(answer, library.ada, "Why?")
    await bot.server.until(lambda: any("recalled" in text for text in why.texts))
