"""Channels that several workspaces share, each with the app: Slack tells the app once, in the name of one of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError

from bot.latest import Latest
from bot.platforms.slack import words
from bot.platforms.slack.failures import FAILED, why
from bot.platforms.slack.workspaces import Workspace, Workspaces

log = structlog.get_logger()

MOST = 2000  # threads, and channels


class Sharing:
    """Knows which workspaces share a channel, as far as they have been heard in it, and which of them is asked."""

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces
        self._threads: Latest[tuple[str, str], str] = Latest(MOST)  # whose bot was asked in which
        self._channels: Latest[str, set[str]] = Latest(MOST)

    async def asked(self, workspace: Workspace, event: Mapping[str, Any]) -> Workspace:
        """Return the workspace whose bot a message names, or was asked before in its thread, else the one given.

        workspace: in whose name it was told.
        """
        message = event.get("message") or event.get("previous_message") or event
        channel, thread = str(event["channel"]), str(message.get("thread_ts") or message.get("ts"))
        found = await self._named(workspace, channel, words.mentioned(str(message.get("text") or "")))
        if found is None and (channel, thread) in self._threads:
            found = await self._at(self._threads[channel, thread])
        if found is None:
            return workspace
        self._threads[channel, thread] = found.team
        self._channels[channel] = {*self._channels.get(channel, ()), workspace.team, found.team}
        return found

    async def beside(self, workspace: Workspace, channel: str, person: str = "") -> list[Workspace]:
        """Return the workspaces that something in a channel is to be told to.

        person: who it is about; where that is a bot of ours, its workspace is one of them.
        """
        home = self._workspaces.whose(person)
        teams = {workspace.team, *self._channels.get(channel, ()), *([home.team] if home is not None else [])}
        found = [await self._at(one) for one in teams - {workspace.team}]
        return [workspace, *(one for one in found if one is not None)]

    async def _named(self, workspace: Workspace, channel: str, named: Sequence[str]) -> Workspace | None:
        if workspace.me in named:
            return workspace
        for one in named:
            home = self._workspaces.whose(one)
            other = await self._at(home.team) if home is not None else None
            if other is not None and await _inside(other, channel):
                return other
        return None

    async def _at(self, team: str) -> Workspace | None:
        try:
            return await self._workspaces.at(team)
        except (LookupError, *FAILED) as error:
            log.info("workspace not known", team=team, error=why(error))
            return None


async def _inside(workspace: Workspace, channel: str) -> bool:
    """Tell whether the bot of a workspace is in a channel."""
    try:
        return (await workspace.people.channel(channel)).member
    except SlackApiError:
        return False
