"""One run over everything that is measured."""

import time
from dataclasses import dataclass

import redis.asyncio

from bot.bench.filling import Counting
from bot.bench.growth import grow
from bot.bench.report import Report
from bot.bench.whole_turn import compare
from memory.embedder import Embedder
from memory.views import IndexOptions


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure. sizes: turns, ascending; compare: turns in memory when libraries are compared."""

    sizes: tuple[int, ...]
    compare: int
    rounds: int


async def run(
    client: "redis.asyncio.Redis",
    url: str,
    namespace: str,
    options: IndexOptions,
    plan: Plan,
    embedder: Embedder,
    counting: Counting,
) -> Report:
    """Measure in namespaces of its own beside the given one, which are deleted at the end."""
    own = f"{namespace}-bench-{time.time_ns():x}"
    info = await client.info("server")
    compared = await compare(client, url, own, options, plan.compare, plan.rounds, counting)
    growth = await grow(client, own, options, plan.sizes, plan.rounds, embedder, counting)
    return Report(f"Redis {info['redis_version']}", plan.rounds, compared, growth)
