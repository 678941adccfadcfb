"""What is forgotten is gone: from recall, the window, the caches, what was derived of it, and the disk."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
import redis.asyncio

from memory import connect
from memory.keys import Keys
from memory.memory import Memory
from memory.records import Forgotten, Turn, Which, answer_id
from memory.scope import Audience, Operator, Scope
from memory.server import EmbeddedServer
from tests.fakes import ToyEmbedder

TENANT = "discord:1"


def scope(conversation: str = "general", person: str = "ada", audience: Audience = Audience.PUBLIC) -> Scope:
    return Scope(TENANT, conversation, person, audience)


async def holding(client: "redis.asyncio.Redis", keys: Keys, *words: str) -> list[str]:
    """Return the keys under which any of the words stands, in whatever form."""
    found = []
    async for key in client.scan_iter(match=f"{keys.namespace}:*"):
        match await client.type(key):
            case b"hash":
                values = [part for pair in (await client.hgetall(key)).items() for part in pair]
            case b"zset":
                values = await client.zrange(key, 0, -1)
            case b"set":
                values = list(await client.smembers(key))
            case b"stream":
                values = [part for _, fields in await client.xrange(key) for pair in fields.items() for part in pair]
            case _:
                values = [await client.get(key)]
        text = b" ".join(values).lower()
        if any(word.lower().encode() in text for word in words):
            found.append(key.decode())
    return found


def said(say, text: str, author: str, conversation: str = "general", **changes) -> Turn:
    return say(text, author, conversation=conversation, **changes)


@pytest.fixture
async def told(memory: Memory, say) -> Memory:
    """Ada and Bob in two channels; the bot answers Ada."""
    secret = said(say, "My zebra eats quinoa", "Ada")
    answer = said(say, "A zebra named Xantippe?", "Lorebot", id=answer_id(secret.id), role="assistant", to="ada",
                  person="lorebot")  # fmt: skip
    await memory.remember(scope(), [said(say, "a dog first", "Bob"), secret, answer, said(say, "a dog last", "Bob")])
    await memory.remember(
        scope("staff", "bob", Audience.PRIVATE),
        [said(say, "another zebra, hush", "Ada", "staff"), said(say, "a dog in staff", "Bob", "staff")],
    )
    return memory


async def test_forgetting_a_turn_takes_its_answer_and_everything_derived_along(told, client, keys, say):
    await told.recall(scope(), "My zebra eats quinoa")  # cached
    assert len(await holding(client, keys, "quinoa")) == 2  # the turn, and the one after that holds its words
    assert await told.forget(scope(), Which(turns=(("general", "t1"),))) == Forgotten(2)
    assert await holding(client, keys, "quinoa", "xantippe") == []
    assert [turn.text for turn in await told.recent(scope())] == ["a dog first", "a dog last"]
    found = await told.recall(scope(), "zebra")
    assert all("zebra" not in one.turn.text for one in found)


async def test_what_a_late_turn_has_parted_from_its_words_is_forgotten_too(memory, client, keys, say):
    first, last, late = (said(say, text, "Ada") for text in ("My zebra", "a dog last", "a dog between"))
    await memory.remember(scope(), [first, last])
    await memory.remember(scope(), [replace(late, sent_at=last.sent_at - 1)])
    assert len(await holding(client, keys, "zebra")) == 2
    await memory.forget(scope(), Which(turns=(("general", first.id),)))
    assert await holding(client, keys, "zebra") == []


async def test_forgetting_a_person_reaches_every_conversation_of_the_tenant(told, client, keys):
    assert await told.forget(scope(), Which(person="ada")) == Forgotten(3)
    assert await holding(client, keys, "zebra", "quinoa", "xantippe", "Ada") == []
    assert [turn.text for turn in await told.recent(scope("staff", "bob", Audience.PRIVATE))] == ["a dog in staff"]


async def test_nobody_forgets_what_others_said_where_they_cannot_read(told):
    assert await told.forget(scope(), Which(person="bob")) == Forgotten(2)
    staff = scope("staff", "bob", Audience.PRIVATE)
    assert [turn.text for turn in await told.recent(staff)] == ["another zebra, hush", "a dog in staff"]


async def test_an_operator_forgets_a_conversation_that_only_some_can_read(told):
    assert await told.forget(Operator(TENANT), Which(conversation="staff")) == Forgotten(2)
    assert await told.recent(scope("staff", "bob", Audience.PRIVATE)) == ()


async def test_a_time_range_is_forgotten_and_its_end_stays(told):
    first, *_, last = await told.recent(scope())
    which = Which(since=first.sent_at, until=last.sent_at, conversation="general")
    assert len(await told.find(scope(), which)) == 3
    assert (await told.forget(scope(), which)).turns == 3
    assert await told.recent(scope()) == (last,)


async def test_what_a_search_found_is_forgotten_exactly(told):
    found = await told.recall(scope(), "quinoa", 1)
    which = Which(turns=tuple((one.turn.conversation, one.turn.id) for one in found))
    assert [turn.text for turn in await told.read(scope(), await told.find(scope(), which))] == ["My zebra eats quinoa"]
    assert (await told.forget(scope(), which)).turns == 2


async def test_another_tenant_keeps_what_has_the_same_name(told, say):
    other = Scope("discord:2", "general", "ada", Audience.PUBLIC)
    await told.remember(other, [said(say, "a dog elsewhere", "Ada")])
    await told.forget(scope(), Which(person="ada"))
    await told.forget(Operator(TENANT), Which())
    assert [turn.text for turn in await told.recent(other)] == ["a dog elsewhere"]


async def test_forgetting_all_of_a_tenant_leaves_no_text_and_no_turn(told, client, keys):
    assert (await told.forget(Operator(TENANT), Which())).turns == 6
    assert await holding(client, keys, "dog", "zebra", "Ada", "Bob") == []
    kinds = {key.decode().split(":")[1] for key in await client.keys(f"{keys.namespace}:*")}
    assert kinds.isdisjoint({"turn", "timeline", "speakers", "spoken", "fresh"})


async def test_names_are_known_as_long_as_somebody_of_that_name_has_a_turn(told, say):
    await told.remember(scope(), [said(say, "a dog again", "Ada")])

    async def names() -> tuple[str, ...]:
        batch = told.batch()
        glance = told.glance(batch, scope(), "x")
        await batch.send()
        return glance.value.speakers

    await told.forget(scope(), Which(turns=(("general", "t1"),)))
    assert await names() == ("Ada", "Bob")
    await told.forget(scope(), Which(turns=(("general", "t7"),)))
    assert await names() == ("Bob",)


async def test_the_same_id_may_be_remembered_again(told, say):
    await told.forget(scope(), Which(turns=(("general", "t1"),)))
    assert await told.remember(scope(), [said(say, "My cat eats fish", "Ada", id="t1")]) == [True]


async def test_an_edited_turn_is_found_by_what_it_says_now_alone(told, client, keys):
    assert await told.edit(scope(), "t1", "My kitten drinks tea")
    assert await holding(client, keys, "quinoa") == []
    assert (await told.recent(scope()))[0].text == "My kitten drinks tea"
    best = (await told.recall(scope(), "kitten tea"))[0]
    assert (best.turn.id, best.signals["vector"]) == ("t1", 1.0)
    assert not await told.edit(scope("staff"), "t1", "not here")


async def test_a_turn_edited_while_the_embedder_is_away_is_found_by_words_and_embedded_later(told, embedder):
    embedder.error = connect.RedisUnavailable("away")
    await told.edit(scope(), "t1", "My kitten drinks tea")
    assert (await told.recall(scope(), "kitten"))[0].signals["vector"] == 0.0
    embedder.error = None
    assert (await told.upkeep()).embedded == 1
    assert (await told.recall(scope(), "kitten"))[0].signals["vector"] == 1.0


async def test_what_a_paused_person_edits_is_forgotten_and_not_remembered(told, client, keys):
    await told.pause(scope())
    assert not await told.edit(scope(), "t1", "My walrus", live=True)
    assert await holding(client, keys, "quinoa") == await holding(client, keys, "walrus") == []
    assert "t1" not in [turn.id for turn in await told.recent(scope())]


async def test_what_a_paused_person_says_is_not_remembered_until_they_resume(memory, client, keys, say):
    await memory.pause(scope())
    context = await memory.hear(scope(), said(say, "My zebra", "Ada"), k=5, window=5)
    assert (context.paused, context.new) == (True, False)
    answer = said(say, "A zebra?", "Lorebot", id="t1.reply", role="assistant", to="ada")
    assert await memory.remember(scope(), [answer], live=True) == [False]
    assert await holding(client, keys, "zebra") == []
    assert await client.keys(memory.keys.every("embedding")) == []
    assert (await memory.hear(scope(person="bob"), said(say, "a dog", "Bob"), k=5, window=5)).new
    assert await memory.paused(scope())
    await memory.resume(scope())
    assert (await memory.hear(scope(), said(say, "a cat", "Ada"), k=5, window=5)).new


async def test_the_answer_to_a_turn_that_was_forgotten_meanwhile_is_not_remembered(memory, say):
    await memory.hear(scope(), said(say, "My zebra", "Ada", id="q"), k=5, window=5)
    await memory.forget(scope(), Which(person="ada"))
    answer = said(say, "A zebra?", "Lorebot", id=answer_id("q"), role="assistant", to="ada")
    assert await memory.remember(scope(), [answer], live=True) == [False]


async def test_turns_older_than_their_tenant_wants_are_forgotten(told, say):
    day = 24 * 3600 * 1000
    now = told.upkeep.__globals__["_now"]()
    other = Scope("discord:2", "general", "ada", Audience.PUBLIC)
    await told.remember(scope(), [said(say, "a dog today", "Ada", sent_at=now - day + 60_000)])
    await told.remember(other, [said(say, "an old dog elsewhere", "Ada")])
    await told.retain(scope(), 1)
    assert await told.retention(scope()) == 1
    assert (await told.upkeep()).expired == 6
    assert [turn.text for turn in await told.recent(scope())] == ["a dog today"]
    assert len(await told.recent(other)) == 1
    await told.retain(scope(), None)
    assert await told.retention(scope()) is None


async def test_a_byte_scan_of_the_disk_finds_nothing_of_what_was_forgotten(tmp_path: Path, say):
    server = EmbeddedServer(tmp_path / "redis")
    client = connect.client(await server.start())

    def on_disk(word: bytes) -> list[str]:
        return [str(file) for file in tmp_path.rglob("*") if file.is_file() and word in file.read_bytes()]

    try:
        memory = await Memory.open(client, ToyEmbedder())
        here = Scope("local:ada", "main", "ada", Audience.PUBLIC)
        await memory.remember(here, [say("Xylophones are my dog's love"), say("and a cat")])
        await memory.edit(here, "t2", "and a kitten named Quarkbeast")
        await memory.edit(here, "t2", "and a kitten")
        assert on_disk(b"Xylophones")
        assert on_disk(b"Quarkbeast")
        assert await memory.forget(here, Which(turns=(("main", "t1"),))) == Forgotten(1)
        async with asyncio.timeout(10):
            while on_disk(b"Xylophones") or on_disk(b"xylophon") or on_disk(b"Quarkbeast"):
                await asyncio.sleep(0.02)
        assert on_disk(b"and a kitten")
    finally:
        await connect.close(client)
        await server.stop()
