"""Recall finds turns by meaning and by words, and tells why."""

from memory.scope import Audience, Scope


async def test_a_turn_is_found_by_meaning(memory, here, say):
    await memory.remember(here, [say("We got a puppy"), say("The piano is out of tune"), say("More coffee, please")])
    found = await memory.recall(here, "Do you have a pet?")
    assert found[0].turn.text == "We got a puppy"
    assert found[0].signals["vector"] == 1.0


async def test_a_turn_is_found_by_its_words_whatever_their_ending(memory, here, say):
    await memory.remember(here, [say("The flat is in Hamburg"), say("Fine, thanks"), say("I collected stamps")])
    found = await memory.recall(here, "Who collects a stamp?")
    assert found[0].turn.text == "I collected stamps"
    assert found[0].signals["text"] == 1.0


async def test_an_answer_is_found_by_the_question_before_it(memory, here, say):
    turns = [say("Where did you grow up?", "Bob"), say("On a farm in Wales"), say("And now?", "Bob"), say("Here")]
    await memory.remember(here, turns)
    found = await memory.recall(here, "Where did Ada grow up?", k=2)
    assert "On a farm in Wales" in [one.turn.text for one in found]


async def test_a_turn_is_found_by_its_day(memory, here, say):
    await memory.remember(here, [say("It rained", sent_at=1_600_000_000_000), say("It rained too")])
    found = await memory.recall(here, "What was the weather in September 2020?")
    assert found[0].turn.text == "It rained"


async def test_whom_the_question_names_is_preferred_not_required(memory, here, say):
    await memory.remember(here, [say("My birthday is in May", "Ada"), say("My birthday is in June", "Bob")])
    named = await memory.recall(here, "When is Bob's birthday?")
    assert [one.turn.author for one in named] == ["Bob", "Ada"]
    assert [one.signals["speaker"] for one in named] == [1.0, 0.0]


async def test_a_message_does_not_find_itself(memory, here, say):
    context = await memory.hear(here, say("I have a dog"), k=10, window=10)
    assert (context.recalled, context.recent) == ((), ())
    context = await memory.hear(here, say("Dogs are great"), k=10, window=10)
    assert [one.turn.text for one in context.recalled] == ["I have a dog"]
    assert [turn.text for turn in context.recent] == ["I have a dog"]


async def test_an_empty_memory_finds_nothing(memory, here):
    assert await memory.recall(here, "Anything?") == []


async def test_turns_of_the_same_millisecond_keep_their_order(memory, here, say):
    turns = [say(text, sent_at=1000) for text in "one two three four five six seven eight nine ten".split()]
    await memory.remember(here, turns)
    assert await memory.recent(here, 10) == tuple(turns)


async def test_a_text_that_comes_again_is_not_embedded_again(memory, here, say, embedder):
    await memory.hear(here, say("I have a dog"), k=1, window=1)
    embedder.embedded.clear()
    await memory.hear(here, say("I have a dog"), k=1, window=1)
    await memory.recall(here, "I have a dog")
    assert embedder.embedded == []


async def test_the_latest_turns_are_listed_newest_first(memory, here, say):
    turns = [say(f"turn {number}") for number in range(5)]
    await memory.remember(here, turns)
    listing = await memory.latest(here, count=2, skip=1)
    assert (listing.turns, listing.total) == ((turns[3], turns[2]), 5)


async def test_another_conversation_of_the_same_person_is_recalled_but_not_in_the_window(memory, here, say):
    there = Scope(here.tenant, "work", here.person, Audience.PUBLIC)
    await memory.remember(there, [say("The dog ate my report", conversation="work")])
    context = await memory.hear(here, say("What did the dog do?"), k=5, window=5)
    assert [one.turn.conversation for one in context.recalled] == ["work"]
    assert context.recent == ()


async def test_the_month_of_may_is_no_common_word(memory, here, say):
    await memory.remember(here, [say("It rained", sent_at=1_683_554_160_000), say("It rained too")])
    found = await memory.recall(here, "What happened in May?")
    assert (found[0].turn.text, found[0].signals["text"]) == ("It rained", 1.0)


async def test_words_are_found_in_other_scripts_and_forms(memory, here, say):
    turns = [say("昨日京都に行きました"), say("Bjo\u0308rn called"), say("x" * 500)]
    await memory.remember(here, turns)
    for asked, said in (("京都", 0), ("Who is Björn?", 1), ("x" * 500, 2)):
        found = await memory.recall(here, asked)
        assert turns[said] in [one.turn for one in found if one.signals["text"] > 0.5]


async def test_what_everybody_says_is_cached_once_and_not_for_every_name(memory, here, say, client, keys):
    for number in range(30):
        await memory.hear(here, say("Thanks a lot for the tea!", author=f"Person {number}"), k=1, window=1)
    cached = keys.tenant(here.tenant).embedding("toy", "Thanks a lot for the tea!")
    assert await client.hlen(cached) <= 2
