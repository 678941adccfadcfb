"""The index: made once, whoever comes first, and never fed by two embedders."""

import asyncio

import pytest

from memory import connect, index
from memory.errors import EmbedderMismatch
from memory.memory import Memory
from memory.views import IndexOptions
from tests.fakes import ToyEmbedder


async def test_many_who_start_at_once_share_one_index(redis_url, keys, client):
    clients = [connect.client(redis_url) for _ in range(6)]
    await asyncio.gather(*(Memory.open(one, ToyEmbedder(), keys=keys) for one in clients))
    for one in clients:
        await connect.close(one)


async def test_an_index_whose_maker_died_before_it_was_named_is_named_by_the_next(redis_url, keys, here, monkeypatch):
    made = asyncio.Event()
    one, other = connect.client(redis_url), connect.client(redis_url)
    make = index._make

    async def making(*given: object) -> None:
        await make(*given)  # type: ignore[arg-type]
        if not made.is_set():
            made.set()
            await asyncio.Event().wait()  # it is killed here

    monkeypatch.setattr(index, "_make", making)
    dying = asyncio.create_task(Memory.open(one, ToyEmbedder(), keys=keys))
    await made.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    memory = await Memory.open(other, ToyEmbedder(), keys=keys)
    assert (await memory.latest(here)).total == 0
    for client in (one, other):
        await index.drop(client, keys)
        await connect.close(client)


async def test_another_form_of_vectors_is_refused(memory, client, keys):
    with pytest.raises(EmbedderMismatch, match=r"toy \(7 dimensions, float16\).*toy \(7 dimensions, float32\)"):
        await Memory.open(client, ToyEmbedder(), keys=keys, options=IndexOptions(dtype="float32"))


async def test_the_graph_is_built_as_set(client, keys):
    options = IndexOptions(m=8, ef_construction=32, dtype="float32")
    await Memory.open(client, ToyEmbedder(), keys=keys, options=options)
    told = str(await client.execute_command("FT.INFO", keys.index))
    assert all(word in told for word in ("HNSW", "FLOAT32", "'M', 8", "'ef_construction', 32"))
