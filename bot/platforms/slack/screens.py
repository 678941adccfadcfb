"""What a person sees beside a question: the thread it stands in, or the channel's last messages.

Events tell what is said while this process listens. What was said before that, or was told to another process, Slack is
asked for; where it does not answer, memory tells what it has of the channel.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError

from bot.latest import Latest
from bot.platforms.slack import words
from bot.platforms.slack.failures import FAILED, after, busy, why
from bot.platforms.slack.intake import Heard
from bot.platforms.slack.screen import SEEN, Line, Screen, line
from bot.platforms.slack.workspaces import Workspace
from bot.records import Seen
from memory.errors import LoreError
from memory.memory import Memory
from memory.scope import Audience, Scope

log = structlog.get_logger()

ASKED = 15  # messages of a channel that Slack is asked for: an app that many workspaces install gets no more
WHOLE = 999  # messages of a thread, which Slack tells from its beginning
FRESH = 60.0  # seconds in which events are trusted to tell everything; some may be told to another process
PATIENCE = 2.0  # seconds that an answer waits for it
MOST_PLACES = 2000
MOST_LOOKING = 10_000

Where = tuple[str, str, str | None]  # team, channel, thread


class Screens:
    """The screens of all channels and threads, as far as this process knows them."""

    def __init__(self, memory: Memory, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        """name: what the bot is called."""
        self._memory = memory
        self._name = name
        self._clock = clock
        self._screens: Latest[Where, Screen] = Latest(MOST_PLACES)
        self._resting: dict[tuple[str, str], float] = {}  # until when Slack is not asked, by team and method
        self._looking: Latest[tuple[str, str], str] = Latest(MOST_LOOKING)  # by team and person

    def hear(self, workspace: Workspace, message: Mapping[str, Any]) -> None:
        """Take in a message that somebody says, or a bot, or we ourselves."""
        one = line(message, workspace, self._name)
        if one is None:
            return
        for where in self._of(workspace.team, message):
            self._screen(where).put(one)

    def change(self, workspace: Workspace, channel: str, message: Mapping[str, Any]) -> None:
        """Let a message say what it says now, where it stands already."""
        one = line(message, workspace, self._name)
        if one is None:
            return
        for screen in self._with(workspace.team, channel, one.ts, message.get("thread_ts")):
            known = screen.lines[one.ts]
            screen.lines[one.ts] = replace(one, turn=known.turn if one.turn == one.ts else one.turn)

    def drop(self, team: str, channel: str, ts: str, thread: str | None = None) -> None:
        """Take out a message that is gone. thread: the one that it stood in."""
        for screen in self._with(team, channel, ts, thread):
            del screen.lines[ts]

    def look_at(self, team: str, person: str, channel: str | None) -> None:
        """Take in which channel somebody looks at while they have the bot beside it; None: no channel."""
        self._looking.pop((team, person), None)
        if channel is not None:
            self._looking[team, person] = channel

    async def around(self, workspace: Workspace, one: Heard, here: Scope) -> tuple[Seen, ...]:
        """Return what is seen around a message, oldest first. here: where it is said.

        Where Slack, or memory, does not show the past, that is what this process has heard.
        """
        beside = await self._beside(workspace, one, here)
        thread = one.thread if one.thread != one.ts else None  # what a command asks begins its thread
        where = (workspace.team, one.channel, thread)
        told = await self._looked(workspace, where, one.ts)
        lines = self._screen(where).before(one.ts)
        root = self._line(workspace.team, one.channel, thread) if thread is not None else None
        if root is not None and root.ts not in [each.ts for each in lines]:  # heard before anybody replied to it
            lines = [root, *lines]
        if not told and thread is None:
            return beside + await self._with_memory(workspace, lines, here, one)
        return beside + await self._read(workspace, lines)

    async def _beside(self, workspace: Workspace, one: Heard, here: Scope) -> tuple[Seen, ...]:
        """Return what somebody looks at who asks in a direct message: a public channel, which all members may read."""
        channel = self._looking.get((workspace.team, one.person))
        if here.audience is not Audience.DIRECT or here.outsiders or channel is None:
            return ()
        with suppress(*FAILED):
            async with asyncio.timeout(PATIENCE):
                kind = await workspace.people.settled(channel)
            if kind.kind != "public" or kind.outsiders:
                return ()
            where = (workspace.team, channel, None)
            await self._looked(workspace, where, one.ts)
            lines = await self._read(workspace, self._screen(where).before(one.ts)[-ASKED:])
            return tuple(Seen(f"{seen.author} in #{kind.name}", seen.text, seen.id) for seen in lines)
        return ()

    async def _looked(self, workspace: Workspace, where: Where, ts: str) -> bool:
        """Ask Slack for what stands above a message, unless it has told lately; False where it does not tell."""
        team, channel, thread = where
        screen, now = self._screen(where), self._clock()
        if screen.asked is not None and now - screen.asked < FRESH:
            return True
        method = "history" if thread is None else "replies"
        if self._resting.get((team, method), 0.0) > now:
            return False
        try:
            async with asyncio.timeout(PATIENCE):
                found, whole = await _asked(workspace, where, ts)
        except FAILED as error:
            log.info("not looked back", channel=channel, why=why(error))
            if isinstance(error, SlackApiError) and busy(error):
                self._resting[team, method] = now + after(error)
            return False
        screen.asked = now
        screen.renew([one for one in (line(each, workspace, self._name) for each in found) if one], ts, whole=whole)
        return True

    async def _with_memory(self, workspace: Workspace, lines: list[Line], here: Scope, one: Heard) -> tuple[Seen, ...]:
        """Return what was heard, with what memory has of the channel, each once."""
        heard = await self._read(workspace, lines)
        at = {seen.id: float(each.ts) for seen, each in zip(heard, lines, strict=True)}
        channel = replace(here, conversation=one.channel, parent=None, open_to_parent=False)
        with suppress(LoreError):
            for turn in await self._memory.recent(channel, SEEN):
                if turn.id not in at and turn.id != one.ts and turn.sent_at < one.sent_at:
                    at[turn.id] = turn.sent_at / 1000
                    heard += (Seen(turn.author, turn.text, turn.id),)
        return tuple(sorted(heard, key=lambda seen: at[seen.id]))[-SEEN:]

    async def _read(self, workspace: Workspace, lines: list[Line]) -> tuple[Seen, ...]:
        """Return messages as people read them, with names for people."""
        people = {one.person for one in lines} | {id_ for one in lines for id_ in words.mentioned(one.text)}
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(_known(workspace, one) for one in people if one))
        name = workspace.people.name
        return tuple(Seen(one.name or name(one.person), words.read(one.text, name), one.turn) for one in lines)

    def _screen(self, where: Where) -> Screen:
        self._screens[where] = screen = self._screens.get(where) or Screen(where[2])
        return screen

    def _line(self, team: str, channel: str, ts: str) -> Line | None:
        """Return a message of a channel, if it is known."""
        screen = self._screens.get((team, channel, None))
        return screen.lines.get(ts) if screen is not None else None

    def _of(self, team: str, message: Mapping[str, Any]) -> Iterable[Where]:
        """Return where a message stands: one in a thread may be shown in the channel too."""
        channel, thread = str(message["channel"]), message.get("thread_ts")
        replies = thread is not None and thread != message.get("ts")
        if replies:
            yield team, channel, str(thread)
        if not replies or message.get("subtype") == "thread_broadcast":
            yield team, channel, None

    def _with(self, team: str, channel: str, ts: str, thread: str | None) -> list[Screen]:
        """Return the screens that show a message."""
        places = [self._screens.get((team, channel, one)) for one in dict.fromkeys((None, thread, ts))]
        return [one for one in places if one is not None and ts in one.lines]


async def _asked(workspace: Workspace, where: Where, ts: str) -> tuple[list[Mapping[str, Any]], bool]:
    """Return what Slack tells of a place above a message, and whether that is all up to it. Raises FAILED.

    The client is the one that does not wait where Slack asks to.
    """
    _, channel, thread = where
    client = workspace.sender
    if thread is None:
        found = await client.conversations_history(channel=channel, latest=ts, limit=ASKED, include_all_metadata=True)
        return list(found["messages"]), True
    found = await client.conversations_replies(
        channel=channel, ts=thread, latest=ts, limit=WHOLE, include_all_metadata=True
    )
    return list(found["messages"]), not found.get("has_more")


async def _known(workspace: Workspace, person: str) -> None:
    """Let somebody's name be known, where Slack tells it."""
    with suppress(*FAILED):
        await workspace.people.person(person)
