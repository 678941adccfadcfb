"""What a platform's bot does with what is not addressed to it: settings of channels, overheard messages, the past."""

import asyncio
from types import TracebackType
from typing import Self

from bot.channels import Channels
from bot.learning import Learning
from bot.overheard import Overheard
from memory import tasks
from memory.memory import Memory


class Listening:
    """The three together; while it is entered, channels are followed and what was overheard is remembered."""

    def __init__(self, memory: Memory, owner: str) -> None:
        self.channels = Channels(memory)
        self.overheard = Overheard(memory)
        self.learning = Learning(memory, self.channels, owner)
        self._running: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Begin."""
        self._running = [asyncio.create_task(self.channels.follow()), asyncio.create_task(self.overheard.run())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End: what was overheard is remembered, if memory is there; learning goes on with the next process."""
        await self.learning.close()
        for task in self._running:
            await tasks.ended(task)
        await self.overheard.flush()
