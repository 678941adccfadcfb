"""Another embedder, an older schema: memory is brought over whole, and answers meanwhile."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from memory import connect, migrate
from memory.batch import command
from memory.embedder import Vectors
from memory.errors import EmbedderMismatch, LoreError, NewerMemory, RedisError
from memory.keys import Keys, tag
from memory.memory import Memory
from memory.records import Which
from memory.scope import Audience, Operator, Scope
from memory.views import IndexOptions, body, heading
from tests.fakes import ToyEmbedder

TEXTS = ["I have a dog", "I drink tea", "I live in Kyoto", "The kitten is asleep"]


class OtherEmbedder(ToyEmbedder):
    """Another model, of another size; it may break after some texts."""

    name = "other"

    def __init__(self, lasts: int = 1_000_000) -> None:
        super().__init__()
        self.lasts = lasts

    async def dim(self) -> int:
        return await super().dim() + 1

    async def embed(self, texts: Sequence[str]) -> Vectors:
        if len(self.embedded) + len(texts) > self.lasts:
            raise LoreError("the embedder broke")
        found = await super().embed(texts)
        return np.hstack([np.zeros((len(texts), 1), np.float32), found])


@pytest.fixture
async def told(memory: Memory, here, say) -> Memory:
    await memory.remember(here, [say(text) for text in TEXTS])
    return memory


async def best(memory: Memory, here: Scope, text: str) -> tuple[str, float]:
    found = (await memory.recall(here, text))[0]
    return found.turn.text, found.signals["vector"]


async def test_memory_of_another_embedder_is_refused_and_the_fix_named(told, client, keys):
    with pytest.raises(EmbedderMismatch, match="lorebot memory reembed"):
        await Memory.open(client, OtherEmbedder(), keys=keys)


async def test_a_model_of_the_same_name_and_another_size_is_refused(told, client, keys, here, monkeypatch):
    monkeypatch.setattr(OtherEmbedder, "name", "toy")
    memory = await Memory.open(client, OtherEmbedder(), keys=keys)
    with pytest.raises(EmbedderMismatch, match=r"toy \(7 dimensions, float16\).*toy \(8 dimensions, float16\)"):
        await memory.recall(here, "dog")


async def test_what_a_model_of_another_size_embeds_later_is_not_taken_for_done(
    told, client, keys, here, say, monkeypatch
):
    told.embedder.error = LoreError("away")
    await told.remember(here, [say("A birthday cake")])
    monkeypatch.setattr(OtherEmbedder, "name", "toy")
    done = await (await Memory.open(client, OtherEmbedder(), keys=keys)).upkeep()
    assert done.embedded == 0
    assert "toy (8 dimensions, float16)" in done.trouble
    told.embedder.error = None
    assert (await told.upkeep()).embedded == 1
    assert await best(told, here, "party") == ("A birthday cake", 1.0)


async def test_memory_is_opened_while_its_embedder_is_away(told, client, keys, here):
    class Away(ToyEmbedder):
        async def dim(self) -> int:
            raise LoreError("away")

    memory = await Memory.open(client, Away(), keys=keys)
    assert (await memory.recall(here, "puppy"))[0].turn.text == "I have a dog"


async def test_memory_is_embedded_anew_while_the_old_index_answers_and_can_be_gone_back_to(
    told, client, keys, here, say
):
    done = await migrate.reembed(client, OtherEmbedder(), keys, IndexOptions())
    assert (done.before, done.now, done.embedded) == (
        "toy (7 dimensions, float16)", "other (8 dimensions, float16)", 4,
    )  # fmt: skip
    assert await best(told, here, "puppy") == ("I have a dog", 1.0)  # one that was open goes on as it was
    new = await Memory.open(client, OtherEmbedder(), keys=keys)
    assert await best(new, here, "puppy") == ("I have a dog", 1.0)
    await new.remember(here, [say("My cat plays the piano")])
    with pytest.raises(EmbedderMismatch):
        await Memory.open(client, ToyEmbedder(), keys=keys)
    back = await migrate.reembed(client, ToyEmbedder(), keys, IndexOptions())
    assert back.embedded == 1
    old = await Memory.open(client, ToyEmbedder(), keys=keys)
    assert await best(old, here, "cats music") == ("My cat plays the piano", 1.0)


async def test_what_an_old_process_says_after_the_switch_is_embedded_by_upkeep(told, client, keys, here, say):
    await migrate.reembed(client, OtherEmbedder(), keys, IndexOptions())
    await told.remember(here, [say("A birthday cake")])
    new = await Memory.open(client, OtherEmbedder(), keys=keys)
    assert (await new.upkeep()).embedded == 1
    assert await best(new, here, "party") == ("A birthday cake", 1.0)


async def test_an_interrupted_change_goes_on_where_it_stopped(told, client, keys, here, say, monkeypatch):
    monkeypatch.setattr("memory.backfill.TOGETHER", 2)
    with pytest.raises(LoreError, match="the embedder broke"):
        await migrate.reembed(client, OtherEmbedder(lasts=2), keys, IndexOptions())
    assert await best(await Memory.open(client, ToyEmbedder(), keys=keys), here, "puppy") == ("I have a dog", 1.0)
    again = OtherEmbedder()
    steps: list[tuple[str, float | None]] = []
    await migrate.reembed(client, again, keys, IndexOptions(), lambda what, done: steps.append((what, done)))
    assert len(again.embedded) == 2
    assert ("embedding memory", 0.0) in steps


async def test_a_turn_edited_while_memory_is_embedded_anew_gets_the_vector_of_its_new_text(told, client, keys, here):
    class Editing(OtherEmbedder):
        async def embed(self, texts: Sequence[str]) -> Vectors:
            if any(text.endswith("I have a dog") for text in texts):
                await told.edit(here, "t1", "I have a piano")
            return await super().embed(texts)

    await migrate.reembed(client, Editing(), keys, IndexOptions())
    new = await Memory.open(client, OtherEmbedder(), keys=keys)
    assert await best(new, here, "music") == ("I have a piano", 1.0)


async def test_the_old_indexes_can_be_dropped(told, client, keys, here):
    await migrate.reembed(client, OtherEmbedder(), keys, IndexOptions())
    assert await migrate.drop_others(client, keys) == 1
    assert keys.generation(1).encode() not in await command(client, "FT._LIST")
    for key in await client.keys(f"{keys.turns}*"):
        assert await client.hexists(key, "vector2")
        assert not await client.hexists(key, "vector1")
    new = await Memory.open(client, OtherEmbedder(), keys=keys)
    assert await best(new, here, "puppy") == ("I have a dog", 1.0)
    with pytest.raises(RedisError, match="another embedder took its place"):
        await told.recall(here, "puppy")


async def test_an_embedder_whose_vectors_were_dropped_embeds_everything_again(told, client, keys, here, say):
    await told.remember(here, [say("A dog's life. " * 200, id="long")])
    await migrate.reembed(client, OtherEmbedder(), keys, IndexOptions())
    await migrate.reembed(client, ToyEmbedder(), keys, IndexOptions())
    assert await migrate.drop_others(client, keys) == 1
    for key in [*await client.keys(f"{keys.turns}*"), *await client.keys(f"{keys.passages}*")]:
        assert await client.hget(key, "embedded") == b"1"
    again = OtherEmbedder()
    done = await migrate.reembed(client, again, keys, IndexOptions())
    assert done.embedded == len(again.embedded) > len(TEXTS) + 1
    new = await Memory.open(client, OtherEmbedder(), keys=keys)
    assert new.generation.number == 3
    assert await best(new, here, "kitten") == ("The kitten is asleep", 1.0)


async def test_two_who_change_the_embedder_at_once_do_it_once(told, client, redis_url, keys, here):
    other = connect.client(redis_url)
    one, two = OtherEmbedder(), OtherEmbedder()
    await asyncio.gather(
        migrate.reembed(client, one, keys, IndexOptions()), migrate.reembed(other, two, keys, IndexOptions())
    )
    assert len(one.embedded) + len(two.embedded) == 4
    await connect.close(other)


async def as_the_first_schema_left_it(client, keys: Keys) -> None:
    """Write what the first schema would have written: two turns, an index, the embedder."""
    tenant, room = tag("tenant", "local:ada"), tag("conversation", "local:ada", "main")
    [ada, bot] = (tag("person", "local:ada", person) for person in ("ada", "lorebot"))
    public = tag("public", "local:ada")
    rows = [("q", "ada", "Ada", "user", "I have a dog"), ("q.reply", "lorebot", "Lorebot", "assistant", "A kitten?")]
    before = ""
    for number, (turn_id, person, author, role, text) in enumerate(rows, 1):
        digest = tag("turn", "local:ada", "main", turn_id)
        place = f"{number:016x}{digest}"
        [vector] = await ToyEmbedder().embed([text])
        await client.hset(
            f"{keys.turns}{{{tenant}}}:{digest}",
            mapping={
                "id": turn_id, "conversation": "main", "person": person, "author": author, "role": role, "text": text,
                "sent_at": number * 1000, "status": "whole", "place": place, "before": before,
                "reach": f"{room},{public}", "conversation_tag": room, "asker_tag": ada,
                "person_tag": ada if person == "ada" else bot, "words": body(text),
                "heading": heading(author, number * 1000), "vector": vector.astype(np.float16).tobytes(),
            },
        )  # fmt: skip
        before = body(text)
        await client.zadd(f"{keys.namespace}:timeline:{{{tenant}}}:{room}", {place: number * 1000})
    await client.zadd(f"{keys.namespace}:speakers:{{{tenant}}}:{room}", {"Ada": 1000})
    await client.set(f"{keys.namespace}:order:{{{tenant}}}", 2)
    fields = (
        "reach TAG conversation_tag TAG person_tag TAG sent_at NUMERIC SORTABLE words TEXT heading TEXT before TEXT"
    )
    vector = "vector VECTOR HNSW 6 TYPE FLOAT16 DIM 7 DISTANCE_METRIC COSINE"
    await command(client, *f"FT.CREATE {keys.index}:1 ON HASH PREFIX 1 {keys.turns} SCHEMA {fields} {vector}".split())
    await command(client, "FT.ALIASADD", keys.index, f"{keys.index}:1")
    await client.set(f"{keys.namespace}:embedder", "toy 7 float16")


async def test_memory_of_the_first_schema_is_migrated_when_it_is_opened(client, keys, here, say):
    await as_the_first_schema_left_it(client, keys)
    steps: list[str] = []
    memory = await Memory.open(client, ToyEmbedder(), keys=keys, progress=lambda what, done: steps.append(what))
    assert "migrating memory" in steps
    assert await best(memory, here, "puppy") == ("I have a dog", 1.0)
    assert [(turn.text, turn.to) for turn in await memory.recent(here)] == [
        ("I have a dog", None),
        ("A kitten?", "ada"),
    ]
    assert keys.generation(1).encode() not in await command(client, "FT._LIST")
    await memory.moved(Scope("local:ada", "main", "ada", Audience.PRIVATE))
    assert await memory.recall(Scope("local:ada", "other", "ada", Audience.PUBLIC), "puppy") == []
    assert (await memory.forget(here, Which(person="ada"))).turns == 2
    assert await client.keys(f"{keys.namespace}:speakers:*") == []
    again = await Memory.open(client, ToyEmbedder(), keys=keys)
    assert again.generation == memory.generation


async def a_thread_of_the_first_schema(client, keys: Keys, name: str, number: int, *more: str) -> None:
    """Write a turn of a thread that is open to the conversation main; more: the other tags that it carried."""
    tenant, room, parent = (
        tag("tenant", "local:ada"),
        *(tag("conversation", "local:ada", one) for one in (name, "main")),
    )
    digest, text = tag("turn", "local:ada", name, "t"), f"a dog in {name}"
    place = f"{number:016x}{digest}"
    [vector] = await ToyEmbedder().embed([text])
    await client.hset(
        f"{keys.turns}{{{tenant}}}:{digest}",
        mapping={
            "id": "t", "conversation": name, "person": "ada", "author": "Ada", "role": "user", "text": text,
            "sent_at": number * 1000, "status": "whole", "place": place, "before": "",
            "reach": ",".join((room, parent, *more)), "conversation_tag": room,
            "asker_tag": tag("person", "local:ada", "ada"), "person_tag": tag("person", "local:ada", "ada"),
            "words": body(text), "heading": heading("Ada", number * 1000),
            "vector": vector.astype(np.float16).tobytes(),
        },
    )  # fmt: skip
    await client.zadd(f"{keys.namespace}:timeline:{{{tenant}}}:{room}", {place: number * 1000})
    await client.set(f"{keys.namespace}:order:{{{tenant}}}", number)


@pytest.mark.parametrize("heard", [[], ["thread"], ["main"], ["main", "thread"], ["thread", "main"]])
async def test_threads_of_the_first_schema_are_closed_with_their_channel(client, keys, say, heard):
    main = Scope("local:ada", "main", "ada", Audience.PUBLIC)
    thread = Scope("local:ada", "thread", "ada", Audience.PUBLIC, parent="main", open_to_parent=True)
    other = Scope("local:ada", "other", "eve", Audience.PUBLIC)
    await as_the_first_schema_left_it(client, keys)
    await a_thread_of_the_first_schema(client, keys, "thread", 3, tag("public", "local:ada"))
    memory = await Memory.open(client, ToyEmbedder(), keys=keys)
    for name in heard:
        await memory.remember(main if name == "main" else thread, [say("a puppy", conversation=name)])
    assert "a dog in thread" in {one.turn.text for one in await memory.recall(other, "What about the dog?")}
    await memory.moved(replace(main, audience=Audience.PRIVATE))
    for _ in range(2):
        assert await memory.recall(other, "What about the dog?") == []
        assert "a dog in thread" in {one.turn.text for one in await memory.recall(main, "What about the dog?")}
        await memory.upkeep()


async def test_conversations_of_the_first_schema_are_exported_with_who_could_read_them(client, keys, here):
    await as_the_first_schema_left_it(client, keys)
    await a_thread_of_the_first_schema(client, keys, "open", 3, tag("public", "local:ada"))
    await a_thread_of_the_first_schema(client, keys, "secret", 4)
    memory = await Memory.open(client, ToyEmbedder(), keys=keys)
    found = {one.turn.conversation: one.conversation.audience async for one in memory.export(Operator(here.tenant))}
    assert found == {"main": Audience.PUBLIC, "open": Audience.PUBLIC, "secret": Audience.PRIVATE}


async def test_a_migration_that_was_interrupted_goes_on(client, keys, here, monkeypatch):
    await as_the_first_schema_left_it(client, keys)
    ensure = migrate.index.ensure

    async def broken(*_: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(migrate.index, "ensure", broken)
    with pytest.raises(RuntimeError):
        await Memory.open(client, ToyEmbedder(), keys=keys)
    monkeypatch.setattr(migrate.index, "ensure", ensure)
    await client.delete(keys.migrating)
    memory = await Memory.open(client, ToyEmbedder(), keys=keys)
    assert await best(memory, here, "puppy") == ("I have a dog", 1.0)
    assert (await memory.forget(here, Which())).turns == 2
    assert await client.keys(f"{keys.namespace}:speakers:*") == []


async def test_memory_of_a_newer_schema_is_refused(memory, client, keys):
    await client.hset(keys.generations, "1", '{"embedder": "toy", "dim": 7, "dtype": "float16", "schema": 99}')
    with pytest.raises(NewerMemory, match="update this one"):
        await Memory.open(client, ToyEmbedder(), keys=keys)


LONG = "It rains on the roof. " * 60 + "\n\nMy piano is out of tune. " + "It rains on the roof. " * 60


async def as_the_second_schema_left_it(memory: Memory) -> None:
    """Take away what the third schema added: cards, questions, passages."""
    client, keys = memory._client, memory.keys
    for key in await client.keys(f"{keys.turns}*"):
        turn = await client.hmget(key, "text", "before")
        await client.hdel(key, "card", "asks", "passages")
        await client.hset(key, mapping={"words": body(turn[0].decode()), "before": turn[1].decode().removeprefix("? ")})
    await client.delete(*await client.keys(f"{keys.passages}*"))
    made = '{"embedder": "toy", "dim": 7, "dtype": "float16", "schema": 2}'
    await client.hset(keys.generations, "1", made)


async def test_memory_of_the_second_schema_keeps_its_vectors_and_learns_of_passages_and_questions(
    memory, client, keys, here, say, embedder
):
    await memory.remember(here, [say("I have a dog"), say("Is it raining?"), say(LONG), say("I drink tea")])
    await as_the_second_schema_left_it(memory)
    embedder.embedded.clear()
    new = await Memory.open(client, embedder, keys=keys)
    assert new.generation.number == 2
    assert embedder.embedded == []  # what one passage holds keeps its vector
    assert await best(new, here, "puppy") == ("I have a dog", 1.0)
    assert (await new.upkeep()).embedded == 3
    found = (await new.recall(here, "music"))[0]
    assert found.excerpt.count("My piano") == 1
    assert found.signals["asked"] == 1.0
    assert (await new.latest(here)).total == 4
    assert (await new.forget(here, Which())).turns == 4
    assert await client.keys(f"{keys.passages}*") == []


async def test_another_language_rewrites_the_words_and_can_be_gone_back_from(told, client, keys, here, say):
    await told.remember(here, [say("Wir gingen in die Schwimmhallen"), say(LONG)])
    german = IndexOptions(language="german")
    with pytest.raises(EmbedderMismatch, match="LOREBOT_LANGUAGE"):
        await Memory.open(client, ToyEmbedder(), keys=keys, options=german)
    moved = await migrate.reembed(client, ToyEmbedder(), keys, german)
    assert moved.now == "toy (7 dimensions, float16, german)"
    new = await Memory.open(client, ToyEmbedder(), keys=keys, options=german)
    assert (await new.recall(here, "Schwimmhalle"))[0].turn.text.startswith("Wir gingen")
    assert (await new.recall(here, "Schwimmhalle"))[0].signals["own"] == 1.0
    assert await best(new, here, "puppy") == ("I have a dog", 1.0)
    assert (await new.recall(here, "music"))[0].excerpt.count("My piano") == 1
    await migrate.reembed(client, ToyEmbedder(), keys, IndexOptions())
    old = await Memory.open(client, ToyEmbedder(), keys=keys)
    assert (await old.recall(here, "Schwimmhalle"))[0].signals["own"] == 0.0
    assert await best(old, here, "puppy") == ("I have a dog", 1.0)
