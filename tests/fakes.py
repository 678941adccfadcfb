"""Small real classes that stand in for models: what they answer is written down in the test."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count

import numpy as np

from bot.delivery.stream import Controls
from bot.errors import CommandError, MessageLost
from bot.models.base import Finished, Message, Piece
from bot.resp.base import OK, Reply
from memory.embedder import Vectors
from memory.reranker import Scores


class WordTokenizer:
    """A word is a token, and so is every ten characters of a long one."""

    def count(self, text: str) -> int:
        return sum(1 + len(word) // 10 for word in text.split())

    def cut(self, text: str, tokens: int) -> str:
        kept = text
        while self.count(kept) > tokens:
            kept = kept[: len(kept) * 9 // 10]
        return kept


class ScriptedModel:
    """Answers with what the script says: a text, an error to raise, or a list of pieces and errors.

    An asyncio.Event among the pieces is waited for: the test decides when the model goes on.
    """

    name = "scripted"

    def __init__(self, *script: object, context_window: int = 4000) -> None:
        self.script = list(script)
        self.context_window = context_window
        self.tokenizer = WordTokenizer()
        self.prompts: list[list[Message]] = []
        self.cancelled = 0

    async def stream(self, messages: Sequence[Message], *, max_tokens: int) -> AsyncIterator[Piece | Finished]:
        self.prompts.append(list(messages))
        entry = self.script.pop(0)
        try:
            for step in entry if isinstance(entry, list) else [entry]:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif isinstance(step, Finished):
                    yield step
                    return
                else:
                    yield Piece(str(step))
            yield Finished(prompt_tokens=10, completion_tokens=5)
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise

    async def warm(self) -> None:
        pass

    async def close(self) -> None:
        pass

    @property
    def last_prompt(self) -> str:
        """The last prompt as one text."""
        return "\n".join(message.content for message in self.prompts[-1])


class ToyEmbedder:
    """An axis a topic: a text's vector counts the words of each topic, so that likeness is seen by eye."""

    TOPICS = (
        ("dog", "dogs", "rex", "puppy", "pet"),
        ("cat", "cats", "kitten"),
        ("tea", "coffee", "drink", "cup"),
        ("kyoto", "paris", "travel", "moved", "city", "live"),
        ("piano", "music", "song", "play"),
        ("birthday", "cake", "party"),
    )

    name = "toy"

    def __init__(self) -> None:
        self.embedded: list[str] = []
        self.error: Exception | None = None

    async def dim(self) -> int:
        return len(self.TOPICS) + 1

    async def embed(self, texts: Sequence[str]) -> Vectors:
        if self.error:
            raise self.error
        self.embedded.extend(texts)
        return np.stack([self._vector(text) for text in texts])

    def _vector(self, text: str) -> Vectors:
        words = "".join(char if char.isalnum() else " " for char in text.lower()).split()
        counts = [sum(word in topic for word in words) for topic in self.TOPICS]
        vector = np.array([*counts, 0.1], dtype=np.float32)  # 0.1: no text is nowhere
        return vector / np.linalg.norm(vector)

    async def close(self) -> None:
        pass


class ToyReranker:
    """Scores each passage as `scores` has it for a word in it, 0 where it has none."""

    name = "toy"

    def __init__(self, **scores: float) -> None:
        self.scores = scores
        self.asked: list[tuple[str, list[str]]] = []
        self.error: Exception | None = None

    async def rerank(self, question: str, passages: Sequence[str]) -> Scores:
        self.asked.append((question, list(passages)))
        if self.error:
            raise self.error
        return np.array([self._score(passage) for passage in passages], dtype=np.float64)

    def _score(self, passage: str) -> float:
        return max((score for word, score in self.scores.items() if word in passage), default=0.0)

    async def close(self) -> None:
        pass


class ToyCommands:
    """Answers `LLM.*` with what a test can foresee, and keeps objects in a dict: name -> (kind, expires)."""

    names = frozenset(("LLM.ECHO", "LLM.REPLY", "LLM.WAIT", "LLM.FAIL", "LLM.BREAK", "LLM.CANCEL"))

    def __init__(self) -> None:
        self.objects: dict[bytes, tuple[str, int | None]] = {}
        self.replies: dict[bytes, Reply] = {}
        self.go = asyncio.Event()
        self.waiting = 0
        self.cancelled = 0

    async def run(self, name: str, arguments: Sequence[bytes]) -> Reply:
        if name == "LLM.ECHO":
            return list(arguments)
        if name == "LLM.REPLY":
            return self.replies[arguments[0]]
        if name == "LLM.FAIL":
            raise CommandError("no model is called that; LLM.LIST\nlists them")
        if name == "LLM.BREAK":
            raise ValueError(f"cannot read {arguments!r}")
        if name == "LLM.CANCEL":
            raise asyncio.CancelledError
        self.waiting += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.waiting -= 1
        return arguments[0] if arguments else OK

    async def kind(self, key: bytes) -> str | None:
        return self.objects[key][0] if key in self.objects else None

    async def delete(self, key: bytes) -> bool:
        return self.objects.pop(key, None) is not None

    async def expire(self, key: bytes, at: int | None) -> bool:
        if key not in self.objects:
            return False
        self.objects[key] = (self.objects[key][0], at)
        return True

    async def expires(self, key: bytes) -> int | None:
        return self.objects[key][1] if key in self.objects else None


class ManualClock:
    """A clock that jumps to the next moment somebody waits for, as soon as nobody has anything else to do."""

    def __init__(self) -> None:
        self.time = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = count()
        self._quiet = 0  # rounds of the loop

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.time + seconds, next(self._count), woken))
        self._quiet = 0
        if len(self._sleepers) == 1:
            self._look()
        await woken

    def _look(self) -> None:
        """Wake whoever comes first once the loop went round some times and nobody new went to sleep."""
        self._quiet += 1
        if self._quiet > 20:
            self._quiet = 0
            self.time, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
        if self._sleepers:
            asyncio.get_running_loop().call_soon(self._look)


class Postbox:
    """A channel that remembers what it was told and when. `fails`: an error for each of the next calls, or None.

    An error in a tuple is raised after the call was carried out, as when its answer gets lost.
    """

    def __init__(self, clock: ManualClock, *fails: object, takes: float = 0.0) -> None:
        self.calls: list[tuple[float, str, str]] = []
        self.messages: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.nonces: dict[str, str] = {}
        self.controls: dict[str, Controls] = {}
        self.blind = False  # whether it cannot tell what was sent long ago
        self.busy = 0
        self.most_busy = 0
        self._clock = clock
        self._fails = list(fails)
        self._takes = takes

    @property
    def shown(self) -> list[str]:
        return list(self.messages.values())

    async def send(self, text: str, nonce: str, controls: Controls = Controls.NONE) -> str:
        async with self._call("send", text):
            message = self.nonces.setdefault(nonce, f"m{len(self.nonces) + 1}")
            self.messages[message] = text
            self.controls[message] = controls
            return message

    async def edit(self, message: str, text: str, controls: Controls = Controls.NONE) -> None:
        async with self._call("edit", text):
            if message not in self.messages:
                raise MessageLost("deleted")
            self.messages[message] = text
            self.controls[message] = controls

    async def find(self, part: int, nonce: str) -> str | None:
        if self.blind:
            raise MessageLost("nobody knows")
        return self.nonces.get(nonce)

    async def delete(self, message: str) -> None:
        async with self._call("delete", message):
            if self.messages.pop(message, None) is None:
                raise MessageLost("deleted")

    async def attach(self, text: str, file: str, content: str, nonce: str, controls: Controls = Controls.NONE) -> str:
        self.files[file] = content
        return await self.send(text, nonce, controls)

    @asynccontextmanager
    async def _call(self, kind: str, text: str) -> AsyncIterator[None]:
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            if self._takes:
                await self._clock.sleep(self._takes)
            self.calls.append((self._clock.now(), kind, text))
            fail = self._fails.pop(0) if self._fails else None
            if isinstance(fail, Exception):
                raise fail
            yield
            if isinstance(fail, tuple):
                raise fail[0]
        finally:
            self.busy -= 1
