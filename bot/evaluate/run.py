"""Runs over data sets: every turn through the product's own write path, every question through its own recall."""

import time
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cache, cached_property, partial

from bot.evaluate.ranking import Ranking
from bot.ingest.cases import READER, Case, Question
from memory.conversations import Conversation
from memory.errors import LoreError
from memory.memory import Memory
from memory.records import Turn
from memory.scope import Audience, Scope
from memory.transfer import Exported

RANKED = 100  # turns recalled a question

Count = Callable[[str], int]  # how many tokens a text takes
Progress = Callable[[int], None]  # steps done since the last call


@dataclass(frozen=True, slots=True)
class Asked:
    """One question and what recall found. seconds: the recall's, embedding included.

    turns: by the id where one conversation of the tenant has it, else by (conversation, id). sessions: the
    conversations of those turns, each where its best one stands; None in data sets that are measured by turns alone.
    signals: what each turn was ranked by.
    """

    question: Question
    turns: Ranking
    sessions: Ranking | None
    seconds: float
    signals: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """All that a run measured. turns: how many were added; added: seconds each, embedding included, where timed."""

    asked: tuple[Asked, ...]
    turns: int
    added: tuple[float, ...] = ()


async def run(
    memory: Memory,
    cases: Sequence[Case],
    count: Count,
    progress: Progress,
    *,
    timed: bool = False,
    ranked: int = RANKED,
) -> Run:
    """Bring each case into its tenant and ask its questions there.

    timed: add turn by turn and measure each, as a bot would; else in batches, which is quicker. ranked: turns recalled
    a question, at most.
    """
    asked: list[Asked] = []
    added: list[float] = []
    for case in cases:
        scope_of = partial(_scope, case)
        if timed:
            added += [await _added(memory, scope_of(one), one.turn, progress) for one in case.said]
        else:
            await memory.bring_in(case.said, scope_of, progress=progress)
        await _embedded(memory)
        tenant = _Tenant(case, count)
        for question in case.questions:
            asked.append(await _asked(memory, tenant, question, ranked))
            progress(1)
    return Run(tuple(asked), sum(len(one.said) for one in cases), tuple(added))


async def run_apart(
    another: Callable[[], AbstractAsyncContextManager[Memory]], cases: Sequence[Case], count: Count, progress: Progress
) -> Run:
    """Do the same with a memory for each case, thrown away after its questions: haystacks are many and large."""
    done: list[Run] = []
    for case in cases:
        async with another() as memory:
            done.append(await run(memory, [case], count, progress))
    return Run(tuple(asked for one in done for asked in one.asked), sum(one.turns for one in done))


def work(cases: Sequence[Case]) -> int:
    """Return how many steps `run` will tell."""
    return sum(len(one.said) + len(one.questions) for one in cases)


async def _added(memory: Memory, scope: Scope, turn: Turn, progress: Progress) -> float:
    began = time.perf_counter()
    await memory.remember(scope, [turn])
    seconds = time.perf_counter() - began
    progress(1)
    return seconds


def _scope(case: Case, one: Exported) -> Scope:
    return one.scope(case.tenant, READER)


async def _embedded(memory: Memory) -> None:
    """Make sure that what is measured is whole: the embedder may have been away for a while."""
    if memory.chores.is_set() and (trouble := (await memory.upkeep()).trouble):
        raise LoreError(trouble)


async def _asked(memory: Memory, tenant: "_Tenant", question: Question, most: int) -> Asked:
    scope = tenant.scope(question)
    began = time.perf_counter()
    found = await memory.recall(scope, question.text, most, at=question.asked_at)
    seconds = time.perf_counter() - began
    turns = Ranking(
        relevant=tuple(tenant.label(*place) for place in question.relevant),
        ranked=tuple(tenant.label(one.turn.conversation, one.turn.id) for one in found),
        tokens=tuple(tenant.tokens(one.excerpt) for one in found),
    )
    sessions = None
    if question.sessions:
        ranked = tuple(dict.fromkeys(one.turn.conversation for one in found))
        sessions = Ranking(question.sessions, ranked, tuple(tenant.session_tokens[one] for one in ranked))
    return Asked(question, turns, sessions, seconds, tuple(one.signals for one in found))


class _Tenant:
    """What is to be known of a case while it is asked about."""

    def __init__(self, case: Case, count: Count) -> None:
        self._case = case
        self._rooms = {one.turn.conversation: one.conversation for one in case.said}
        self._several = Counter(one.turn.id for one in case.said)
        self.tokens = cache(count)

    def scope(self, question: Question) -> Scope:
        """Return who asks, and where; a conversation that nothing was said in is a new public one."""
        room = self._rooms.get(question.conversation, Conversation(Audience.PUBLIC))
        asked = (self._case.tenant, question.conversation, question.person)
        return Scope(*asked, room.audience, room.parent, room.open_to_parent)

    def label(self, conversation: str, turn: str) -> Hashable:
        """Return a turn's id, with its conversation only where several have that id."""
        return turn if self._several[turn] < 2 else (conversation, turn)

    @cached_property
    def session_tokens(self) -> Counter[str]:
        """The tokens of each conversation's turns together."""
        found: Counter[str] = Counter()
        for one in self._case.said:
            found[one.turn.conversation] += self.tokens(one.turn.text)
        return found
