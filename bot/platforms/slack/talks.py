"""The conversations that are going on in Slack, and how their answers are shown."""

import asyncio
from dataclasses import replace

import structlog

from bot.conversation import Asked, Conversation, Conversations
from bot.delivery.mentions import quiet_on_slack
from bot.delivery.parts import SLACK
from bot.delivery.stream import Style
from bot.engine import Engine
from bot.platforms.slack import blocks, signs
from bot.platforms.slack.audience import place
from bot.platforms.slack.destination import Destination
from bot.platforms.slack.failures import FAILED, coded, why
from bot.platforms.slack.outlet import Outlet
from bot.platforms.slack.questions import Questions
from bot.platforms.slack.readers import Readers
from bot.platforms.slack.refusals import REFUSED
from bot.platforms.slack.screens import Screens
from bot.platforms.slack.workspaces import Workspace
from bot.records import Incoming
from bot.replies import Replies
from bot.service import Service
from memory.errors import LoreError
from memory.scope import Audience

log = structlog.get_logger()

SETTLE = 1.0  # seconds at the end in which it is shown that nothing is done any more
STYLE = Style(
    SLACK, quiet=quiet_on_slack, stopped="_(stopped)_", aside="_{}_", controls=True, nonces=0.0,
    twice="_(I was restarted while sending this; part of it may be here twice.)_",
)  # fmt: skip


class Talks:
    """Conversations by place; one lives while something is to be answered in it."""

    def __init__(
        self,
        engine: Engine,
        service: Service,
        questions: Questions,
        screens: Screens,
        readers: Readers,
        burst: float,
    ) -> None:
        """burst: seconds of silence that end one."""
        self.questions, self.readers = questions, readers
        self._screens = screens
        self._engine = engine
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

    async def take_up(self, incoming: Incoming) -> None:
        """Take in what an earlier process was asked, unless it is gone."""
        try:
            asked = await self.questions.found(incoming)
        except LookupError:
            await self._gone(incoming, "deleted")
        except (*FAILED, LoreError) as error:
            if coded(error) in REFUSED:
                await self._gone(incoming, coded(error))
            else:  # it is looked for again
                log.warning("not taken up", turn=incoming.id, error=why(error))
        else:
            self.take(asked, anyway=True)

    async def leave(self, team: str) -> None:
        """Answer nothing more in a workspace that the app is out of."""
        await self._going_on.leave(f"{team}/")

    async def _gone(self, incoming: Incoming, why: str) -> None:
        log.info("gone", turn=incoming.id, error=why)
        await self._engine.inbox.gone(incoming)

    async def drain(self, seconds: float) -> None:
        """Wait for what is being answered, so many seconds at most, and leave the rest to the next process."""
        await self._going_on.drain(seconds)
        await self._signs.settle(SETTLE)

    async def _answer(self, asked: Asked) -> None:
        origin, incoming = asked.origin, asked.incoming
        works = [_work(origin.workspace, incoming, one) for one in asked.ids]
        self._signs.light(works[0])
        try:
            here = await self.readers.settled(origin.workspace, incoming.scope)
            incoming = replace(incoming, scope=here)
            files, seen = await asyncio.gather(
                self.questions.files(incoming, asked.origins or (origin,)),
                self._screens.around(origin.workspace, origin.heard, incoming.scope),
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
            Destination(
                channel,
                _thread(asked.incoming, asked.id),
                asked.id,
                None if here.audience is Audience.DIRECT else (workspace.team, person),
            ),
            lambda controls: blocks.controls(controls, asked.id, person),
            workspace.rates,
            stopped=stopped,
            session=self._signs.sessions(workspace.team),
            bot=workspace.bot,
        )
        await self._replies.give(asked, outlet, f"{workspace.team}/{channel}")

    async def _until_over(self, asked: Asked) -> None:
        """Wait until a conversation is over, and show in its threads that it is."""
        try:
            await asyncio.Event().wait()
        finally:
            for one in self._lit.pop(_place(asked.incoming), ()):
                self._signs.rest(one)


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
