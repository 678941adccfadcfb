"""What shows in a thread that the bot is at work there: an agent's session, or the older assistant's status.

Slack shows a session that is at work with a button of its own that stops it. Who has turned the older calls on alone
gets their status.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto

import structlog
from slack_sdk.errors import SlackApiError

from bot.delivery.mentions import quiet_on_slack
from bot.latest import Latest
from bot.platforms.slack.failures import FAILED, coded, status
from bot.platforms.slack.workspaces import Workspace

log = structlog.get_logger()

TITLE = 200  # characters of a session's title; Slack takes no more
MOST_TITLED = 10_000
THINKING = "is thinking…"
# An app from before the agent view, or a workspace without it. By which error Slack says the first is not documented.
OLDER = frozenset({
    "feature_disabled", "feature_not_enabled", "not_allowed", "not_authorized", "unknown_method", "method_deprecated",
    "not_allowed_token_type", "missing_scope", "no_permission",
})  # fmt: skip
FOREIGN = frozenset({"user_not_found", "user_not_in_channel"})  # who asks is of another workspace


class Way(Enum):
    """How it is shown."""

    SESSION = auto()
    STATUS = auto()


@dataclass(frozen=True, slots=True)
class Work:
    """What the bot is at work on: who asks what in which thread."""

    workspace: Workspace
    channel: str
    thread: str
    person: str
    text: str

    @property
    def name(self) -> tuple[str, str, str]:
        """What tells its thread from all others."""
        return self.workspace.team, self.channel, self.thread


class Signs:
    """The threads in which the bot shows that it is at work. Nobody waits for that, and it may fail."""

    def __init__(self) -> None:
        self._lit: dict[tuple[str, str, str], asyncio.Task[Way | None]] = {}
        self._titled: Latest[tuple[str, str, str], None] = Latest(MOST_TITLED)
        self._older: set[str] = set()  # workspaces
        self._resting: dict[tuple[str, str, str], asyncio.Task[None]] = {}

    def sessions(self, team: str) -> bool:
        """Tell whether the threads of a workspace are agents' sessions, as far as is known."""
        return team not in self._older

    def light(self, work: Work) -> None:
        """Show that something is being done in a thread."""
        if (resting := self._resting.pop(work.name, None)) is not None:
            resting.cancel()
        if work.name not in self._lit:
            self._lit[work.name] = asyncio.create_task(self._lighted(work))

    def rest(self, work: Work) -> None:
        """Show that nothing is being done there any more."""
        lit = self._lit.pop(work.name, None)
        if lit is not None:
            self._resting[work.name] = asyncio.create_task(self._rested(work, lit))

    async def settle(self, seconds: float) -> None:
        """Wait until that is shown, so many seconds at most."""
        if self._resting:
            await asyncio.wait(self._resting.values(), timeout=seconds)

    async def _lighted(self, work: Work) -> Way | None:
        """Show it in the way that Slack takes; return which that was."""
        with suppress(*FAILED):
            # Asked once: a sign that comes late tells nothing.
            if self.sessions(work.workspace.team) and await self._worked(work):
                return Way.SESSION
            client, (_, channel, thread) = work.workspace.sender, work.name
            await client.assistant_threads_setStatus(channel_id=channel, thread_ts=thread, status=THINKING)
            if title := self._title(work):
                with suppress(*FAILED):
                    await client.assistant_threads_setTitle(channel_id=channel, thread_ts=thread, title=title)
            return Way.STATUS
        return None

    async def _worked(self, work: Work) -> bool:
        """Set a session to work; False where the older way is to be tried, of which Slack takes more in a minute."""
        client, title = work.workspace.sender, self._title(work)
        at_work = {"channel_id": work.channel, "thread_ts": work.thread, "status": "processing"}
        try:
            await client.agents_sessions_setStatus(**at_work, title=title, initiator_user_id=work.person)
        except SlackApiError as error:
            if coded(error) in FOREIGN:
                await client.agents_sessions_setStatus(**at_work, title=title)
                return True
            if coded(error) in OLDER or status(error) == 404:
                self._older.add(work.workspace.team)
            log.info("no agent session", team=work.workspace.team, why=coded(error))
            self._titled.pop(work.name, None)
            return False
        return True

    def _title(self, work: Work) -> str | None:
        """Return what a thread is to be called, the first time; None afterwards."""
        if work.name in self._titled:
            return None
        self._titled[work.name] = None
        return quiet_on_slack(" ".join(work.text.split()))[:TITLE] or None

    async def _rested(self, work: Work, lit: "asyncio.Task[Way | None]") -> None:
        with suppress(*FAILED):
            way, client = await lit, work.workspace.client  # asked again: it must not seem to be at work for ever
            if way is Way.SESSION:
                await client.agents_sessions_setStatus(channel_id=work.channel, thread_ts=work.thread, status="active")
            elif way is Way.STATUS:
                await client.assistant_threads_setStatus(channel_id=work.channel, thread_ts=work.thread, status="")
        if self._resting.get(work.name) is asyncio.current_task():
            del self._resting[work.name]
