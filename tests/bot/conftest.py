"""A registry on the test's own namespace, and a server that speaks OpenAI's API."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from bot.apps.chat import ChatOptions
from bot.prompts import Prompts
from bot.registry.apps import Apps, Limits
from bot.registry.chats import Chats, Summarizers
from bot.registry.models import Models
from bot.registry.objects import Objects
from bot.registry.secrets import Vault, new_secret
from bot.registry.stores import Stores
from bot.registry.wiring import Late, Registry
from bot.settings import Settings
from tests.fakes import ScriptedModel, ToyEmbedder
from tests.openai_like import OpenAILike


class ToyConfigured:
    """The configured models: one that says what the test's script says, and the toy embedder."""

    def __init__(self) -> None:
        self.model = ScriptedModel()

    async def chat(self) -> ScriptedModel:
        return self.model

    async def embedder(self) -> ToyEmbedder:
        return ToyEmbedder()


@pytest.fixture
async def openai() -> AsyncIterator[OpenAILike]:
    async with OpenAILike() as server:
        yield server


@pytest.fixture
def config(openai: OpenAILike, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that name the server, with a key in the environment and another to encrypt with."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    return Settings(
        _env_file=None,  # type: ignore[call-arg]
        llm="openai",
        openai_base_url=openai.address + "/v1",
        openai_api_key=SecretStr("sk-from-the-environment"),
        secret_key=SecretStr(new_secret()),
    )


@pytest.fixture
def configured() -> ToyConfigured:
    return ToyConfigured()


@pytest.fixture
async def registry(client, keys, memory, config, configured) -> AsyncIterator[Registry]:
    objects = Objects(client, keys)
    models = Models(objects, Vault(config), config, configured)
    stores = Stores(client, keys, objects, models)

    async def opened():
        return memory

    options = ChatOptions(prompt_tokens=2000, reply_tokens=200)
    chats = Chats(opened, stores, Prompts(), options, timezone="UTC", max_message=10_000)
    apps = Apps(objects, models, stores, chats, Prompts(), Limits(200, 500), {})
    summarizers = Summarizers(objects, models, Prompts(), options, "UTC")
    late = Late(config, client, lambda what, done: None, summarizers, working=False)
    yield Registry(client, objects, models, stores, apps, chats, late)
    await chats.close()
    await models.close()
