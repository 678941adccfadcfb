"""A message goes in, an answer comes out, and both are remembered."""

from bot.models.base import Finished, Piece
from bot.records import Answered


async def test_an_answer_comes_in_pieces_and_ends_with_what_it_was_made_from(talk):
    bot = talk(["Hello", " Ada!"])
    events = await bot.events(bot.incoming("Hi!", id="m1"))
    assert events[:2] == [Piece("Hello"), Piece(" Ada!")]
    assert isinstance(events[2], Answered)
    assert (events[2].answer, events[2].turn_id, events[2].model) == ("Hello Ada!", "m1", "scripted")


async def test_both_sides_are_remembered(talk):
    bot = talk("Nice to meet you, Ada.")
    await bot.say("I am Ada.")
    assert [(turn.author, turn.role, turn.text) for turn in await bot.memory.recent(bot.scope)] == [
        ("Ada", "user", "I am Ada."),
        ("Lorebot", "assistant", "Nice to meet you, Ada."),
    ]


async def test_the_model_sees_the_recent_window_in_order(talk):
    bot = talk("One.", "Two.", "Three.")
    for text in ("first", "second", "third"):
        await bot.say(text)
    spoken = [(message.role, message.content) for message in bot.model.prompts[-1][1:]]
    assert spoken == [
        ("user", "first"),
        ("assistant", "One."),
        ("user", "second"),
        ("assistant", "Two."),
        ("user", "third"),
    ]


async def test_what_left_the_window_is_recalled_as_a_dated_quote(talk, say, here):
    bot = talk("Rex.", window=2)
    await bot.memory.remember(here, [say("My dog is called Rex"), say("I play the piano"), say("I drink tea")])
    answered = await bot.say("What is my dog called?")
    assert answered.recalled[0].turn.text == "My dog is called Rex"
    assert '- 14 November 2023, Ada: "My dog is called Rex"' in bot.model.prompts[-1][-1].content


async def test_what_stands_in_the_window_is_not_quoted_again(talk):
    bot = talk("Good dog.", "Rex.")
    await bot.say("My dog is called Rex")
    answered = await bot.say("What is my dog called?")
    assert answered.recalled == ()
    assert bot.model.last_prompt.count("My dog is called Rex") == 1


async def test_a_fresh_start_empties_the_window_and_keeps_memory(talk):
    bot = talk("Good dog.", "Rex.")
    await bot.say("My dog is called Rex")
    await bot.memory.begin_anew(bot.scope)
    assert await bot.memory.recent(bot.scope) == ()
    answered = await bot.say("What is my dog called?")
    assert answered.recent == ()
    assert "My dog is called Rex" in [one.turn.text for one in answered.recalled]


async def test_a_reply_cut_by_its_limit_is_said_and_remembered_as_such(talk):
    bot = talk(["As I was say", Finished(cut=True)])
    events = await bot.events(bot.incoming("Talk!"))
    assert [type(event).__name__ for event in events] == ["Piece", "Notice", "Answered"]
    assert (await bot.memory.recent(bot.scope))[-1].status == "cut"
