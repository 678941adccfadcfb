"""The only place that builds things: Redis, memory, models, apps, engine; and closes them again."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import redis.asyncio
from memory.server import EmbeddedServer
from ulid import ULID

from bot.apps.chat import ChatApp
from bot.engine import Engine
from bot.ledger import Ledger
from bot.models.base import ChatModel
from bot.prompts import Prompts
from bot.settings import Settings
from memory import connect, index
from memory.keys import Keys
from memory.memory import Memory

Progress = Callable[[str, float | None], None]  # what is being done, and how much of it (0 to 1, None: unknown)


@dataclass(frozen=True, slots=True)
class Bot:
    """Everything a platform needs."""

    settings: Settings
    memory: Memory
    model: ChatModel
    engine: Engine


@asynccontextmanager
async def bot(settings: Settings, progress: Progress) -> AsyncIterator[Bot]:
    """Open memory and model, and let go of them at the end."""
    async with AsyncExitStack() as stack:
        memory = await stack.enter_async_context(opened_memory(settings, progress))
        model = await chat_model(settings, progress)
        stack.push_async_callback(model.close)
        app = ChatApp(memory, model, Prompts(settings.prompts), chat_options(settings))
        ledger = Ledger(memory.keys, owner=str(ULID()))
        engine = Engine(memory, app, ledger, name=settings.name, max_message=settings.max_message)
        yield Bot(settings, memory, model, engine)


@asynccontextmanager
async def opened_memory(settings: Settings, progress: Progress) -> AsyncIterator[Memory]:
    """Open memory in the configured namespace."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(opened_redis(settings, progress))
        embedder = await embedding_model(settings, progress)
        stack.push_async_callback(embedder.close)
        yield await Memory.open(
            client, embedder, keys=Keys(settings.namespace), options=index_options(settings), progress=progress
        )


@asynccontextmanager
async def throwaway_memory(settings: Settings, progress: Progress) -> AsyncIterator[Memory]:
    """Open memory in a namespace of its own, and delete it at the end."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(opened_redis(settings, progress))
        embedder = await embedding_model(settings, progress)
        stack.push_async_callback(embedder.close)
        keys = Keys(f"{settings.namespace}-throwaway-{time.time_ns():x}")
        stack.push_async_callback(index.drop, client, keys)
        yield await Memory.open(client, embedder, keys=keys, options=index_options(settings), progress=progress)


@asynccontextmanager
async def opened_redis(settings: Settings, progress: Progress) -> AsyncIterator["redis.asyncio.Redis"]:
    """Connect to REDIS_URL, or start the embedded server first."""
    if settings.redis_url is not None:
        url = settings.redis_url.get_secret_value()
    else:
        url = await embedded_server(settings).start(progress)
    client = connect.client(url)
    try:
        yield client
    finally:
        await client.aclose()


def embedded_server(settings: Settings) -> EmbeddedServer:
    """Return the embedded server of the data folder."""
    return EmbeddedServer(settings.data_dir / "redis")
