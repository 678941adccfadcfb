"""The conversations that are going on in Slack, and how their answers are shown."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog
from slack_sdk.errors import SlackApiError

from bot.attachments import Limits, read
from bot.conversation import Asked, Conversation, Conversations
from bot.delivery.mentions import quiet_on_slack
from bot.delivery.parts import SLACK
from bot.delivery.stream import Style
from bot.engine import Engine
from bot.platforms.slack import blocks, intake, words
from bot.platforms.slack.audience import place, scope
from bot.platforms.slack.intake import Heard
from bot.platforms.slack.outlet import Outlet
from bot.platforms.slack.workspaces import Workspace, Workspaces
from bot.records import Incoming, Seen
from bot.replies import Replies
from bot.service import Service
from bot.settings import Settings
from memory import tasks
from memory.errors import LoreError
from memory.scope import Audience

log = structlog.get_logger()

GONE = frozenset({
    "channel_not_found", "thread_not_found", "message_not_found", "not_in_channel", "is_archived", "user_not_found",
})  # fmt: skip
TITLE = 200  # characters of a session's title; Slack takes no more
STYLE = Style(
    SLACK, quiet=quiet_on_slack, stopped="_(stopped)_", aside="_{}_", controls=True, nonces=0.0,
    twice="_(I was restarted while sending this; part of it may be here twice.)_",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something was asked, and what is seen around it."""

    workspace: Workspace
    heard: Heard
    seen: tuple[Seen, ...] = ()


class Talks:
    """Conversations by place; one lives while something is to be answered in it."""

    def __init__(self, workspaces: Workspaces, engine: Engine, service: Service, settings: Settings) -> None:
        self._workspaces = workspaces
        self._engine = engine
        self._settings = settings
        self._replies = Replies(engine, STYLE, service.limits, service.metrics)
        self._going_on = Conversations(engine)

    def __len__(self) -> int:
        """Count the conversations that are going on."""
        return len(self._going_on)

    def of(self, incoming: Incoming) -> Conversation | None:
        """Return what is being asked where a message is, if anything."""
        return self._going_on.of(_place(incoming))

    def at(self, team: str, conversation: str) -> Conversation | None:
        """Return what is being asked in a conversation, if anything."""
        return self._going_on.of(f"{team}/{conversation}")

    def take(self, asked: Asked, *, anyway: bool = False) -> bool:
        """Take in what is to be answered; False where too much waits there already, unless anyway."""
        return self._going_on.take(_place(asked.incoming), asked, self._answer, lambda: _busy(asked), anyway=anyway)

    async def incoming(self, workspace: Workspace, one: Heard) -> Incoming:
        """Return a message as the engine takes it. Raises SlackApiError."""
        channel, person = await workspace.people.channel(one.channel), await workspace.people.person(one.person)
        thread = one.thread or (None if channel.kind == "direct" else one.ts)
        narrow = self._settings.recall_from == "conversation"
        text = words.read(words.without(one.text, workspace.me), workspace.people.name)
        here = scope(workspace.team, channel, person, thread, narrow=narrow)
        return Incoming(one.ts, here, person.name, text, one.sent_at, self._settings.timezone)

    async def take_up(self, incoming: Incoming) -> None:
        """Take in what an earlier process was asked, unless it is gone."""
        try:
            asked = await self.found(incoming)
        except (LookupError, SlackApiError, OSError, TimeoutError, LoreError) as error:
            if isinstance(error, LookupError) or (isinstance(error, SlackApiError) and error.response["error"] in GONE):
                log.info("gone", turn=incoming.id, error=type(error).__name__)
                await self._engine.inbox.gone(incoming)
                return
            # It is looked for again: Slack may have been asked too often, or be unwell.
            log.warning("not taken up", turn=incoming.id, error=type(error).__name__)
        else:
            self.take(asked, anyway=True)

    async def found(self, incoming: Incoming) -> Asked:
        """Return what was asked as it is in Slack now: it may say something else, and others may read it.

        Raises LookupError where it is gone, SlackApiError, OSError, RedisError.
        """
        team = incoming.scope.tenant.removeprefix("slack:")
        workspace = await self._workspaces.of(team)
        channel, thread = place(incoming.scope.conversation)
        if thread is not None:
            found = await workspace.client.conversations_replies(
                channel=channel, ts=thread, latest=incoming.id, oldest=incoming.id, inclusive=True, limit=2
            )
        else:
            found = await workspace.client.conversations_history(
                channel=channel, latest=incoming.id, oldest=incoming.id, inclusive=True, limit=1
            )
        message = next((one for one in found["messages"] if one["ts"] == incoming.id), None)
        if message is None:
            raise LookupError(incoming.id)
        one = intake.heard({**message, "channel": channel})
        burst = await self._engine.inbox.burst(incoming.scope, incoming.id)
        if one is None or burst.others:  # asked by a command, in a message of ours
            person, kind = incoming.scope.person, await workspace.people.channel(channel)
            here = scope(team, kind, await workspace.people.person(person), thread, narrow=incoming.scope.narrow)
            spoken = Heard(incoming.id, channel, person, incoming.text, thread)
            return Asked(replace(incoming, scope=here), Origin(workspace, spoken))
        return Asked(await self.incoming(workspace, one), Origin(workspace, one))

    async def drain(self, seconds: float) -> None:
        """Wait for what is being answered, so many seconds at most, and stop the rest."""
        await self._going_on.drain(seconds)

    async def _answer(self, asked: Asked) -> None:
        origin, incoming = asked.origin, asked.incoming
        if not incoming.context:
            incoming = replace(incoming, context=origin.seen)
        files = [file for one in (asked.origins or (origin,)) for file in one.heard.files]
        if files and not incoming.attachments:
            limits = Limits(self._settings.attachments_kb, await self._engine.sees(incoming.scope))
            found = [self._workspaces.file(origin.workspace, one) for one in files]
            incoming = replace(incoming, attachments=await read(found, limits))
        asked = replace(asked, incoming=incoming)
        channel, thread = place(incoming.scope.conversation)
        person = incoming.scope.person
        outlet = Outlet(
            origin.workspace.sender,
            channel,
            thread,
            incoming.id,
            (origin.workspace.team, person),
            lambda controls: blocks.controls(controls, asked.id, person),
            origin.workspace.starts,
        )
        await self._replies.give(asked, outlet, f"{origin.workspace.team}/{channel}")


def _place(incoming: Incoming) -> str:
    return f"{incoming.scope.tenant.removeprefix('slack:')}/{incoming.scope.conversation}"


async def _busy(asked: Asked) -> None:
    """Show that something is being done; Slack takes that away with the first words."""
    workspace = asked.origin.workspace
    channel, thread = place(asked.incoming.scope.conversation)
    if thread is None:
        return
    direct = asked.incoming.scope.audience is Audience.DIRECT
    try:
        with suppress(SlackApiError, OSError, asyncio.TimeoutError):
            if direct:  # an agent's session, with Slack's own Stop
                await workspace.client.agents_sessions_setStatus(
                    channel_id=channel,
                    thread_ts=thread,
                    status="processing",
                    title=quiet_on_slack(asked.incoming.text)[:TITLE],
                    initiator_user_id=asked.incoming.scope.person,
                )
            else:
                await workspace.client.assistant_threads_setStatus(
                    channel_id=channel, thread_ts=thread, status="is thinking…"
                )
        await asyncio.Event().wait()
    finally:
        if direct:
            with suppress(SlackApiError, OSError, asyncio.TimeoutError):
                await tasks.whole(_rest(workspace, channel, thread))


async def _rest(workspace: Workspace, channel: str, thread: str) -> None:
    """Tell that nothing is being done any more."""
    await workspace.client.agents_sessions_setStatus(channel_id=channel, thread_ts=thread, status="active")
