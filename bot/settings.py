"""Settings, read once from the environment and .env; every fault is reported at once, secrets are never shown."""

import getpass
import os
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import platformdirs
import tzlocal
from pydantic import AliasChoices, AliasPath, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot import admission
from bot.errors import SettingsError
from memory.words import languages

Provider = Literal["local", "openai", "azure"]

DEFAULT_CHAT_MODEL = "gpt-4.1-mini"
DEFAULT_EMBED_MODEL = "text-embedding-3-small"


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user id without a name, as in some containers
        return f"user-{os.getuid()}"


class Settings(BaseSettings):
    """Everything an operator may set: `LOREBOT_<NAME>`, unless a name that people expect is given."""

    model_config = SettingsConfigDict(
        env_prefix="LOREBOT_",
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    # Models
    llm: Provider | Literal["auto"] = Field(
        "auto", description="who answers; auto: azure or openai where its variables are set, else local"
    )
    embedder: Provider | Literal["auto"] = Field(
        "auto", description="who embeds; auto: what memory was made with, if local, else as for the answers"
    )
    chat_model: str | None = Field(
        None, description="the chat model's name, or Azure's deployment; default gpt-4.1-mini"
    )
    embed_model: str | None = Field(
        None,
        description="the embedding model's name or deployment, default text-embedding-3-small; local: a folder",
    )
    reranker: str = Field("none", description="who reads what was found again, to order it: none, local, or a folder")
    chat_model_path: Path | None = Field(None, description="a GGUF file for the local chat model")
    context_window: int | None = Field(
        None, ge=512, description="the model's context in tokens, where its name does not tell"
    )
    prompt_tokens: int | None = Field(None, ge=200, description="the most a prompt may take; default 6000, local 700")
    reply_tokens: int | None = Field(
        None, ge=16, description="the most a reply may take; default 2000, 120 for the small model that ships"
    )
    images: Literal["auto", "yes", "no"] = Field(
        "auto", description="show attached images to the model; auto: where its name says that it sees"
    )
    threads: int = Field(1, ge=1, description="CPU threads for the local chat model; more pays on an idle machine only")

    openai_api_key: SecretStr | None = Field(
        None, validation_alias="OPENAI_API_KEY", description="the key for OpenAI, or for the server at OPENAI_BASE_URL"
    )
    openai_base_url: str | None = Field(
        None, validation_alias="OPENAI_BASE_URL", description="any OpenAI-compatible server"
    )
    openai_org_id: str | None = Field(
        None, validation_alias="OPENAI_ORG_ID", description="the organisation that is billed"
    )
    azure_endpoint: str | None = Field(
        None,
        validation_alias="AZURE_OPENAI_ENDPOINT",
        description="https://NAME.openai.azure.com, or the same with /openai/v1/",
    )
    azure_api_key: SecretStr | None = Field(
        None, validation_alias="AZURE_OPENAI_API_KEY", description="the key for Azure"
    )
    azure_ad_token: SecretStr | None = Field(
        None, validation_alias="AZURE_OPENAI_AD_TOKEN", description="an Entra token, instead of the key"
    )
    azure_api_version: str | None = Field(
        None, validation_alias="OPENAI_API_VERSION", description="for Azure's classic endpoints; without it, v1 is used"
    )

    connect_timeout: float = Field(5.0, gt=0, description="seconds to reach the model")
    stall_timeout: float = Field(60.0, gt=0, description="seconds without a piece of the reply before it is given up")
    proxy: SecretStr | None = Field(None, description="a proxy for the model's address")
    pool_size: int = Field(20, ge=1, description="connections to the model at once")
    verify_tls: bool = Field(True, description="check the model server's certificate")

    # Memory
    redis_url: SecretStr | None = Field(
        None,
        validation_alias="REDIS_URL",
        description="redis://, rediss://, unix:// or redis+sentinel://HOST:26379/SERVICE; default: embedded",
    )
    namespace: str = Field("lorebot", pattern=r"^[A-Za-z0-9_.-]+$", description="what every key begins with")
    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("lorebot")),
        description="where the embedded Redis keeps its data",
    )
    hnsw_m: int = Field(16, ge=4, le=512, description="links a node of the index")
    hnsw_ef_construction: int = Field(64, ge=8, description="candidates looked at when a turn is indexed")
    hnsw_ef_runtime: int = Field(200, ge=10, description="candidates looked at when searching")
    vector_dtype: Literal["float16", "float32"] = Field("float16", description="how vectors are stored")
    language: str = Field("english", description="whose word stems the text index holds: english, german ... or none")
    recall_turns: int = Field(24, ge=0, le=100, description="turns recalled for an answer, at most")
    recall_floor: float | None = Field(
        None, ge=-1, le=1, description="the cosine below which nothing is recalled; default: what suits the embedder"
    )
    window_turns: int = Field(20, ge=0, le=200, description="turns of the recent window, at most")
    recall_from: Literal["tenant", "conversation"] = Field(
        "tenant", description="recall from every public conversation, or from the same one alone"
    )

    # The registry, and LLM.* over the Redis protocol
    secret_key: SecretStr | None = Field(
        None,
        description="keys of named models and tokens of Slack workspaces are encrypted with it: "
        "`lorebot llm new-secret`; several, with commas",
    )
    resp_host: str = Field("127.0.0.1", description="where `lorebot resp` listens; beyond this machine with a password")
    resp_port: int = Field(6380, ge=0, le=65535, description="the port of `lorebot resp`; 0: any that is free")
    resp_password: SecretStr | None = Field(None, description="what clients of `lorebot resp` must AUTH with")

    # People
    user: str = Field(default_factory=_login, min_length=1, description="your name in the terminal")
    conversation: str = Field("main", min_length=1, description="the conversation that the terminal opens")
    timezone: str = Field(
        default_factory=lambda: tzlocal.get_localzone_name() or "UTC",
        description="the time zone of dates, such as Europe/Berlin",
    )
    name: str = Field("Lorebot", min_length=1, max_length=80, description="the bot's name")
    prompts: Path | None = Field(None, description="a folder whose *.md replace the prompts of the same name")
    max_message: int = Field(100_000, ge=1000, description="characters of a message, at most")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "WARNING", validation_alias="LOG_LEVEL", description="what is logged to standard error"
    )

    burst: float = Field(
        1.5,
        ge=0,
        le=60,
        description="seconds that an answer waits for more of what somebody says, which is answered together",
    )

    # Limits
    person_per_minute: int = Field(
        10, ge=0, description="messages a minute that a person is answered; 0: as many as they like"
    )
    tenant_per_minute: int = Field(
        120, ge=0, description="messages a minute that are answered in a guild or workspace; 0: as many as they like"
    )
    person_tokens_per_day: int = Field(
        500_000, ge=0, description="tokens that a person's answers may take in a day of LOREBOT_TIMEZONE; 0: no limit"
    )
    tenant_tokens_per_day: int = Field(
        20_000_000, ge=0, description="tokens that all answers in a guild or workspace may take in a day; 0: no limit"
    )
    allow: Annotated[frozenset[admission.Listed], NoDecode] = Field(
        frozenset(),
        description="who alone is answered, with commas: "
        "discord:GUILD, slack:WORKSPACE, person:ID, role:ID or channel:ID",
    )
    deny: Annotated[frozenset[admission.Listed], NoDecode] = Field(
        frozenset(), description="who is never answered, written as in LOREBOT_ALLOW; it wins over that"
    )
    contact: str | None = Field(None, description="whom people may ask about their data, in the text about privacy")
    # Health and metrics of a process that serves
    health_port: int | None = Field(
        None, ge=0, le=65535, description="serve /healthz, /readyz and /metrics on this port; 0: any that is free"
    )
    port: int | None = Field(
        None,
        ge=0,
        le=65535,
        validation_alias="PORT",
        description="the same, as hosting platforms set it: served on every address then",
    )
    health_host: str | None = Field(
        None, description="where health is served; default 127.0.0.1, or 0.0.0.0 where PORT alone names the port"
    )

    # Platforms
    discord_bot_token: SecretStr | None = Field(
        None, validation_alias=AliasChoices("DISCORD_BOT_TOKEN", "DISCORD_TOKEN"), description="the Discord bot's token"
    )
    discord_message_content: bool = Field(
        True, description="ask Discord for what messages say that do not address the bot (a privileged intent)"
    )
    attachments_kb: int = Field(200, ge=1, le=10_000, description="KB of an attached text file, at most")
    discord_join: Annotated[frozenset[int], NoDecode] = Field(
        frozenset(), description="ids of channels, comma separated, in which the bot always answers unasked"
    )
    forget_left: Literal["keep", "forget"] = Field(
        "keep", description="what becomes of the memory of a server that the bot has left: keep or forget"
    )
    discord_shards: int | None = Field(
        None, ge=1, description="how many shards the whole bot has; default: what Discord recommends"
    )
    discord_shard_ids: Annotated[tuple[int, ...] | None, NoDecode] = Field(
        None, description="the shards that this process serves, such as 0,1 or 0-3; default: all"
    )
    discord_rate: int = Field(
        50, ge=1, description="requests a second to Discord, its own limit; several processes share it, so divide it"
    )
    discord_api: str | None = Field(None, description="another address of Discord's API, for tests")
    slack_bot_token: SecretStr | None = Field(
        None, validation_alias="SLACK_BOT_TOKEN", description="the Slack app's bot token, xoxb-"
    )
    slack_app_token: SecretStr | None = Field(
        None, validation_alias="SLACK_APP_TOKEN", description="the Slack app-level token, xapp-"
    )
    slack_signing_secret: SecretStr | None = Field(
        None, validation_alias="SLACK_SIGNING_SECRET", description="what Slack signs its requests with, for `--http`"
    )
    slack_client_id: str | None = Field(
        None,
        validation_alias="SLACK_CLIENT_ID",
        description="the Slack app's client ID, for installing it in many workspaces",
    )
    slack_client_secret: SecretStr | None = Field(
        None, validation_alias="SLACK_CLIENT_SECRET", description="the client secret that belongs to it"
    )
    slack_host: str | None = Field(
        None, description="where `--http` listens; default 127.0.0.1, or 0.0.0.0 where PORT alone names the port"
    )
    slack_port: int | None = Field(
        None, ge=0, le=65535, description="the port of `--http`; default: PORT, else 3000; 0: any that is free"
    )
    slack_grace_days: Annotated[int, Field(ge=0, le=3650)] | Literal["keep"] = Field(
        30, description="days until the memory of a workspace that uninstalled the app is erased; 0: at once; or keep"
    )
    slack_ping: float = Field(
        10.0,
        ge=0.1,
        le=60,
        description="seconds between signs of life on Slack's socket; after nine without one, the process ends with 75",
    )
    slack_api: str | None = Field(
        None, validation_alias="SLACK_API_URL", description="another address of Slack's API, for tests"
    )

    @field_validator("data_dir", "chat_model_path", "prompts")
    @classmethod
    def _home(cls, path: Path | None) -> Path | None:
        return path and path.expanduser()

    @field_validator("prompts")
    @classmethod
    def _folder(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_dir():
            raise ValueError("no such folder")
        return path

    @field_validator("allow", "deny", mode="before")
    @classmethod
    def _list(cls, given: Any) -> Any:
        return admission.parse(given) if isinstance(given, str) else given

    @field_validator("discord_join", mode="before")
    @classmethod
    def _ids(cls, ids: Any) -> Any:
        if not isinstance(ids, str):
            return ids
        if not all(one.strip().isdecimal() for one in ids.split(",")):
            raise ValueError("ids of channels, comma separated, such as 1234567890,1234567891")
        return frozenset(int(one) for one in ids.split(","))

    @field_validator("language")
    @classmethod
    def _stemmed(cls, name: str) -> str:
        if name.lower() not in languages():
            raise ValueError(f"not a language whose stems are known; these are: {', '.join(languages())}")
        return name.lower()

    @field_validator("reranker")
    @classmethod
    def _reads(cls, reranker: str) -> str:
        if reranker not in ("none", "local") and not Path(reranker).expanduser().is_dir():
            raise ValueError("none, local, or a folder that is there")
        return reranker

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("no such time zone; use a name such as Europe/Berlin or UTC") from error
        return name

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, level: Any) -> Any:
        return level.upper() if isinstance(level, str) else level

    @field_validator("discord_shard_ids", mode="before")
    @classmethod
    def _numbered(cls, ids: Any) -> Any:
        return _numbers(ids) if isinstance(ids, str) else ids

    @field_validator("discord_shard_ids")
    @classmethod
    def _counted(cls, ids: tuple[int, ...] | None, info: ValidationInfo) -> tuple[int, ...] | None:
        if ids is None or "discord_shards" not in info.data:  # a count that is wrong has been told
            return ids
        count = info.data["discord_shards"]
        if count is None:
            raise ValueError("set LOREBOT_DISCORD_SHARDS to the number of all shards too")
        if not all(0 <= one < count for one in ids):
            raise ValueError(f"LOREBOT_DISCORD_SHARDS is {count}, so ids go from 0 to {count - 1}")
        return ids

    @cached_property
    def health_address(self) -> tuple[str, int] | None:
        """Where health is served, host and port; None where it is not."""
        if self.health_port is not None:
            return self.health_host or "127.0.0.1", self.health_port
        return None if self.port is None else (self.health_host or "0.0.0.0", self.port)

    @cached_property
    def slack_address(self) -> tuple[str, int]:
        """Where requests of Slack's are taken with `--http`, host and port."""
        if self.slack_port is None and self.port is not None:
            return self.slack_host or "0.0.0.0", self.port
        return self.slack_host or "127.0.0.1", 3000 if self.slack_port is None else self.slack_port

    @cached_property
    def slack_shares_port(self) -> bool:
        """Whether with `--http` health is to be served where Slack's requests are taken: PORT is all there is.

        Without /metrics there: that port is open to the world.
        """
        return self.health_port is None and self.slack_port is None and self.port is not None

    @cached_property
    def chat_provider(self) -> Provider:
        """Who answers, `auto` resolved."""
        return self._auto() if self.llm == "auto" else self.llm

    @cached_property
    def embed_provider(self) -> Provider:
        """Who embeds, `auto` resolved."""
        return self._auto() if self.embedder == "auto" else self.embedder

    def _auto(self) -> Provider:
        if self.azure_endpoint:
            return "azure"
        return "openai" if self.openai_api_key or self.openai_base_url else "local"


def load(**overrides: Any) -> Settings:
    """Read the settings; raises SettingsError naming every fault, never a value."""
    try:
        settings = Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        faults = [f"{variable(str(fault['loc'][0]))}: {_said(fault)}" for fault in error.errors()]
        raise SettingsError("these settings are wrong:\n  " + "\n  ".join(faults)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f".env cannot be read: {error}; it must be UTF-8 and yours to read") from error
    missing = _missing(settings)
    if missing:
        raise SettingsError("these settings are missing:\n  " + "\n  ".join(missing))
    return settings


def variable(field: str) -> str:
    """Return the environment variable of a field."""
    info = Settings.model_fields.get(field)
    alias = info.validation_alias if info else None
    if isinstance(alias, AliasChoices):
        first = alias.choices[0]
        return str(first.path[0]) if isinstance(first, AliasPath) else first
    if isinstance(alias, str):
        return alias
    return f"LOREBOT_{field.upper()}" if info else field


def _numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of a list such as 0,2-3, each once, in order. Raises ValueError."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", part.strip(), re.ASCII)
        if match is None or int(match[1]) > int(match[2] or match[1]):
            raise ValueError("numbers and ranges with commas between them, such as 0,1 or 0-3")
        found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(sorted(found))


def _said(fault: Mapping[str, Any]) -> str:
    message = str(fault["msg"])
    return message.removeprefix("Value error, ")


def _missing(settings: Settings) -> list[str]:
    wanted = {settings.chat_provider, settings.embed_provider}
    missing = []
    if "openai" in wanted and not (settings.openai_api_key or settings.openai_base_url):
        missing.append("OPENAI_API_KEY is not set; export it, or set LOREBOT_LLM=local and LOREBOT_EMBEDDER=local")
    if "azure" in wanted:
        if not settings.azure_endpoint:
            missing.append("AZURE_OPENAI_ENDPOINT is not set; it looks like https://NAME.openai.azure.com")
        if not (settings.azure_api_key or settings.azure_ad_token):
            missing.append("AZURE_OPENAI_API_KEY is not set; export it, or AZURE_OPENAI_AD_TOKEN")
        if settings.chat_provider == "azure" and not settings.chat_model:
            missing.append("LOREBOT_CHAT_MODEL is not set; with Azure it names your chat deployment")
        if settings.embed_provider == "azure" and not settings.embed_model:
            missing.append("LOREBOT_EMBED_MODEL is not set; with Azure it names your embedding deployment")
    return missing
