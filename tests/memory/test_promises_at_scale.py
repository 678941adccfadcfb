"""What holds for a handful of turns holds for very many. Seconds are printed, never judged."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from memory import connect
from memory.memory import Memory
from memory.records import Turn, Which, answer_id
from memory.scope import Audience, Operator, Scope
from memory.server import EmbeddedServer
from tests.conftest import NOON
from tests.fakes import ToyEmbedder

DIM = 384  # as the local embedder's vectors
BATCH = 500
TENANT = "discord:1"
PEOPLE = 100
WORDS = "dog cat tea kyoto piano cake river train garden window letter bread winter lamp stone".split()

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]


class WideEmbedder(ToyEmbedder):
    """Topics first, and room for vectors that point anywhere."""

    name = "wide"

    async def dim(self) -> int:
        return DIM

    async def embed(self, texts):
        return np.pad(await super().embed(texts), ((0, 0), (0, DIM - len(self.TOPICS) - 1)))


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    return tmp_path / "redis"


@pytest.fixture
async def memory(data: Path) -> AsyncIterator[Memory]:
    server = EmbeddedServer(data)
    client = connect.client(await server.start())
    yield await Memory.open(client, WideEmbedder())
    await connect.close(client)
    await server.stop()


@contextmanager
def taking(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - began:.3f} s")


async def fill(memory: Memory, scope: Scope, turns: list[Turn]) -> None:
    chance = np.random.default_rng(len(turns))
    for start in range(0, len(turns), BATCH):
        some = turns[start : start + BATCH]
        vectors = chance.standard_normal((len(some), DIM)).astype(np.float16)
        assert all(await memory.remember(scope, some, vectors=[vector.tobytes() for vector in vectors]))


def said(number: int, conversation: str, **changes: object) -> Turn:
    text = f"a dog, {WORDS[number % 15]} and {WORDS[number // 15 % 15]}, number {number}"
    turn = {"id": f"t{number}", "conversation": conversation, "person": "ada", "author": "Ada", "role": "user"}
    return Turn(**{**turn, "text": text, "sent_at": NOON + number * 1000, **changes})


async def test_the_very_next_recall_finds_nothing_of_twenty_thousand_turns_made_private(memory: Memory) -> None:
    def scope(conversation: str, audience: Audience = Audience.PUBLIC) -> Scope:
        return Scope(TENANT, conversation, "ada", audience)

    async def found(where: Scope) -> set[str]:
        return {one.turn.conversation for one in await memory.recall(where, "Which dog?", 1000)}

    with taking("remembering 20,000 turns"):
        await fill(memory, scope("general"), [said(number, "general") for number in range(20_000)])
        await fill(memory, scope("random"), [said(number, "random") for number in range(100)])
    assert "general" in await found(scope("elsewhere"))
    with taking("making them private"):
        await memory.moved(scope("general", Audience.PRIVATE))
    with taking("the next recall"):
        assert await found(scope("elsewhere")) == {"random"}
    assert (await memory.latest(scope("elsewhere"))).total == 100
    assert "general" in await found(scope("general", Audience.PRIVATE))
    with taking("tagging them anew"):
        assert (await memory.upkeep()).retagged == 20_000
    assert await found(scope("elsewhere")) == {"random"}
    assert "general" in await found(scope("general", Audience.PRIVATE))


async def test_one_person_of_a_hundred_thousand_turns_is_forgotten_to_the_last_byte(memory: Memory, data: Path) -> None:
    marks = (b"Quarkbeast", b"quarkbeast", b"Xantippe", b"xantipp", b"person-7x")
    here = Scope(TENANT, "general", "person-7x", Audience.PUBLIC)

    def turns() -> Iterator[Turn]:
        for number in range(0, 100_000, 2):
            who = number // 2 % PEOPLE
            person, author, word = (
                ("person-7x", "Xantippe", "quarkbeast") if who == 7 else (f"p{who}", f"Name{who}", "")
            )
            asked = said(number, "general", person=person, author=author)
            asked = said(number, "general", person=person, author=author, text=f"{asked.text} {word}")
            yield asked
            yield said(
                number + 1, "general", id=answer_id(asked.id), person="lorebot", author="Lorebot", role="assistant",
                to=person, text=f"Lovely {WORDS[number % 15]}! {word.title()}",
            )  # fmt: skip

    def on_disk() -> set[bytes]:
        raw = [file.read_bytes() for file in data.rglob("*") if file.is_file() and "server" not in file.parts]
        return {mark for mark in marks if any(mark in one for one in raw)}

    with taking("remembering 100,000 turns"):
        await fill(memory, here, list(turns()))
    assert on_disk() == set(marks)
    with taking("forgetting"):
        with taking("  finding"):
            places = await memory.find(here, Which(person="person-7x"))
        deleted = began = time.monotonic()

        def progress(done: int) -> None:
            nonlocal deleted
            deleted = time.monotonic()

        gone = await memory.forget(here, places, progress=progress)
        print(f"  deleting: {deleted - began:.3f} s\n  rewriting: {time.monotonic() - deleted:.3f} s")
    assert (len(places), gone.turns, gone.trouble) == (1000, 1000, "")
    async with asyncio.timeout(60):
        while on_disk():
            await asyncio.sleep(0.05)
    assert len(await memory.find(Operator(TENANT), Which())) == 99_000
