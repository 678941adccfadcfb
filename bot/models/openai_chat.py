"""Chat with any model that speaks OpenAI's API: OpenAI, Azure, Ollama, LM Studio, llama.cpp, vLLM."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from json import JSONDecodeError
from types import MappingProxyType
from typing import Any

from openai import APIError, AsyncOpenAI, AsyncStream, BadRequestError, UnprocessableEntityError

from bot.models.base import Finished, Image, Message, Piece, Tokenizer
from bot.models.connections import Connections
from bot.models.dialect import LIMITS, Dialect
from bot.models.endpoint import Endpoint
from bot.models.faults import Faults
from bot.models.openai_tokens import TiktokenTokenizer
from bot.models.sight import UNKNOWN, Images, sight
from bot.models.tokens import readable
from bot.models.windows import context_window as usual_window

USAGE_WAIT = 2.0  # seconds for token counts to follow once the reply is whole
MALFORMED = (JSONDecodeError, UnicodeDecodeError, TypeError, AttributeError, LookupError)  # a chunk of unknown form
KNOWN = frozenset({"role", "content", "refusal", "tool_calls", "function_call"})  # of a delta, by OpenAI

# Chunks as they are: made to the openai package's records, each would take three times as long, and an answer of
# OpenAI's has hundreds.
Chunks = AsyncStream[object]


@dataclass(frozen=True, slots=True)
class Part:
    """What a chunk adds to the reply. tokens: of prompt and completion."""

    text: str = ""
    finish: str | None = None
    tokens: tuple[int | None, int | None] | None = None
    alive: bool = False


class OpenAIChat:
    """Streams replies of a model, or of Azure's deployment, called `name`.

    images: whether it sees; auto goes by its name. extra: what else every request says.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        name: str,
        *,
        context_window: int | None = None,
        tokenizer: Tokenizer | None = None,
        images: Images = "auto",
        extra: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        self._endpoint = endpoint
        self._connections = Connections(endpoint)
        self._name = name
        self._context_window = context_window or usual_window(name)
        self._tokenizer = tokenizer or TiktokenTokenizer.for_model(name)
        self._sight = sight(name, images)
        self._extra = dict(extra)
        self._faults = Faults(endpoint, name, variable=endpoint.chat_variable)
        self._dialect = Dialect("max_completion_tokens" if endpoint.is_openai else "max_tokens")

    @property
    def name(self) -> str:
        """The model's or deployment's name."""
        return self._name

    @property
    def context_window(self) -> int:
        """Tokens that prompt and reply may take together."""
        return self._context_window

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that prompts are budgeted with."""
        return self._tokenizer

    @property
    def sees(self) -> bool:
        """Whether the model takes images."""
        return self._sight is not None

    @property
    def image_tokens(self) -> int:
        """The tokens that one image takes, at most."""
        return (self._sight or UNKNOWN).tokens

    async def stream(self, messages: Sequence[Message], *, max_tokens: int) -> AsyncIterator[Piece | Finished]:
        """Yield the reply piece by piece, then one Finished; closing the iterator closes the connection.

        Requests that fail before the reply begins are repeated by the openai package; a reply that has begun is not.
        Raises ModelError.
        """
        async with self._connections.used() as client:
            chunks = await self._asked(client, messages, max_tokens)
            try:
                part = Part()
                while part.finish is None:
                    part = await self._next(chunks)
                    if part.text:
                        yield Piece(part.text)
                if part.finish == "content_filter":
                    raise self._faults.filtered()
                if part.finish == "error":  # OpenRouter's word for a failure amid the reply
                    raise self._faults.truncated()
                prompt, completion = await self._tokens(chunks) or part.tokens or (None, None)
                yield Finished(part.finish == "length", prompt, completion)
            finally:
                await chunks.close()

    def telling(self, extra: Mapping[str, object]) -> "OpenAIChat":
        """Return this model, over the same connections, with more that every request says."""
        other = copy(self)
        other._extra = {**self._extra, **extra}
        return other

    async def warm(self) -> None:
        """Nothing takes time: the first request opens the connection."""

    async def close(self) -> None:
        """Close the connections, once what is under way is answered."""
        await self._connections.close()

    async def _asked(self, client: AsyncOpenAI, messages: Sequence[Message], max_tokens: int) -> Chunks:
        """Send the prompt, again in another dialect where the server does not know a parameter."""
        prompt = [{"role": message.role, "content": self._content(message)} for message in messages]
        tried: set[Dialect] = set()
        while True:
            tried.add(self._dialect)
            try:
                asked = self._dialect.parameters(None if self._extra.keys() & LIMITS else max_tokens)
                return await client.post(
                    "/chat/completions",
                    body={"model": self._name, "messages": prompt, "stream": True, **asked, **self._extra},
                    cast_to=object,
                    stream=True,
                    stream_cls=Chunks,
                )
            except (BadRequestError, UnprocessableEntityError) as error:
                other = self._dialect.adapted(str(error.body))
                if other is None or other in tried:
                    raise self._faults.before_reply(error) from error
                self._dialect = other
            except APIError as error:
                raise self._faults.before_reply(error) from error

    def _content(self, message: Message) -> str | list[dict[str, Any]]:
        """Return a message's text, in parts where it has images."""
        text = readable(message.content)
        if not message.images:
            return text
        detail = (self._sight or UNKNOWN).detail
        shown = [{"type": "image_url", "image_url": {"url": _data(one), "detail": detail}} for one in message.images]
        return [{"type": "text", "text": text}, *shown]

    async def _next(self, chunks: Chunks) -> Part:
        """Return the next part of the reply; pings and empty chunks are none, so they don't hold off the timeout."""
        try:
            async with asyncio.timeout(self._endpoint.stall_timeout):
                while True:
                    part = _read(await anext(chunks))
                    if part.alive:
                        return part
        except StopAsyncIteration as error:
            raise self._faults.truncated() from error
        except TimeoutError as error:
            raise self._faults.stalled() from error
        except APIError as error:
            raise self._faults.amid_reply(error) from error
        except MALFORMED as error:
            raise self._faults.malformed() from error

    async def _tokens(self, chunks: Chunks) -> tuple[int | None, int | None] | None:
        """Read to the end of the stream and return its token counts; the reply is whole, nothing fails it now."""
        tokens = None
        try:
            async with asyncio.timeout(USAGE_WAIT):
                while True:
                    tokens = _read(await anext(chunks)).tokens or tokens
        except (StopAsyncIteration, TimeoutError, APIError, *MALFORMED):
            return tokens


def _data(image: Image) -> str:
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"


def _read(chunk: Any) -> Part:
    """Return what a chunk says; servers leave out what the API promises."""
    usage = chunk.get("usage")
    tokens = (usage.get("prompt_tokens"), usage.get("completion_tokens")) if usage else None
    choices = chunk.get("choices")
    if not choices:
        return Part(tokens=tokens)
    delta, finish = choices[0].get("delta"), choices[0].get("finish_reason") or None
    if delta is None:
        return Part(finish=finish, tokens=tokens, alive=bool(finish))
    text = (delta.get("content") or "") + (delta.get("refusal") or "")
    return Part(text, finish, tokens, alive=bool(text or finish or _thinks(delta)))


def _thinks(delta: Mapping[str, object]) -> bool:
    """Say whether the delta carries something else than text: reasoning, as DeepSeek and llama.cpp send it."""
    return any(said for name, said in delta.items() if name not in KNOWN)
