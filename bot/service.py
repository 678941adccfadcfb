"""What a bot that serves many people has beside memory and a model; what commands show and change."""

import time
from dataclasses import dataclass, field
from importlib.metadata import version

from bot.presets import Presets
from bot.prompts import Prompts
from bot.registry.apps import Apps
from memory.scope import Scope


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of a running service. started: by time.monotonic."""

    name: str
    model: str
    presets: Presets
    apps: Apps
    prompts: Prompts
    started: float = field(default_factory=time.monotonic)

    @property
    def version(self) -> str:
        """The version of Lorebot."""
        return version("lorebot")

    async def searches(self, tenant: str) -> list[str]:
        """Return the names of the search apps that a tenant may run. Raises RedisError."""
        return await self.apps.names("search", owner=tenant)

    async def usage(self, scope: Scope) -> str:
        """Tell what a person has used today."""
        return "There are no limits here."

    async def privacy(self, scope: Scope) -> str:
        """Tell what is remembered of people, and how to see and end it."""
        return ""
