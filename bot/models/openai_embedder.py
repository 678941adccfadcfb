"""Embeddings of any server that speaks OpenAI's API."""

from collections.abc import Iterator, Mapping, Sequence
from json import JSONDecodeError
from types import MappingProxyType
from typing import Any

import numpy as np
from openai import APIError, omit
from openai.types import CreateEmbeddingResponse

from bot.errors import ReplyBroken
from bot.models.base import Tokenizer
from bot.models.connections import Connections
from bot.models.endpoint import Endpoint
from bot.models.faults import Faults
from bot.models.openai_tokens import TiktokenTokenizer
from bot.models.tokens import readable
from memory.embedder import Vectors

# OpenAI's limits (platform.openai.com/docs/api-reference/embeddings): 8,192 tokens a text, 300,000 tokens and 2,048
# texts a request. Fewer texts keep a request short.
TEXT_TOKENS = 8_000
BATCH_TOKENS = 250_000
BATCH_TEXTS = 128
NOTHING = "(nothing)"  # stands for blank texts, which the API refuses


class OpenAIEmbedder:
    """Embeds with a model, or with Azure's deployment, called `model`.

    dimensions: shorten vectors, where it can. extra: what else every request says.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        model: str,
        *,
        dimensions: int | None = None,
        tokenizer: Tokenizer | None = None,
        extra: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        self._connections = Connections(endpoint)
        self._model = model
        self._dimensions = dimensions
        self._tokenizer = tokenizer or TiktokenTokenizer.for_model(model)
        self._extra = dict(extra)
        self._faults = Faults(endpoint, model, variable=endpoint.embedding_variable)
        self._dim = dimensions

    @property
    def name(self) -> str:
        """The model's or deployment's name, with the dimensions that were asked for."""
        return f"{self._model}@{self._dimensions}" if self._dimensions else self._model

    @property
    def covers(self) -> str:
        """What it understands, for people."""
        return f"many languages if it is OpenAI's, {TEXT_TOKENS:,} tokens a passage"

    async def dim(self) -> int:
        """Return the vectors' size; asks the model once where `dimensions` does not tell."""
        if self._dim is None:
            await self.embed([NOTHING])
        assert self._dim is not None
        return self._dim

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one unit-length row a text, shape (len(texts), dim).

        Texts beyond 8,000 tokens are cut, blank ones count as "(nothing)". Raises ModelError; ReplyBroken where the
        server's vectors are not one a text, all of a size and finite.
        """
        if not texts:
            return np.empty((0, await self.dim()), dtype=np.float32)
        rows = [await self._vectors(batch) for batch in self._batches(texts)]
        if len({part.shape[1] for part in rows} | {self._dim or rows[0].shape[1]}) > 1:
            raise self._broken("vectors of different sizes")
        self._dim = rows[0].shape[1]
        return np.concatenate(rows)

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.close()

    def _batches(self, texts: Sequence[str]) -> Iterator[list[str]]:
        batch: list[str] = []
        room = BATCH_TOKENS
        for text in texts:
            fitting, tokens = self._fitting(text)
            if batch and (tokens > room or len(batch) == BATCH_TEXTS):
                yield batch
                batch, room = [], BATCH_TOKENS
            batch.append(fitting)
            room -= tokens
        yield batch

    def _fitting(self, text: str) -> tuple[str, int]:
        """Return the text as the API takes it, and the most tokens it can take."""
        text = readable(text) if text.strip() else NOTHING
        size = len(text.encode())  # never fewer than its tokens
        if size <= TEXT_TOKENS:
            return text, size
        return self._tokenizer.cut(text, TEXT_TOKENS), TEXT_TOKENS

    async def _vectors(self, texts: list[str]) -> Vectors:
        try:
            async with self._connections.used() as client:
                answer = await client.embeddings.create(
                    model=self._model,
                    input=texts,
                    encoding_format="float",  # not every compatible server knows base64
                    dimensions=self._dimensions or omit,
                    extra_body=self._extra,
                )
        except APIError as error:
            raise self._faults.before_reply(error) from error
        except JSONDecodeError as error:
            raise self._faults.malformed() from error
        try:
            return self._units(answer, len(texts))
        except (TypeError, ValueError, AttributeError) as error:
            raise self._broken("no vectors") from error

    def _units(self, answer: CreateEmbeddingResponse, count: int) -> Vectors:
        """Return the answer's vectors in the order of the texts, each of length one."""
        told = sorted(answer.data, key=lambda one: one.index)
        if [one.index for one in told] != list(range(count)):
            raise self._broken(f"{len(told)} vectors for {count} texts, or numbered wrongly")
        vectors: np.ndarray[Any, np.dtype[np.float64]] = np.array([one.embedding for one in told], dtype=np.float64)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (np.isfinite(lengths).all() and (lengths > 0).all()):
            raise self._broken("vectors that are zero or not finite")
        units: Vectors = (vectors / lengths).astype(np.float32)
        return units

    def _broken(self, what: str) -> ReplyBroken:
        where = self._faults.endpoint.address
        return ReplyBroken(f"{where} sent {what}; set {self._faults.variable} to an embedding model")
