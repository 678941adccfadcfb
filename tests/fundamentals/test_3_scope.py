"""Nobody recalls what they could not have read."""

import pytest

from memory.errors import ScopeError
from memory.scope import Audience, Scope

GUILD = "discord:1"


def scope(conversation: str, audience: Audience = Audience.PUBLIC, **more) -> Scope:
    return Scope(GUILD, conversation, "ada", audience, **more)


async def texts(memory, where: Scope) -> list[str]:
    return sorted(one.turn.text for one in await memory.recall(where, "What about the dog?"))


@pytest.fixture
async def told(memory, say):
    """A dog in a public channel, one in a private channel, one in a direct message."""
    for name, audience in (("general", Audience.PUBLIC), ("staff", Audience.PRIVATE), ("dm", Audience.DIRECT)):
        await memory.remember(scope(name, audience), [say(f"a dog in {name}", conversation=name)])
    return memory


async def test_public_turns_are_recalled_everywhere_in_their_tenant(told):
    assert await texts(told, scope("random")) == ["a dog in general"]
    assert await texts(told, scope("staff", Audience.PRIVATE)) == ["a dog in general", "a dog in staff"]
    assert await texts(told, scope("dm", Audience.DIRECT)) == ["a dog in dm", "a dog in general"]


async def test_nothing_crosses_into_another_tenant(told):
    elsewhere = Scope("discord:2", "general", "ada", Audience.PUBLIC)
    assert await texts(told, elsewhere) == []


async def test_where_outsiders_read_along_only_that_conversation_is_recalled(told):
    assert await texts(told, scope("general", outsiders=True)) == ["a dog in general"]
    assert await texts(told, scope("shared", outsiders=True)) == []


async def test_a_narrow_scope_recalls_its_own_conversation_alone(told):
    assert await texts(told, scope("staff", Audience.PRIVATE, narrow=True)) == ["a dog in staff"]


async def test_an_open_thread_of_a_private_channel_shares_its_reach(told, say):
    thread = scope("staff/thread", Audience.PRIVATE, parent="staff", open_to_parent=True)
    await told.remember(thread, [say("a dog in the thread", conversation="staff/thread")])
    both = ["a dog in general", "a dog in staff", "a dog in the thread"]
    assert await texts(told, thread) == both
    assert await texts(told, scope("staff", Audience.PRIVATE)) == both


@pytest.mark.parametrize("alone", ["narrow", "outsiders"])
async def test_a_conversation_alone_is_recalled_without_its_threads(told, say, alone):
    thread = scope("staff/thread", Audience.PRIVATE, parent="staff", open_to_parent=True)
    await told.remember(thread, [say("a dog in the thread", conversation="staff/thread")])
    assert await texts(told, scope("staff", Audience.PRIVATE, **{alone: True})) == ["a dog in staff"]


async def test_a_private_thread_keeps_to_itself(told, say):
    thread = scope("staff/secret", Audience.PRIVATE, parent="staff")
    await told.remember(thread, [say("a secret dog", conversation="staff/secret")])
    assert "a secret dog" not in await texts(told, scope("staff", Audience.PRIVATE))


@pytest.mark.parametrize("part", ["tenant", "conversation", "person"])
@pytest.mark.parametrize("empty", ["", "  ", None, []])
def test_an_empty_scope_is_an_error_and_never_everything(part, empty):
    with pytest.raises(ScopeError, match=part):
        Scope(**{"tenant": "t", "conversation": "c", "person": "p", "audience": Audience.PUBLIC, part: empty})


def test_an_unknown_audience_is_an_error():
    with pytest.raises(ScopeError, match="audience"):
        Scope("t", "c", "p", "everyone")


@pytest.mark.parametrize("other", [" c", "c ", "C", "c\x00", "c,public", "c" * 5000 + "x"])
async def test_ids_that_redis_would_confuse_stay_apart(memory, say, other):
    plain = "c" * 5000 if len(other) > 100 else "c"
    await memory.remember(scope(plain, Audience.PRIVATE), [say("a dog", conversation=plain)])
    assert await texts(memory, scope(other, Audience.PRIVATE)) == []


async def test_a_channel_made_private_is_closed_for_the_very_next_recall(told):
    await told.moved(scope("general", Audience.PRIVATE))
    assert await texts(told, scope("random")) == []
    assert await texts(told, scope("general", Audience.PRIVATE)) == ["a dog in general"]
    assert (await told.latest(scope("random"))).total == 0
    assert (await told.upkeep()).retagged == 1
    assert await texts(told, scope("random")) == []
    assert await texts(told, scope("general", Audience.PRIVATE)) == ["a dog in general"]


@pytest.mark.parametrize("number", ["7", "2023", "inf", "nan", "1e3", "0x10"])
async def test_a_closed_channel_stays_closed_to_questions_with_numbers(told, say, number):
    await told.remember(scope("random"), [say(f"{number} cats", conversation="random")])
    await told.moved(scope("general", Audience.PRIVATE))
    assert [one.turn.text for one in await told.recall(scope("random"), number)] == [f"{number} cats"]
    assert [one.turn.text for one in await told.recall(scope("random"), f"dog {number}")] == [f"{number} cats"]


async def test_a_channel_made_public_is_opened_by_upkeep(told):
    await told.moved(scope("staff"))
    assert await texts(told, scope("random")) == ["a dog in general"]
    await told.upkeep()
    assert await texts(told, scope("random")) == ["a dog in general", "a dog in staff"]


async def test_a_turn_whose_scope_says_that_fewer_read_closes_its_conversation(told, say):
    await told.remember(scope("general", Audience.PRIVATE), [say("now among us: a dog", conversation="general")])
    assert await texts(told, scope("random")) == []
    await told.upkeep()
    assert await texts(told, scope("random")) == []
    assert await texts(told, scope("general")) == ["a dog in general", "now among us: a dog"]


async def test_a_turn_that_is_not_kept_closes_its_conversation_too(told, say):
    await told.pause(scope("general"))
    here = scope("general", Audience.PRIVATE)
    assert (await told.hear(here, say("a dog", conversation="general"), k=5, window=5)).paused
    assert await texts(told, scope("random")) == []


async def test_a_turn_with_a_stale_scope_does_not_open_what_has_been_closed(told, say):
    await told.moved(scope("general", Audience.PRIVATE))
    await told.remember(scope("general"), [say("a dog said late", conversation="general")])
    thread = scope("general/thread", parent="general", open_to_parent=True)
    await told.remember(thread, [say("a dog in a thread", conversation="general/thread")])
    await told.upkeep()
    assert await texts(told, scope("random")) == []
    assert await texts(told, thread) == ["a dog in a thread", "a dog in general", "a dog said late"]


async def test_threads_are_closed_and_opened_with_their_channel(told, say):
    thread = scope("general/thread", parent="general", open_to_parent=True)
    await told.remember(thread, [say("a dog in a thread", conversation="general/thread")])
    await told.moved(scope("general", Audience.PRIVATE))
    for _ in range(2):  # before and after the turns have been tagged anew
        assert await texts(told, scope("random")) == []
        assert await texts(told, thread) == ["a dog in a thread", "a dog in general"]
        await told.upkeep()
    await told.moved(scope("general"))
    await told.upkeep()
    assert await texts(told, scope("random")) == ["a dog in a thread", "a dog in general"]


async def test_threads_are_closed_with_a_channel_in_which_nothing_was_ever_said(memory, say):
    thread = scope("quiet/thread", parent="quiet", open_to_parent=True)
    await memory.remember(thread, [say("a dog in a thread", conversation="quiet/thread")])
    assert await texts(memory, scope("random")) == ["a dog in a thread"]
    await memory.moved(scope("quiet", Audience.PRIVATE))
    for _ in range(2):
        assert await texts(memory, scope("random")) == []
        assert await texts(memory, scope("quiet", Audience.PRIVATE)) == ["a dog in a thread"]
        await memory.upkeep()


async def test_a_thread_that_was_heard_before_it_was_known_as_one_is_closed_with_its_channel(told, say):
    await told.remember(scope("thread"), [say("a dog in a thread", conversation="thread")])
    thread = scope("thread", parent="general", open_to_parent=True)
    await told.remember(thread, [say("another dog in a thread", conversation="thread")])
    await told.moved(scope("general", Audience.PRIVATE))
    for _ in range(2):
        assert await texts(told, scope("random")) == []
        await told.upkeep()
    assert await texts(told, thread) == ["a dog in a thread", "a dog in general", "another dog in a thread"]


async def test_a_thread_made_private_is_closed_to_its_channel(told, say):
    thread = scope("general/thread", parent="general", open_to_parent=True)
    await told.remember(thread, [say("a dog in a thread", conversation="general/thread")])
    secret = scope("general/thread", Audience.PRIVATE, parent="general")
    await told.moved(secret)
    for _ in range(2):
        assert await texts(told, scope("general")) == ["a dog in general"]
        assert await texts(told, secret) == ["a dog in a thread", "a dog in general"]
        await told.upkeep()


async def test_what_was_closed_while_somebody_searched_is_not_shown(told, monkeypatch):
    embed = told.embedder.embed

    async def closing(texts):
        await told.moved(scope("general", Audience.PRIVATE))
        return await embed(texts)

    monkeypatch.setattr(told.embedder, "embed", closing)
    assert await told.recall(scope("random"), "Has anybody a dog there?") == []


async def test_words_said_in_private_are_not_found_through_the_next_public_turn(memory, say):
    await memory.remember(scope("staff", Audience.PRIVATE), [say("We buy Zyxcorp", conversation="staff")])
    await memory.moved(scope("staff"))
    await memory.remember(scope("staff"), [say("ok", conversation="staff")])
    [found] = await memory.recall(scope("general"), "Zyxcorp")
    assert (found.turn.text, found.signals["text"]) == ("ok", 0.0)


async def test_the_same_id_in_another_conversation_is_another_turn(memory, say):
    await memory.remember(scope("general"), [say("a dog in general", conversation="general", id="1")])
    context = await memory.hear(scope("random"), say("dogs?", conversation="random", id="1"), k=5, window=5)
    assert [one.turn.text for one in context.recalled] == ["a dog in general"]


async def test_threads_are_opened_with_a_channel_in_which_nothing_was_ever_said(memory, say):
    thread = scope("quiet/thread", Audience.PRIVATE, parent="quiet", open_to_parent=True)
    await memory.remember(thread, [say("a dog in a thread", conversation="quiet/thread")])
    assert await texts(memory, scope("random")) == []
    await memory.moved(scope("quiet"))
    await memory.upkeep()
    assert await texts(memory, scope("random")) == ["a dog in a thread"]
