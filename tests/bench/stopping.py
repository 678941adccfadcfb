"""The button that stops an answer: how long the model goes on for nobody."""

import asyncio

from bot.bench.timing import Times
from tests.bench.stage import Stage


async def stopped(stage: Stage, times: int) -> Times:
    """Return the milliseconds from the press of the button until the model's server has lost its client."""
    model, taken = stage.model, []
    model.delay, model.first, model.let_go = 0.01, "This is what I know about it, ", asyncio.Event()
    asked = [stage.ask(place) for place in range(times)]
    await stage.server.until(lambda: all(stage.has_button(one, "Stop") for one in asked), 60)
    for number, one in enumerate(asked):
        left = len(model.left)
        pressed = stage.press(one, "Stop")
        await stage.server.until(lambda left=left: len(model.left) > left)
        taken.append(model.left[left] - pressed)
        assert len(model.left) == number + 1
    model.first, model.let_go = "", None
    return Times(tuple(1000 * one for one in taken))
