"""Recall as memory grows: by questions, from one conversation of a thousand turns and from all that the tenant has."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

import redis.asyncio

from bot.bench import timing
from bot.bench.corpus import EVERYWHERE, HERE, Corpus, Drawn
from bot.bench.filling import Counting, fill
from bot.bench.rivals import K
from bot.bench.timing import Act, Prepare, Times
from memory import index
from memory.embedder import Embedder
from memory.keys import Keys
from memory.memory import Memory
from memory.scope import Scope
from memory.views import IndexOptions

CONVERSATION, TENANT = "conversation", "tenant"
EMBEDDED = "conversation, with embedder"  # at the largest size only


@dataclass(frozen=True, slots=True)
class Growth:
    """Recall by reach and size. sizes: turns, ascending; bytes: of Redis' memory for each turn, at the largest."""

    sizes: tuple[int, ...]
    times: dict[tuple[str, int], Times]
    bytes: float

    def ratio(self, reach: str, size: int) -> float:
        """Return how many times as long recall takes as at the smallest size, by the medians."""
        return self.times[reach, size].p50 / self.times[reach, self.sizes[0]].p50


async def grow(
    client: "redis.asyncio.Redis",
    namespace: str,
    options: IndexOptions,
    sizes: tuple[int, ...],
    rounds: int,
    real: Embedder,
    counting: Counting,
) -> Growth:
    """Time recall in a memory of each size, all of them at every round; with a real embedder in the largest."""
    corpus = Corpus()
    drawn = Drawn(corpus)
    acts: dict[tuple[str, int], Prepare] = {}
    added = 0
    async with AsyncExitStack() as stack:
        for size in sizes:
            keys = Keys(f"{namespace}-{size}")
            stack.push_async_callback(index.drop, client, keys)
            memory = await Memory.open(client, drawn, keys=keys, options=options)
            before = await _used(client)
            with counting(f"filling to {size:,} turns", size) as step:
                await fill(memory, corpus, 0, size, step)
            added = await _used(client) - before
            acts[CONVERSATION, size] = _recall(memory, corpus, HERE, 1)
            acts[TENANT, size] = _recall(memory, corpus, EVERYWHERE, 2)
        embedding = await Memory.open(client, Drawn(corpus, real=real), keys=keys, options=options)
        acts[EMBEDDED, sizes[-1]] = _recall(embedding, corpus, HERE, 3)
        return Growth(sizes, await timing.interleaved(acts, rounds), added / sizes[-1])


def _recall(memory: Memory, corpus: Corpus, scope: Scope, series: int) -> Prepare:
    """Ask another question at every round: the vector of one that was asked before would be found in the cache."""

    def prepare(number: int) -> Act:
        question = corpus.question(series * 10**6 + number)
        return lambda: memory.recall(scope, question, K)

    return prepare


async def _used(client: "redis.asyncio.Redis") -> int:
    return int((await client.info("memory"))["used_memory"])
