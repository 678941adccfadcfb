"""What is asked in one channel: bursts taken together, answered one after another, a few waiting behind."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass, replace

import discord

from memory import tasks

MOST_WAITING = 10
BURST = 1.5  # seconds of silence that end a burst of messages


@dataclass(frozen=True, slots=True)
class Heard:
    """A message, or a burst of them: the first one's id, everything they say.

    again: it was being answered before. more: the burst's other messages.
    """

    id: int
    author: int
    text: str
    message: discord.Message
    again: bool = False
    more: tuple[discord.Message, ...] = ()


class Conversation:
    """Answers what is asked; over when nothing is left."""

    def __init__(
        self, answer: Callable[[Heard], Awaitable[None]], over: Callable[[], object], burst: float = BURST
    ) -> None:
        """answer: shows the answer to a message. over: told when nothing is left to do."""
        self._answer = answer
        self._over = over
        self._burst = burst
        self._waiting: deque[Heard] = deque()
        self._current: Heard | None = None
        self._answering: asyncio.Task[None] | None = None
        self._again: Heard | None = None
        self._came = asyncio.Event()
        self.task = asyncio.create_task(self._run())

    def take(self, heard: Heard) -> bool:
        """Take in a message; False where too many wait already."""
        if len(self._waiting) >= MOST_WAITING:
            return False
        self._waiting.append(heard)
        self._came.set()
        return True

    def reword(self, message: int, text: str) -> bool:
        """Let a message that waits, or is being answered, say something else; False where it is neither."""
        for at, one in enumerate(self._waiting):
            if one.id == message:
                self._waiting[at] = replace(one, text=text)
                return True
        if self._current is None or self._current.id != message or self._answering is None:
            return False
        self._again = replace(self._current, text=text, again=True)
        self._answering.cancel()
        return True

    async def withdraw(self, messages: Set[int]) -> None:
        """Answer these messages no more."""
        self._waiting = deque(one for one in self._waiting if one.id not in messages)
        if self._current is not None and self._current.id in messages and self._answering is not None:
            await tasks.ended(self._answering)

    async def stop(self) -> None:
        """Answer nothing more."""
        self._waiting.clear()
        if self._answering is not None:
            await tasks.ended(self._answering)
        await tasks.ended(self.task)

    async def _run(self) -> None:
        try:
            while await self._something():
                heard: Heard | None = await self._whole_burst()
                while heard is not None:
                    self._current, self._again = heard, None
                    self._answering = asyncio.create_task(_awaited(self._answer(heard)))
                    await asyncio.wait([self._answering])
                    heard = self._again
                self._current = self._answering = None
        finally:
            self._over()

    async def _something(self) -> bool:
        """Wait until something is asked; False where nothing is."""
        if not self._waiting:
            await asyncio.sleep(0)
        return bool(self._waiting)

    async def _whole_burst(self) -> Heard:
        """Return the next message with those that the same person sends right behind it."""
        heard = self._waiting.popleft()
        while True:
            while self._waiting and self._waiting[0].author == heard.author:
                other = self._waiting.popleft()
                text = "\n".join(filter(None, (heard.text, other.text)))
                heard = replace(heard, text=text, more=(*heard.more, other.message))
            if self._waiting:
                return heard
            self._came.clear()
            try:
                await asyncio.wait_for(self._came.wait(), self._burst)
            except TimeoutError:
                return heard


async def _awaited(doing: Awaitable[None]) -> None:
    await doing
