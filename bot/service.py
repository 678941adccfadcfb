"""What a bot that serves many people has beside memory and a model; what commands show and change."""

import time
from dataclasses import dataclass, field, replace
from importlib.metadata import version

from bot import notices
from bot.limits import Limits
from bot.listening import Listening
from bot.metrics import Metrics
from bot.notices import Practices
from bot.presets import Presets
from bot.prompts import Prompts
from bot.registry.apps import Apps
from memory.memory import Memory
from memory.scope import Scope


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of a running service. started: by time.monotonic."""

    name: str
    model: str
    presets: Presets
    apps: Apps
    prompts: Prompts
    limits: Limits
    practices: Practices
    metrics: Metrics
    listening: Listening
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
        return notices.used(await self.limits.usage(scope), time.time_ns() // 1_000_000)

    async def privacy(self, scope: Scope, memory: Memory, command: str = "/memory") -> str:
        """Tell what is remembered of people, and how to see and end it. Raises RedisError, PromptError.

        command: what people type to manage it.
        """
        days, paused = await memory.retention(scope), await memory.paused(scope)
        return notices.privacy(self.prompts, replace(self.practices, command=command), days, paused)
