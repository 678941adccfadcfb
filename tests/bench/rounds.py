"""Everybody asks at once, round after round."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

from bot.bench.timing import Times
from tests.bench import machine
from tests.bench.machine import Shares
from tests.bench.stage import PATIENCE, Stage, note

MODEL = 2.3  # seconds: 2 until the first piece, then ten within .3
WAIT, PAUSE = 2.0, 0.3 / 9


@dataclass(frozen=True, slots=True)
class Round:
    """One round. requests: by method and route; refused: with 429; rss, peak: MB, at its end; shares: of the CPU."""

    asked: int
    answers: tuple[float, ...]  # seconds from the question to the last edit
    signs: tuple[float, ...]  # and to the first sign
    requests: Counter[str]
    refused: int
    rss: float
    peak: float
    shares: Shares


def times(rounds: list[Round], what: str = "answers") -> Times:
    """Return the times of all rounds together, in milliseconds."""
    return Times(tuple(1000 * one for round in rounds for one in getattr(round, what)))


async def played(stage: Stage, conversations: int, rounds: int, patience: float = PATIENCE) -> list[Round]:
    """Let everybody ask so often. patience: seconds for all answers of a round."""
    stage.model.delay, stage.model.pause = WAIT, PAUSE
    await stage.answered([stage.ask(0)])  # the embedder is loaded at the first call
    found = []
    for number in range(rounds):
        found.append(await _played(stage, conversations, patience))
        last = found[-1]
        note(
            f"  round {number + 1}: {len(last.answers)} of {last.asked} answered, "
            f"p95 {times([last]).p95 / 1000:.2f} s, {last.rss:.0f} MB, {last.shares.bot:.1f} s of CPU"
        )
    return found


async def _played(stage: Stage, conversations: int, patience: float) -> Round:
    begins, before = stage.called, await stage.shares()
    questions = [stage.ask(place) for place in range(conversations)]
    answered = await stage.answered(questions, patience)
    await _settled(stage)
    after = machine.taken(stage.pid)
    calls = list(stage.calls(begins))
    return Round(
        conversations,
        tuple(answered.values()),
        tuple(stage.signs(list(answered), begins)),
        Counter(one.what for one in calls if one.status != 429),
        sum(one.status == 429 for one in calls),
        after.rss,
        after.peak,
        await stage.shares() - before,
    )


async def _settled(stage: Stage) -> None:
    """Wait until the bot asks nothing more, so that one round is not counted to the next."""
    quiet = time.monotonic()
    seen = stage.called
    while time.monotonic() - quiet < 1.0:
        await asyncio.sleep(0.05)
        if stage.called != seen:
            seen, quiet = stage.called, time.monotonic()
