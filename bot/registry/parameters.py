"""What models, vector stores and apps are made with: redis-llm's parameters and defaults, and some of our own.

What is broken or unknown is named, its value never shown: it may be a key.
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from bot.errors import ObjectError

MOST_K = 1000

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_TAKEN = {"messages", "stream", "stream_options", "n", "input", "encoding_format"}  # what we say ourselves
_KEYS = {"apikey", "xapikey", "authorization", "accesstoken", "adtoken", "azureadtoken", "password", "secret", "bearer"}


def _seconds(value: object) -> object:
    """Read "5s", "500ms", "2m"; a bare number is seconds."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m)\s*", value) if isinstance(value, str) else None
    if match:
        return float(match[1]) * _UNITS[match[2]]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise ValueError('a time such as "5s", "500ms" or "2m" is wanted')


def _without_password(value: str) -> str:
    if "@" in value:
        raise ValueError(
            "a user and password would be stored in clear; a server's key is the api_key, and a proxy with a password "
            "is taken from HTTPS_PROXY in the environment"
        )
    return value


Address = Annotated[str, Field(pattern="^https?://"), AfterValidator(_without_password)]
Duration = Annotated[float, BeforeValidator(_seconds), Field(ge=0, le=24 * 3600)]  # seconds
Longer = Annotated[float, BeforeValidator(_seconds), Field(gt=0, le=24 * 3600)]


class Parameters(BaseModel):
    """Parameters of which each is known."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, strict=True)


class Pool(Parameters):
    """Connections to a model. wait_timeout: for one of `size`; 0: never wait, open more, which are not kept."""

    size: int = Field(default=5, ge=1, le=1000)
    wait_timeout: Duration = 0.0
    connection_lifetime: Duration = 0.0  # of an idle one; 0: as long as usual


class Http(Parameters):
    """How a model is reached. socket_timeout: the longest silence, not the whole answer's time."""

    socket_timeout: Longer = 5.0
    connect_timeout: Longer = 5.0
    enable_certificate_verification: bool = True
    proxy_host: Annotated[str, AfterValidator(_without_password)] = ""
    proxy_port: int = Field(default=0, ge=0, le=65535)
    pool: Pool = Pool()

    @property
    def proxy(self) -> str | None:
        """The proxy's address; None where there is none."""
        if not self.proxy_host:
            return None
        host = self.proxy_host if "://" in self.proxy_host else f"http://{self.proxy_host}"
        return f"{host.rstrip('/')}:{self.proxy_port}" if self.proxy_port else host


class Passed(BaseModel):
    """Parameters of which the unknown ones are passed on to the API."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True, strict=True)

    @model_validator(mode="after")
    def _ours(self) -> "Passed":
        ours = sorted(_TAKEN & self.passed.keys())
        if ours:
            raise ValueError(f"{', '.join(ours)}: Lorebot says that itself")
        keys = sorted(name for name in self.passed if re.sub(r"[^a-z]", "", name.lower()) in _KEYS)
        if keys:
            raise ValueError(
                f"{', '.join(keys)}: it would be stored in clear and sent as text; a key is the model's own api_key, "
                "beside chat and embedding"
            )
        return self

    @property
    def passed(self) -> dict[str, Any]:
        """What the API is told beside the model and the texts."""
        return dict(self.model_extra or {})


class Chat(Passed):
    """How a model chats."""

    chat_path: str = Field(default="/v1/chat/completions", pattern="^/")
    model: str | None = None


class Embedding(Passed):
    """How a model embeds."""

    embedding_path: str = Field(default="/v1/embeddings", pattern="^/")
    model: str | None = None


class OpenAI(Parameters):
    """A model of OpenAI, or of a server that speaks its API at base_url."""

    api_key: str | dict[str, str] | None = None
    base_url: Address | None = None
    organization: str | None = None
    chat: Chat = Chat()
    embedding: Embedding = Embedding()
    http: Http = Http()
    context_window: int | None = Field(default=None, ge=512)


class AzureOpenAI(Parameters):
    """Deployments of Azure OpenAI. base_url: in the place of https://{resource_name}.openai.azure.com."""

    api_key: str | dict[str, str]
    resource_name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]+$")
    base_url: Address | None = None
    chat_deployment_id: str | None = None
    embedding_deployment_id: str | None = None
    api_version: str | None = None
    chat: Passed = Passed()
    embedding: Passed = Passed()
    http: Http = Http()
    context_window: int | None = Field(default=None, ge=512)

    @model_validator(mode="after")
    def _somewhere(self) -> "AzureOpenAI":
        if not (self.resource_name or self.base_url):
            raise ValueError("resource_name is missing")
        if not (self.chat_deployment_id or self.embedding_deployment_id):
            raise ValueError("chat_deployment_id or embedding_deployment_id is missing")
        return self


class Weights(Parameters):
    """model: where the weights are; default: those that Lorebot fetches."""

    model: str | None = None


class Local(Parameters):
    """Models on this machine: a GGUF file that chats, a folder that embeds."""

    chat: Weights = Weights()
    embedding: Weights = Weights()
    threads: int = Field(default=1, ge=1)
    context_window: int | None = Field(default=None, ge=512)


Model = OpenAI | AzureOpenAI | Local
MODELS: Mapping[str, type[OpenAI] | type[AzureOpenAI] | type[Local]] = {
    "openai": OpenAI,
    "azure_openai": AzureOpenAI,
    "local": Local,
}


def _passed(params: dict[str, Any]) -> dict[str, Any]:
    Passed.model_validate(params)
    return params


class LlmRef(Parameters):
    """Which model an app or a store uses, and what the API is told beside what the model itself says."""

    key: str = Field(min_length=1)
    params: Annotated[dict[str, Any], AfterValidator(_passed)] = Field(default_factory=dict)


def _ref(value: object) -> object:
    """Read a model's key, or {"key": ..., "params": {...}}, also as JSON."""
    if not isinstance(value, str):
        return value
    return from_json(value, "the model") if value.lstrip().startswith("{") else {"key": value}


Ref = Annotated[LlmRef, BeforeValidator(_ref)]


class Hnsw(Parameters):
    """A vector store. dim 0: that of the first vector. numeric: metadata that is filtered by ranges."""

    llm: Ref | None = None
    max_elements: int = Field(default=100_000, ge=1)
    m: int = Field(default=16, ge=2, le=512)
    ef_construction: int = Field(default=200, ge=1, le=4096)
    ef_runtime: int = Field(default=100, ge=1, le=4096)
    dim: int = Field(default=0, ge=0, le=32_768)
    metric: Literal["l2", "cosine", "ip"] = "l2"
    dtype: Literal["float32", "float64", "float16"] = "float32"
    language: str = "english"
    numeric: list[str] = Field(default_factory=list)


class Simple(Parameters):
    """An app that asks a model: its prompt, what is put in, or both."""

    llm: Ref | None = None
    prompt: str | None = None


class Search(Parameters):
    """An app that answers from a vector store."""

    llm: Ref | None = None
    vector_store: str = Field(min_length=1)
    k: int = Field(default=3, ge=1, le=MOST_K)
    prompt: str | None = None


class HistoryParameters(Parameters):
    """How a chat's long history is summarised, in redis-llm's words."""

    summary_cnt: int = Field(default=20, ge=0, le=1000)
    summary_ctx_cnt: int = Field(default=1, ge=0, le=20)
    msg_ctx_cnt: int = Field(default=10, ge=0, le=200)
    summary_prompt: str | None = None


class ChatWith(Parameters):
    """An app that holds conversations and remembers them. vector_store: what else it knows, asked at each message.

    persona: who the bot is there, as the system prompt that ships says it; an own prompt has its own words for that.
    """

    llm: Ref | None = None
    vector_store: str | None = None
    k: int = Field(default=3, ge=1, le=MOST_K)
    prompt: str | None = None
    persona: str | None = Field(default=None, max_length=4000)
    history: HistoryParameters = HistoryParameters()


App = Simple | Search | ChatWith
APPS: Mapping[str, type[Simple] | type[Search] | type[ChatWith]] = {
    "simple": Simple,
    "search": Search,
    "chat": ChatWith,
}

P = TypeVar("P", bound=BaseModel)


def read(shape: type[P], given: Mapping[str, Any], what: str) -> P:
    """Return parameters in their shape. Raises ObjectError naming every one that is broken or unknown."""
    try:
        return shape.model_validate(dict(given))
    except ValidationError as error:
        raise ObjectError(f"{what}: " + "; ".join(_told(fault) for fault in error.errors())) from None


def _told(fault: Mapping[str, Any]) -> str:
    path = [str(part) for part in fault["loc"] if not str(part).startswith("function-")]
    said = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        return f"{'.'.join(path)} is no parameter that is known here"
    if fault["type"] == "missing":
        return f"{'.'.join(path)} is missing"
    return f"{'.'.join(path)}: {said}" if path else said


def from_json(text: str, option: str) -> dict[str, Any]:
    """Read a JSON object. Raises ObjectError naming the option; never with what it holds, which may be a key."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ObjectError(f'{option}: a JSON object is wanted, such as {{"name": "value"}}')
    return found


def floats(text: str, option: str) -> list[float]:
    """Read numbers between commas. Raises ObjectError naming the option."""
    try:
        found: list[float] = json.loads(f"[{text}]")  # five times as quick as `float` for each, which takes more forms
        if {type(one) for one in found} <= {int, float}:
            return found
    except (ValueError, RecursionError):
        pass
    try:
        return [float(one) for one in text.split(",")]
    except ValueError:
        raise ObjectError(f"{option}: numbers between commas are wanted, such as 1.5,2,3") from None
