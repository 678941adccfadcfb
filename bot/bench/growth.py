"""Recall as memory grows: by questions, from one conversation of a thousand turns and from all that the tenant has."""

from dataclasses import dataclass

import redis.asyncio

from bot.bench import timing
from bot.bench.corpus import EVERYWHERE, HERE, Corpus, Drawn
from bot.bench.filling import fill
from bot.bench.rivals import K
from bot.bench.timing import Act, Prepare, Times
from bot.bench.whole_turn import Counting
from memory import index
from memory.embedder import Embedder
from memory.keys import Keys
from memory.memory import Memory
from memory.scope import Scope
from memory.views import IndexOptions

CONVERSATION, TENANT = "conversation", "tenant"
EMBEDDED = "conversation, embedder included"


@dataclass(frozen=True, slots=True)
class Size:
    """How long recall takes at one size, by reach."""

    turns: int
    times: dict[str, Times]


@dataclass(frozen=True, slots=True)
class Growth:
    """Recall at each size, ascending; bytes: of Redis' memory for each turn, over all the filling."""

    sizes: tuple[Size, ...]
    bytes: float

    def ratio(self, reach: str) -> float:
        """Return how many times as long recall takes at the largest size as at the smallest, by the medians."""
        return self.sizes[-1].times[reach].p50 / self.sizes[0].times[reach].p50


async def grow(
    client: "redis.asyncio.Redis",
    namespace: str,
    options: IndexOptions,
    sizes: list[int],
    rounds: int,
    real: Embedder,
    counting: Counting,
) -> Growth:
    """Fill a memory and time recall at each size; with a real embedder at the last one."""
    corpus = Corpus()
    drawn = Drawn(corpus)
    keys = Keys(f"{namespace}-growth")
    memory = await Memory.open(client, drawn, keys=keys, options=options)
    found: list[Size] = []
    have = added = 0
    try:
        for size in sizes:
            before = await _used(client)
            with counting(f"filling to {size:,} turns", size - have) as step:
                await fill(memory, corpus, have, size, step)
            added += await _used(client) - before
            have = size
            acts = {CONVERSATION: _recall(memory, corpus, HERE, 1), TENANT: _recall(memory, corpus, EVERYWHERE, 2)}
            found.append(Size(size, await timing.interleaved(acts, rounds)))
        drawn.real = real
        found[-1].times.update(await timing.interleaved({EMBEDDED: _recall(memory, corpus, HERE, 3)}, rounds))
    finally:
        await index.drop(client, keys)
    return Growth(tuple(found), added / have)


def _recall(memory: Memory, corpus: Corpus, scope: Scope, series: int) -> Prepare:
    """Ask another question at every round: the vector of one that was asked before would be found in the cache."""

    def prepare(number: int) -> Act:
        question = corpus.question(series * 10**6 + number)
        return lambda: memory.recall(scope, question, K)

    return prepare


async def _used(client: "redis.asyncio.Redis") -> int:
    return int((await client.info("memory"))["used_memory"])
