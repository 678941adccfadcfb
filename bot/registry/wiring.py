"""Builds the registry: named models, stores and apps, with the memory that chats are kept in."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import redis.asyncio
import structlog
from ulid import ULID

from bot import upkeep, wiring
from bot.apps.chat import ChatApp
from bot.backlog import Backlog
from bot.ledger import Ledger
from bot.metrics import Metrics
from bot.models import weights
from bot.models.base import ChatModel
from bot.models.local_embedder import LocalEmbedder
from bot.presets import Presets, Wanted
from bot.registry.apps import Apps, Limits
from bot.registry.chats import Chats, Summarizers, chat_prompts
from bot.registry.models import Models
from bot.registry.objects import Objects
from bot.registry.secrets import Vault
from bot.registry.stores import Stores
from bot.resp.line import Line
from bot.service import Service
from bot.settings import Settings
from bot.settled import settled
from bot.summaries import Summaries
from bot.wiring import FLOORS, Progress
from memory import index, tasks
from memory.batch import explaining
from memory.embedder import Embedder
from memory.errors import LoreError
from memory.keys import Keys
from memory.memory import Memory

log = structlog.get_logger()

EVERY = 3600.0  # seconds between looks for stores that have ended


@dataclass(frozen=True, slots=True)
class Registry:
    """Named models, vector stores and apps. client: through which all of it is reached."""

    client: "redis.asyncio.Redis"
    objects: Objects
    models: Models
    stores: Stores
    apps: Apps
    chats: Chats
    memory: "Late"

    async def settle(self) -> None:
        """Remember what was answered, and make the summaries that are due."""
        await self.chats.close()
        await self.memory.settle()


@asynccontextmanager
async def opened(
    settings: Settings, progress: Progress = index.silent, *, working: bool = False
) -> AsyncIterator[Registry]:
    """Open what has a name in the configured namespace; memory is opened when a chat needs it first.

    working: look after memory and make summaries beside, as long as it is open.
    """
    async with wiring.opened_redis(settings, progress) as client:
        await explaining(index.loaded(client, progress))
        async with over(client, settings, progress, working=working) as registry:
            yield registry


@asynccontextmanager
async def over(
    client: "redis.asyncio.Redis",
    settings: Settings,
    progress: Progress = index.silent,
    *,
    working: bool = False,
    memory: Memory | None = None,
) -> AsyncIterator[Registry]:
    """Open what has a name through a client that somebody else closes; memory: where it is open already."""
    keys = Keys(settings.namespace)
    async with AsyncExitStack() as stack:
        objects = Objects(client, keys)
        models = Models(objects, Vault(settings), settings, _Configured(settings, client, progress))
        stack.push_async_callback(models.close)
        line = Line(client)
        if working:
            await asyncio.to_thread(_import_heavy)
            await line.start()
            stack.push_async_callback(line.close)
        stores = Stores(client, keys, objects, models, line.batch)
        options = wiring.chat_options(settings)
        prompts = wiring.prompts(settings)
        summarizers = Summarizers(objects, models, prompts, options, settings.timezone)
        late = Late(settings, client, progress, summarizers, working=working, memory=memory)
        stack.push_async_callback(late.close)
        chats = Chats(
            late.opened, stores, prompts, options, timezone=settings.timezone, max_message=settings.max_message
        )
        stack.push_async_callback(chats.close)
        limits = Limits(reply=options.reply_tokens)
        apps = Apps(objects, models, stores, chats, prompts, limits, FLOORS)
        if working:
            tidying = asyncio.create_task(_tidy(stores))
            stack.push_async_callback(tasks.ended, tidying)
        yield Registry(client, objects, models, stores, apps, chats, late)


@asynccontextmanager
async def serving(
    settings: Settings, metrics: Metrics, progress: Progress = index.silent
) -> AsyncIterator[tuple[wiring.Bot, Service]]:
    """Open a bot that serves many people: who it is in each server, and what it knows there, is in the registry."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(wiring.opened_redis(settings, progress))
        memory = await stack.enter_async_context(wiring.memory_at(client, settings, progress))
        registry = await stack.enter_async_context(over(client, settings, progress, working=True, memory=memory))
        model = await stack.enter_async_context(wiring.warmed_model(settings, progress))
        options, prompts = wiring.chat_options(settings), wiring.prompts(settings)

        def make(wanted: Wanted) -> ChatApp:
            return ChatApp(
                memory,
                wanted.model or model,
                chat_prompts(prompts, wanted.prompt),
                replace(options, persona=wanted.persona, history=wanted.history, app=wanted.address),
            )

        presets = Presets(registry.objects, registry.models, registry.apps, make)
        bot = await stack.enter_async_context(wiring.bot_with(settings, client, memory, model, presets.app))
        await stack.enter_async_context(settled(partial(_warm, memory.embedder)))
        practices = wiring.practices(settings)
        parts = (presets, registry.apps, prompts, bot.limits, practices, metrics, bot.listening)
        yield bot, Service(settings.name, model.name, *parts)


async def _warm(embedder: Embedder) -> None:
    """Load an embedder that runs here, which takes half a second; another one needs no warming."""
    if isinstance(embedder, LocalEmbedder):
        await embedder.embed(["ready"])


def _import_heavy() -> None:
    """Load at the start what would hold up everybody when somebody needs it first."""
    for name in ("bot.models.openai_chat", "bot.models.openai_embedder", "redisvl.schema"):
        importlib.import_module(name)


async def _tidy(stores: Stores) -> None:
    """Let go of what stores held that have ended, now and every hour, until cancelled."""
    while True:
        try:
            gone = await explaining(stores.tidy())
            if gone:
                log.info("stores dropped", stores=gone)
        except LoreError as error:  # Redis has gone away: next time
            log.warning("stores not tidied", error=str(error))
        await asyncio.sleep(EVERY)


@dataclass(frozen=True, slots=True)
class _Configured:
    """Makes the models that the settings name."""

    settings: Settings
    client: "redis.asyncio.Redis"
    progress: Progress

    async def chat(self) -> ChatModel:
        return await wiring.chat_model(self.settings, self.progress)

    async def embedder(self) -> Embedder:
        provider = await wiring.embed_provider(self.settings, self.client, self.progress)
        return await wiring.embedding_model(self.settings, self.progress, provider)

    async def fetched(self, wanted: weights.Weights) -> Path:
        return await wiring.fetched(wanted, self.progress)


class Late:
    """Memory, opened by whoever needs it first, and who looks after it."""

    def __init__(
        self,
        settings: Settings,
        client: "redis.asyncio.Redis",
        progress: Progress,
        summarizers: Summarizers,
        *,
        working: bool,
        memory: Memory | None = None,
    ) -> None:
        """memory: where it is open already, and looked after."""
        self._settings = settings
        self._client = client
        self._progress = progress
        self._summarizers = summarizers
        self._working = working
        self._opening = asyncio.Lock()
        self._memory = memory
        self._stack = AsyncExitStack()
        if memory is not None and working:
            self._beside(Summaries(memory, summarizers).run())

    async def opened(self) -> Memory:
        """Return memory, opened now if it was not before."""
        async with self._opening:
            if self._memory is None:
                opening = wiring.memory_at(self._client, self._settings, self._progress)
                self._memory = await self._stack.enter_async_context(opening)
                if self._working:
                    ledger = Ledger(self._memory.keys, owner=str(ULID()))
                    self._beside(upkeep.keep_up(self._memory, Backlog(self._memory, ledger)))
                    self._beside(Summaries(self._memory, self._summarizers).run())
            return self._memory

    async def settle(self) -> None:
        """Make the summaries that are due, where memory has been opened."""
        if self._memory is not None:
            summaries = Summaries(self._memory, self._summarizers)
            for tenant in await self._memory.jobs.waiting():
                await summaries.serve(tenant)

    async def close(self) -> None:
        """Close what was opened."""
        await self._stack.aclose()

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        self._stack.push_async_callback(tasks.ended, asyncio.create_task(work))
