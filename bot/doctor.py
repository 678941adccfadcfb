"""The doctor: looks at everything the bot needs; each finding names its fix."""

import os
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import platformdirs
import redis.asyncio
from redis import exceptions

from bot import wiring
from bot.findings import Finding, Verdict
from bot.models.base import Message, Piece
from bot.models.openai_tokens import TiktokenTokenizer
from bot.platforms.discord import checkup as discord
from bot.platforms.slack import checkup as slack
from bot.settings import Settings, variable
from memory.batch import command, explained
from memory.errors import LoreError
from memory.reranker import DEPTH
from memory.words import ENGLISH

LISTPACK = 2048  # bytes of a field; a vector of 384 float16 numbers takes 768


async def examine(settings: Settings, progress: wiring.Progress) -> AsyncIterator[Finding]:
    """Yield findings as they are made; nothing is stored but in a throw-away place."""
    for finding in _misspelt(os.environ):
        yield finding
    yield _folder("data folder", settings.data_dir, "LOREBOT_DATA_DIR")
    yield _folder("cache folder", Path(platformdirs.user_cache_dir("lorebot")), "XDG_CACHE_HOME")
    yield _folder("state folder", Path(platformdirs.user_state_dir("lorebot")), "XDG_STATE_HOME")
    async for finding in _redis(settings, progress):
        yield finding
    yield await _embedder(settings, progress)
    yield await _reranker(settings, progress)
    yield await _chat(settings, progress)
    yield _tokenizer()
    async for finding in discord.findings(settings):
        yield finding
    async for finding in slack.findings(settings):
        yield finding


def _misspelt(environment: Mapping[str, str]) -> list[Finding]:
    """Find variables that look like settings and are none."""
    known = {variable(field) for field in Settings.model_fields}
    wrong = sorted(name for name in environment if name.startswith("LOREBOT_") and name not in known)
    return [
        Finding("settings", Verdict.WARNING, f"{name} is no setting", "the README lists them all") for name in wrong
    ]


def _folder(what: str, folder: Path, variable: str) -> Finding:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        why = f"{folder} can't be written to: {error.strerror}"
        return Finding(what, Verdict.BAD, why, f"give yourself access, or set {variable} to another folder")
    return Finding(what, Verdict.GOOD, str(folder))


async def _redis(settings: Settings, progress: wiring.Progress) -> AsyncIterator[Finding]:
    where = "REDIS_URL" if settings.redis_url else "embedded"
    try:
        async with wiring.opened_redis(settings, progress) as client:
            info: dict[str, Any] = await client.info()
            yield Finding("redis", Verdict.GOOD, f"{where}, version {info['redis_version']}")
            yield await _query_engine(client)
            yield await _partial_results(client)
            yield _persistence(info)
            yield _eviction(info)
            yield await _layout(client)
    except LoreError as error:
        yield Finding(
            "redis", Verdict.BAD, str(error), "start it, set REDIS_URL, or unset REDIS_URL for the embedded one"
        )
    except exceptions.RedisError as error:
        yield Finding("redis", Verdict.BAD, str(explained(error)), "check REDIS_URL")


async def _query_engine(client: "redis.asyncio.Redis") -> Finding:
    modules = {str(name): value for name, value in await _modules(client)}
    try:
        await command(client, "FT._LIST")
    except exceptions.ResponseError:
        return Finding("query engine", Verdict.BAD, "missing", "use Redis 8 or newer, or Redis Stack")
    version = modules.get("search", "built in")
    return Finding("query engine", Verdict.GOOD, f"version {version}")


async def _partial_results(client: "redis.asyncio.Redis") -> Finding:
    """Look at what the query engine does when time is up: what it has found so far would look like all there is."""
    try:
        reply = await command(client, "FT.CONFIG", "GET", "ON_TIMEOUT")
        policy = dict(reply).get(b"ON_TIMEOUT", b"").decode().lower()
    except (exceptions.ResponseError, ValueError):
        policy = "unknown"
    if policy in ("fail", "unknown"):
        return Finding("query timeout", Verdict.GOOD, policy)
    return Finding(
        "query timeout",
        Verdict.WARNING,
        f"{policy}: a search that takes long silently finds only a part",
        "set search-on-timeout fail in Redis 8, or load the module of Redis Stack with ON_TIMEOUT FAIL",
    )


async def _modules(client: "redis.asyncio.Redis") -> list[tuple[str, str]]:
    found = []
    for module in await command(client, "MODULE", "LIST"):
        named = dict(zip(module[::2], module[1::2], strict=True))
        found.append((named[b"name"].decode(), str(named[b"ver"])))
    return found


def _persistence(info: dict[str, Any]) -> Finding:
    if info.get("aof_enabled"):
        good = info.get("aof_last_write_status") == "ok"
        if good:
            return Finding("persistence", Verdict.GOOD, "append-only file")
        return Finding("persistence", Verdict.BAD, "the append-only file can't be written", "free disk space for Redis")
    return Finding(
        "persistence",
        Verdict.WARNING,
        "no append-only file: a crash forgets what was said last",
        "set appendonly yes in Redis",
    )


def _eviction(info: dict[str, Any]) -> Finding:
    policy = str(info.get("maxmemory_policy", "unknown"))
    if policy == "noeviction":
        return Finding("maxmemory-policy", Verdict.GOOD, policy)
    return Finding(
        "maxmemory-policy",
        Verdict.BAD,
        f"{policy}: a full Redis would drop memories",
        "set maxmemory-policy noeviction in Redis",
    )


async def _layout(client: "redis.asyncio.Redis") -> Finding:
    """Look at whether a turn is stored as one small block: Redis does so up to a size that is set."""
    try:
        found = await client.config_get("hash-max-listpack-value")
        most = int(str(found["hash-max-listpack-value"]))
    except (exceptions.ResponseError, KeyError, ValueError):  # managed servers hide their settings
        return Finding("hash layout", Verdict.GOOD, "unknown")
    if most >= LISTPACK:
        return Finding("hash layout", Verdict.GOOD, f"compact up to {most:,} bytes")
    return Finding(
        "hash layout",
        Verdict.WARNING,
        f"compact up to {most:,} bytes only: every turn takes a kilobyte more",
        "set hash-max-listpack-value 2048 in Redis",
    )


async def _embedder(settings: Settings, progress: wiring.Progress) -> Finding:
    """Open memory as the bot does: with the embedder that it was made with, and no other."""
    try:
        async with wiring.opened_memory(settings.model_copy(update={"reranker": "none"}), progress) as memory:
            embedder = memory.embedder
            vectors = await embedder.embed(["Is anybody there?"])
    except LoreError as error:
        return Finding(
            "embedder", Verdict.BAD, str(error), "see LOREBOT_EMBEDDER and LOREBOT_EMBED_MODEL in the README"
        )
    covers = getattr(embedder, "covers", "unknown languages")  # memory itself does not ask for it
    told = f"{embedder.name}, {vectors.shape[1]} dimensions; {covers}"
    if settings.language != ENGLISH and "English only" in covers:
        return Finding(
            "embedder",
            Verdict.WARNING,
            f"{told}, but LOREBOT_LANGUAGE is {settings.language}",
            "set LOREBOT_EMBED_MODEL to the folder of a multilingual model, or take OpenAI's, and run "
            "`lorebot memory reembed`",
        )
    return Finding("embedder", Verdict.GOOD, told)


async def _reranker(settings: Settings, progress: wiring.Progress) -> Finding:
    """Rerank as many passages as an answer does, and tell how long that takes: it differs much between machines."""
    passages = ["Ada: Is anybody there? " + "I have been waiting for a while, and nobody came. " * 3] * DEPTH
    try:
        async with wiring.opened_reranker(settings, progress) as reranker:
            if reranker is None:
                return Finding("reranker", Verdict.GOOD, "none")
            await reranker.rerank("Is anybody there?", passages[:1])  # it is loaded now
            began = time.perf_counter()
            await reranker.rerank("Is anybody there?", passages)
    except LoreError as error:
        return Finding("reranker", Verdict.BAD, str(error), "see LOREBOT_RERANKER in the README")
    took = (time.perf_counter() - began) * 1000
    return Finding("reranker", Verdict.GOOD, f"{reranker.name}, {took:.0f} ms an answer")


async def _chat(settings: Settings, progress: wiring.Progress) -> Finding:
    try:
        async with AsyncExitStack() as stack:
            model = await wiring.chat_model(settings, progress)
            stack.push_async_callback(model.close)
            asked = [Message("user", "Say hello.")]
            pieces = await stack.enter_async_context(aclosing(model.stream(asked, max_tokens=16)))  # type: ignore[type-var]
            said = "".join([piece.text async for piece in pieces if isinstance(piece, Piece)])
    except LoreError as error:
        return Finding("chat model", Verdict.BAD, str(error), "see LOREBOT_LLM and LOREBOT_CHAT_MODEL in the README")
    if not said.strip():
        return Finding("chat model", Verdict.WARNING, f"{model.name} answers with nothing", "try another model")
    return Finding(
        "chat model", Verdict.GOOD, f"{model.name} ({settings.chat_provider}), context {model.context_window:,} tokens"
    )


def _tokenizer() -> Finding:
    count = TiktokenTokenizer.for_model("gpt-4o").count("hello world")
    if count != 2:
        return Finding(
            "tokenizer", Verdict.BAD, f"counts {count} tokens in 'hello world', not 2", "install lorebot anew"
        )
    return Finding("tokenizer", Verdict.GOOD, "tiktoken, o200k_base")
