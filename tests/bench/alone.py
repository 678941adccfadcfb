"""One question at a time: the first sign, and what memory adds to an answer."""

import asyncio
import time
from dataclasses import dataclass

from bot import wiring
from bot.bench.corpus import Corpus
from bot.bench.filling import fill
from bot.bench.timing import WARM_UP, Times
from bot.cli.shared import counting
from bot.models import weights
from bot.models.local_embedder import LocalEmbedder
from memory import connect
from memory.memory import Memory
from memory.scope import Audience, Scope
from tests.bench.stage import BURST, Question, Stage

EVERY = 0.4  # seconds between questions, each in another channel: one is recalled for while the others wait
THINKING = 3.0  # seconds until the model begins, where the first sign is waited for


@dataclass(frozen=True, slots=True)
class Added:
    """What comes before the model. turns: in memory; recalled: turns found for an answer, on average.

    memory: the bot's own figure for recalling, as in lorebot_memory_seconds; before: from the question until the model
    is asked, without the wait for the end of a burst.
    """

    turns: int
    recalled: float
    memory: Times
    before: Times


async def signs(stage: Stage, questions: int) -> Times:
    """Return how long it takes until people see that they are heard."""
    stage.model.delay, stage.model.pause = THINKING, 0.0
    begins = stage.called
    asked = await _asked(stage, questions)
    await stage.answered(asked)
    return _ms(list(stage.signs(asked, begins)))


async def added(stage: Stage, turns: int, questions: int) -> Added:
    """Return what memory takes of answers where so much has been said."""
    stage.model.delay, stage.model.pause = 0.01, 0.0
    await stage.answered(await _asked(stage, WARM_UP))
    asked = await _asked(stage, questions)
    answered = await stage.answered(asked)
    if len(answered) < len(asked):
        raise RuntimeError(f"{len(asked) - len(answered)} questions were not answered")
    told = {line["turn"]: line for line in stage.told()}
    lines = [told[stage.turn(one)] for one in asked]
    before = [came - one.at - BURST for came, one in zip(stage.model.came[-len(asked) :], asked, strict=True)]
    recalled = sum(int(str(line["recalled"])) for line in lines) / len(lines)
    return Added(turns, recalled, _ms([float(str(line["memory"])) for line in lines]), _ms(before))


async def filled(stage: Stage, turns: int) -> None:
    """Let so much have been said, in a hundred channels; the bot must not run yet."""
    scope = Scope(stage.tenant, "c0", "ada", Audience.PUBLIC)
    server = stage.redis
    client = connect.client(await server.start())
    embedder = LocalEmbedder(await wiring.fetched(weights.EMBEDDING, lambda what, done: None), wiring.LOCAL_EMBEDDER)
    try:
        with counting(f"filling memory with {turns:,} turns", turns) as step:
            await fill(await Memory.open(client, embedder), Corpus(), 0, turns, step, scope=scope)
    finally:
        await embedder.close()
        await connect.close(client)
        server.leave()


async def _asked(stage: Stage, questions: int) -> list[Question]:
    begins, asked = time.monotonic(), []
    for number in range(questions):
        asked.append(stage.ask(number))
        await asyncio.sleep(begins + EVERY * (number + 1) - time.monotonic())
    return asked


def _ms(seconds: list[float]) -> Times:
    return Times(tuple(1000 * one for one in seconds))
