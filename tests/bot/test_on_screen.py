"""What stands around a message on the screen, and what memory knows of it: nothing stands in the prompt twice."""

from bot.records import Attachment, Seen


async def test_what_the_window_shows_is_not_shown_on_the_screen_again(talk, memory, here, say):
    await memory.remember(here, [say("My dog is called Rex")])
    bot = talk("Woof")
    await bot.say("Hello", context=[Seen("Ada", "My dog is called Rex", "t1"), Seen("Bob", "Good morning", "b1")])
    assert bot.model.last_prompt.count("My dog is called Rex") == 1
    assert "Good morning" in bot.model.last_prompt


async def test_what_stands_on_the_screen_is_not_recalled_again(talk, memory, here, say):
    await memory.remember(here, [say("My dog is called Rex")])
    bot = talk("Woof", window=0)
    await bot.say("What is my dog called?", context=[Seen("Ada", "My dog is called Rex", "t1")])
    assert bot.model.last_prompt.count("My dog is called Rex") == 1
    bot = talk("Woof", window=0)
    await bot.say("And what is my dog called?")
    assert bot.model.last_prompt.count("My dog is called Rex") == 1


async def test_what_is_not_known_to_be_in_memory_is_shown_as_it_is(talk):
    bot = talk("Woof")
    await bot.say("Hello", context=[Seen("Ada", "fine weather"), Seen("Bob", "indeed")])
    assert "fine weather" in bot.model.last_prompt
    assert "indeed" in bot.model.last_prompt


async def test_what_others_say_around_a_message_is_not_kept_with_it(talk):
    bot = talk()
    theirs, asked_about = Seen("Bob", "My PIN is 4711", "b1"), Seen("Bob", "Rex is a dog")
    files = [Attachment("mine.txt", "my text"), Attachment("theirs.txt", "their text", author="Bob")]
    asked = bot.incoming("Really?", context=[theirs, asked_about], attachments=files)
    await bot.engine.inbox.take_in(asked)
    await bot.engine.inbox.leave(asked)
    [kept] = await bot.engine.inbox.unfinished(bot.scope.tenant)
    assert (kept.context, kept.attachments) == ([asked_about], [files[0]])
