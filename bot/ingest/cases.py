"""What memory is measured with, whatever file it comes from: turns, and questions about them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from memory.transfer import Exported

Place = tuple[str, str]  # conversation and id of a turn

READER = "reader"  # who asks, where a file does not tell


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and the turns that answer it; none: it is small talk, and nothing should be recalled.

    conversation: where it is asked; person, author: by whom (id and name); asked_at: milliseconds since 1970.
    sessions: the conversations that hold the answer, in data sets that are measured by those too. number: the data
    set's own one for the category. aside: the field leaves it out of the overall figures.
    """

    text: str
    relevant: tuple[Place, ...]
    conversation: str
    category: str = "uncategorised"
    person: str = READER
    author: str = READER
    asked_at: int | None = None
    sessions: tuple[str, ...] = ()
    number: int | None = None
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One tenant: what is said there, in order and with who can read it, and what is asked when all has been said."""

    tenant: str
    said: tuple[Exported, ...]
    questions: tuple[Question, ...]


def first(cases: Iterable[Case], count: int | None) -> list[Case]:
    """Return the cases with their first `count` questions in all; those that none is left of are left out."""
    kept: list[Case] = []
    room = count
    for case in cases:
        questions = case.questions[:room]
        if questions:
            kept.append(replace(case, questions=questions))
        if room is not None:
            room -= len(questions)
    return kept


def spread(cases: Sequence[Case], count: int | None) -> list[Case]:
    """Return `count` of the cases, evenly spread: data sets come sorted by their categories."""
    if count is None or count >= len(cases):
        return list(cases)
    return [cases[place * len(cases) // count] for place in range(count)]
