"""Everybody asks at once, round after round."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

from bot.bench.timing import Times
from tests.bench import machine
from tests.bench.stage import Stage, note

MODEL = 2.3  # seconds: 2 until the first piece, then ten within .3
WAIT, PAUSE = 2.0, 0.3 / 9


@dataclass(frozen=True, slots=True)
class Round:
    """One round. requests: by method and route; refused: with 429; rss, peak: MB, at its end; cpu: seconds of it."""

    asked: int
    answers: tuple[float, ...]  # seconds from the question to the last edit
    signs: tuple[float, ...]  # and to the first "typing"
    requests: Counter[str]
    refused: int
    rss: float
    peak: float
    cpu: float


def times(rounds: list[Round], what: str = "answers") -> Times:
    """Return the times of all rounds together, in milliseconds."""
    return Times(tuple(1000 * one for round in rounds for one in getattr(round, what)))


async def played(stage: Stage, conversations: int, rounds: int) -> list[Round]:
    stage.model.delay, stage.model.pause = WAIT, PAUSE
    await stage.answered([stage.ask(0)])  # the embedder is loaded at the first call
    found = []
    for number in range(rounds):
        found.append(await _played(stage, conversations))
        last = found[-1]
        note(
            f"  round {number + 1}: {len(last.answers)} of {last.asked} answered, "
            f"p95 {times([last]).p95 / 1000:.2f} s, {last.rss:.0f} MB, {last.cpu:.1f} s of CPU"
        )
    return found


async def _played(stage: Stage, conversations: int) -> Round:
    begins, before = len(stage.requests), machine.taken(stage.pid)
    questions = [stage.ask(place) for place in range(conversations)]
    answered = await stage.answered(questions)
    await _settled(stage)
    after = machine.taken(stage.pid)
    asked = stage.requests[begins:]
    return Round(
        conversations,
        tuple(answered.values()),
        tuple(stage.signs(list(answered), begins)),
        Counter(f"{one.method} {one.route}" for one in asked if one.status != 429),
        sum(one.status == 429 for one in asked),
        after.rss,
        after.peak,
        after.cpu - before.cpu,
    )


async def _settled(stage: Stage) -> None:
    """Wait until the bot asks nothing more, so that one round is not counted to the next."""
    quiet = time.monotonic()
    seen = len(stage.requests)
    while time.monotonic() - quiet < 1.0:
        await asyncio.sleep(0.05)
        if len(stage.requests) != seen:
            seen, quiet = len(stage.requests), time.monotonic()
