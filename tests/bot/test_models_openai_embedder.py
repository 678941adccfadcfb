"""Embeddings over OpenAI's API: one unit vector a text, in order, or an error."""

from collections.abc import AsyncIterator

import numpy as np
import pytest
from pydantic import SecretStr

from bot.errors import ModelUnknown, ReplyBroken
from bot.models.endpoint import Endpoint
from bot.models.openai_embedder import OpenAIEmbedder
from tests.bot.model_server import ModelServer, Say


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


@pytest.fixture
async def embedder(server: ModelServer) -> AsyncIterator[OpenAIEmbedder]:
    endpoint = Endpoint(base_url=f"{server.address}/v1", api_key=SecretStr("sk-secret"), max_retries=0)
    embedder = OpenAIEmbedder(endpoint, "text-embedding-3-small")
    yield embedder
    await embedder.close()


def vectors(*rows: object, order: list[int] | None = None) -> Say:
    data = [{"index": at, "embedding": row, "object": "embedding"} for at, row in enumerate(rows)]
    return Say(body={"object": "list", "model": "m", "data": [data[at] for at in order or range(len(rows))]})


async def test_vectors_have_length_one_and_the_order_of_their_texts(
    server: ModelServer, embedder: OpenAIEmbedder
) -> None:
    server.will(vectors([3, 4], [0, 2], order=[1, 0]))
    found = await embedder.embed(["a", "b"])
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx(np.array([[0.6, 0.8], [0, 1]]))
    assert await embedder.dim() == 2
    assert len(server.seen) == 1


async def test_many_texts_go_in_batches(server: ModelServer, embedder: OpenAIEmbedder) -> None:
    server.will(vectors(*[[1, 0]] * 128), vectors(*[[0, 1]] * 72))
    assert (await embedder.embed(["text"] * 200)).shape == (200, 2)
    assert [len(seen.body["input"]) for seen in server.seen] == [128, 72]


async def test_blank_long_and_broken_texts_are_sent_as_the_api_takes_them(
    server: ModelServer, embedder: OpenAIEmbedder
) -> None:
    server.will(vectors([1, 0], [1, 0], [1, 0], [1, 0]))
    await embedder.embed(["", " \n", "word " * 20_000, "a\ud800"])
    blank, spaces, long, broken = server.seen[0].body["input"]
    assert (blank, spaces, broken) == ("(nothing)", "(nothing)", "a?")
    assert len(long) == pytest.approx(8_000 * 5, abs=10)


async def test_no_texts_make_no_vectors(server: ModelServer, embedder: OpenAIEmbedder) -> None:
    server.will(vectors([1, 0, 0]))
    assert (await embedder.embed([])).shape == (0, 3)


async def test_dimensions_are_asked_for_and_part_of_the_name(server: ModelServer) -> None:
    server.will(vectors([1, 0]))
    embedder = OpenAIEmbedder(Endpoint(base_url=server.address), "big", dimensions=2)
    await embedder.embed(["a"])
    assert server.seen[0].body["dimensions"] == 2
    assert (embedder.name, await embedder.dim()) == ("big@2", 2)
    await embedder.close()


@pytest.mark.parametrize(
    "said",
    [
        vectors([1, 0]),
        vectors([1, 0], [1, float("nan")]),
        vectors([1, 0], [0, 0]),
        vectors([1, 0], [1, 0, 0]),
        vectors([1, 0], None),
        vectors([1, 0], [1, 0], order=[0, 0]),
        Say(body={"data": None}),
        Say(body={}),
        Say(body="words"),
    ],
)
async def test_anything_but_one_finite_vector_a_text_is_an_error(
    server: ModelServer, embedder: OpenAIEmbedder, said: Say
) -> None:
    server.will(said)
    with pytest.raises(ReplyBroken):
        await embedder.embed(["a", "b"])


async def test_an_unknown_model_names_its_variable(server: ModelServer, embedder: OpenAIEmbedder) -> None:
    server.will(Say(404, {"error": {"message": "no such model"}}))
    with pytest.raises(ModelUnknown, match="LOREBOT_EMBED_MODEL"):
        await embedder.embed(["a"])


async def test_azure_classic_embeds_by_deployment(server: ModelServer) -> None:
    server.will(vectors([1, 0]))
    where = Endpoint(kind="azure", base_url=server.address, api_key=SecretStr("k"), api_version="2024-10-21")
    embedder = OpenAIEmbedder(where, "mine")
    await embedder.embed(["a"])
    assert server.seen[0].path == "/openai/deployments/mine/embeddings?api-version=2024-10-21"
    await embedder.close()
