"""What all that comes from Slack stands on: the workspace it is from, a way to answer, and work that is done beside."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError

from bot.conversation import BURST
from bot.delivery.mentions import quiet_on_slack
from bot.engine import Engine
from bot.platforms.slack.desk import Desk, Place
from bot.platforms.slack.outlet import NO_REPLY
from bot.platforms.slack.purging import Purging
from bot.platforms.slack.talks import Talks
from bot.platforms.slack.tenants import tenant
from bot.platforms.slack.tokens import refused
from bot.platforms.slack.workspaces import Workspace, Workspaces
from bot.service import Service
from bot.settings import Settings
from memory.errors import LoreError
from memory.memory import Memory

log = structlog.get_logger()

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the app works with. burst: seconds of silence that end one."""

    engine: Engine
    memory: Memory
    service: Service
    settings: Settings
    workspaces: Workspaces
    purging: Purging
    burst: float = BURST


class Floor:
    """What is shared by whoever answers Slack."""

    def __init__(self, rooms: Rooms) -> None:
        self.rooms, self.service = rooms, rooms.service
        memory, settings = rooms.memory, rooms.settings
        self.talks = Talks(rooms.workspaces, rooms.engine, memory, rooms.service, settings, rooms.burst)
        self.desk = Desk(rooms.engine, rooms.memory, rooms.service, self.talks, rooms.settings)
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
        team = context.get("team_id") or context.get("enterprise_id")
        try:
            workspace = await self.rooms.workspaces.of(str(team))
        except (LookupError, SlackApiError) as error:
            if isinstance(error, SlackApiError) and not refused(error):
                raise
            log.warning("workspace not known", team=team, error=type(error).__name__)
            return None
        await self.service.listening.channels.watch([tenant(workspace.team)])
        return workspace

    def place(
        self, workspace: Workspace, channel: str, thread: str | None, person: str, url: str | None = None
    ) -> Place:
        """Return where somebody does something, and how they are told about it."""

        async def tell(text: str, shown: list[Json], everyone: bool = False) -> None:
            text = quiet_on_slack(text)
            if url is not None:
                answer = {"text": text, "blocks": shown or None, "replace_original": False}
                answer["response_type"] = "in_channel" if everyone else "ephemeral"
                await self.rooms.workspaces.respond(url, {k: v for k, v in answer.items() if v is not None})
                return
            client = workspace.client
            if everyone or channel.startswith("D"):
                await client.chat_postMessage(
                    channel=channel, thread_ts=thread, text=text, blocks=shown or None, metadata=NO_REPLY
                )
            else:
                await client.chat_postEphemeral(
                    channel=channel, user=person, thread_ts=thread, text=text, blocks=shown or None
                )

        async def openly(text: str, shown: list[Json]) -> None:
            await tell(text, shown, everyone=True)

        async def alone(text: str, shown: list[Json]) -> None:
            await tell(text, shown)

        return Place(workspace, channel, thread, person, alone, openly)

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
