"""The stage where the platform is Slack: a workspace of channels, in which each question begins a thread."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from tests.bench.stage import ANSWER, SETTINGS, Call, Question, Stage
from tests.platforms.slack_online import Online, online
from tests.slacklike.journal import Asked
from tests.slacklike.records import Channel, Message, Person

BUTTON, WORD, SESSION = "Stop", "!stop", "agent_session_stopped"
STATUSES = ("assistant.threads.setStatus", "agents.sessions.setStatus")
FIRST = ("chat.startStream", "chat.postMessage")


class SlackStage(Stage):
    """Channels that everybody is in. http: events come as requests, else by Socket Mode."""

    kind = "status"
    stops = (BUTTON, WORD, SESSION)

    def __init__(self, online: Online, channels: int, people: int, *, http: bool = False) -> None:
        super().__init__(online)
        self.people = [self.server.person(f"person{number}") for number in range(people)]
        self.channels = [self.server.channel(f"channel{number}", *self.people) for number in range(channels)]
        self.http = http

    async def start(self) -> None:
        if self.http:
            self.online.listen(SLACK_SIGNING_SECRET=self.server.app.signing_secret)
        await self.online.start()

    @property
    def tenant(self) -> str:
        return f"slack:{self.server.home.id}"

    def turn(self, question: Question) -> str:
        return str(question.message.ts)

    def place(self, number: int) -> tuple[Channel, Person]:
        """Return a channel and somebody in it."""
        return self.channels[number % len(self.channels)], self.people[number % len(self.people)]

    def answer(self, question: Question) -> Message | None:
        root = self._where(question)
        for message in reversed(question.channel.log.values()):
            if message.by_app and message.thread_ts == root and message.ts > question.message.ts:
                return message
        return None

    @property
    def called(self) -> int:
        return len(self.server.journal.all)

    def calls(self, since: int) -> Iterator[Call]:
        for asked in self.server.journal.all[since:]:
            yield Call(asked.at, asked.method, asked.status, _sign(asked))

    def ask_to_stop(self, way: str, place: int) -> Question:
        if way == WORD:
            return self.ask(place)
        person = self.people[place % len(self.people)]
        dm, root = self.server.dm(person), None
        if way == SESSION:
            root = self.server.open_assistant(person)
        else:  # what is streamed has no button
            self.server.faults.fail(200, error="streaming_not_supported", on="chat.startStream")
        return Question(dm, self.server.say(dm, person, self._corpus.question(place), thread=root))

    def stoppable(self, way: str, question: Question) -> bool:
        answer = self.answer(question)
        return answer is not None and (way != BUTTON or BUTTON in answer.buttons)

    def stop(self, way: str, question: Question) -> None:
        if way == BUTTON:
            super().stop(way, question)
        elif way == WORD:
            self.server.say(question.channel, question.message.author, WORD, thread=question.message)
        else:
            self.server.stop(question.message, question.message.author)

    def stopped(self, way: str, question: Question) -> bool:
        if way == SESSION:
            return self.server.session(question.message).status == "active"
        return super().stopped(way, question)

    def _say(self, place: int, text: str) -> Question:
        channel, person = self.place(place)
        return Question(channel, self.server.say(channel, person, f"{self.server.me.mention} {text}"))

    def _where(self, question: Question) -> str:
        return question.message.thread_ts or question.message.ts

    @property
    def _log(self) -> str:
        return self.online.logged


def _sign(asked: Asked) -> str | None:
    """Return the thread in which a call shows something."""
    shows = asked.method in FIRST or (asked.method in STATUSES and asked.body.get("status") != "active")
    return str(asked.body.get("thread_ts") or "") if shows and asked.status == 200 and not asked.error else None


@asynccontextmanager
async def staged(
    channels: int, people: int, *, limits: bool = False, http: bool = False, pool: int = 20
) -> AsyncIterator[SlackStage]:
    """Open the stage; the bot is not started yet. limits: Slack's own are held. pool: connections to the model."""
    async with online() as found:
        found.home.settings |= SETTINGS | {"LOREBOT_POOL_SIZE": str(max(pool, 20))}
        found.server.ratelimits.on = limits
        found.openai.answer = lambda prompt: ANSWER
        found.openai.pieces = 10
        yield SlackStage(found, channels, people, http=http)


async def settled(stage: SlackStage, seconds: float = 30) -> None:
    """Wait until all that was delivered has been acknowledged, or given up."""
    async with asyncio.timeout(seconds):
        for one in stage.server.deliveries.unacknowledged():
            await one.over.wait()
