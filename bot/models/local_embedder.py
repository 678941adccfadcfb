"""Embeddings on this machine: an ONNX model, run by fastembed in a thread of its own."""

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import numpy as np

from bot.errors import WeightsError
from bot.models.extras import needs
from bot.models.tokens import readable
from memory.embedder import Vectors

Row = np.ndarray[Any, np.dtype[np.float32]]

SHIPPED = "bge-small-en-v1.5-int8"
LONGEST = 20_000  # characters; the model reads 512 tokens, the rest would only be tokenized


class LocalEmbedder:
    """Embeds with the model in `folder`: model.onnx, config.json and tokenizer.json, as fastembed takes them.

    One text a run: int8 models quantise as they go, so a text in a batch gets another vector than the same text
    alone. The model cuts at 512 tokens. It is loaded at the first call.
    """

    def __init__(
        self,
        folder: Path,
        name: str = SHIPPED,
        *,
        pooling: Literal["cls", "mean"] = "cls",
        threads: int = 1,
    ) -> None:
        self._folder = folder
        self._name = name
        self._pooling = pooling
        self._threads = threads
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedder")
        self._model: Any = None

    @property
    def name(self) -> str:
        """The model's name."""
        return self._name

    @property
    def covers(self) -> str:
        """What it understands, for people."""
        languages = "English only" if self._name == SHIPPED else "the languages of its model card"
        return f"{languages}, 512 tokens a passage"

    async def dim(self) -> int:
        """Return the vectors' size, as the model's config.json tells it. Raises WeightsError."""
        return await asyncio.to_thread(self._hidden_size)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one unit-length row a text, shape (len(texts), dim); about 2 ms a sentence.

        Raises WeightsError where the folder holds no model, ExtraMissing without fastembed.
        """
        loop = asyncio.get_running_loop()
        rows = [await loop.run_in_executor(self._thread, self._embed_one, text) for text in texts]
        return np.stack(rows) if rows else np.empty((0, await self.dim()), dtype=np.float32)

    async def close(self) -> None:
        """Let go of the model and its thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._model = None

    def _embed_one(self, text: str) -> Row:
        if self._model is None:
            self._model = self._load()
        (vector,) = self._model.embed([readable(text)[:LONGEST]])
        unit: Row = (vector / np.linalg.norm(vector)).astype(np.float32)
        return unit

    def _load(self) -> Any:
        with needs("local", "fastembed"):
            from fastembed import TextEmbedding
            from fastembed.common.model_description import ModelSource, PoolingType
        registered = f"lorebot/{uuid4()}"  # fastembed keeps one table a process and refuses a name twice
        dim = self._hidden_size()
        TextEmbedding.add_custom_model(
            model=registered,
            pooling=PoolingType.CLS if self._pooling == "cls" else PoolingType.MEAN,
            normalization=True,
            sources=ModelSource(hf=registered),  # never asked: the files are given
            dim=dim,
            model_file="model.onnx",
        )
        try:
            return TextEmbedding(registered, specific_model_path=str(self._folder), threads=self._threads)
        except Exception as error:  # onnxruntime and tokenizers raise bare exceptions of their own
            raise self._no_model() from error

    def _hidden_size(self) -> int:
        try:
            return int(json.loads((self._folder / "config.json").read_text())["hidden_size"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._no_model() from error

    def _no_model(self) -> WeightsError:
        return WeightsError(
            f"{self._folder} holds no embedding model; set LOREBOT_EMBED_MODEL to a folder with model.onnx, "
            "config.json and tokenizer.json"
        )
