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
from bot.platforms.slack.failures import FAILED, coded, why
from bot.platforms.slack.readers import Readers
from bot.platforms.slack.refusals import REFUSED
from bot.platforms.slack.workspaces import Workspace
from memory.errors import LoreError

log = structlog.get_logger()

BEAT = 5.0  # seconds between notes that we are here
AWAY = 30.0  # seconds; what came in a shorter absence Slack sends again: at once, after a minute, after five
OVERLAP = 60.0  # seconds before the last note are looked at too: a socket may have been deaf
LONGEST = 3600.0  # seconds; what was asked longer ago is not answered any more
MOST_PLACES, MOST_MESSAGES = 100, 100  # Slack takes fifty questions about channels a minute, and fifty about threads
NOTE = "slack-here"

Hears = Callable[[Workspace, dict[str, Any]], Awaitable[None]]


class Missed:
    """Knows until when we were here and where people talked, and brings what came after.

    hears: takes in a message as if it came now; what has been answered is known by its id.
    """

    def __init__(self, notes: Notes, readers: Readers, hears: Hears, beat: float = BEAT) -> None:
        """beat: seconds between notes, and between tries where Slack or memory does not answer."""
        self._notes = notes
        self._readers = readers
        self._hears = hears
        self._beat = beat
        self._owing: dict[tuple[str, str], float] = {}  # where to look, and at what was said since when
        self._talked: Latest[tuple[str, str], None] = Latest(MOST_PLACES)  # channels and threads, the latest last

    def heard(self, channel: str, thread: str | None) -> None:
        """Note where something is said: the channel, and a thread in which the bot is spoken to, or answers."""
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
                    for one in reversed(list(self._talked)):
                        self._owing.setdefault(one, max(since - OVERLAP, time.time() - LONGEST))
                if self._owing:
                    await self._look_back(workspace)
                since, back, first = time.time(), False, False
                note = {"at": min([since, *(one + OVERLAP for one in self._owing.values())])}
                await self._notes.write(NOTE, workspace.team, json.dumps({**note, "talked": list(self._talked)}))
            await asyncio.sleep(self._beat)

    async def _look_back(self, workspace: Workspace) -> None:
        """Look where that is to be done; where it cannot be done now, it is tried again."""
        for place, since in list(self._owing.items()):
            asked_too_long_ago = time.time() - since > 2 * LONGEST  # all of it: we have been back for LONGEST
            if asked_too_long_ago or await self._looked(workspace, place, max(since, time.time() - LONGEST)):
                del self._owing[place]

    async def _looked(self, workspace: Workspace, place: tuple[str, str], since: float) -> bool:
        """Hear what was said somewhere since a time; False where that is to be tried again."""
        channel, thread = place
        try:
            found = await _said(workspace, channel, thread, since)
            for message in found:
                await self._hears(workspace, {**message, "channel": channel})
        except (*FAILED, LoreError) as error:
            log.warning("not looked back", channel=channel, error=why(error))
            return coded(error) in REFUSED
        except Exception as error:  # one message's own fault: it must not end the process, nor the next one
            log.error("not looked back", channel=channel, error=type(error).__name__, exc_info=error)
        else:
            log.info("looked back", channel=channel, messages=len(found), seconds=round(time.time() - since))
        return True


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
