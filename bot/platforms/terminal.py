"""The terminal: a conversation at a prompt, or a line a turn from a pipe."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing, nullcontext, suppress
from typing import Any

from ulid import ULID

from bot.commands import table
from bot.commands.base import At, Here, Named, Said
from bot.engine import Engine
from bot.errors import ModelError
from bot.models.base import Piece
from bot.platforms import signals
from bot.platforms.lines import decoded, piped, typed
from bot.platforms.screens import PlainScreen, RichScreen, Screen, clean
from bot.records import Answered, Incoming, Notice
from memory.errors import LoreError, RedisError
from memory.memory import Memory
from memory.scope import Audience, Scope

__all__ = [  # the command line takes all of a terminal from here
    "PlainScreen",
    "RichScreen",
    "Screen",
    "Terminal",
    "clean",
    "decoded",
    "on_terminal",
    "piped",
    "scope",
    "typed",
]


def on_terminal() -> bool:
    """Tell whether a person sits at both ends."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def scope(user: str, conversation: str, *, narrow: bool = False) -> Scope:
    """Return the scope of a local conversation: every one of a user is public, to that user alone."""
    return Scope(f"local:{user}", conversation, user, Audience.PUBLIC, narrow=narrow)


class Terminal:
    """Holds a conversation: lines in, answers to the screen."""

    def __init__(self, engine: Engine, memory: Memory, screen: Screen, here: Scope, timezone: str) -> None:
        self._engine = engine
        self._memory = memory
        self._screen = screen
        self._scope = here
        self._timezone = timezone
        self._last: Answered | None = None
        self._listed: tuple[Named, ...] = ()
        self._confirm: Callable[[], Awaitable[Said]] | None = None
        self._owing = True
        self._tried: set[str] = set()
        self.failed = False

    async def hold(self, lines: AsyncIterator[str | bytes]) -> None:
        """Answer line by line until the lines end or somebody leaves; bytes are checked to be text first.

        SIGTERM and SIGHUP stop the answer under way, which is remembered as cancelled; raises SystemExit then.
        """
        with signals.ending():
            await self._make_good()
            async with aclosing(lines):  # type: ignore[type-var]
                async for line in lines:
                    if line.strip() and not await self._unless_stopped(self._heard(line)):
                        return

    async def _make_good(self) -> None:
        """Answer what an earlier process was asked here and did not come to answer.

        Looked for at the start, and again before each message as long as the lease of such a one still holds.
        """
        if self._owing:
            with suppress(RedisError):  # memory is away: the reply will say so
                await self._answer_unfinished()

    async def _answer_unfinished(self) -> None:
        for incoming in await self._engine.inbox.unfinished(self._scope.tenant):
            here = incoming.scope.conversation == self._scope.conversation
            if here and incoming.id not in self._tried:
                self._tried.add(incoming.id)  # one that can't be answered must not come back with every message
                self._screen.note(f"You were not answered last time: {incoming.text}")
                await self._unless_stopped(self._reply(incoming))
        self._owing = await self._engine.inbox.owing(self._scope.tenant)

    async def _unless_stopped(self, doing: Coroutine[Any, Any, bool]) -> bool:
        """Do it and tell whether to go on; after an error or, on a terminal, Ctrl-C the conversation does."""
        task = asyncio.current_task()
        assert task is not None
        under_way = asyncio.create_task(doing)
        with signals.interrupting(under_way.cancel) if on_terminal() else nullcontext():
            try:
                return await under_way
            except asyncio.CancelledError:
                if task.cancelling():
                    raise
                self._screen.note("stopped")
            except LoreError as error:
                self._fail(str(error))
        return True

    async def _heard(self, raw: str | bytes) -> bool:
        line = decoded(raw, "this line") if isinstance(raw, bytes) else raw
        if self._confirm is not None and await self._confirmed(line):
            return True
        if line.lstrip().startswith("/"):
            return await self._command(line)
        await self._make_good()
        return await self._reply(self._incoming(line))

    async def _command(self, line: str) -> bool:
        here = Here(
            self._scope, self._memory, self._timezone, self._last, self._listed, owner=True, at=At.TERMINAL
        )  # whoever sits at the terminal owns what is remembered there
        return self._told(await table.run(line, here))

    async def _confirmed(self, line: str) -> bool:
        """Do what waits for a yes, or let it be; False where the line is something else altogether."""
        work, self._confirm = self._confirm, None
        answer = line.strip().lower()
        if work is not None and answer in ("y", "yes"):
            self._told(await work())
            return True
        self._screen.note("Nothing was done.")
        return answer in ("n", "no")

    def _told(self, said: Said) -> bool:
        """Show what a command says, do what it asks for; False to leave."""
        self._confirm = said.confirm
        if said.listed is not None:
            self._listed = said.listed
        if said.forgotten:  # what was shown for the last answer may be gone
            self._last, self._listed = None, ()
        if said.user or said.conversation:
            self._scope = scope(
                said.user or self._scope.person,
                said.conversation or self._scope.conversation,
                narrow=self._scope.narrow,
            )
            self._last = None
        asks = " Say `yes` to do so." if said.confirm is not None else ""
        if said.text:
            self._screen.say(said.text + asks)
        return not said.leave

    async def _reply(self, incoming: Incoming) -> bool:
        """Show the answer, or the error with its fix: whoever sits at a terminal runs the bot too."""
        try:
            await self._show(incoming)
        except ModelError as error:
            self._fail(f"{error} (turn {incoming.id})")
        return True

    async def _show(self, incoming: Incoming) -> None:
        notices: list[str] = []
        with self._screen.answer() as writer:
            async with aclosing(self._engine.reply(incoming)) as events:  # type: ignore[type-var]
                async for event in events:
                    match event:
                        case Piece(text):
                            writer.write(text)
                        case Notice(text):
                            notices.append(text)
                        case Answered():
                            self._last = event
        for notice in notices:
            self._screen.note(notice)

    def _fail(self, told: str) -> None:
        self.failed = True
        self._screen.note(told)

    def _incoming(self, text: str) -> Incoming:
        return Incoming(
            id=str(ULID()),
            scope=self._scope,
            author=self._scope.person,
            text=text,
            sent_at=time.time_ns() // 1_000_000,
            timezone=self._timezone,
        )
