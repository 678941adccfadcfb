"""The bot's process, between a small platform and a model server that live in this one, and people who ask it."""

import asyncio
import json
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bot.bench.corpus import Corpus
from memory.server import EmbeddedServer
from tests.bench.machine import Shares
from tests.openai_like import OpenAILike

ANSWER = " ".join(["This is what I know about it, and I hope that it is of some use to you."] * 5)
PATIENCE = 60.0  # seconds for all answers of a round

BURST = 1.5  # seconds that an answer waits for more of what somebody says, as without a setting
SETTINGS = {
    "LOREBOT_BURST": str(BURST),
    "LOREBOT_PERSON_PER_MINUTE": "0",
    "LOREBOT_TENANT_PER_MINUTE": "0",
    "LOREBOT_PERSON_TOKENS_PER_DAY": "0",
    "LOREBOT_TENANT_TOKENS_PER_DAY": "0",
    "LOG_LEVEL": "INFO",  # each answer's line tells what memory took
}


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody has asked: a channel and a message of the platform's."""

    channel: Any
    message: Any

    @property
    def at(self) -> float:
        return self.message.history[0].at


@dataclass(frozen=True, slots=True)
class Call:
    """What the bot has asked of the platform. what: a route or a method; sign: where people see something by it."""

    at: float
    what: str
    status: int
    sign: str | None = None


class Stage(ABC):
    """A bot that is online, and as many places as conversations, each with somebody who asks.

    kind: how people know that they are heard. stops: the ways to stop an answer.
    """

    kind = ""
    stops: tuple[str, ...] = ("Stop",)

    def __init__(self, online: Any) -> None:
        """online: a bot of tests/platforms, which may be started, and what is around it."""
        self.online = online
        self.server = online.server
        self.model: OpenAILike = online.openai
        self._corpus = Corpus()
        self._asked = 0

    async def start(self) -> None:
        """Start the bot, and wait until it is online."""
        await self.online.start()

    @property
    def pid(self) -> int:
        assert self.online.process is not None
        return self.online.process.pid

    @property
    def redis(self) -> EmbeddedServer:
        return self.online.home.server

    async def shares(self) -> Shares:
        """Return what the processes have taken of the machine by now."""
        return Shares.of(self.pid, (await self.redis.status()).pid)

    def ask(self, place: int) -> Question:
        """Let one of the people ask what nobody has asked before."""
        self._asked += 1
        return self._say(place, self._corpus.question(self._asked))

    def whole(self, question: Question) -> bool:
        return self.has_button(question, "Regenerate")

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
        """Yield the seconds from each question until people saw a sign, where they did. since: in the journal."""
        shown: dict[str, list[float]] = {}
        for call in self.calls(since):
            if call.sign is not None:
                shown.setdefault(call.sign, []).append(call.at)
        for one in questions:
            moments = [at for at in shown.get(self._where(one), ()) if at >= one.at]
            if moments:
                yield moments[0] - one.at

    def told(self) -> list[dict[str, object]]:
        """Return what the bot has logged of answers that are over."""
        lines = (json.loads(line) for line in self._log.splitlines() if line.startswith("{"))
        return [line for line in lines if line["event"] == "turn over"]

    def ask_to_stop(self, way: str, place: int) -> Question:
        """Ask what is then stopped in a way."""
        return self.ask(place)

    def stoppable(self, way: str, question: Question) -> bool:
        """Tell whether the answer can be stopped in a way."""
        return self.has_button(question, way)

    def stop(self, way: str, question: Question) -> None:
        """Let whoever asked stop the answer."""
        self.server.press(self.answer(question), question.message.author, way)

    def stopped(self, way: str, question: Question) -> bool:
        """Tell whether people see that it has been stopped."""
        answer = self.answer(question)
        return answer is not None and "(stopped)" in answer.text

    @property
    @abstractmethod
    def tenant(self) -> str:
        """Whose memory is filled."""

    @abstractmethod
    def turn(self, question: Question) -> str:
        """Return the id by which the bot logs a question."""

    @abstractmethod
    def answer(self, question: Question) -> Any:
        """Return the bot's message that answers a question, whole or not; None without one."""

    @property
    @abstractmethod
    def called(self) -> int:
        """How often the bot has asked something of the platform."""

    @abstractmethod
    def calls(self, since: int) -> Iterator[Call]:
        """Yield the calls behind the first so many."""

    @abstractmethod
    def _say(self, place: int, text: str) -> Question:
        """Let one of the people say something to the bot."""

    @abstractmethod
    def _where(self, question: Question) -> str:
        """Return where a question's sign is shown."""

    @property
    @abstractmethod
    def _log(self) -> str:
        """What the bot has logged."""

    def _ended(self, question: Question) -> float:
        answer = self.answer(question)
        assert answer is not None
        return answer.history[-1].at


def note(what: str) -> None:
    """Tell what is being done."""
    print(what, file=sys.stderr, flush=True)
