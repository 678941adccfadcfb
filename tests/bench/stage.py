"""The bot's process, between a small Discord and a model server that live in this one, and people who ask it."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot.bench.corpus import Corpus
from bot.platforms.discord.throttle import ALLOWED
from tests.discordlike.journal import Asked
from tests.discordlike.records import Channel, Guild, Message, Person
from tests.platforms.online import Online, online

ANSWER = " ".join(["This is what I know about it, and I hope that it is of some use to you."] * 5)
PATIENCE = 60.0  # seconds for all answers of a round
RAISED = 1000  # requests a second; Discord allows more than 50 to large bots

SETTINGS = {
    "LOREBOT_PERSON_PER_MINUTE": "0",
    "LOREBOT_TENANT_PER_MINUTE": "0",
    "LOREBOT_PERSON_TOKENS_PER_DAY": "0",
    "LOREBOT_TENANT_TOKENS_PER_DAY": "0",
    "LOG_LEVEL": "INFO",  # each answer's line tells what memory took
}


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody has asked."""

    channel: Channel
    message: Message

    @property
    def at(self) -> float:
        return self.message.history[0].at


class Stage:
    """A bot that is online, and as many people as channels."""

    def __init__(self, online: Online, channels: int, guilds: int) -> None:
        self.online = online
        self.server, self.model = online.server, online.openai
        self.guilds: list[Guild] = []
        self._places: list[tuple[Channel, Person]] = []
        self._corpus = Corpus()
        self._asked = 0
        for number in range(min(guilds, channels)):
            people = [self.server.person(f"person {number}-{one}") for one in range(-(-channels // guilds))]
            guild = self.server.guild(f"guild {number}", *people)
            self.guilds.append(guild)
            self._places += [(self.server.channel(guild, person.name.replace(" ", "-")), person) for person in people]
        del self._places[channels:]

    @property
    def pid(self) -> int:
        assert self.online.process is not None
        return self.online.process.pid

    def ask(self, place: int) -> Question:
        """Let one of the people ask what nobody has asked before."""
        channel, person = self._places[place % len(self._places)]
        self._asked += 1
        return Question(channel, self.online.ask(channel, person, self._corpus.question(self._asked)))

    def press(self, question: Question, button: str) -> float:
        """Let whoever asked press a button below the answer; return when."""
        answer = self.answer(question)
        assert answer is not None
        pressed = time.monotonic()
        self.server.press(answer, question.message.author, button)
        return pressed

    def answer(self, question: Question) -> Message | None:
        """Return the bot's message that answers a question, whole or not."""
        for message in reversed(question.channel.log.values()):
            if message.author is self.server.me and message.reply_to == question.message.id:
                return message
        return None

    def whole(self, question: Question) -> bool:
        answer = self.answer(question)
        return answer is not None and "Regenerate" in answer.buttons

    def has_button(self, question: Question, button: str) -> bool:
        answer = self.answer(question)
        return answer is not None and button in answer.buttons

    async def answered(self, questions: Sequence[Question], seconds: float = PATIENCE) -> dict[Question, float]:
        """Wait until all is answered, or for so long; return the seconds from each question to its last edit."""
        waiting, ends = set(questions), time.monotonic() + seconds
        while waiting and time.monotonic() < ends:
            waiting -= {one for one in waiting if self.whole(one)}
            await asyncio.sleep(0.05)  # the moments are noted by the server
        return {one: self._ended(one) - one.at for one in questions if one not in waiting}

    def signs(self, questions: Sequence[Question], since: int) -> Iterator[float]:
        """Yield the seconds from each question until typing was shown, where it was. since: in the journal."""
        shown: dict[str, list[float]] = {}
        for asked in self.server.journal.all[since:]:
            if asked.route == "/channels/{channel}/typing" and asked.status == 204:
                shown.setdefault(asked.path, []).append(asked.at)
        for one in questions:
            moments = [at for at in shown.get(f"/channels/{one.channel.id}/typing", ()) if at >= one.at]
            if moments:
                yield moments[0] - one.at

    @property
    def requests(self) -> list[Asked]:
        return self.server.journal.all

    def told(self) -> list[dict[str, object]]:
        """Return what the bot has logged of answers that are over."""
        lines = (json.loads(line) for line in self.online.err.splitlines() if line.startswith("{"))
        return [line for line in lines if line["event"] == "turn over"]

    def _ended(self, question: Question) -> float:
        answer = self.answer(question)
        assert answer is not None
        return answer.history[-1].at


@asynccontextmanager
async def staged(channels: int, *, guilds: int = 4, rate: int = ALLOWED) -> AsyncIterator[Stage]:
    """Open the stage; the bot is not started yet. rate: requests a second that Discord allows it."""
    async with online() as found:
        found.home.settings |= SETTINGS | {
            "LOREBOT_POOL_SIZE": str(max(channels, 20)),
            "LOREBOT_DISCORD_RATE": str(rate),
        }
        found.server.ratelimits.per_second = rate
        found.openai.answer = lambda prompt: ANSWER
        found.openai.pieces = 10
        yield Stage(found, channels, guilds)


def note(what: str) -> None:
    """Tell what is being done."""
    print(what, file=sys.stderr, flush=True)
