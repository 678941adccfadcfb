"""The conversations that are going on in Slack, and how their answers are shown."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError

from bot.attachments import Limits, read
from bot.conversation import BURST, Asked, Conversation, Conversations
from bot.delivery.mentions import quiet_on_slack
from bot.delivery.parts import SLACK
from bot.delivery.stream import Style
from bot.engine import Engine
from bot.platforms.slack import blocks, intake, signs, words
from bot.platforms.slack.audience import place, scope
from bot.platforms.slack.intake import Heard
from bot.platforms.slack.outlet import Outlet, Spot
from bot.platforms.slack.places import Places
from bot.platforms.slack.refusals import REFUSED, busy, coded
from bot.platforms.slack.screens import Screens
from bot.platforms.slack.workspaces import Workspace, Workspaces
from bot.records import Attachment, Incoming
from bot.replies import Replies
from bot.service import Service
from bot.settings import Settings
from memory.errors import LoreError
from memory.memory import Memory
from memory.scope import Audience

log = structlog.get_logger()

SETTLE = 1.0  # seconds at the end in which it is shown that nothing is done any more
STYLE = Style(
    SLACK, quiet=quiet_on_slack, stopped="_(stopped)_", aside="_{}_", controls=True, nonces=0.0,
    twice="_(I was restarted while sending this; part of it may be here twice.)_",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something was asked, and how."""

    workspace: Workspace
    heard: Heard


class Talks:
    """Conversations by place; one lives while something is to be answered in it.

    screens: what is seen beside the questions.
    """

    def __init__(
        self,
        workspaces: Workspaces,
        engine: Engine,
        memory: Memory,
        service: Service,
        settings: Settings,
        places: Places,
        burst: float = BURST,
    ) -> None:
        """burst: seconds of silence that end one."""
        self.screens = Screens(memory, settings.name)
        self._workspaces = workspaces
        self.places = places
        self._engine = engine
        self._memory = memory
        self._settings = settings
        self._signs = signs.Signs()
        self._lit: dict[str, list[signs.Work]] = {}  # by the place of a conversation that is going on
        self._replies = Replies(engine, STYLE, service.limits, service.metrics)
        self._going_on = Conversations(engine, burst)

    def __len__(self) -> int:
        """Count the conversations that are going on."""
        return len(self._going_on)

    def of(self, incoming: Incoming) -> Conversation | None:
        """Return what is being asked where a message is, if anything."""
        return self._going_on.of(_place(incoming))

    def at(self, team: str, conversation: str) -> Conversation | None:
        """Return what is being asked in a conversation, if anything."""
        return self._going_on.of(f"{team}/{conversation}")

    def answering(self, team: str, channel: str, thread: str | None) -> list[tuple[Conversation, Asked, str | None]]:
        """Return what is answered in a thread, or would be next: asked in it, and by the direct message that begins it.

        Each with its conversation, and with the message that is meant there, where that is not any.
        """
        here = self.at(team, channel if thread is None else f"{channel}:{thread}")
        begun = self.at(team, channel) if thread is not None else None
        found = [(talk, one) for talk, one in ((here, None), (begun, thread)) if talk is not None]
        return [(talk, asked, one) for talk, one in found if (asked := talk.next(one)) is not None]

    def take(self, asked: Asked, *, anyway: bool = False) -> bool:
        """Take in what is to be answered; False where too much waits there already, unless anyway."""
        here = _place(asked.incoming)
        taken = self._going_on.take(here, asked, self._answer, lambda: self._until_over(asked), anyway=anyway)
        if taken:
            work = _work(asked.origin.workspace, asked.incoming, asked.id)
            self._lit.setdefault(here, []).append(work)
            self._signs.light(work)
        return taken

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
        except LookupError:
            await self._gone(incoming, "deleted")
        except SlackApiError as error:
            if coded(error) in REFUSED:
                await self._gone(incoming, coded(error))
            else:  # it is looked for again
                log.warning("not taken up", turn=incoming.id, error=coded(error))
        except (OSError, TimeoutError, aiohttp.ClientError, LoreError) as error:
            log.warning("not taken up", turn=incoming.id, error=type(error).__name__)
        else:
            self.take(asked, anyway=True)

    async def found(self, incoming: Incoming) -> Asked:
        """Return what was asked as it is in Slack now: it may say something else, and others may read it.

        Where Slack takes no more of such questions now, it is what was written down. Raises LookupError where it is
        gone, SlackApiError, OSError, aiohttp.ClientError, RedisError.
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

    async def leave(self, team: str) -> None:
        """Answer nothing more in a workspace that the app is out of."""
        await self._going_on.leave(f"{team}/")

    async def _gone(self, incoming: Incoming, why: str) -> None:
        log.info("gone", turn=incoming.id, error=why)
        await self._engine.inbox.gone(incoming)

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
                incoming = replace(incoming, attachments=await self._files(incoming, [Origin(workspace, one)]))
            return await self._engine.edited(incoming)
        together = await self._memory.get(incoming.scope, burst.first)
        if together is None or before not in together.text:
            return False
        text = together.text.replace(before, incoming.text, 1)
        return await self._engine.edited(replace(incoming, id=burst.first, text=text))

    async def drain(self, seconds: float) -> None:
        """Wait for what is being answered, so many seconds at most, and leave the rest to the next process."""
        await self._going_on.drain(seconds)
        await self._signs.settle(SETTLE)

    async def _answer(self, asked: Asked) -> None:
        origin, incoming = asked.origin, asked.incoming
        works = [_work(origin.workspace, incoming, one) for one in asked.ids]
        self._signs.light(works[0])
        try:
            here = await self.places.settled(origin.workspace, incoming.scope)
            incoming = replace(incoming, scope=here)
            files, seen = await asyncio.gather(
                self._files(incoming, asked.origins or (origin,)),
                self.screens.around(origin.workspace, origin.heard, incoming.scope),
            )
            incoming = replace(incoming, attachments=incoming.attachments or files, context=incoming.context or seen)
            await self._shown(replace(asked, incoming=incoming))
        finally:
            for one in works:
                self._signs.rest(one)

    async def _shown(self, asked: Asked) -> None:
        """Make the answer, and show it as it comes."""
        workspace, here = asked.origin.workspace, asked.incoming.scope
        channel, person = place(here.conversation)[0], here.person
        stopping: list[asyncio.Task[None]] = []

        def stopped() -> None:
            talk = self._going_on.of(_place(asked.incoming))
            if talk is not None and asked.id in talk:
                stopping.append(asyncio.create_task(talk.quiet(asked.id)))

        outlet = Outlet(
            workspace.sender,
            Spot(
                channel,
                _thread(asked.incoming, asked.id),
                asked.id,
                None if here.audience is Audience.DIRECT else (workspace.team, person),
            ),
            lambda controls: blocks.controls(controls, asked.id, person),
            workspace.starts,
            workspace.rates,
            stopped=stopped,
            session=self._signs.sessions(workspace.team),
            bot=workspace.bot,
        )
        await self._replies.give(asked, outlet, f"{workspace.team}/{channel}")

    async def _files(self, incoming: Incoming, origins: Sequence[Origin]) -> tuple[Attachment, ...]:
        """Return what is attached to messages."""
        files = [(one.workspace, file) for one in origins for file in one.heard.files]
        if not files:
            return ()
        limits = Limits(self._settings.attachments_kb, await self._engine.sees(incoming.scope))
        return await read([self._workspaces.file(workspace, file) for workspace, file in files], limits)

    async def _until_over(self, asked: Asked) -> None:
        """Wait until a conversation is over, and show in its threads that it is."""
        try:
            await asyncio.Event().wait()
        finally:
            for one in self._lit.pop(_place(asked.incoming), ()):
                self._signs.rest(one)


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


def _place(incoming: Incoming) -> str:
    return f"{incoming.scope.tenant.removeprefix('slack:')}/{incoming.scope.conversation}"


def _thread(incoming: Incoming, message: str) -> str:
    """Return the thread in which a message is answered: its own where it stands in none.

    So it is in direct messages too: what an agent shows there, and Slack's own Stop, belong to a thread. The
    conversation of such a message is the direct message all the same.
    """
    return place(incoming.scope.conversation)[1] or message


def _work(workspace: Workspace, incoming: Incoming, message: str) -> signs.Work:
    """Return where it is shown that a message is being answered."""
    channel, _ = place(incoming.scope.conversation)
    return signs.Work(workspace, channel, _thread(incoming, message), incoming.scope.person, incoming.text)
