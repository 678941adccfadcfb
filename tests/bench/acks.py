"""Events that keep coming: how soon Slack is told of each that it has come."""

import asyncio
import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bot.bench.timing import Times
from tests.bench import machine
from tests.bench.machine import Shares
from tests.bench.on_slack import SlackStage, settled
from tests.bench.rounds import PAUSE, WAIT
from tests.bench.stage import Question
from tests.slacklike.records import Message

# What happens, in a hundred; a mention is two events.
PLAIN, MENTIONS, EDITS, DELETES, JOINS = 80, 10, 4, 3, 3
EVENTS = PLAIN + 2 * MENTIONS + EDITS + DELETES + JOINS


@dataclass(frozen=True, slots=True)
class Acks:
    """So many events a second for so long.

    late: events that were told again; lost: those never acknowledged; answered: of the mentions. rss: MB, before and
    after; shares: of the CPU, in a second.
    """

    mode: str
    rate: float
    seconds: float
    events: int
    took: Times
    late: int
    lost: int
    mentions: int
    answered: int
    signs: Times
    answers: Times
    rss: tuple[float, float]
    shares: Shares


async def acked(stage: SlackStage, rate: float, seconds: float) -> Acks:
    """Let so many events a second happen for so long, and tell how each was taken."""
    stage.model.delay, stage.model.pause = WAIT, PAUSE
    await stage.answered([stage.ask(0)])
    people = _People(stage)
    calls, told = stage.called, len(stage.server.deliveries.all)
    before, rss, began = await stage.shares(), machine.taken(stage.pid).rss, time.monotonic()
    for number, what in enumerate(itertools.islice(happenings(), math.ceil(rate * seconds / EVENTS * 100))):
        await asyncio.sleep(began + number * EVENTS / 100 / rate - time.monotonic())
        people.do(what, number)
    took, shares = time.monotonic() - began, await stage.shares() - before
    answers = await stage.answered(people.questions)
    await settled(stage)
    deliveries = stage.server.deliveries.all[told:]
    return Acks(
        mode="HTTP" if stage.http else "Socket Mode",
        rate=round(len([one for one in deliveries if one.attempts[0].at <= began + took]) / took, 1),
        seconds=took,
        events=len(deliveries),
        took=_ms(one.took for one in deliveries if one.acked.is_set()),
        late=sum(len(one.attempts) > 1 for one in deliveries),
        lost=sum(not one.acked.is_set() for one in deliveries),
        mentions=len(people.questions),
        answered=len(answers),
        signs=_ms(stage.signs(people.questions, calls)),
        answers=_ms(answers.values()),
        rss=(rss, machine.taken(stage.pid).rss),
        shares=shares.over(took),
    )


class _People:
    """Does what happens, in all channels in turn."""

    def __init__(self, stage: SlackStage) -> None:
        self._stage = stage
        self._said: list[Message] = []
        self._away = stage.people[-1]
        self.questions: list[Question] = []

    def do(self, what: str, number: int) -> None:
        server, (channel, person) = self._stage.server, self._stage.place(number)
        match what:
            case "plain":
                self._said.append(server.say(channel, person, f"What I wanted to tell you all is number {number}."))
            case "mention":
                self.questions.append(self._stage.ask(number))
            case "edit":
                server.edit(self._said[-1], f"What I meant is number {number}.")
            case "delete":
                server.delete(self._said.pop())
            case "join" if self._away.id in channel.members:
                server.leave(channel, self._away)
            case "join":
                server.join(channel, self._away)


def happenings() -> Iterator[str]:
    """Yield what happens, each kind as evenly as its share allows."""
    shares = {"plain": PLAIN, "mention": MENTIONS, "edit": EDITS, "delete": DELETES, "join": JOINS}
    due = dict.fromkeys(shares, 0)
    while True:
        for what, share in shares.items():
            due[what] += share
        what = max(due, key=lambda one: due[one])
        due[what] -= 100
        yield what


def _ms(seconds) -> Times:
    return Times(tuple(1000 * one for one in seconds))
