"""`python -m bot.bench`: a turn's memory work, at a thousand and ten thousand turns.

Vectors are random, so that the embedder's time is left out; figures are medians and 95th percentiles of one run.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import median, quantiles

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from bot import settings, wiring
from bot.cli.shared import counting, starting
from memory import index
from memory.embedder import Vectors
from memory.keys import Keys
from memory.memory import Memory
from memory.records import Turn
from memory.scope import Audience, Scope

SCOPE = Scope("bench:1", "main", "ada", Audience.PUBLIC)
ROUNDS = 200


class RandomEmbedder:
    """Unit vectors at random: the time of a real embedder would hide that of memory."""

    name = "random"

    def __init__(self, dim: int = 384) -> None:
        self._dim = dim
        self._random = np.random.default_rng(7)

    async def dim(self) -> int:
        """Return the size asked for."""
        return self._dim

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector a text."""
        vectors = self._random.standard_normal((len(texts), self._dim)).astype(np.float32)
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    async def close(self) -> None:
        """Nothing to let go of."""


@click.command()
@click.option("--turns", default="1000,10000", show_default=True, help="Sizes to measure at, ascending.")
def main(turns: str) -> None:
    """Measure remember, recall and the whole turn."""
    asyncio.run(_measure([int(size) for size in turns.split(",")]))


async def _measure(sizes: list[int]) -> None:
    config = settings.load()
    keys = Keys(f"{config.namespace}-bench-{time.time_ns():x}")
    table = Table("turns", "what", "p50 ms", "p95 ms")
    with starting() as progress:
        opening = wiring.opened_redis(config, progress)
    async with opening as client:
        memory = await Memory.open(client, RandomEmbedder(), keys=keys, options=wiring.index_options(config))
        try:
            words = random.Random(7)
            have = 0
            for size in sizes:
                with counting(f"filling to {size:,}", size - have) as step:
                    while have < size:
                        batch = [_turn(have + place, words) for place in range(min(100, size - have))]
                        await memory.remember(SCOPE, batch)
                        have += len(batch)
                        step(len(batch))
                for what, act in _acts(memory, words).items():
                    p50, p95 = await _timed(act)
                    table.add_row(f"{size:,}", what, f"{p50:.2f}", f"{p95:.2f}")
        finally:
            await index.drop(client, keys)
    Console().print(table)


def _acts(memory: Memory, words: random.Random) -> dict[str, Callable[[], Awaitable[object]]]:
    numbers = iter(range(10**9, 2 * 10**9))
    return {
        "recent window": lambda: memory.recent(SCOPE, 20),
        "recall": lambda: memory.recall(SCOPE, _text(words, 8)),
        "recall + window + remember": lambda: memory.hear(SCOPE, _turn(next(numbers), words), k=10, window=20),
    }


async def _timed(act: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await act()
        times.append((time.perf_counter() - began) * 1000)
    return median(times), quantiles(times, n=20)[-1]


def _turn(number: int, words: random.Random) -> Turn:
    return Turn(f"b{number}", "main", "ada", "Ada", "user", _text(words, 25), 1_700_000_000_000 + number)


def _text(words: random.Random, count: int) -> str:
    """Return words as common and as rare as in a language: the n-th with weight 1/n."""
    return " ".join(f"w{int(1.0 / (words.random() ** 2 + 0.0002))}" for _ in range(count))


main()
