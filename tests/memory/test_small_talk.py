"""Small talk needs no memory, and what has nothing to do with a message is not recalled."""

import pytest

from memory import Memory, cue


@pytest.mark.parametrize(
    "text",
    [
        "Thanks, that helps a lot!",
        "morning!",
        "haha nice",
        "ok \U0001f44d",
        "\U0001f602",
        "Good evening Ada",
        "How are you?",
        "",
    ],
)
def test_small_talk_is_told_by_its_words(text: str):
    assert cue.read(text, ["Ada Lovelace"]).idle


@pytest.mark.parametrize(
    "text", ["Who am I?", "What was that?", "My dog is ill", "Where was it?", "Kyoto", "ok, and the dog?", "ok " * 13]
)
def test_what_may_need_memory_is_not(text: str):
    assert not cue.read(text, ["Ada Lovelace"]).idle


async def test_small_talk_is_answered_without_searching_and_still_remembered(talk):
    bot = talk("Noted.", "You are welcome!")
    await bot.say("Thanks to my dog Rex I get up early")
    await bot.memory.begin_anew(bot.scope)
    assert (await bot.say("thanks!")).recalled == ()
    assert (await bot.memory.latest(bot.scope)).total == 4


async def test_small_talk_is_found_by_whoever_searches_for_it(memory: Memory, here, say):
    await memory.remember(here, [say("thanks"), say("I have a dog")])
    assert await memory.recall(here, "thanks") == []
    assert (await memory.recall(here, "thanks", anyway=True))[0].turn.text == "thanks"


async def test_unrelated_turns_are_not_recalled_however_few_there_are(client, keys, embedder, here, say):
    memory = await Memory.open(client, embedder, keys=keys, floor=0.45)
    await memory.remember(here, [say("I have a dog"), say("I drink tea")])
    assert [one.turn.text for one in await memory.recall(here, "Is my puppy well?")] == ["I have a dog"]
    assert await memory.recall(here, "My piano") == []
