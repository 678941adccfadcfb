"""Conversations of chat apps: what is said to one is remembered in a tenant of its own, each conversation apart."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import aclosing
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import structlog
from ulid import ULID

from bot.apps import templates
from bot.apps.chat import ChatApp, ChatOptions, replied
from bot.apps.history import History
from bot.apps.runs import Composed, Ran
from bot.engine import check_length
from bot.errors import ObjectError
from bot.models.base import ChatModel, Piece
from bot.models.tokens import readable
from bot.prompts import Prompts
from bot.records import Answered, Incoming, Notice, Seen
from bot.registry.models import Models
from bot.registry.objects import DEFAULT, OPERATOR, Named, Objects
from bot.registry.parameters import ChatWith, LlmRef, read
from bot.registry.stores import Stores
from bot.summaries import Summarizer
from memory.memory import Memory
from memory.records import Status
from memory.scope import Audience, Scope

log = structlog.get_logger()

MOST_WRITING = 100  # answers that are read before they are remembered; whoever is faster than the embedder waits
AT_ONCE = 4  # messages whose memories are ranked at once: a hundred that come together leave room for others between
SOMEBODY = "Guest"  # what a person is called who is not named


def chat_scope(named: Named, owner: str, conversation: str | None, user: str | None) -> Scope:
    """Return where a conversation with an app is remembered: by its name, and by whose it is where that is told."""
    tenant = f"app:{named.name}" if owner == OPERATOR else f"{owner}/app:{named.name}"
    name = conversation or "main"
    apart = user is not None or name.startswith("[")  # or it could be named like another's
    place = json.dumps([name, user], ensure_ascii=False) if apart else name
    return Scope(tenant, place, user or SOMEBODY, Audience.DIRECT)


class Chats:
    """Holds conversations: each message is remembered before the model is called, the answer once it is whole.

    Several messages of one conversation may be answered at once: nobody waits while a model thinks.
    """

    def __init__(
        self,
        memory: Callable[[], Awaitable[Memory]],
        stores: Stores,
        prompts: Prompts,
        options: ChatOptions,
        *,
        timezone: str,
        max_message: int,
    ) -> None:
        """Take what conversations are held with; memory: opened when it is needed first."""
        self._memory = memory
        self._stores = stores
        self._prompts = prompts
        self._options = options
        self._timezone = timezone
        self._max_message = max_message
        self._recollecting = asyncio.Semaphore(AT_ONCE)
        self._writing: dict[tuple[str, str], set[asyncio.Task[None]]] = {}

    async def run(
        self,
        named: Named,
        made: ChatWith,
        text: str,
        model: ChatModel,
        scope: Scope,
        *,
        variables: Mapping[str, Any] = MappingProxyType({}),
        verbose: bool = False,
    ) -> AsyncIterator[Composed | Piece | Notice | Ran]:
        """Answer a message in a conversation; variables: of the app's own prompt; verbose: yield the prompt first.

        Raises MessageTooLong, ModelError, PromptError, RedisError.
        """
        if not text.strip():
            raise ObjectError(f"{named.name} is a chat: say something")
        check_length(text, self._max_message)
        memory = await self._memory()
        await self._written(scope)
        now = time.time_ns() // 1_000_000
        known = await self._known(named, made, text)
        message = Incoming(str(ULID()), scope, scope.person, readable(text), now, self._timezone, known)
        app = ChatApp(
            memory,
            model,
            self._own(named, made, variables),
            replace(self._options, persona=made.persona or "", history=history(made), app=address(named)),
        )
        app.check(message)
        batch = memory.batch()
        glance = memory.glance(batch, scope, message.text)
        await batch.send()
        async with self._recollecting:
            context = await app.recollect(message, glance.value)
        if context.trouble:
            yield Notice(f"Memory was searched by words alone: {context.trouble}")
        if verbose:
            yield Composed(app.compose(message, context).messages)
        said: list[str] = []
        status = Status.BROKEN
        answered: Answered | None = None
        try:
            async with aclosing(app.answer(message, context)) as events:  # type: ignore[type-var]
                async for event in events:
                    if isinstance(event, Answered):
                        answered, status = event, event.status
                        continue
                    if isinstance(event, Piece):
                        said.append(event.text)
                    yield event
        except (asyncio.CancelledError, GeneratorExit):
            status = Status.CANCELLED
            raise
        finally:
            writing = self._write(scope, self._remember(memory, app, message, "".join(said), status))
        if sum(map(len, self._writing.values())) > MOST_WRITING:
            await asyncio.wait([writing])
        if answered is not None:
            yield Ran(answered.answer, answered.model, answered.tokens)

    async def close(self) -> None:
        """Wait until every answer is remembered."""
        await _over(task for some in self._writing.values() for task in some)

    async def _written(self, scope: Scope) -> None:
        """Wait until the answers that were given in a conversation are remembered: the next message sees them."""
        await _over(self._writing.get(_place(scope), ()))

    def _write(self, scope: Scope, writing: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Remember an answer while whoever asked reads it already."""
        place = _place(scope)
        task = asyncio.create_task(writing)
        self._writing.setdefault(place, set()).add(task)

        def done(task: "asyncio.Task[None]") -> None:
            some = self._writing[place]
            some.discard(task)
            if not some:
                del self._writing[place]
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("answer not remembered", error=type(error).__name__, exc_info=error)

        task.add_done_callback(done)
        return task

    async def _remember(self, memory: Memory, app: ChatApp, message: Incoming, text: str, status: Status) -> None:
        answer = replied(message, text, status, self._options.name)
        await memory.remember(message.scope, answer, live=True, due=app.due(message.scope))

    async def _known(self, named: Named, made: ChatWith, text: str) -> list[Seen]:
        """Return what the app's vector store knows about a message."""
        if made.vector_store is None or not await self._stores.size(made.vector_store, owner=named.owner):
            return []
        found = await self._stores.knn(made.vector_store, text, made.k, owner=named.owner)
        return [Seen(f"{made.vector_store}, item {one.id}", one.text) for one in reversed(found)]

    def _own(self, named: Named, made: ChatWith, variables: Mapping[str, Any]) -> Prompts:
        return chat_prompts(self._prompts, made.prompt, f"the prompt of {named.name}", variables)


class Summarizers:
    """Knows who summarises the conversations of which app."""

    def __init__(self, objects: Objects, models: Models, prompts: Prompts, options: ChatOptions, timezone: str) -> None:
        self._objects = objects
        self._models = models
        self._prompts = prompts
        self._options = options
        self._timezone = timezone

    async def summarizer(self, app: str) -> Summarizer | None:
        """Return who summarises an app's conversations; None where it is gone. Raises ObjectError, RedisError."""
        owner, name = json.loads(app)
        named = await self._objects.find(name, owner=owner)
        if named is None or named.type != "chat":
            return None
        made = read(ChatWith, named.params, f"the parameters of {name}")
        model = await self._models.chat(made.llm or LlmRef(key=DEFAULT), owner=named.owner)
        own = made.history.summary_prompt

        def prompt(conversation: str) -> str:
            if own is None:
                return self._prompts.render("summary", conversation=conversation)
            what = f"the summary_prompt of {name}"
            filled = templates.fill(own, {"conversation": conversation}, what)
            return filled if "conversation" in templates.variables(own, what) else f"{filled}\n\n{conversation}"

        return Summarizer(model, history(made), prompt, self._options.name, self._timezone)


async def _over(writing: "Iterable[asyncio.Task[None]]") -> None:
    """Wait until all are over, however they end."""
    if some := list(writing):
        await asyncio.wait(some)


def _place(scope: Scope) -> tuple[str, str]:
    return scope.tenant, scope.conversation


def chat_prompts(
    prompts: Prompts,
    own: str | None,
    what: str = "the chat's own prompt",
    variables: Mapping[str, Any] = MappingProxyType({}),
) -> Prompts:
    """Return prompts with a chat's own, if it has one, in the place of the system prompt. what: whose it is."""
    return prompts if own is None else prompts.with_own(chat=templates.Own(own, what, variables))


def history(made: ChatWith) -> History:
    """Return how an app's conversations are summarised."""
    told = made.history
    return History(told.summary_cnt, told.summary_ctx_cnt, told.msg_ctx_cnt, told.summary_prompt)


def address(named: Named) -> str:
    """Return what whoever makes the summaries finds an app by."""
    return json.dumps([named.owner, named.name], ensure_ascii=False)
