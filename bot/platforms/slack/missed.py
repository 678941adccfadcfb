"""What was said while the bot was away for longer than Slack tries again: looked for where people were talking to it.

Only where the token is a setting, in one workspace: apps that are given to others may ask for a channel's history once
a minute. https://docs.slack.dev/changelog/2025/05/29/rate-limit-changes-for-non-marketplace-apps
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from bot.latest import Latest
from bot.notes import Notes
from bot.platforms.slack.failures import FAILED, why
from bot.platforms.slack.readers import Readers
from bot.platforms.slack.workspaces import Workspace
from memory.errors import LoreError

log = structlog.get_logger()

BEAT = 5.0  # seconds between notes that we are here
AWAY = 30.0  # seconds; what came in a shorter absence Slack sends again: at once, after a minute, after five
OVERLAP = 60.0  # seconds before the last note are looked at too: a socket may have been deaf
LONGEST = 3600.0  # seconds; what was asked longer ago is not answered any more
MOST_PLACES, MOST_MESSAGES = 60, 100  # Slack takes fifty questions a minute
NOTE = "slack-here"

Hears = Callable[[Workspace, dict[str, Any]], Awaitable[None]]


class Missed:
    """Knows until when we were here and where people talked, and brings what came after.

    hears: takes in a message as if it came now; what has been answered is known by its id.
    """

    def __init__(self, notes: Notes, readers: Readers, hears: Hears) -> None:
        self._notes = notes
        self._readers = readers
        self._hears = hears
        self._talked: Latest[tuple[str, str], None] = Latest(MOST_PLACES)  # channels and threads, the latest last

    def heard(self, channel: str, thread: str | None) -> None:
        """Note where something is said: the channel, and a thread in which the bot is spoken to."""
        self._talked[channel, ""] = None
        if thread is not None:
            self._talked[channel, thread] = None

    async def run(self, workspace: Workspace, trouble: Callable[[], Awaitable[str]]) -> None:
        """Look back after each absence, until cancelled. trouble: tells why Slack is not heard, "" where it is."""
        note = json.loads(await self._notes.read(NOTE, workspace.team) or "{}")
        since, back, first = note.get("at"), True, True
        for channel, thread in note.get("talked", ()):
            self._talked[channel, thread] = None
        while True:
            if await trouble():
                back = True
            else:
                if back and not first:
                    self._readers.away(workspace.team)
                if back and since is not None and time.time() - since > AWAY:
                    await self._look_back(workspace, max(since - OVERLAP, time.time() - LONGEST))
                since, back, first = time.time(), False, False
                await self._notes.write(NOTE, workspace.team, json.dumps({"at": since, "talked": list(self._talked)}))
            await asyncio.sleep(BEAT)

    async def _look_back(self, workspace: Workspace, since: float) -> None:
        found = 0
        for channel, thread in reversed(list(self._talked)):
            try:
                for message in await _said(workspace, channel, thread, since):
                    found += 1
                    await self._hears(workspace, {**message, "channel": channel})
            except (*FAILED, LoreError) as error:
                log.warning("not looked back", channel=channel, error=why(error))
        log.info("caught up", messages=found, seconds=round(time.time() - since))


async def _said(workspace: Workspace, channel: str, thread: str, since: float) -> list[dict[str, Any]]:
    """Return what was said in a channel or thread since a time, oldest first."""
    oldest = f"{since:.6f}"
    if thread:
        told = await workspace.client.conversations_replies(
            channel=channel, ts=thread, oldest=oldest, limit=MOST_MESSAGES
        )
    else:
        told = await workspace.client.conversations_history(channel=channel, oldest=oldest, limit=MOST_MESSAGES)
    return sorted((one for one in told["messages"] if float(one["ts"]) > since), key=lambda one: float(one["ts"]))
