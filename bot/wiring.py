"""The only place that builds things: Redis, memory, models, apps, engine; and closes them again."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import platformdirs
import redis.asyncio
import structlog
from ulid import ULID

from bot import upkeep
from bot.apps.chat import ChatApp, ChatOptions
from bot.engine import Apps, Engine, always
from bot.errors import ReplyBroken
from bot.ledger import Ledger
from bot.limits import Allowance, Limits
from bot.listening import Listening
from bot.models import weights
from bot.models.base import ChatModel
from bot.notices import Practices
from bot.prompts import Prompts
from bot.records import Answered, Incoming
from bot.settings import DEFAULT_CHAT_MODEL, DEFAULT_EMBED_MODEL, Provider, Settings
from memory import backup, connect, index, migrate, tasks
from memory.embedder import Embedder
from memory.errors import LoreError
from memory.keys import Keys
from memory.memory import Memory
from memory.migrate import Moved
from memory.reranker import Reranker
from memory.scope import Scope
from memory.server import EmbeddedServer
from memory.views import IndexOptions

if TYPE_CHECKING:
    from bot.models.endpoint import Endpoint

log = structlog.get_logger()

LOCAL_EMBEDDER = "bge-small-en-v1.5-int8"
# By embedder, the cosine below which texts have nothing to do with each other. Of the shipped one: 98% of the turns
# that answer a question, in four data sets, lie above it, and unrelated ones at .4.
FLOORS = {LOCAL_EMBEDDER: 0.45}
LOCAL_RERANKER = "ms-marco-MiniLM-L-12-v2-int8"

Progress = Callable[[str, float | None], None]  # what is being done, and how much of it (0 to 1, None: unknown)


@dataclass(frozen=True, slots=True)
class Bot:
    """Everything a platform needs."""

    settings: Settings
    memory: Memory
    model: ChatModel
    engine: Engine
    client: "redis.asyncio.Redis"
    limits: Limits
    listening: Listening

    async def ask(self, scope: Scope, text: str) -> Answered:
        """Say something and return the whole answer; both are remembered.

        Raises MessageTooLong, ModelError.
        """
        now = time.time_ns() // 1_000_000
        message = Incoming(str(ULID()), scope, scope.person, text, now, self.settings.timezone)
        async with aclosing(self.engine.reply(message)) as events:  # type: ignore[type-var]
            async for event in events:
                if isinstance(event, Answered):
                    return event
        raise ReplyBroken("the answer did not come to its end")


@asynccontextmanager
async def bot(settings: Settings, progress: Progress = index.silent) -> AsyncIterator[Bot]:
    """Open memory and model, and let go of them at the end."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(opened_redis(settings, progress))
        memory = await stack.enter_async_context(memory_at(client, settings, progress))
        model = await stack.enter_async_context(warmed_model(settings, progress))
        app = ChatApp(memory, model, prompts(settings), chat_options(settings))
        yield await stack.enter_async_context(bot_with(settings, client, memory, model, always(app)))


@asynccontextmanager
async def warmed_model(settings: Settings, progress: Progress) -> AsyncIterator[ChatModel]:
    """Open the model that answers, and let it make itself ready beside."""
    model = await chat_model(settings, progress)
    try:
        warming = asyncio.create_task(model.warm())
        try:
            yield model
        finally:
            await _warmed(warming)
    finally:
        await model.close()


@asynccontextmanager
async def bot_with(
    settings: Settings, client: "redis.asyncio.Redis", memory: Memory, model: ChatModel, apps: Apps
) -> AsyncIterator[Bot]:
    """Open a bot that answers by apps, with memory and a model that somebody else closes."""
    async with AsyncExitStack() as stack:
        owner = str(ULID())
        ledger = Ledger(memory.keys, owner)
        engine = Engine(memory, apps, ledger, name=settings.name, max_message=settings.max_message)
        stack.push_async_callback(_last_try, engine)
        keeping_up = asyncio.create_task(upkeep.keep_up(memory, engine.backlog))
        stack.push_async_callback(tasks.ended, keeping_up)
        limits = Limits(client, memory.keys, allowance(settings))
        yield Bot(settings, memory, model, engine, client, limits, Listening(memory, owner))


@asynccontextmanager
async def opened_memory(settings: Settings, progress: Progress = index.silent) -> AsyncIterator[Memory]:
    """Open memory in the configured namespace."""
    async with opened_redis(settings, progress) as client, memory_at(client, settings, progress) as memory:
        yield memory


@asynccontextmanager
async def memory_at(
    client: "redis.asyncio.Redis", settings: Settings, progress: Progress = index.silent
) -> AsyncIterator[Memory]:
    """Open memory through a client that somebody else closes."""
    async with AsyncExitStack() as stack:
        provider = await embed_provider(settings, client, progress)
        embedder = await embedding_model(settings, progress, provider)
        stack.push_async_callback(embedder.close)
        reranker = await stack.enter_async_context(opened_reranker(settings, progress))
        yield await _memory(client, embedder, reranker, Keys(settings.namespace), settings, progress)


async def _memory(
    client: "redis.asyncio.Redis",
    embedder: Embedder,
    reranker: Reranker | None,
    keys: Keys,
    settings: Settings,
    progress: Progress,
) -> Memory:
    return await Memory.open(
        client,
        embedder,
        keys=keys,
        options=index_options(settings),
        floor=floor(settings, embedder),
        reranker=reranker,
        progress=progress,
    )


async def reembed(settings: Settings, progress: Progress, *, drop_old: bool = False) -> Moved:
    """Embed all of memory with the configured embedder, and switch to it."""
    keys = Keys(settings.namespace)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(opened_redis(settings, progress))
        embedder = await embedding_model(settings, progress, settings.embed_provider)
        stack.push_async_callback(embedder.close)
        moved = await migrate.reembed(client, embedder, keys, index_options(settings), progress)
        if drop_old:
            await migrate.drop_others(client, keys, progress)
        return moved


@asynccontextmanager
async def throwaway_memory(settings: Settings, progress: Progress) -> AsyncIterator[Memory]:
    """Open memory in a namespace of its own, and delete it at the end."""
    async with throwaway_memories(settings, progress) as another, another() as memory:
        yield memory


@asynccontextmanager
async def throwaway_memories(
    settings: Settings, progress: Progress, wrapped: Callable[[Embedder], Embedder] = lambda embedder: embedder
) -> AsyncIterator[Callable[[], AbstractAsyncContextManager[Memory]]]:
    """Open Redis and models, and yield what opens memory in a namespace of its own and deletes it at its end."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(opened_redis(settings, progress))
        embedder = wrapped(await embedding_model(settings, progress, settings.embed_provider))
        stack.push_async_callback(embedder.close)
        reranker = await stack.enter_async_context(opened_reranker(settings, progress))

        @asynccontextmanager
        async def another() -> AsyncIterator[Memory]:
            keys = Keys(f"{settings.namespace}-throwaway-{time.time_ns():x}")
            try:
                yield await _memory(client, embedder, reranker, keys, settings, progress)
            finally:
                await index.drop(client, keys)

        yield another


@asynccontextmanager
async def opened_redis(settings: Settings, progress: Progress) -> AsyncIterator["redis.asyncio.Redis"]:
    """Connect to REDIS_URL, or start the embedded server first."""
    async with AsyncExitStack() as stack:
        if settings.redis_url is not None:
            client = connect.client(settings.redis_url.get_secret_value())
        else:
            server = embedded_server(settings)
            stack.callback(server.leave)
            client = connect.client(await server.start(progress), ensure=server.ensure)
        stack.push_async_callback(connect.close, client)
        yield client


def embedded_server(settings: Settings) -> EmbeddedServer:
    """Return the embedded server of the data folder."""
    return EmbeddedServer(settings.data_dir / "redis")


async def back_up(server: EmbeddedServer, file: Path, progress: Progress) -> None:
    """Write all that an embedded server holds to a file."""
    client = connect.client(await server.start(progress))
    try:
        await backup.save(client, server.folder, file)
    finally:
        await connect.close(client)
        server.leave()


async def _warmed(task: "asyncio.Task[None]") -> None:
    """End warming the model; what it may have met, the first reply meets again and tells."""
    met = await tasks.ended(task)
    if isinstance(met, LoreError):
        log.info("model not warmed", error=str(met))


async def _last_try(engine: Engine) -> None:
    """Remember what waits for memory before it is given up; what can't be is counted, and said."""
    if not await engine.backlog.caught_up(now=True):
        log.error("memory away", turns_lost=len(engine.backlog), error=engine.backlog.away)


async def chat_model(settings: Settings, progress: Progress) -> ChatModel:
    """Return the model that answers; local weights are fetched first where they are missing."""
    if settings.chat_provider == "local":
        from bot.models.local_chat import LocalChat  # needs an extra

        file = settings.chat_model_path or await fetched(weights.CHAT, progress)
        return LocalChat(
            file,
            threads=settings.threads,
            stall_timeout=settings.stall_timeout,
            context_window=settings.context_window,
        )
    from bot.models.openai_chat import OpenAIChat  # heavy

    name = settings.chat_model or DEFAULT_CHAT_MODEL
    return OpenAIChat(
        endpoint(settings, settings.chat_provider),
        name,
        context_window=settings.context_window,
        images=settings.images,
    )


async def embed_provider(settings: Settings, client: "redis.asyncio.Redis", progress: Progress) -> Provider:
    """Return who embeds: `auto` stays with the local embedder where memory was made with it."""
    made_with = await index.made_with(client, Keys(settings.namespace), progress)
    return "local" if settings.embedder == "auto" and made_with == LOCAL_EMBEDDER else settings.embed_provider


async def embedding_model(settings: Settings, progress: Progress, provider: Provider) -> Embedder:
    """Return a provider's embedder; local weights are fetched first where they are missing."""
    if provider == "local":
        from bot.models.local_embedder import LocalEmbedder  # needs an extra

        if settings.embed_model and settings.embed_provider == "local":
            folder = Path(settings.embed_model).expanduser()
            return LocalEmbedder(folder, folder.resolve().name)
        return LocalEmbedder(await fetched(weights.EMBEDDING, progress), LOCAL_EMBEDDER)
    from bot.models.openai_embedder import OpenAIEmbedder  # heavy

    return OpenAIEmbedder(endpoint(settings, provider), settings.embed_model or DEFAULT_EMBED_MODEL)


@asynccontextmanager
async def opened_reranker(settings: Settings, progress: Progress) -> AsyncIterator[Reranker | None]:
    """Open the reranker that is configured, if any; local weights are fetched first where they are missing."""
    if settings.reranker == "none":
        yield None
        return
    from bot.models.local_reranker import LocalReranker  # needs an extra

    if settings.reranker == "local":
        reranker = LocalReranker(await fetched(weights.RERANKER, progress), LOCAL_RERANKER)
    else:
        folder = Path(settings.reranker).expanduser()
        reranker = LocalReranker(folder, folder.resolve().name)
    try:
        reranker.check()  # what is wrong from the beginning is told then, not at every answer
        yield reranker
    finally:
        await reranker.close()


async def fetched(wanted: weights.Weights, progress: Progress) -> Path:
    """Return local weights from the cache folder, downloaded where they are missing."""
    cache = Path(platformdirs.user_cache_dir("lorebot"))
    return await weights.fetch(wanted, cache, lambda what, done, total: progress(f"fetching {what}", done / total))


def endpoint(settings: Settings, provider: Provider) -> "Endpoint":
    """Return where a provider's models answer."""
    from bot.models.endpoint import Endpoint  # heavy

    azure = provider == "azure"
    return Endpoint(
        kind="azure" if azure else "openai",
        base_url=settings.azure_endpoint if azure else settings.openai_base_url,
        api_key=settings.azure_api_key if azure else settings.openai_api_key,
        ad_token=settings.azure_ad_token if azure else None,
        organization=None if azure else settings.openai_org_id,
        api_version=settings.azure_api_version if azure else None,
        connect_timeout=settings.connect_timeout,
        stall_timeout=settings.stall_timeout,
        proxy=settings.proxy.get_secret_value() if settings.proxy else None,
        pool_size=settings.pool_size,
        verify_tls=settings.verify_tls,
    )


def prompts(settings: Settings) -> Prompts:
    """Return the prompts: the operator's own, short ones for the small model that ships, then the usual ones."""
    small = settings.chat_provider == "local" and settings.chat_model_path is None
    return Prompts(settings.prompts, style="small" if small else None)


def chat_options(settings: Settings) -> ChatOptions:
    """Return how chats are held; a local model reads slowly, and the small one that ships gets lost in long prompts."""
    local = settings.chat_provider == "local"
    small = local and settings.chat_model_path is None
    return ChatOptions(
        name=settings.name,
        prompt_tokens=settings.prompt_tokens or (700 if local else 6000),
        reply_tokens=settings.reply_tokens or (120 if small else 2000),
        recall=min(settings.recall_turns, 4) if small else settings.recall_turns,
        window=min(settings.window_turns, 2) if small else settings.window_turns,
        small=small,
    )


def allowance(settings: Settings) -> Allowance:
    """Return how much people may ask."""
    return Allowance(
        person_per_minute=settings.person_per_minute,
        tenant_per_minute=settings.tenant_per_minute,
        person_tokens=settings.person_tokens_per_day,
        tenant_tokens=settings.tenant_tokens_per_day,
        timezone=settings.timezone,
    )


def practices(settings: Settings) -> Practices:
    """Return what this bot does with what people say, as it is told to them."""
    return Practices(
        name=settings.name,
        answering=processor(settings, settings.chat_provider),
        embedding=processor(settings, settings.embed_provider),
        contact=settings.contact,
    )


def processor(settings: Settings, provider: Provider) -> str | None:
    """Return to whom a provider's models belong, in words; None: they run where the bot does."""
    if provider == "local":
        return None
    if provider == "azure":
        return "Azure OpenAI"
    host = urlsplit(settings.openai_base_url or "").hostname
    return f"the server {host}" if host and host != "api.openai.com" else "OpenAI"


def floor(settings: Settings, embedder: Embedder) -> float:
    """Return the cosine below which texts have nothing to do with each other; where that is unknown, none is."""
    return settings.recall_floor if settings.recall_floor is not None else FLOORS.get(embedder.name, -1.0)


def index_options(settings: Settings) -> IndexOptions:
    """Return how the index is built and searched."""
    return IndexOptions(
        m=settings.hnsw_m,
        ef_construction=settings.hnsw_ef_construction,
        ef_runtime=settings.hnsw_ef_runtime,
        dtype=settings.vector_dtype,
        language=settings.language,
    )
