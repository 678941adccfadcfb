"""A whole turn (search, read the latest, remember), by us, by redis-py alone, and by other libraries."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import cast

import redis
import redis.asyncio

from bot.bench import replay, timing
from bot.bench.corpus import HERE, Corpus, Drawn
from bot.bench.filling import Counting, Step, chunks, fill
from bot.bench.rivals import WINDOW, K, Rival, rivals
from bot.bench.timing import Act, Prepare, Times
from memory import index
from memory.keys import Keys
from memory.memory import Memory
from memory.views import IndexOptions

OURS, RAW = "Lorebot: Memory.hear", "redis-py: the same commands, one pipeline"
FIRST_NEW = 10**9  # turns of the rounds are numbered from here


@dataclass(frozen=True, slots=True)
class Compared:
    """How long a whole turn takes whom."""

    turns: int
    times: dict[str, Times]

    def ratio(self, other: str) -> float:
        """Return how many times as long the other takes, by the medians."""
        return self.times[other].p50 / self.times[OURS].p50


async def compare(
    client: "redis.asyncio.Redis",
    url: str,
    namespace: str,
    options: IndexOptions,
    turns: int,
    rounds: int,
    counting: Counting,
) -> Compared:
    """Time a whole turn in a memory of so many turns, recalling from the conversation alone.

    What we send is noted, and sent again by redis-py alone to a twin of our memory: at every round it holds the same
    turns and does the same work, whatever memory comes to send.
    """
    corpus = Corpus()
    drawn = Drawn(corpus)
    ours, twin = Keys(f"{namespace}-ours"), Keys(f"{namespace}-twin")
    async with AsyncExitStack() as stack:
        others = rivals(stack.enter_context(redis.Redis.from_url(url, protocol=2)), namespace, drawn)
        for rival in others:
            stack.callback(rival.drop)
        memories = len(others) + 2
        with counting(f"filling {memories} memories with {turns:,} turns", turns * memories) as step:
            for keys in (ours, twin):
                stack.push_async_callback(index.drop, client, keys)
                await fill(await Memory.open(client, drawn, keys=keys, options=options), corpus, 0, turns, step)
            for rival in others:
                _fill(rival, corpus, turns, step)
        recorder = replay.Recorder(client)
        memory = await Memory.open(cast("redis.asyncio.Redis", recorder), drawn, keys=ours, options=options)
        recorder.taken()  # what opening it took
        acts: dict[str, Prepare] = {
            OURS: lambda number: _hear(memory, corpus, number),
            RAW: lambda number: _again(client, replay.renamed(recorder.taken(), ours.namespace, twin.namespace)),
            **{rival.name: _by(rival, corpus) for rival in others},
        }
        return Compared(turns, await timing.interleaved(acts, rounds))


def _hear(memory: Memory, corpus: Corpus, number: int) -> Act:
    turn = corpus.turn(FIRST_NEW + number, HERE)
    return lambda: memory.hear(HERE, turn, k=K, window=WINDOW)


def _again(client: "redis.asyncio.Redis", commands: list[replay.Command]) -> Act:
    return lambda: replay.replay(client, commands)


def _by(rival: Rival, corpus: Corpus) -> Prepare:
    def prepare(number: int) -> Act:
        turn = corpus.turn(FIRST_NEW + number, HERE)

        async def hear() -> None:
            if rival.hear(turn) < K + WINDOW:
                raise RuntimeError(f"{rival.name} found too little to be compared with")

        return hear

    return prepare


def _fill(rival: Rival, corpus: Corpus, turns: int, step: Step) -> None:
    for first, end in chunks(0, turns, 500):
        rival.fill([corpus.turn(number) for number in range(first, end)])
        step(end - first)
