"""Where a model answers, and how it is reached: OpenAI, any server that speaks its API, Azure."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from httpx2 import URL, InvalidURL, Limits, Request, Timeout
from openai import AsyncAzureOpenAI, AsyncOpenAI, DefaultAsyncHttpx2Client
from pydantic import SecretStr

from bot.errors import SettingsError

OPENAI = "https://api.openai.com/v1"
NO_KEY = "none"  # servers without keys ignore it, but the openai package wants one
AZURE_V1 = "/openai/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a model answers.

    kind: openai for OpenAI and compatible servers, azure for both of Azure's ways: with `api_version` and an address
    without /openai/v1 the classic deployments' paths, else v1. base_url: None for OpenAI itself. path: where every
    request goes, where that is not what the openai package makes of base_url. Times in seconds; stall_timeout: the
    most between two pieces of a reply; pool_timeout: to wait for one of pool_size connections (None: stall_timeout; 0:
    never, more are opened and not kept); keepalive: an idle connection is kept so long. max_retries: the openai
    package's own, before a reply begins. trust_env: whether proxies in the environment hold. called: the named model
    whose parameters these are; None where settings are.
    """

    kind: Literal["openai", "azure"] = "openai"
    base_url: str | None = field(default=None, repr=False)  # may hold a password
    api_key: SecretStr | None = None
    ad_token: SecretStr | None = None
    organization: str | None = None
    api_version: str | None = None
    connect_timeout: float = 5.0
    stall_timeout: float = 60.0
    proxy: str | None = field(default=None, repr=False)  # may hold a password
    pool_size: int = 20
    verify_tls: bool = True
    max_retries: int = 2
    trust_env: bool = True
    path: str | None = None
    pool_timeout: float | None = None
    keepalive: float | None = 5.0
    called: str | None = None

    @property
    def address(self) -> str:
        """The address as people may see it, without user, password and query."""
        return str(self.url.copy_with(userinfo=b"", query=None, fragment=None)).rstrip("/")

    @property
    def is_openai(self) -> bool:
        """Whether OpenAI itself or Azure answers, not a server that resembles them."""
        return self.kind == "azure" or self.url.host.endswith("openai.com")

    @property
    def is_classic_azure(self) -> bool:
        """Whether Azure's classic deployments' paths are used."""
        return self.kind == "azure" and bool(self.api_version) and not self.names_v1

    @property
    def names_v1(self) -> bool:
        """Whether the address is that of Azure's v1 API."""
        return self.url.path.rstrip("/").endswith(AZURE_V1)

    @property
    def key_variable(self) -> str:
        """What sets the key in use."""
        if self.called:
            return f"api_key of the model {self.called}"
        if self.kind == "openai":
            return "OPENAI_API_KEY"
        return "AZURE_OPENAI_API_KEY" if self.api_key else "AZURE_OPENAI_AD_TOKEN"

    @property
    def url_variable(self) -> str:
        """What sets the address."""
        if self.called:
            return f"{'resource_name' if self.kind == 'azure' else 'base_url'} of the model {self.called}"
        return "OPENAI_BASE_URL" if self.kind == "openai" else "AZURE_OPENAI_ENDPOINT"

    @property
    def chat_variable(self) -> str:
        """What sets the chat model's name."""
        name = "chat_deployment_id" if self.kind == "azure" else "chat.model"
        return f"{name} of the model {self.called}" if self.called else "LOREBOT_CHAT_MODEL"

    @property
    def embedding_variable(self) -> str:
        """What sets the embedding model's name."""
        name = "embedding_deployment_id" if self.kind == "azure" else "embedding.model"
        return f"{name} of the model {self.called}" if self.called else "LOREBOT_EMBED_MODEL"

    @property
    def stall_variable(self) -> str:
        """What sets the longest silence."""
        return f"http.socket_timeout of the model {self.called}" if self.called else "LOREBOT_STALL_TIMEOUT"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may contain."""
        held = [secret.get_secret_value() for secret in (self.api_key, self.ad_token) if secret]
        held += [URL(url).password for url in (self.base_url, self.proxy) if url]
        return tuple(secret for secret in held if secret)

    @property
    def url(self) -> URL:
        """The address. Raises SettingsError where it is none."""
        try:
            url = URL(self.base_url or OPENAI)
        except InvalidURL as error:
            raise SettingsError(f"{self.url_variable} is no address: {error}") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise SettingsError(f"{self.url_variable} is no address; it begins with https:// or http://")
        return url


def client(endpoint: Endpoint) -> AsyncOpenAI:
    """Return a client of the openai package; it connects when it is used. Raises SettingsError for a bad address."""
    key = endpoint.api_key.get_secret_value() if endpoint.api_key else None
    token = endpoint.ad_token.get_secret_value() if endpoint.ad_token else None
    patience = endpoint.stall_timeout if endpoint.pool_timeout is None else endpoint.pool_timeout
    timeout = Timeout(endpoint.stall_timeout, connect=endpoint.connect_timeout, pool=patience or None)
    http = DefaultAsyncHttpx2Client(
        proxy=endpoint.proxy,
        verify=endpoint.verify_tls,
        limits=Limits(
            max_connections=endpoint.pool_size if patience else None,
            max_keepalive_connections=endpoint.pool_size,
            keepalive_expiry=endpoint.keepalive,
        ),
        timeout=timeout,
        trust_env=endpoint.trust_env,
        event_hooks={"request": [_to(endpoint.path)]} if endpoint.path else None,
    )
    url = endpoint.url
    if endpoint.is_classic_azure:
        return AsyncAzureOpenAI(
            azure_endpoint=str(url).rstrip("/"),
            api_version=endpoint.api_version,
            api_key=key,
            azure_ad_token=None if key else token,
            timeout=timeout,
            max_retries=endpoint.max_retries,
            http_client=http,
        )
    if endpoint.kind == "azure" and not endpoint.names_v1:
        url = url.copy_with(path=url.path.rstrip("/") + AZURE_V1 + "/")
    return AsyncOpenAI(
        base_url=str(url),
        api_key=key or token or NO_KEY,
        organization=endpoint.organization,
        timeout=timeout,
        max_retries=endpoint.max_retries,
        http_client=http,
    )


def _to(path: str) -> Callable[[Request], Awaitable[None]]:
    """Return what sends each request to this path."""

    async def send_to(request: Request) -> None:
        request.url = request.url.copy_with(path=path)

    return send_to
