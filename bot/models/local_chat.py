"""Chat on this machine: a GGUF model, served on loopback by a process of our own, spoken to as any other server."""

import asyncio
import importlib.util
import json
import secrets
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import SecretStr

from bot.errors import ModelUnavailable
from bot.models import gguf, gguf_tokens, llama_server
from bot.models.base import Finished, Message, Piece, Tokenizer
from bot.models.endpoint import Endpoint
from bot.models.extras import needs
from bot.models.openai_chat import OpenAIChat

CONTEXT = 8192  # tokens; more would cost memory that a local prompt never uses
EXIT_WAIT = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Served:
    """A running server and the chat with it."""

    process: Process
    chat: OpenAIChat


class LocalChat:
    """Streams replies of the model in `file`. The server starts at the first reply, and again where it has died."""

    def __init__(
        self, file: Path, *, threads: int = 1, stall_timeout: float = 60.0, context_window: int | None = None
    ) -> None:
        self._file = file
        self._threads = threads
        self._stall_timeout = stall_timeout
        self._wanted_window = context_window or CONTEXT
        self._starting = asyncio.Lock()
        self._served: Served | None = None

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self._file.stem

    @cached_property
    def context_window(self) -> int:
        """Tokens that prompt and reply may take together: 8192, or less where the model was trained on less.

        Reads the file. Raises WeightsError.
        """
        told = gguf.metadata(self._file)
        trained = told.get(f"{told.get('general.architecture')}.context_length")
        return min(self._wanted_window, trained) if isinstance(trained, int) else self._wanted_window

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The model's own tokenizer, or a bound of it (see gguf_tokens). Reads the file. Raises WeightsError."""
        return gguf_tokens.tokenizer(self._file)

    @property
    def sees(self) -> bool:
        """Whether the model takes images: it is loaded without what would read them."""
        return False

    @property
    def image_tokens(self) -> int:
        """The tokens that one image takes, at most: none is shown."""
        return 0

    async def stream(self, messages: Sequence[Message], *, max_tokens: int) -> AsyncIterator[Piece | Finished]:
        """Yield the reply piece by piece, then one Finished; closing the iterator stops the model at once.

        Raises ModelError, ModelUnavailable where the model can't be loaded; ExtraMissing without xllamacpp.
        """
        chat = (await self._running()).chat
        async with aclosing(chat.stream(messages, max_tokens=max_tokens)) as events:  # type: ignore[type-var]
            async for event in events:
                yield event

    async def warm(self) -> None:
        """Start the server now, so that the first reply need not wait for it."""
        await self._running()

    async def close(self) -> None:
        """Stop the server."""
        async with self._starting:
            served, self._served = self._served, None
            if served:
                await served.chat.close()
                await _stop(served.process)

    async def _running(self) -> Served:
        async with self._starting:
            if self._served and self._served.process.returncode is None:
                return self._served
            if self._served:
                await self._served.chat.close()
            self._served = await self._start()
            return self._served

    async def _start(self) -> Served:
        with needs("local", "xllamacpp"):
            if importlib.util.find_spec("xllamacpp") is None:
                raise ImportError("xllamacpp")
        await asyncio.to_thread(lambda: (self.context_window, self.tokenizer))
        key = secrets.token_urlsafe(32)  # loopback is open to everybody on this machine
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", llama_server.__file__), stdin=PIPE, stdout=PIPE, stderr=DEVNULL
        )
        try:
            address = await self._address(process, key)
        except BaseException:
            await _stop(process)
            raise
        endpoint = Endpoint(
            base_url=f"{address}/v1",
            api_key=SecretStr(key),
            stall_timeout=self._stall_timeout,
            max_retries=0,
            trust_env=False,  # a proxy does not reach our loopback
        )
        chat = OpenAIChat(endpoint, self.name, context_window=self.context_window, tokenizer=self.tokenizer)
        return Served(process, chat)

    async def _address(self, process: Process, key: str) -> str:
        assert process.stdin
        assert process.stdout
        wanted = {
            "model": str(self._file),
            "name": self.name,
            "key": key,
            "threads": self._threads,
            "context": self.context_window,
        }
        process.stdin.write(json.dumps(wanted).encode() + b"\n")
        address = (await process.stdout.readline()).decode().strip()
        if not address:
            raise ModelUnavailable(
                f"llama.cpp can't load {self._file}; set LOREBOT_CHAT_MODEL_PATH to a GGUF model that fits into memory"
            )
        return address


async def _stop(process: Process) -> None:
    """End the server: it ends with its standard input, and is killed where it does not."""
    assert process.stdin
    process.stdin.close()
    try:
        async with asyncio.timeout(EXIT_WAIT):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
