"""Named models, made ready to chat and to embed; each is made once and kept while it is the same."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast
from urllib.parse import urlsplit

from pydantic import SecretStr

from bot.errors import ObjectError
from bot.models import weights
from bot.models.base import ChatModel
from bot.registry import parameters
from bot.registry.objects import DEFAULT, OPERATOR, Created, How, Kind, Named, Objects
from bot.registry.parameters import AzureOpenAI, LlmRef, Local, OpenAI
from bot.registry.secrets import Vault
from bot.settings import DEFAULT_CHAT_MODEL, DEFAULT_EMBED_MODEL, Settings
from memory.embedder import Embedder

if TYPE_CHECKING:
    from bot.models.endpoint import Endpoint
    from bot.models.openai_chat import OpenAIChat

MOST_KEPT = 200  # models that are ready; beyond it the one that was asked for longest ago is closed

Fetch = Callable[[weights.Weights], Awaitable[Path]]

# What a tenant may not say: it tells where our machine connects to.
_OPERATORS = ("base_url", "http", "chat.chat_path", "embedding.embedding_path")


CONFIGURED = Named(Kind.LLM, DEFAULT, OPERATOR, "configured", {}, DEFAULT, shared=True)


class Configured(Protocol):
    """Makes the models that the settings name."""

    async def chat(self) -> ChatModel:
        """Return the model that answers."""
        ...

    async def embedder(self) -> Embedder:
        """Return the model that embeds."""
        ...

    async def fetched(self, wanted: weights.Weights) -> Path:
        """Return where weights are, fetched first where they are missing."""
        ...


class Models:
    """Creates named models, and makes them ready."""

    def __init__(
        self,
        objects: Objects,
        vault: Vault,
        settings: Settings,
        configured: Configured,
        *,
        most_kept: int = MOST_KEPT,
    ) -> None:
        self._objects = objects
        self._vault = vault
        self._settings = settings
        self._configured = configured
        self._most_kept = most_kept
        self._ready: dict[Hashable, asyncio.Future[ChatModel | Embedder]] = {}

    async def create(
        self,
        name: str,
        params: Mapping[str, Any],
        how: How = How(),
        *,
        type_: str = "openai",
    ) -> Created:
        """Make a named model. Raises ObjectError naming what is wrong with its parameters."""
        if type_ not in parameters.MODELS:
            raise ObjectError(f"{type_} is no type of model; these are: {', '.join(parameters.MODELS)}")
        kept = dict(params)
        if not isinstance(kept.get("api_key", "$"), str):
            raise ObjectError('api_key: a text is wanted, such as "$OPENAI_API_KEY"')
        _may(how.owner, type_, kept)
        if "api_key" in kept:
            kept["api_key"] = self._vault.seal(kept["api_key"])
        parameters.read(parameters.MODELS[type_], kept, f"the parameters of {name}")
        return await self._objects.create(Kind.LLM, name, type_, kept, how)

    async def find(self, name: str, *, owner: str = OPERATOR) -> Named:
        """Return a named model; `default` is the configured one, where nobody has made one. Raises ObjectMissing."""
        found = await self._objects.find(name, owner=owner)
        return CONFIGURED if found is None and name == DEFAULT else Objects.checked(found, Kind.LLM, name)

    async def list(self, *, owner: str = OPERATOR) -> list[Named]:
        """Return the models that an owner may use, by name."""
        found = await self._objects.list(Kind.LLM, owner=owner)
        usual = [] if DEFAULT in {one.name for one in found} else [CONFIGURED]
        return sorted([*usual, *found], key=lambda one: one.name)

    async def chat(self, ref: LlmRef, *, owner: str = OPERATOR, params: Mapping[str, Any] | None = None) -> ChatModel:
        """Return a model that chats; params: what the API is told beside what the model and the reference say.

        Raises ObjectError, ObjectMissing, WeightsError.
        """
        named = await self.find(ref.key, owner=owner)
        told = {**ref.params, **(params or {})}
        shape = self._read(named)
        if shape is None or isinstance(shape, Local):
            if told:
                raise ObjectError(f"the model {named.name} takes no parameters: {', '.join(sorted(told))}")
        else:
            parameters.read(parameters.Passed, told, f"the parameters for {named.name}")
        made = cast("ChatModel", await self._made(("chat", named.version), lambda: self._chat(named, shape)))
        return cast("OpenAIChat", made).telling(told) if told else made

    async def embedder(self, ref: LlmRef, *, owner: str = OPERATOR) -> Embedder:
        """Return a model that embeds. Raises ObjectError, ObjectMissing, WeightsError."""
        named = await self.find(ref.key, owner=owner)
        shape = self._read(named)
        key = ("embedding", named.version, json.dumps(ref.params, sort_keys=True))
        return cast("Embedder", await self._made(key, lambda: self._embedder(named, shape, ref.params)))

    async def close(self) -> None:
        """Close all that were made."""
        while self._ready:
            await self._drop(next(iter(self._ready)))

    def _read(self, named: Named) -> parameters.Model | None:
        """Return a model's parameters; None for the configured one."""
        if named.type == "configured":
            return None
        return parameters.read(parameters.MODELS[named.type], named.params, f"the parameters of {named.name}")

    async def _made(self, key: Hashable, make: Callable[[], Awaitable[ChatModel | Embedder]]) -> ChatModel | Embedder:
        """Return what is ready under a key, made now by the first who asks; what failed is made again."""
        while (ready := self._ready.pop(key, None)) is not None:
            if not ready.done() or not (ready.cancelled() or ready.exception()):
                self._ready[key] = ready  # the last to be dropped
                return await asyncio.shield(ready)
        ready = self._ready[key] = asyncio.ensure_future(make())
        while len(self._ready) > self._most_kept:
            await self._drop(next(iter(self._ready)))
        return await asyncio.shield(ready)

    async def _drop(self, key: Hashable) -> None:
        ready = self._ready.pop(key)
        (made,) = await asyncio.gather(ready, return_exceptions=True)
        if not isinstance(made, BaseException):
            await made.close()

    async def _chat(self, named: Named, shape: parameters.Model | None) -> ChatModel:
        if shape is None:
            return await self._configured.chat()
        if isinstance(shape, Local):
            from bot.models.local_chat import LocalChat  # needs an extra

            file = shape.chat.model
            path = Path(file).expanduser() if file else await self._configured.fetched(weights.CHAT)
            stall = self._settings.stall_timeout
            return LocalChat(path, threads=shape.threads, stall_timeout=stall, context_window=shape.context_window)
        from bot.models.openai_chat import OpenAIChat  # heavy
        from bot.models.openai_tokens import TiktokenTokenizer

        name = self._chat_model(named, shape)
        return OpenAIChat(
            self._endpoint(named, shape, "chat"),
            name,
            context_window=shape.context_window,
            images=shape.images,
            tokenizer=await asyncio.to_thread(TiktokenTokenizer.for_model, name),  # reads files
            extra=shape.chat.passed,
        )

    async def _embedder(self, named: Named, shape: parameters.Model | None, told: Mapping[str, Any]) -> Embedder:
        if shape is None:
            return await self._configured.embedder()
        if isinstance(shape, Local):
            from bot.models.local_embedder import SHIPPED, LocalEmbedder  # needs an extra

            if shape.embedding.model:
                folder = Path(shape.embedding.model).expanduser()
                return LocalEmbedder(folder, folder.resolve().name)
            return LocalEmbedder(await self._configured.fetched(weights.EMBEDDING), SHIPPED)
        from bot.models.openai_embedder import OpenAIEmbedder  # heavy
        from bot.models.openai_tokens import TiktokenTokenizer

        name = self._embedding_model(named, shape)
        passed = {**shape.embedding.passed, **told}
        dimensions = passed.pop("dimensions", None)
        return OpenAIEmbedder(
            self._endpoint(named, shape, "embedding"),
            name,
            dimensions=dimensions,
            tokenizer=await asyncio.to_thread(TiktokenTokenizer.for_model, name),
            extra=passed,
        )

    def _chat_model(self, named: Named, shape: OpenAI | AzureOpenAI) -> str:
        if isinstance(shape, OpenAI):
            return shape.chat.model or self._settings.chat_model or DEFAULT_CHAT_MODEL
        if shape.chat_deployment_id is None:
            raise ObjectError(f"the model {named.name} has no chat_deployment_id, so it can't chat")
        return shape.chat_deployment_id

    def _embedding_model(self, named: Named, shape: OpenAI | AzureOpenAI) -> str:
        if isinstance(shape, OpenAI):
            return shape.embedding.model or DEFAULT_EMBED_MODEL
        if shape.embedding_deployment_id is None:
            raise ObjectError(f"the model {named.name} has no embedding_deployment_id, so it can't embed")
        return shape.embedding_deployment_id

    def _endpoint(self, named: Named, shape: OpenAI | AzureOpenAI, purpose: Literal["chat", "embedding"]) -> "Endpoint":
        """Return where a model answers. Raises ObjectError where its key cannot be had."""
        from bot.models.endpoint import OPENAI, Endpoint  # heavy

        http = shape.http
        key = None if shape.api_key is None else self._vault.open(shape.api_key)
        base, path = self._azure(shape), None
        if isinstance(shape, OpenAI):
            key = key or self._usual_key(shape)
            asked = shape.chat.chat_path if purpose == "chat" else shape.embedding.embedding_path
            base, path = address(shape.base_url or self._settings.openai_base_url or OPENAI, asked, purpose)
        return Endpoint(
            kind="azure" if isinstance(shape, AzureOpenAI) else "openai",
            base_url=base,
            path=path,
            api_key=key,
            organization=shape.organization if isinstance(shape, OpenAI) else None,
            api_version=shape.api_version if isinstance(shape, AzureOpenAI) else None,
            connect_timeout=http.connect_timeout,
            stall_timeout=http.socket_timeout,
            proxy=http.proxy,
            pool_size=http.pool.size,
            pool_timeout=http.pool.wait_timeout,
            keepalive=http.pool.connection_lifetime or 5.0,
            verify_tls=http.enable_certificate_verification,
            called=named.name,
        )

    def _usual_key(self, shape: OpenAI) -> SecretStr | None:
        """Return the key of the settings, for the address of the settings only."""
        return None if shape.base_url else self._settings.openai_api_key

    def _azure(self, shape: OpenAI | AzureOpenAI) -> str | None:
        if isinstance(shape, OpenAI):
            return None
        return shape.base_url or f"https://{shape.resource_name}.openai.azure.com"


_USUAL = {"chat": "/chat/completions", "embedding": "/embeddings"}


def address(base: str, path: str, purpose: Literal["chat", "embedding"]) -> tuple[str, str | None]:
    """Return the base for the openai package, and the path where that would make another of it.

    A base that ends in /v1 and a path that begins with it share it: base https://host/v1 and path /v1/chat/completions
    are https://host/v1/chat/completions.
    """
    base = base.rstrip("/")
    if base.endswith("/v1") and path.startswith("/v1/"):
        base = base.removesuffix("/v1")
    whole = base + path
    usual = _USUAL[purpose]
    if whole.endswith(usual):
        return whole.removesuffix(usual), None
    return base, urlsplit(whole).path


def _says(params: Mapping[str, Any], path: str) -> bool:
    outer, _, inner = path.partition(".")
    return outer in params and (not inner or (isinstance(params[outer], Mapping) and inner in params[outer]))


def _may(owner: str, type_: str, params: Mapping[str, Any]) -> None:
    """Raise ObjectError where a tenant says what only the operator may, or would use the operator's keys."""
    if owner == OPERATOR:
        return
    if type_ == "local":
        raise ObjectError("local: only whoever runs the bot may make a model of files on its machine")
    forbidden = [name for name in _OPERATORS if _says(params, name)]
    if forbidden:
        raise ObjectError(f"{', '.join(forbidden)}: only whoever runs the bot may say that")
    if not isinstance(params.get("api_key"), str) or params["api_key"].startswith("$"):
        raise ObjectError("api_key: a key of your own is wanted; the environment is that of whoever runs the bot")
