"""Runs over data sets: every turn through the product's own write path, every question through its own recall."""

import time
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from bot.evaluate.ranking import Ranking
from bot.ingest.cases import READER, Case, Question
from memory.conversations import Conversation
from memory.errors import LoreError
from memory.memory import Memory
from memory.records import Recalled
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
    """

    question: Question
    turns: Ranking
    sessions: Ranking | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Run:
    """All that a run measured. turns: how many were added; added: seconds each, embedding included, where timed."""

    asked: tuple[Asked, ...]
    turns: int
    added: tuple[float, ...] = ()


async def run(memory: Memory, cases: Sequence[Case], count: Count, progress: Progress, *, timed: bool = False) -> Run:
    """Bring each case into its tenant and ask its questions there.

    timed: add turn by turn and measure each, as a bot would; else in batches, which is quicker.
    """
    asked: list[Asked] = []
    added: list[float] = []
    for case in cases:
        if timed:
            added += [await _added(memory, case, one, progress) for one in case.said]
        else:
            await memory.bring_in(case.said, lambda one, case=case: _scope(case, one), progress=progress)  # type: ignore[misc]
        await _embedded(memory)
        label, tokens = _labels(case), _Tokens(case, count)
        for question in case.questions:
            asked.append(await _asked(memory, case, question, label, tokens))
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


async def _added(memory: Memory, case: Case, one: Exported, progress: Progress) -> float:
    began = time.perf_counter()
    await memory.remember(_scope(case, one), [one.turn])
    seconds = time.perf_counter() - began
    progress(1)
    return seconds


def _scope(case: Case, one: Exported) -> Scope:
    return one.scope(case.tenant, READER)


async def _embedded(memory: Memory) -> None:
    """Make sure that what is measured is whole: the embedder may have been away for a while."""
    if memory.chores.is_set() and (trouble := (await memory.upkeep()).trouble):
        raise LoreError(trouble)


async def _asked(
    memory: Memory, case: Case, question: Question, label: Callable[[str, str], Hashable], tokens: "_Tokens"
) -> Asked:
    began = time.perf_counter()
    found = await _recalled(memory, case, question)
    seconds = time.perf_counter() - began
    turns = Ranking(
        relevant=tuple(label(*place) for place in question.relevant),
        ranked=tuple(label(one.turn.conversation, one.turn.id) for one in found),
        tokens=tuple(tokens.of_turn(one) for one in found),
    )
    sessions = None
    if question.sessions:
        ranked = tuple(dict.fromkeys(one.turn.conversation for one in found))
        sessions = Ranking(question.sessions, ranked, tuple(tokens.of_session(one) for one in ranked))
    return Asked(question, turns, sessions, seconds)


async def _recalled(memory: Memory, case: Case, question: Question) -> list[Recalled]:
    """Ask as the person would, where they would; a conversation that nothing was said in is a new public one."""
    rooms = {one.turn.conversation: one.conversation for one in case.said}
    room = rooms.get(question.conversation, Conversation(Audience.PUBLIC))
    scope = Scope(case.tenant, question.conversation, question.person, room.audience, room.parent, room.open_to_parent)
    return await memory.recall(scope, question.text, RANKED)


def _labels(case: Case) -> Callable[[str, str], Hashable]:
    """Return how a turn is named in the case: by its id, with its conversation only where several have that id."""
    several = Counter(one.turn.id for one in case.said)
    return lambda conversation, turn: turn if several[turn] < 2 else (conversation, turn)


class _Tokens:
    """What the turns and sessions of a case take in a prompt, their bare texts; each counted once and when needed."""

    def __init__(self, case: Case, count: Count) -> None:
        self._count = count
        self._case = case
        self._turns: dict[str, int] = {}
        self._sessions: dict[str, int] = {}

    def of_turn(self, one: Recalled) -> int:
        return self._of(one.turn.text)

    def of_session(self, conversation: str) -> int:
        if not self._sessions:
            self._sessions = dict.fromkeys((one.turn.conversation for one in self._case.said), 0)
            for one in self._case.said:
                self._sessions[one.turn.conversation] += self._of(one.turn.text)
        return self._sessions[conversation]

    def _of(self, text: str) -> int:
        if text not in self._turns:
            self._turns[text] = self._count(text)
        return self._turns[text]
