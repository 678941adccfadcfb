"""Long turns: found by any part, costing that part, and gone with all their parts."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory import Audience, Memory, Scope, Which, split
from memory.batch import command
from tests.fakes import ToyEmbedder

FILLER = "It rains and rains on the roof. " * 28  # most of a piece
LONG = f"{FILLER}\n\nThe dog sleeps by the door. {FILLER}\n\nMy piano is out of tune. {FILLER}"


@given(st.text(alphabet="ab .?!\n\u3002", max_size=6000))
def test_pieces_hold_all_that_is_said_in_order(text: str):
    pieces = split.spans(text)
    said = "".join(text[start:end] for start, end in pieces)
    assert said.split() == [] or "".join(said.split()) == "".join(text.split())
    assert all(one[1] <= following[0] for one, following in pairwise(pieces))
    assert len(text) <= split.WHOLE or all(end - start <= split.PIECE for start, end in pieces) or not text.strip()


def test_a_text_is_cut_at_paragraphs():
    assert [LONG[start:end][:10] for start, end in split.spans(LONG)] == ["It rains a", "The dog sl", "My piano i"]


async def test_a_long_turn_is_found_by_its_third_paragraph_and_costs_no_more(memory: Memory, here, say):
    await memory.remember(here, [say(LONG), say("I drink tea")])
    found = (await memory.recall(here, "music"))[0]
    assert found.turn.text == LONG
    assert found.excerpt.startswith("My piano")
    assert len(found.excerpt) <= split.PIECE
    (by_words, *_) = await memory.recall(here, "dog")
    assert by_words.excerpt.startswith("The dog sleeps")
    assert [one.turn.id for one in await memory.recall(here, "dog")].count(found.turn.id) == 1


async def test_the_model_is_shown_the_passage_and_not_the_rest(talk):
    bot = talk("Oh.", "Out of tune.")
    await bot.say(LONG)
    await bot.memory.begin_anew(bot.scope)
    await bot.say("How is my piano?")
    shown = bot.model.prompts[-1][-1].content
    assert "My piano is out of tune" in shown
    assert "The dog sleeps" not in shown


async def test_it_counts_as_one_turn_where_turns_are_listed(memory: Memory, here, say):
    await memory.remember(here, [say(LONG), say("I drink tea")])
    assert (await memory.latest(here)).total == 2
    assert len(await memory.find(here, Which())) == 2


async def test_forgetting_it_leaves_no_part(memory: Memory, here, say, client, keys):
    await memory.remember(here, [say(LONG)])
    assert await client.keys(f"{keys.passages}*")
    assert (await memory.forget(here, Which())).turns == 1
    assert await client.keys(f"{keys.passages}*") == []
    assert await memory.recall(here, "piano") == []


async def test_an_edit_replaces_every_part(memory: Memory, here, say, client, keys):
    await memory.remember(here, [say(LONG), say("I drink tea")])
    await memory.edit(here, "t1", "A cake")
    assert await client.keys(f"{keys.passages}*") == []
    assert (await memory.recall(here, "party"))[0].excerpt == "A cake"
    await memory.edit(here, "t2", LONG)
    assert (await memory.recall(here, "music"))[0].excerpt.startswith("My piano")


async def test_every_part_follows_its_conversation_behind_closed_doors(memory: Memory, say):
    room = Scope("guild", "room", "ada", Audience.PUBLIC)
    elsewhere = Scope("guild", "elsewhere", "bob", Audience.PUBLIC)
    await memory.remember(room, [say(LONG)])
    assert await memory.recall(elsewhere, "piano")
    shut = Scope("guild", "room", "ada", Audience.PRIVATE)
    await memory.moved(shut)
    assert await memory.recall(elsewhere, "piano") == []
    await memory.upkeep()
    assert await memory.recall(elsewhere, "piano") == []
    assert (await memory.recall(shut, "piano"))[0].excerpt.startswith("My piano")


async def test_what_comes_before_helps_to_find_every_part(memory: Memory, here, say):
    await memory.remember(here, [say("What about the kettle?"), say(LONG)])
    found = {one.turn.id: one for one in await memory.recall(here, "kettle")}
    assert found["t2"].signals["answers"] > 0


async def test_a_very_long_turn_is_embedded_whole_in_time(client, keys, here, say, embedder: ToyEmbedder):
    memory = await Memory.open(client, embedder, keys=keys)
    text = "\n\n".join([f"{number} {FILLER}" for number in range(12)] + [f"My piano is out of tune. {FILLER}"])
    await memory.remember(here, [say(text)])
    assert len(embedder.embedded) == 8
    assert memory.chores.is_set()
    assert (await memory.upkeep()).embedded == 5
    assert (await memory.recall(here, "music"))[0].excerpt.startswith("My piano")


@pytest.mark.parametrize("vectors", [True, False])
async def test_it_comes_back_from_an_export(memory: Memory, here, say, client, vectors):
    await memory.remember(here, [say(LONG)])
    lines = [one async for one in memory.export(here, vectors=vectors)]
    await memory.forget(here, Which())
    await memory.bring_in(lines, lambda one: here)
    await memory.upkeep()
    assert (await memory.recall(here, "music"))[0].excerpt.startswith("My piano")
    assert int((await command(client, "FT.SEARCH", memory.keys.index, "-@embedded:{1}", "LIMIT", 0, 0))[0]) == 0
