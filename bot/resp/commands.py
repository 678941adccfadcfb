"""LLM.*: redis-llm's commands, answered from the registry as its operator."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import numpy as np

from bot.apps.runs import Composed, Ran
from bot.apps.search import with_sources
from bot.errors import CommandError, ObjectMissing
from bot.registry.apps import Apps, Run
from bot.registry.models import Models
from bot.registry.objects import How, Objects
from bot.registry.parameters import MOST_K, LlmRef, Parameters, Ref, floats, from_json, read
from bot.registry.stores import Stores
from bot.resp.base import Reply
from bot.resp.options import Arguments, parse, whole
from memory import tasks
from memory.embedder import Vector
from memory.store_items import New

LONGEST_TIMEOUT = 24 * 3600 * 1000  # milliseconds

_MAKING = ("--NX", "--XX")


class _One(Parameters):
    """The value of --LLM."""

    llm: Ref


class Commands:
    """Answers LLM.* and acts on objects as if they were keys."""

    def __init__(self, objects: Objects, models: Models, stores: Stores, apps: Apps) -> None:
        self._objects = objects
        self._models = models
        self._stores = stores
        self._apps = apps
        self._answers: Mapping[str, Callable[[Sequence[bytes]], Awaitable[Reply]]] = {
            "LLM.CREATE-LLM": self._create_llm,
            "LLM.CREATE-VECTOR-STORE": self._create_store,
            "LLM.CREATE-APP": self._create_app,
            "LLM.CREATE-SEARCH": self._create_search,
            "LLM.CREATE-CHAT": self._create_chat,
            "LLM.ADD": self._add,
            "LLM.GET": self._get,
            "LLM.REM": self._rem,
            "LLM.SIZE": self._size,
            "LLM.KNN": self._knn,
            "LLM.RUN": self._run,
        }

    @property
    def names(self) -> frozenset[str]:
        """The commands answered here."""
        return frozenset(self._answers)

    async def run(self, name: str, arguments: Sequence[bytes]) -> Reply:
        """Carry out a command. Raises LoreError with what is wrong."""
        return await self._answers[name](arguments)

    # Objects as keys

    async def kind(self, key: bytes) -> str | None:
        """Return what kind of object has this name."""
        found = await self._objects.find(_name(key))
        return None if found is None else found.kind.value

    async def delete(self, key: bytes) -> bool:
        """Remove an object, a store with what it holds."""
        name = _name(key)
        return await self._stores.remove(name) or await self._objects.remove(name) is not None

    async def expire(self, key: bytes, at: int | None) -> bool:
        """Let an object end at a time, milliseconds since 1970; None: never."""
        return await self._objects.expire(_name(key), at)

    async def expires(self, key: bytes) -> int | None:
        """Return when an object ends."""
        return await self._objects.expires(_name(key))

    # Creating

    async def _create_llm(self, given: Sequence[bytes]) -> Reply:
        told = parse("LLM.CREATE-LLM", given, flags=_MAKING, options=("--TYPE", "--PARAMS"))
        made = await self._models.create(
            told.plain[0], _params(told), _how(told), type_=(told.text("--TYPE") or "openai").lower()
        )
        return int(made.made)

    async def _create_store(self, given: Sequence[bytes]) -> Reply:
        told = parse("LLM.CREATE-VECTOR-STORE", given, flags=_MAKING, options=("--TYPE", "--LLM", "--PARAMS"))
        params = {**_params(told), **_llm(told)}
        made = await self._stores.create(told.plain[0], params, _how(told), type_=told.text("--TYPE") or "hnsw")
        return int(made.made)

    async def _create_app(self, given: Sequence[bytes]) -> Reply:
        told = parse("LLM.CREATE-APP", given, flags=_MAKING, options=("--LLM", "--PROMPT"))
        return await self._made(told, "simple", {})

    async def _create_search(self, given: Sequence[bytes]) -> Reply:
        options = ("--LLM", "--VECTOR-STORE", "--K", "--PROMPT")
        told = parse("LLM.CREATE-SEARCH", given, flags=_MAKING, options=options)
        return await self._made(told, "search", {"vector_store": _wanted(told, "--VECTOR-STORE"), **_k(told)})

    async def _create_chat(self, given: Sequence[bytes]) -> Reply:
        options = ("--LLM", "--VECTOR-STORE", "--K", "--HISTORY", "--PROMPT")
        told = parse("LLM.CREATE-CHAT", given, flags=_MAKING, options=options)
        params: dict[str, Any] = _k(told)
        if (store := told.text("--VECTOR-STORE")) is not None:
            params["vector_store"] = store
        if (history := told.text("--HISTORY")) is not None:
            params["history"] = from_json(history, "--HISTORY")
        return await self._made(told, "chat", params)

    async def _made(self, told: Arguments, type_: str, params: dict[str, Any]) -> int:
        params |= _llm(told)
        if (prompt := told.text("--PROMPT")) is not None:
            params["prompt"] = prompt
        return int((await self._apps.create(told.plain[0], params, _how(told), type_=type_)).made)

    # Vector stores

    async def _add(self, given: Sequence[bytes]) -> Reply:
        options = ("--ID", "--EMBEDDING", "--TIMEOUT", "--METADATA", "--TTL")
        told = parse("LLM.ADD", given, options=options, least=2, most=2)
        item = New(
            told.plain[1],
            vector=_vector(told),
            id=whole(told.values["--ID"], "--ID") if "--ID" in told.values else None,
            metadata=from_json(told.values["--METADATA"], "--METADATA") if "--METADATA" in told.values else {},
            ttl=told.number("--TTL", 0, least=1) / 1000 if "--TTL" in told.values else None,
        )

        async def added() -> Reply:
            return (await self._stores.add(told.plain[0], [item]))[0]

        return await _within(told, added)

    async def _get(self, given: Sequence[bytes]) -> Reply:
        told = parse("LLM.GET", given, least=2, most=2)
        try:
            (found,) = await self._stores.get(told.plain[0], [whole(told.plain[1], "the id")])
        except ObjectMissing:
            return None
        return None if found is None else [found.text, written(found.vector)]

    async def _rem(self, given: Sequence[bytes]) -> Reply:
        told = parse("LLM.REM", given, least=2, most=2)
        try:
            return await self._stores.remove_items(told.plain[0], [whole(told.plain[1], "the id")])
        except ObjectMissing:
            return 0

    async def _size(self, given: Sequence[bytes]) -> Reply:
        told = parse("LLM.SIZE", given)
        try:
            return await self._stores.size(told.plain[0])
        except ObjectMissing:
            return 0

    async def _knn(self, given: Sequence[bytes]) -> Reply:
        told = parse("LLM.KNN", given, options=("--K", "--EMBEDDING", "--TIMEOUT"), least=1, most=2)
        query: str | Vector | None = _vector(told)
        if query is None:
            if len(told.plain) < 2:
                raise CommandError("LLM.KNN needs --EMBEDDING or a text to search for")
            query = told.plain[1]
        k = told.number("--K", 10, least=1, most=MOST_K)

        async def near() -> Reply:
            found = await self._stores.knn(told.plain[0], query, k, texts=False)
            return [[one.id, one.distance] for one in found]

        return await _within(told, near)

    # Apps

    async def _run(self, given: Sequence[bytes]) -> Reply:
        told = parse(
            "LLM.RUN", given, flags=("--VERBOSE",), options=("--LLM", "--VARS", "--PARAMS", "--TIMEOUT"), most=2
        )
        params = _params(told)
        run = Run(
            input=told.plain[1] if len(told.plain) > 1 else "",
            variables=from_json(told.values["--VARS"], "--VARS") if "--VARS" in told.values else {},
            llm=_ref(told),
            conversation=_place(params, "conversation"),
            user=_place(params, "user"),
            params=params,
            verbose="--VERBOSE" in told.flags,
        )
        return await _within(told, lambda: self._ran(told.plain[0], run))

    async def _ran(self, name: str, run: Run) -> Reply:
        prompt = answer = ""
        async with aclosing(self._apps.run(name, run)) as events:  # type: ignore[type-var]
            async for event in events:
                match event:
                    case Composed():
                        prompt = event.text
                    case Ran():
                        answer = with_sources(event)
        return f"{prompt}\n\n{answer}" if run.verbose else answer


def written(vector: Vector | None) -> str:
    """Return a vector as text, each number in the fewest digits that read back as the same."""
    return "" if vector is None else ",".join(str(number).removesuffix(".0") for number in vector)


def _name(key: bytes) -> str:
    return key.decode("utf-8", "surrogateescape")


def _how(told: Arguments) -> How:
    return How(nx="--NX" in told.flags, xx="--XX" in told.flags)


def _params(told: Arguments) -> dict[str, Any]:
    return from_json(told.values["--PARAMS"], "--PARAMS") if "--PARAMS" in told.values else {}


def _ref(told: Arguments) -> LlmRef | None:
    return read(_One, {"llm": told.values["--LLM"]}, "--LLM").llm if "--LLM" in told.values else None


def _llm(told: Arguments) -> dict[str, Any]:
    ref = _ref(told)
    return {} if ref is None else {"llm": ref.model_dump()}


def _k(told: Arguments) -> dict[str, Any]:
    return {"k": told.number("--K", 3, least=1, most=MOST_K)} if "--K" in told.values else {}


def _wanted(told: Arguments, option: str) -> str:
    if option not in told.values:
        raise CommandError(f"{option} is missing")
    return told.values[option]


def _vector(told: Arguments) -> Vector | None:
    if "--EMBEDDING" not in told.values:
        return None
    found: Vector = np.array(floats(told.values["--EMBEDDING"], "--EMBEDDING"), dtype=np.float64)
    return found


def _place(params: dict[str, Any], name: str) -> str | None:
    """Take out of --PARAMS which conversation goes on, or whose."""
    value = params.pop(name, None)
    if value is not None and (not isinstance(value, str | int) or isinstance(value, bool) or not str(value).strip()):
        raise CommandError(f"--PARAMS: {name} must be a text")
    return None if value is None else str(value)


async def _within(told: Arguments, do: Callable[[], Awaitable[Reply]]) -> Reply:
    """Do something within --TIMEOUT milliseconds; nil where it takes longer. 0, the default: as long as it takes."""
    milliseconds = told.number("--TIMEOUT", 0, most=LONGEST_TIMEOUT)
    if not milliseconds:
        return await do()
    # A task of its own: asyncio.timeout cancels once, and wait_for of Python 3.11 may swallow that (see tasks.ended).
    doing = asyncio.ensure_future(do())
    try:
        await asyncio.wait([doing], timeout=milliseconds / 1000)
    finally:
        await tasks.ended(doing)
    return None if doing.cancelled() else doing.result()
