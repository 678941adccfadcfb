"""A real Redis for the whole run; a namespace, a memory and a bot of its own for each test."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import redis.asyncio
from ulid import ULID

from bot.apps.chat import ChatApp, ChatOptions
from bot.engine import Engine, always
from bot.ledger import Ledger
from bot.prompts import Prompts
from bot.records import Answered, Event, Incoming
from memory import connect, index
from memory.keys import Keys
from memory.memory import Memory
from memory.records import Turn
from memory.scope import Audience, Scope
from memory.server import EmbeddedServer
from tests.fakes import ScriptedModel, ToyEmbedder

NOON = 1_700_000_000_000  # 14 November 2023, 22:13:20 UTC


@pytest.fixture(scope="session", autouse=True)
def ctrl_c() -> None:
    """Let processes that tests start be interrupted, also where the tests themselves run in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis that is started for this run, or the one that REDIS_TEST_URL names."""
    if url := os.environ.get("REDIS_TEST_URL"):
        yield url
        return
    server = EmbeddedServer(tmp_path_factory.mktemp("redis"))
    yield asyncio.run(server.start())
    asyncio.run(server.stop())


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator["redis.asyncio.Redis"]:
    client = connect.client(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def keys(client: "redis.asyncio.Redis") -> AsyncIterator[Keys]:
    keys = Keys(f"test-{ULID()}")
    yield keys
    await index.drop(client, keys)


@pytest.fixture
def embedder() -> ToyEmbedder:
    return ToyEmbedder()


@pytest.fixture
async def memory(client: "redis.asyncio.Redis", keys: Keys, embedder: ToyEmbedder) -> Memory:
    return await Memory.open(client, embedder, keys=keys)


@pytest.fixture
def here() -> Scope:
    return Scope("local:ada", "main", "ada", Audience.PUBLIC)


@pytest.fixture
def say() -> Callable[..., Turn]:
    """Make turns, a second apart: say('I have a dog', author='Ada')."""
    numbers = count(1)

    def make(text: str, author: str = "Ada", **changes: object) -> Turn:
        number = next(numbers)
        turn = {
            "id": f"t{number}",
            "conversation": "main",
            "person": author.lower(),
            "author": author,
            "role": "user",
            "text": text,
            "sent_at": NOON + number * 1000,
        }
        return Turn(**{**turn, **changes})  # type: ignore[arg-type]

    return make


class Talk:
    """An engine with a scripted model, and a way to talk to it."""

    def __init__(self, memory: Memory, scope: Scope, model: ScriptedModel, owner: str, **options: int) -> None:
        self.model = model
        self.scope = scope
        self.memory = memory
        self.app = ChatApp(
            memory, model, Prompts(), ChatOptions(**{"prompt_tokens": 1000, "reply_tokens": 200, **options})
        )
        self.engine = Engine(memory, always(self.app), Ledger(memory.keys, owner), name="Lorebot", max_message=100_000)

    def incoming(self, text: str, **changes: object) -> Incoming:
        message = {
            "id": str(ULID()),
            "scope": self.scope,
            "author": "Ada",
            "text": text,
            "sent_at": time.time_ns() // 10**6,
        }
        return Incoming(**{**message, **changes})  # type: ignore[arg-type]

    async def events(self, incoming: Incoming) -> list[Event]:
        return [event async for event in self.engine.reply(incoming)]

    async def say(self, text: str, **changes: object) -> Answered:
        """Say something and return the whole answer."""
        events = await self.events(self.incoming(text, **changes))
        answered = events[-1]
        assert isinstance(answered, Answered)
        return answered


@pytest.fixture
def talk(memory: Memory, here: Scope) -> Callable[..., Talk]:
    """Make a bot that answers what the script says: talk('Hello!', 'Bye!')."""

    def make(*script: object, context_window: int = 4000, owner: str = "", **options: int) -> Talk:
        model = ScriptedModel(*script, context_window=context_window)
        return Talk(memory, here, model, owner or str(ULID()), **options)

    return make


@pytest.fixture
def locomo_file(tmp_path: Path) -> Path:
    """A tiny file in LoCoMo's form."""
    import json

    session = [
        {"speaker": "Ada", "dia_id": "D1:1", "text": "I moved to Kyoto last week."},
        {"speaker": "Bob", "dia_id": "D1:2", "text": "Lovely! I just got a puppy, Rex."},
        {"speaker": "Ada", "dia_id": "D1:3", "text": "Look at my tea cup!", "blip_caption": "a green cup"},
    ]
    asked = [
        {"question": "Where did Ada move?", "answer": "Kyoto", "evidence": ["D1:1"], "category": 4},
        {"question": "What is Bob's dog called?", "answer": "Rex", "evidence": ["D:1:2; D9:9"], "category": 1},
        {"question": "Which dog does Ada have?", "adversarial_answer": "Rex", "evidence": ["D1:2"], "category": 5},
        {"question": "Who knows?", "answer": "nobody", "evidence": ["D"], "category": 3},
    ]
    conversation = {
        "speaker_a": "Ada",
        "speaker_b": "Bob",
        "session_1": session,
        "session_1_date_time": "1:56 pm on 8 May, 2023",
    }
    file = tmp_path / "locomo.json"
    file.write_text(json.dumps([{"sample_id": "conv-1", "conversation": conversation, "qa": asked}]))
    return file
