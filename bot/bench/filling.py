"""Memory filled with made-up turns, conversation by conversation."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

from bot.bench.corpus import EVERYWHERE, ROOM, Corpus
from memory.memory import Memory
from memory.scope import Scope
from memory.views import packed

CHUNK = 250  # turns that travel together

Step = Callable[[int], None]  # told how many turns more are there
Counting = Callable[[str, int], AbstractContextManager[Step]]  # shows how far something is that has so many steps


async def fill(memory: Memory, corpus: Corpus, first: int, end: int, step: Step, *, scope: Scope = EVERYWHERE) -> None:
    """Remember the turns from `first` up to `end`; two conversations at a time, so that the server seldom waits.

    scope: whose memory it is; the conversations are the corpus' own.
    """
    rooms = iter(chunks(first, end, ROOM))

    async def some() -> None:
        for begin, stop in rooms:
            for one in chunks(begin, stop, CHUNK):
                await _remember(memory, corpus, scope, *one)
                step(one[1] - one[0])

    await asyncio.gather(some(), some())


def chunks(first: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut a range where its numbers are multiples of the size."""
    while first < end:
        stop = min(end, (first // size + 1) * size)
        yield first, stop
        first = stop


async def _remember(memory: Memory, corpus: Corpus, scope: Scope, first: int, end: int) -> None:
    said = [corpus.turn(number) for number in range(first, end)]
    made = memory.generation.made
    vectors = [packed(vector, made.dim, made.dtype) for vector in corpus.vectors(len(said))]
    await memory.remember(replace(scope, conversation=said[0].conversation), said, vectors=vectors)
