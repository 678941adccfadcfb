"""Questions written for this project: recall finds more of their answers than meaning and words alone would."""

from dataclasses import fields
from pathlib import Path
from statistics import mean

import pytest

from bot import settings, wiring
from bot.evaluate.run import Run, run
from bot.ingest import questions
from bot.ingest.cases import Case
from memory.index import silent
from memory.memory import Memory
from memory.rank import Weights

DATA = Path(__file__).parent.parent / "data"
PLAIN = Weights(**{**{field.name: 0.0 for field in fields(Weights)}, "vector": 0.5, "text": 0.5})


def cases(name: str) -> list[Case]:
    return questions.read(DATA / f"{name}.jsonl")


@pytest.mark.parametrize(("name", "least"), [("assistant", 60), ("channel", 60), ("technical", 60)])
def test_there_are_questions_enough_of_each_kind(name: str, least: int):
    (case,) = cases(name)
    asked = [one for one in case.questions if one.relevant]
    assert len(asked) >= least
    said = {(one.turn.conversation, one.turn.id) for one in case.said}
    assert all(set(one.relevant) <= said for one in asked)
    assert any(not one.relevant for one in case.questions)  # small talk


def recalled(done: Run) -> float:
    return mean(one.turns.scores()["recall@10"] for one in done.asked if one.turns.relevant)


@pytest.mark.soak
@pytest.mark.parametrize("name", ["assistant", "channel", "technical"])
async def test_recall_loses_nothing_against_meaning_and_words_alone(name: str, client, keys):
    embedder = await wiring.embedding_model(settings.load(embedder="local"), silent, "local")
    found: dict[Weights, float] = {}
    for weights in (PLAIN, Weights()):
        memory = await Memory.open(client, embedder, keys=keys, weights=weights)
        found[weights] = recalled(await run(memory, cases(name), len, lambda done: None))
    await embedder.close()
    assert found[Weights()] > found[PLAIN]
