"""Named apps: created, found and run."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from bot.apps import search, simple, templates
from bot.apps.runs import Composed, Ran, ask
from bot.errors import ObjectError, PromptError
from bot.models.base import ChatModel, Piece
from bot.prompts import Prompts
from bot.records import Notice, Tokens
from bot.registry import parameters
from bot.registry.chats import Chats, chat_scope
from bot.registry.models import Models
from bot.registry.objects import DEFAULT, OPERATOR, Created, How, Kind, Named, Objects
from bot.registry.parameters import ChatWith, LlmRef, Search, Simple
from bot.registry.stores import Stores

Event = Composed | Piece | Notice | Ran


@dataclass(frozen=True, slots=True)
class Run:
    """How an app is run. params: what the model is told beside; llm: another model than the app's own.

    conversation, user: which of a chat's conversations goes on; each has a history of its own. verbose: also yield
    the prompt of a chat.
    """

    input: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    llm: LlmRef | None = None
    conversation: str | None = None
    user: str | None = None
    verbose: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Tokens. sources: what the items of a vector store may take of a prompt."""

    reply: int = 2000
    sources: int = 5000


class Apps:
    """Creates named apps, and runs them."""

    def __init__(
        self,
        objects: Objects,
        models: Models,
        stores: Stores,
        chats: Chats,
        prompts: Prompts,
        limits: Limits,
        floors: Mapping[str, float],
    ) -> None:
        """Take the rooms it works with; floors: by embedder, the cosine below which texts are unrelated."""
        self._objects = objects
        self._models = models
        self._stores = stores
        self._chats = chats
        self._prompts = prompts
        self._limits = limits
        self._floors = floors

    async def create(
        self,
        name: str,
        params: Mapping[str, Any],
        how: How = How(),
        *,
        type_: str = "simple",
    ) -> Created:
        """Make a named app. Raises ObjectError naming what is wrong, ObjectMissing for a model or store that is not."""
        if type_ not in parameters.APPS:
            raise ObjectError(f"{type_} is no type of app; these are: {', '.join(parameters.APPS)}")
        made = parameters.read(parameters.APPS[type_], params, f"the parameters of {name}")
        if made.llm is not None:
            await self._models.find(made.llm.key, owner=how.owner)
        if not isinstance(made, Simple) and made.vector_store is not None:
            await self._objects.get(Kind.STORE, made.vector_store, owner=how.owner)
        _check_prompt(made, name)
        kept = {**params, **({"llm": made.llm.model_dump()} if made.llm else {})}
        return await self._objects.create(Kind.APP, name, type_, kept, how)

    async def names(self, type_: str, *, owner: str = OPERATOR) -> list[str]:
        """Return the names of the apps of a type that an owner may run. Raises RedisError."""
        return [one.name for one in await self._objects.list(Kind.APP, owner=owner) if one.type == type_]

    async def run(self, name: str, run: Run, *, owner: str = OPERATOR) -> AsyncIterator[Event]:
        """Run an app: yield its prompt, the answer piece by piece, and how it ended.

        Raises ObjectMissing, ObjectError, PromptError, MessageTooLong, ModelError.
        """
        named = await self._objects.get(Kind.APP, name, owner=owner)
        made = parameters.read(parameters.APPS[named.type], named.params, f"the parameters of {name}")
        ref = run.llm or made.llm or LlmRef(key=DEFAULT)
        whose = owner if run.llm else named.owner  # an app that is shared brings its model along
        model = await self._models.chat(ref, owner=whose, params=run.params)
        match made:
            case Simple():
                events = self._simple(named, made, run, model)
            case Search():
                events = self._search(named, made, run, model)
            case ChatWith():
                place = chat_scope(named, owner, run.conversation, run.user)
                events = self._chats.run(
                    named, made, run.input, model, place, variables=run.variables, verbose=run.verbose
                )
        async with aclosing(events) as running:  # type: ignore[type-var]
            async for event in running:
                yield event

    async def _simple(self, named: Named, made: Simple, run: Run, model: ChatModel) -> AsyncIterator[Event]:
        messages = simple.compose(made.prompt, run.variables, run.input, named.name)
        async with aclosing(ask(model, messages, reply_tokens=self._limits.reply)) as events:  # type: ignore[type-var]
            async for event in events:
                yield event

    async def _search(self, named: Named, made: Search, run: Run, model: ChatModel) -> AsyncIterator[Event]:
        if not run.input.strip():
            raise ObjectError(f"{named.name} answers questions: give one")
        hits = search.fitting(await self._hits(named, made, run.input), self._limits.sources, model.tokenizer)
        if not hits:
            yield Piece(search.NOTHING)
            yield Ran(search.NOTHING, model.name, Tokens(0, 0, 0))
            return
        messages = search.compose(made.prompt, self._prompts, run.variables, run.input, hits, named.name)
        async with aclosing(ask(model, messages, reply_tokens=self._limits.reply)) as events:  # type: ignore[type-var]
            async for event in events:
                yield replace(event, sources=search.cited(event.answer, hits)) if isinstance(event, Ran) else event

    async def _hits(self, named: Named, made: Search, question: str) -> list[search.Hit]:
        """Return the items that may answer, k at most: more are looked at, so that both searches have their say."""
        opened = await self._stores.open(made.vector_store, owner=named.owner)
        embedder = await self._stores.embedder(opened)
        near = await opened.store.knn((await embedder.embed([question]))[0], 4 * made.k)
        found = await opened.store.search(question, 4 * made.k)
        hits = search.fused(near, found, opened.made.metric)
        return search.related(hits, self._floors.get(embedder.name, -1.0))[: made.k]


def _check_prompt(made: parameters.App, name: str) -> None:
    """Raise PromptError where a template is none or leaves out what matters, so that it is known before it is run."""
    if made.prompt is not None:
        used = templates.variables(made.prompt, f"the prompt of {name}")
        missing = [f"{{{{{one}}}}}" for one in ("context", "question") if one not in used]
        if isinstance(made, Search) and missing:
            raise PromptError(f"the prompt of {name} lacks {' and '.join(missing)}; the model would not see it")
    if isinstance(made, ChatWith) and made.history.summary_prompt is not None:
        templates.variables(made.history.summary_prompt, f"the summary_prompt of {name}")
