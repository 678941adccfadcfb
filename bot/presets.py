"""How the bot is in a server or workspace: its persona and model, kept in the registry as the tenant's app `chat`."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from bot.apps.chat import ChatApp
from bot.apps.history import History
from bot.models.base import ChatModel
from bot.registry import parameters
from bot.registry.apps import Apps
from bot.registry.chats import address, history
from bot.registry.models import Models
from bot.registry.objects import How, Kind, Named, Objects
from bot.registry.parameters import ChatWith
from memory.errors import LoreError
from memory.scope import Scope

log = structlog.get_logger()

APP = "chat"
FRESH = 5.0  # seconds for which a preset is believed; another process may change it


@dataclass(frozen=True, slots=True)
class Preset:
    """How the bot is somewhere. None: as it is everywhere."""

    persona: str | None = None
    llm: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a chat app is made with, where a tenant has its own. model: None: the configured one."""

    model: ChatModel | None = None
    persona: str = ""
    prompt: str | None = None
    history: History | None = None
    address: str = ""


class Presets:
    """Finds and changes presets; make: makes a chat app."""

    def __init__(self, objects: Objects, models: Models, apps: Apps, make: Callable[[Wanted], ChatApp]) -> None:
        self._objects = objects
        self._models = models
        self._apps = apps
        self._make = make
        self._usual = make(Wanted())
        self._known: dict[str, tuple[float, ChatApp]] = {}

    async def app(self, scope: Scope) -> ChatApp:
        """Return who answers somewhere; the usual app where that cannot be told."""
        until, app = self._known.get(scope.tenant, (0.0, self._usual))
        if time.monotonic() < until:
            return app
        try:
            app = await self._found(scope.tenant)
        except LoreError as error:
            log.warning("preset not used", tenant=scope.tenant, error=str(error))
            app = self._usual
        self._known = {one: known for one, known in self._known.items() if known[0] > time.monotonic()}
        self._known[scope.tenant] = (time.monotonic() + FRESH, app)
        return app

    async def get(self, tenant: str) -> Preset:
        """Return how the bot is in a tenant. Raises LoreError."""
        named = await self._objects.find(APP, owner=tenant)
        if named is None or named.type != "chat":
            return Preset()
        made = _read(named)
        return Preset(made.persona, made.llm.key if made.llm else None)

    async def set(self, tenant: str, **changes: str | None) -> None:
        """Change the persona or the model (`llm`) of a tenant; None: as everywhere.

        Raises ObjectMissing, ObjectError, RedisError.
        """
        named = await self._objects.find(APP, owner=tenant)
        own = dict(named.params) if named is not None and named.owner == tenant and named.type == "chat" else {}
        params = {name: value for name, value in {**own, **changes}.items() if value is not None}
        await self._apps.create(APP, params, How(owner=tenant), type_="chat")
        self._known.pop(tenant, None)

    async def models(self, tenant: str) -> list[str]:
        """Return the names of the models that a tenant may choose. Raises LoreError."""
        return [one.name for one in await self._models.list(owner=tenant)]

    async def _found(self, tenant: str) -> ChatApp:
        named = await self._objects.find(APP, owner=tenant)
        if named is None or named.kind is not Kind.APP or named.type != "chat":
            return self._usual
        made = _read(named)
        model = None if made.llm is None else await self._models.chat(made.llm, owner=named.owner)
        remembers = history(made) if "history" in named.params else None
        return self._make(Wanted(model, made.persona or "", made.prompt, remembers, address(named)))


def _read(named: Named) -> ChatWith:
    return parameters.read(ChatWith, named.params, f"the parameters of {named.name}")
