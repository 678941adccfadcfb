"""What all that comes from Slack stands on: the workspace it is from, a way to answer, and work that is done beside."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError

from bot.desk import Desk
from bot.platforms.slack import slashes
from bot.platforms.slack.desk import Place, Spot
from bot.platforms.slack.failures import refused
from bot.platforms.slack.home import Home
from bot.platforms.slack.questions import Questions
from bot.platforms.slack.readers import Readers
from bot.platforms.slack.rooms import Rooms
from bot.platforms.slack.screens import Screens
from bot.platforms.slack.sharing import Sharing
from bot.platforms.slack.talks import Talks
from bot.platforms.slack.tenants import Served, tenant
from bot.platforms.slack.workspaces import Workspace
from memory.errors import LoreError

log = structlog.get_logger()

Json = dict[str, Any]
Ack = Callable[..., Awaitable[None]]  # tells Slack that something has come


class Floor:
    """What is shared by whoever answers Slack."""

    def __init__(self, rooms: Rooms) -> None:
        self.rooms, self.service = rooms, rooms.service
        memory, settings = rooms.memory, rooms.settings
        self.sharing = Sharing(rooms.workspaces)
        self.readers = Readers(memory)
        self.screens = Screens(memory, settings.name)
        self.questions = Questions(rooms)
        self.talks = Talks(rooms.engine, rooms.service, self.questions, self.screens, self.readers, settings.burst)
        self.desk = Desk(rooms.engine, memory, rooms.service, settings)
        self.home = Home(memory)
        self.slash = slashes.called()  # as the last slash command told: the manifest may have put a word before them
        self._beside: set[asyncio.Task[None]] = set()

    async def drain(self, seconds: float) -> None:
        """Wait for what is being answered, so many seconds at most, and for what is done beside."""
        await self.talks.drain(seconds)
        if self._beside:
            await asyncio.wait(self._beside, timeout=1.0)

    async def workspace(self, context: Json) -> Workspace | None:
        """Return where something happened; None where the bot has no token for it any more.

        Raises SlackApiError where Slack cannot tell now: it is to send again what happened.
        """
        enterprise = context.get("enterprise_id")
        team = str(context.get("team_id") or enterprise)
        home = Served(team, enterprise, org_wide=bool(context.get("is_enterprise_install")))
        try:
            workspace = await self.rooms.workspaces.of(home)
        except (LookupError, SlackApiError) as error:
            if isinstance(error, SlackApiError) and not refused(error):
                raise
            log.warning("workspace not known", team=team, error=type(error).__name__)
            return None
        await self.service.listening.channels.watch([tenant(workspace.team)])
        return workspace

    def place(self, workspace: Workspace, spot: Spot) -> Place:
        """Return where somebody does something, and how they are told about it."""
        return Place(self.rooms, self.talks, workspace, spot)

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside: Slack waits three seconds for us."""
        task = asyncio.create_task(_told(work))
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)


async def _told(work: Coroutine[Any, Any, None]) -> None:
    """Do something; what goes wrong is told in the log."""
    try:
        await work
    except (TimeoutError, LoreError, SlackApiError, OSError) as error:
        log.warning("not done", error=type(error).__name__)
    except Exception as error:  # one action's own fault
        log.error("action broken", error=type(error).__name__, exc_info=error)
