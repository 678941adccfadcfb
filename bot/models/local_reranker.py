"""A reranker on this machine: a cross-encoder as ONNX, run by fastembed in a thread of its own."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from bot.errors import WeightsError
from bot.models.extras import needs
from bot.models.tokens import readable
from memory.reranker import Scores

FILES = ("model.onnx", "tokenizer.json", "tokenizer_config.json")

# Characters. The model reads 512 tokens of both together and cuts the longer one first: a long message must leave room
# for the passage, which memory cuts at about 300 words.
QUESTION, PASSAGE = 500, 2_000
FAR = 11.0  # what the model gives, as logits, goes from about -11 (about something else) to 11 (an answer)


class LocalReranker:
    """Scores with the model in `folder`, whose FILES are as fastembed takes them.

    A pair a run: int8 models quantise as they go, so a pair in a batch gets another score than the same pair alone, and
    what is padded to the longest costs more than it saves. The model is loaded at the first call.
    """

    def __init__(self, folder: Path, name: str = "ms-marco-MiniLM-L-12-v2-int8", *, threads: int = 1) -> None:
        self._folder = folder
        self._name = name
        self._threads = threads
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reranker")
        self._model: Any = None

    @property
    def name(self) -> str:
        """The model's name."""
        return self._name

    def check(self) -> None:
        """Look whether the folder has the model's files, without loading it. Raises WeightsError."""
        if not all((self._folder / name).is_file() for name in FILES):
            raise self._no_model()

    async def rerank(self, question: str, passages: Sequence[str]) -> Scores:
        """Return a score a passage, shape (len(passages),), from 0 to 1; about 15 ms for one of forty words.

        Linear in the logits: as probabilities nearly all would be 0.

        Raises WeightsError where the folder holds no model that scores, ExtraMissing without fastembed.
        """
        loop = asyncio.get_running_loop()
        scores = [await loop.run_in_executor(self._thread, self._score, question, passage) for passage in passages]
        return np.array(scores, dtype=np.float64)

    async def close(self) -> None:
        """Let go of the model and its thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._model = None

    def _score(self, question: str, passage: str) -> float:
        model = self._model = self._model or self._load()
        try:
            [score] = model.rerank(readable(question)[:QUESTION], [readable(passage)[:PASSAGE]])
        except Exception as error:  # onnxruntime and tokenizers raise bare exceptions of their own
            raise self._no_model() from error
        if not np.isfinite(score):
            raise self._no_model()
        return min(max((float(score) + FAR) / (2 * FAR), 0.0), 1.0)

    def _load(self) -> Any:
        with needs("local", "fastembed"):
            from fastembed.common.model_description import ModelSource
            from fastembed.rerank.cross_encoder import TextCrossEncoder
        registered = f"lorebot/{uuid4()}"  # fastembed keeps one table a process and refuses a name twice
        TextCrossEncoder.add_custom_model(
            model=registered,
            sources=ModelSource(hf=registered),  # never asked: the files are given
            model_file="model.onnx",
        )
        try:
            return TextCrossEncoder(registered, specific_model_path=str(self._folder), threads=self._threads)
        except Exception as error:  # as above
            raise self._no_model() from error

    def _no_model(self) -> WeightsError:
        return WeightsError(
            f"{self._folder} holds no reranking model; set LOREBOT_RERANKER to a folder with {', '.join(FILES)}, "
            "or to none"
        )
