"""What users of such bots complain about most, one promise a test: the unmodified `lorebot discord`, on real sockets.

Two are kept elsewhere too: however often the bot is killed, no reply is lost or doubled (7 and 11,
test_discord_kill.py), and a socket that falls silent is noticed (5, test_discord_watchdog.py, test_discord_life.py).
"""

import asyncio
import json
import re
import signal
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.budget import PER_MESSAGE, PER_PROMPT
from bot.models.openai_tokens import TiktokenTokenizer
from tests.discordlike.records import Can, Channel, Message
from tests.platforms.online import Library, Online, online

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Answers that try to call everyone, a role and Bob, in one way each.
CALLS = [
    "{call} wake up",
    "wake up,{call}!",
    "x{call}x",
    "\\{call}",
    "\\\\{call}",
    "**{call}** _{call}_ ~~{call}~~ ||{call}||",
    "`{call}` ``{call}``",
    "```\n{call}\n```",
    "```{call}\nwake up\n```",
    "> {call}",
    ">>> {call}",
    "# {call}\n- {call}\n1. {call}",
    "-# {call}",
    "[{call}](https://example.org)",
    "[wake up](https://example.org/{call})",
    "<{call}>",
    "@{call}",
    "{call}{call}{call}",
    "| a | {call} |\n|---|---|\n| {call} | b |",
    "\u200b{call}\u200b",
    "\u202e{call}\u202c",
    "{call}\u0301",
    "{call}\ufe0f",
    "\u2060{call}\ufeff",
    "a\r\n{call}\r\nb",
    "\t{call}\n\n\n{call}",
    "~~~\n{call}\n~~~",
    "````md\n```\n{call}\n```\n````",
    "- ```sh\n  {call}\n  ```",
    "> ```\n> {call}\n> ```",
    "``` {call}",
    "**{call}",
    "&lt;@&amp;1&gt; {call}",
    "<@&{call}",
    "![{call}]({call})",
    "{call}:\n" + "{call} " * 40,
    "word " * 398 + "{call}" + " word" * 20,
    "x" * 1996 + "{call}",
    "```py\n" + "x = 1\n" * 331 + "{call}\n" + "x = 1\n" * 10 + "```",
    "word " * 2500 + "{call}",  # in the file
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Online]:
    async with online() as bot:
        bot.home.settings |= {
            "LOREBOT_EMBEDDER": "openai",
            "LOREBOT_PERSON_PER_MINUTE": "0",
            "LOREBOT_TENANT_PER_MINUTE": "0",
        }
        await bot.start()
        yield bot


@pytest_asyncio.fixture(loop_scope="module")
async def bot(running: Online) -> AsyncIterator[Online]:
    """The bot, with a model that says Rex!, and all as Discord does it."""
    running.openai.answer = lambda prompt: "Rex!"
    running.openai.let_go, running.openai.first, running.openai.delay = None, "", 0.0
    yield running
    running.server.faults.clear()
    running.server.rules.old_after = 3600.0


@pytest_asyncio.fixture(loop_scope="module")
async def library(bot: Online) -> Library:
    return Library(bot.server)


@pytest_asyncio.fixture(loop_scope="module")
async def closed(bot: Online, library: Library) -> Channel:
    """A channel that Ada reads, and Bob does not."""
    channel = bot.server.channel(library.guild, "closed", hidden=[library.guild.everyone])
    for person in (bot.server.me, library.ada):
        bot.server.overwrite(channel, person, allow=Can.VIEW_CHANNEL)
    return channel


async def test_1_another_users_memories_do_not_show_up_in_my_answers(bot, library):
    elsewhere = Library(bot.server)
    await asyncio.gather(
        bot.replied(bot.server.dm(library.ada), library.ada, "My PIN is 4711."),
        bot.replied(elsewhere.general, elsewhere.ada, "My PIN is 4712."),
    )
    before = len(bot.openai.prompts)
    places = (bot.server.dm(library.bob), library.general)
    await asyncio.gather(*(bot.replied(place, library.bob, "What is Ada's PIN?") for place in places))
    assert len(bot.openai.prompts) == before + 2
    assert [prompt for prompt in bot.openai.prompts[before:] if "471" in prompt] == []


async def test_2_private_memories_do_not_surface_in_a_public_channel(bot, library, closed):
    thread = bot.server.thread(library.general, "between us", library.ada, private=True)
    bot.server.enter(thread, bot.server.me)
    places = (bot.server.dm(library.ada), closed, thread)
    said = (bot.replied(place, library.ada, f"My PIN is 471{number}.") for number, place in enumerate(places))
    await asyncio.gather(*said)
    await bot.replied(library.general, library.ada, "What is my PIN?")
    assert "471" not in bot.openai.prompts[-1]
    await bot.replied(closed, library.ada, "What is my PIN?")
    assert "4711" in bot.openai.prompts[-1]


async def test_2_what_was_public_is_private_as_soon_as_its_channel_is_closed(bot, library):
    plans = bot.server.channel(library.guild, "plans")
    await bot.replied(plans, library.ada, "The party is in Kyoto.")
    await bot.replied(library.general, library.bob, "Where is the party?")
    assert "Kyoto" in bot.openai.prompts[-1]
    bot.server.overwrite(plans, bot.server.me, allow=Can.VIEW_CHANNEL)
    bot.server.overwrite(plans, library.guild.everyone, deny=Can.VIEW_CHANNEL)
    lounge = bot.server.channel(library.guild, "lounge")
    await bot.replied(lounge, library.bob, "Where is the party?")
    assert "Kyoto" not in bot.openai.prompts[-1]


async def test_3_a_long_reply_is_neither_cut_nor_dropped(bot, library):
    sentences = [f"Sentence {number} tells of Rex and his bone." for number in range(600)]
    bot.openai.answer = lambda prompt: " ".join(sentences)
    bot.ask(library.general, library.ada, "Tell me all.")
    await bot.server.until(lambda: any(one.attachments for one in bot.server.said(library.general)))
    said = bot.server.said(library.general)
    assert all(len(one.text) <= 2000 for one in said)
    (file,) = said[-1].attachments
    told = [one.text for one in said[:-1]] + [file.data.decode()]
    assert " ".join(" ".join(told).split()) == " ".join(sentences)


async def test_4_a_code_block_that_is_split_stays_one_in_every_message(bot, library):
    lines = [f"    print('line {number} of the code')" for number in range(120)]
    bot.openai.answer = lambda prompt: "Here:\n```python\n" + "\n".join(lines) + "\n```\nDone."
    bot.ask(library.general, library.ada, "Show me.")
    await bot.server.until(lambda: any(one.text.endswith("Done.") for one in bot.server.said(library.general)))
    said = [one.text for one in bot.server.said(library.general)]
    blocks = [re.findall(r"^```python\n(.*?)\n```$", text, re.DOTALL | re.MULTILINE) for text in said]
    assert [len(found) for found in blocks] == [1] * len(said)
    assert "\n".join(found for (found,) in blocks).split("\n") == lines


async def test_5_after_a_resume_that_discord_rejects_the_bot_is_not_deaf(bot, library):
    """The session is gone, so that what is said until the next one is never delivered."""
    gateway = bot.server.gateway
    before = len(gateway.log)
    bot.server.sessions.forget()
    meanwhile = bot.ask(library.general, library.ada, "Are you deaf?")
    gateway.cut()
    await bot.server.until(lambda: _again(bot, before, "identify"))
    then = bot.ask(library.general, library.bob, "And now?")
    await bot.server.until(lambda: bot.replies(meanwhile) and bot.replies(then))
    done = [moment.what for moment in gateway.log[before:] if moment.what in ("resume", "identify")]
    assert done == ["resume", "identify"]
    assert (len(bot.replies(meanwhile)), len(bot.replies(then))) == (1, 1)


async def test_5_after_discord_asks_it_to_come_again_the_bot_is_not_deaf(bot, library):
    gateway = bot.server.gateway
    before = len(gateway.log)
    gateway.reconnect()
    meanwhile = bot.ask(library.general, library.ada, "Are you deaf?")
    await bot.server.until(lambda: _again(bot, before, "identify", "resume"))
    then = bot.ask(library.general, library.bob, "And now?")
    await bot.server.until(lambda: bot.replies(meanwhile) and bot.replies(then))
    assert (len(bot.replies(meanwhile)), len(bot.replies(then))) == (1, 1)


@pytest.mark.parametrize("resumable", [True, False])
async def test_5_after_an_invalid_session_the_bot_is_not_deaf(bot, library, resumable):
    before = len(bot.server.gateway.log)
    bot.server.gateway.invalidate(resumable=resumable)
    await bot.server.until(lambda: _again(bot, before, "identify", "resume"))
    asked = bot.ask(library.general, library.ada, "Are you deaf?")
    await bot.server.until(lambda: bot.replies(asked))


def _again(bot: Online, before: int, *ways: str) -> bool:
    """Tell whether the bot came back in one of these ways since so many moments were logged."""
    return bool({moment.what for moment in bot.server.gateway.log[before:]} & {*ways} and bot.server.gateway.ready)


@pytest.mark.parametrize("after", [False, True], ids=["lost", "carried out"])
async def test_7_a_reply_whose_sending_was_not_confirmed_is_there_once(bot, library, after):
    bot.server.faults.cut(on="POST /channels/*/messages", after=after)
    bot.server.faults.cut(on="PATCH /channels/*/messages/*", after=after)
    question, answer = await bot.answered(library.general, library.ada, "Who is my dog?")
    assert bot.replies(question) == bot.server.said(library.general) == [answer]
    assert answer.text == "Rex!"


async def test_7_half_a_character_in_an_answer_does_not_make_it_come_twice_or_never(bot, library):
    """A model that is cut amid an emoji says half of it, which Discord does not take."""
    bot.openai.answer = lambda prompt: "Rex \ud83d!"
    question = bot.ask(library.general, library.ada, "Who is my dog?")
    await bot.final(library.general, "Rex ?!", 6)
    assert len(bot.replies(question)) == 1


async def test_7_a_question_that_discord_delivers_twice_is_answered_once(bot, library):
    question, _ = await bot.answered(library.general, library.ada, "Who is my dog?")
    asked = len(bot.openai.chats)
    bot.server.world.emit("MESSAGE_CREATE", bot.server.talk.data(question), library.general)
    await bot.replied(library.general, library.bob, "And mine?")
    assert (len(bot.replies(question)), len(bot.openai.chats)) == (1, asked + 1)


async def test_9_an_answer_can_be_stopped(bot, library):
    bot.openai.let_go, bot.openai.first = asyncio.Event(), "It was "
    question = bot.ask(library.general, library.ada, "Tell me a story.")
    await bot.server.until(lambda: bot.server.said(library.general))
    (answer,) = bot.server.said(library.general)
    refused = bot.server.press(answer, library.bob, "Stop")
    await bot.server.until(lambda: refused.texts)
    assert ("Only whoever asked" in refused.texts[0], bot.openai.busy) == (True, 1)
    began = time.monotonic()
    bot.server.press(answer, library.ada, "Stop")
    await bot.server.until(lambda: bot.openai.busy == 0)
    assert time.monotonic() - began < 2  # half a second on a machine that does nothing else
    await bot.server.until(lambda: "(stopped)" in answer.text)
    assert answer.reply_to == question.id


async def test_10_the_model_pings_nobody(bot, library):
    """However it words it; the bot may mention everyone here, so that nothing but itself holds it back."""
    everyone = library.guild.everyone
    bot.server.permit(library.guild, everyone, everyone.permissions | Can.MENTION_EVERYONE)
    call = f"@everyone @here {everyone.mention} {library.bob.mention}"
    numbers = []

    def answer(prompt: str) -> str:
        numbers.append(int(re.findall(r"call (\d+)", prompt)[-1]))
        return CALLS[numbers[-1]].format(call=call)

    bot.openai.answer, bot.openai.delay = answer, 0.01  # with a delay, each is answered by its own prompt
    rooms = [bot.server.channel(library.guild, f"room-{number}") for number in range(len(CALLS))]
    asked = [bot.ask(room, library.ada, f"call {number}") for number, room in enumerate(rooms)]
    await asyncio.gather(*(bot.server.until(lambda one=one: _done(bot, one), 40) for one in asked))
    assert sorted(numbers) == list(range(len(CALLS)))
    said = [one for room in rooms for one in bot.server.said(room)]
    assert bot.server.broadcasts() == []
    assert [one.text for one in said if one.mentions] == []
    texts = [version.text for one in said for version in one.history]
    texts += [file.data.decode() for one in said for file in one.attachments]
    assert [text for text in texts if re.search(r"@everyone|@here|<@&\d", text)] == []


async def test_10_nobody_is_pinged_by_what_people_put_into_commands(bot, library):
    everyone = library.guild.everyone
    bot.server.permit(library.guild, everyone, everyone.permissions | Can.MENTION_EVERYONE | Can.MANAGE_GUILD)
    call = f"@everyone @here {everyone.mention} {library.bob.mention}"
    mallory = bot.server.person("@everyone")
    bot.server.join(library.guild, mallory)
    for person in (library.ada, mallory):
        room = bot.server.channel(library.guild, "room")
        asked = await _slashed(bot, room, person, "ask", {"question": call})
        await bot.server.until(lambda one=asked.original: bot.replies(one))
        await _slashed(bot, room, person, "chat", {"topic": call})
        await bot.told(room, person, "persona", {"text": call})
        await bot.told(room, person, "persona")
        await bot.told(room, person, "model", {"name": call})
        await bot.told(room, person, "memory list")
        await bot.told(room, person, "memory search", {"words": call})
        await bot.replied(room, person, call)
        await bot.told(room, person, "why")
    mine = [one for one in bot.server.talk.posted if one.author is bot.server.me]
    assert bot.server.broadcasts() == []
    assert [one.text for one in mine if library.bob.id in one.mentions] == []


async def _slashed(bot: Online, channel: Channel, person, name: str, options: dict[str, str]):
    interaction = bot.server.slash(channel, person, name, options)
    await interaction.answered()
    return interaction


def _done(bot: Online, question: Message) -> bool:
    """Tell whether the last message of an answer has its last buttons."""
    said = bot.server.said(question.channel)
    return bool(said) and "Why?" in said[-1].buttons


async def test_11_a_restart_loses_no_reply(bot, library):
    """Of two questions: one is being answered when the bot is told to end, one is asked while it is away."""
    bot.openai.let_go = asyncio.Event()
    under_way = bot.ask(library.general, library.ada, "Who is my dog?")
    await bot.server.until(lambda: bot.openai.busy)
    bot.process.send_signal(signal.SIGTERM)
    bot.openai.let_go.set()
    assert await asyncio.wait_for(bot.process.wait(), 30) == 0
    assert [one.text for one in bot.replies(under_way)] == ["Rex!"]
    meanwhile = bot.ask(library.general, library.bob, "And mine?")
    await bot.start()
    await bot.server.until(lambda: bot.replies(meanwhile))
    assert (len(bot.replies(under_way)), len(bot.replies(meanwhile))) == (1, 1)


async def test_12_an_edited_question_is_answered_anew_and_a_deleted_one_not_at_all(bot, library):
    bot.openai.let_go = asyncio.Event()
    asked = bot.ask(library.general, library.ada, "Who is Rex?")
    before = len(bot.openai.chats)
    await bot.server.until(lambda: len(bot.openai.chats) == before + 1)
    bot.server.edit(asked, f"{bot.server.me.mention} Who is Bello?")
    await bot.server.until(lambda: len(bot.openai.chats) == before + 2)
    assert "Who is Bello?" in bot.openai.prompts[-1]
    bot.server.delete(asked)
    await bot.server.until(lambda: bot.openai.busy == 0)
    assert [one for one in bot.server.said(library.general) if "Rex!" in one.text] == []


async def test_12_what_was_edited_is_remembered_as_it_is_and_what_was_deleted_not_at_all(bot, library):
    edited, _ = await bot.answered(library.general, library.ada, "The party is in Kyoto.")
    deleted, _ = await bot.answered(library.general, library.ada, "My PIN is 4711.")
    bot.server.edit(edited, f"{bot.server.me.mention} The party is in Paris.")
    bot.server.delete(deleted)
    lounge = bot.server.channel(library.guild, "lounge")
    await bot.replied(lounge, library.bob, "Where is the party, and what is the PIN?")
    assert "Paris" in bot.openai.prompts[-1]
    assert not re.search("Kyoto|4711", bot.openai.prompts[-1])


async def test_13_people_see_search_take_along_and_forget_what_is_remembered_of_them(bot, library):
    await bot.answered(library.general, library.ada, "My dog is called Rex.")
    await bot.replied(library.general, library.bob, "My cat is called Tom.")
    assert "My dog is called Rex." in await bot.told(library.general, library.ada, "memory list")
    assert "My cat" in await bot.told(library.general, library.bob, "memory search", {"words": "cat"})
    assert "My cat" not in await bot.told(library.general, library.ada, "memory search", {"words": "cat"})
    export = bot.server.slash(library.general, library.ada, "memory export")
    await bot.server.until(lambda: export.texts and export.messages[0].attachments)
    lines = [json.loads(line) for line in export.messages[0].attachments[0].data.decode().splitlines()]
    assert [line["text"] for line in lines] == ["My dog is called Rex.", "Rex!"]
    forget = bot.server.slash(library.general, library.ada, "memory forget", {"which": "all"})
    await bot.server.until(lambda: forget.texts and forget.messages[-1].components)
    assert "My cat" not in forget.texts[-1]
    done = bot.server.press(forget.messages[-1], library.ada, "Yes")
    await bot.server.until(lambda: any("forgotten" in text for text in done.texts))
    assert "Nothing is remembered" in await bot.told(library.general, library.ada, "memory list")
    assert "My cat" in await bot.told(library.general, library.bob, "memory list")


@pytest.mark.parametrize("everywhere", [False, True], ids=["of the channel", "of the bot"])
async def test_14_a_rate_limit_does_not_turn_an_answer_into_silence(bot, library, everywhere):
    faults = bot.server.faults
    sends = faults.limit(0.3, times=2, on="POST /channels/*/messages", everywhere=everywhere)
    edits = faults.limit(0.3, times=3, on="PATCH /channels/*/messages/*", everywhere=everywhere)
    bot.openai.let_go, bot.openai.first = asyncio.Event(), "It was "
    question = bot.ask(library.general, library.ada, "Who is my dog?")
    await bot.server.until(lambda: bot.server.said(library.general))
    bot.openai.let_go.set()
    answer = await bot.final(library.general, "It was Rex!")
    assert (sends.times, edits.times) == (0, 0), "all limits were met"
    assert bot.replies(question) == bot.server.said(library.general) == [answer]


async def test_14_a_rate_limit_beyond_all_patience_does_not_turn_an_answer_into_silence(bot, library):
    """discord.py tries a call five times; then we do."""
    limit = bot.server.faults.limit(0.05, times=8, on="POST /channels/*/messages")
    question, answer = await bot.answered(library.general, library.ada, "Who is my dog?")
    assert (limit.times, answer.text) == (0, "Rex!")
    assert bot.replies(question) == bot.server.said(library.general) == [answer]


async def test_14_a_message_that_may_not_be_edited_any_more_does_not_turn_an_answer_into_silence(bot, library):
    bot.server.rules.old_after, bot.server.rules.old_edit_retry_after = 0.0, 0.02
    bot.server.rules.edits_of_old = 0
    bot.openai.let_go, bot.openai.first = asyncio.Event(), "It was "
    question = bot.ask(library.general, library.ada, "Who is my dog?")
    await bot.server.until(lambda: bot.server.said(library.general))
    bot.openai.let_go.set()
    answer = await bot.final(library.general, "It was Rex!")
    assert bot.replies(question) == bot.server.said(library.general) == [answer]


async def test_15_memory_does_not_make_requests_grow_without_bound(bot, library):
    """100 long questions and as many long answers, of which every one tells something that the next asks about."""
    tokenizer = await asyncio.to_thread(TiktokenTokenizer.for_model, "gpt")
    rooms = [bot.server.channel(library.guild, f"room-{number}") for number in range(10)]
    before = len(bot.openai.chats)
    bot.openai.answer = lambda prompt: "The dog is called Rex. " + f"It was like this {len(prompt)}. " * 60

    async def crowd(room: Channel) -> None:
        for number in range(10):
            person = (library.ada, library.bob)[number % 2]
            bot.ask(room, person, f"What is dog {room.id}-{number} called? " + f"I saw {number} of {room.id}. " * 60)
            await bot.server.until(lambda asked=number: len(bot.server.said(room)) >= asked - 2, 40)
        await bot.server.until(lambda: len(bot.server.said(room)) == 10, 40)

    await asyncio.gather(*(crowd(room) for room in rooms))
    chats = bot.openai.chats[before:]
    assert len(chats) == 100
    costs = [[PER_MESSAGE + tokenizer.count(one["content"]) for one in chat["messages"]] for chat in chats]
    everything = sum(tokenizer.count(one.text) for room in rooms for one in room.messages)
    assert everything > 10 * 6000, "all of it would not fit"
    assert max(PER_PROMPT + sum(some) for some in costs) <= 6000
    assert max(map(len, costs)) <= 1 + 20 + 1
    assert max(sum(map(len, asked["input"])) for asked in bot.openai.embeddings) < 100_000
