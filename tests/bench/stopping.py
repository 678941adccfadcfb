"""Answers that are stopped: how long the model goes on for nobody, and until people see that it has stopped."""

import asyncio
import time
from dataclasses import dataclass

from bot.bench.timing import Times
from tests.bench.stage import Stage


@dataclass(frozen=True, slots=True)
class Stopped:
    """One way to stop. left: until the model's server has lost its client; seen: until people see it."""

    way: str
    left: Times
    seen: Times


async def stopped(stage: Stage, way: str, times: int) -> Stopped:
    """Return how long it takes from what somebody does to stop an answer, in one of the platform's ways."""
    model, left, seen = stage.model, [], []
    model.delay, model.first, model.let_go = 0.01, "This is what I know about it, ", asyncio.Event()
    asked = [stage.ask_to_stop(way, place) for place in range(times)]
    await stage.server.until(lambda: all(stage.stoppable(way, one) for one in asked), 60)
    for one in asked:
        lost, pressed = len(model.left), time.monotonic()
        stage.stop(way, one)
        await stage.server.until(lambda lost=lost, one=one: len(model.left) > lost and stage.stopped(way, one))
        left.append(model.left[lost] - pressed)
        seen.append(time.monotonic() - pressed)
        assert len(model.left) == lost + 1
    model.first, model.let_go = "", None
    return Stopped(way, _ms(left), _ms(seen))


def _ms(seconds: list[float]) -> Times:
    return Times(tuple(1000 * one for one in seconds))
