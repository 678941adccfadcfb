"""The index: made once, whoever comes first, and never fed by two embedders."""

import asyncio

import pytest

from memory import connect
from memory.errors import EmbedderMismatch
from memory.memory import Memory
from memory.views import IndexOptions
from tests.fakes import ToyEmbedder


async def test_many_who_start_at_once_share_one_index(redis_url, keys, client):
    clients = [connect.client(redis_url) for _ in range(6)]
    await asyncio.gather(*(Memory.open(one, ToyEmbedder(), keys=keys) for one in clients))
    for one in clients:
        await connect.close(one)


async def test_another_form_of_vectors_is_refused(memory, client, keys):
    with pytest.raises(EmbedderMismatch, match=r"toy \(7 dimensions, float16\).*toy \(7 dimensions, float32\)"):
        await Memory.open(client, ToyEmbedder(), keys=keys, options=IndexOptions(dtype="float32"))


async def test_the_graph_is_built_as_set(client, keys):
    options = IndexOptions(m=8, ef_construction=32, dtype="float32")
    await Memory.open(client, ToyEmbedder(), keys=keys, options=options)
    told = str(await client.execute_command("FT.INFO", keys.index))
    assert all(word in told for word in ("HNSW", "FLOAT32", "'M', 8", "'ef_construction', 32"))
