"""What was asked in Slack, as it is there now and as the engine takes it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from slack_sdk.errors import SlackApiError

from bot.attachments import Limits, read
from bot.conversation import Asked
from bot.platforms.slack import intake, words
from bot.platforms.slack.audience import place, scope
from bot.platforms.slack.failures import busy
from bot.platforms.slack.intake import Heard
from bot.platforms.slack.rooms import Rooms
from bot.platforms.slack.workspaces import Workspace
from bot.records import Attachment, Incoming


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something was asked, and how."""

    workspace: Workspace
    heard: Heard


class Questions:
    """Messages that are asked, edited, and looked for again."""

    def __init__(self, rooms: Rooms) -> None:
        self._engine, self._memory = rooms.engine, rooms.memory
        self._settings, self._workspaces = rooms.settings, rooms.workspaces

    async def incoming(self, workspace: Workspace, one: Heard) -> Incoming:
        """Return a message as the engine takes it. Raises SlackApiError."""
        channel, person = await workspace.people.channel(one.channel), await workspace.people.person(one.person)
        thread = one.thread or (None if channel.kind == "direct" else one.ts)
        narrow = self._settings.recall_from == "conversation"
        text = words.read(words.without(one.text, workspace.me), workspace.people.name)
        here = scope(workspace.team, channel, person, thread, narrow=narrow)
        return Incoming(one.ts, here, person.name, text, one.sent_at, self._settings.timezone)

    async def found(self, incoming: Incoming) -> Asked:
        """Return what was asked as it is in Slack now: it may say something else, and others may read it.

        Where Slack takes no more of such questions now, it is what was written down. Raises LookupError where it is
        gone, FAILED, RedisError.
        """
        team = incoming.scope.tenant.removeprefix("slack:")
        workspace = await self._workspaces.at(team)
        channel, thread = place(incoming.scope.conversation)
        one = None
        try:
            message = await _message(workspace, channel, thread, incoming.id)
            one = intake.heard({**message, "channel": channel})
        except SlackApiError as error:
            if not busy(error):
                raise
        burst = await self._engine.inbox.burst(incoming.scope, incoming.id)
        if one is None or burst.others:  # asked by a command, in a message of ours
            person, kind = incoming.scope.person, await workspace.people.channel(channel)
            here = scope(team, kind, await workspace.people.person(person), thread, narrow=incoming.scope.narrow)
            spoken = Heard(incoming.id, channel, person, incoming.text, thread)
            return Asked(replace(incoming, scope=here), Origin(workspace, spoken))
        return Asked(await self.incoming(workspace, one), Origin(workspace, one))

    async def edited(self, one: Heard, incoming: Incoming, before: str) -> bool:
        """Let memory hold what a message says now; False where it is not remembered. before: what it said.

        One of a burst is part of what was said together. Raises LoreError.
        """
        burst = await self._engine.inbox.burst(incoming.scope, incoming.id)
        if burst.first != incoming.id:
            burst = await self._engine.inbox.burst(incoming.scope, burst.first)
        if not burst.others:
            if one.files and await self._memory.get(incoming.scope, incoming.id) is not None:
                workspace = await self._workspaces.at(incoming.scope.tenant.removeprefix("slack:"))
                incoming = replace(incoming, attachments=await self.files(incoming, [Origin(workspace, one)]))
            return await self._engine.edited(incoming)
        together = await self._memory.get(incoming.scope, burst.first)
        if together is None or before not in together.text:
            return False
        text = together.text.replace(before, incoming.text, 1)
        return await self._engine.edited(replace(incoming, id=burst.first, text=text))

    async def files(self, incoming: Incoming, origins: Sequence[Origin]) -> tuple[Attachment, ...]:
        """Return what is attached to messages."""
        files = [(one.workspace, file) for one in origins for file in one.heard.files]
        if not files:
            return ()
        limits = Limits(self._settings.attachments_kb, await self._engine.sees(incoming.scope))
        return await read([self._workspaces.file(workspace, file) for workspace, file in files], limits)


async def _message(workspace: Workspace, channel: str, thread: str | None, ts: str) -> dict[str, Any]:
    """Return a message as Slack has it. Raises LookupError where it has none, SlackApiError, OSError."""
    client = workspace.sender  # that does not wait where Slack asks to
    if thread is not None:
        found = await client.conversations_replies(
            channel=channel, ts=thread, latest=ts, oldest=ts, inclusive=True, limit=2
        )
    else:
        found = await client.conversations_history(channel=channel, latest=ts, oldest=ts, inclusive=True, limit=1)
    for message in found["messages"]:
        if message["ts"] == ts and message.get("subtype") != "tombstone":
            return dict(message)
    raise LookupError(ts)
