"""The same turn by other libraries: what they offer for a message that is remembered, its likes and the latest ones.

Each with its own defaults where nothing else is said, and in the conversation alone. They are called without an event
loop, as they are made for. Their vectors are drawn beforehand, as ours are.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

import redis

from bot.bench.corpus import Drawn
from memory.records import Turn

K, WINDOW = 10, 20


class Rival(Protocol):
    """A library that remembers turns."""

    name: str

    def fill(self, turns: Sequence[Turn]) -> None:
        """Remember turns."""

    def hear(self, turn: Turn) -> int:
        """Search for what belongs to a turn, read the latest ones, remember it; return how many were found and read."""

    def drop(self) -> None:
        """Delete everything."""


class Redisvl:
    """SemanticMessageHistory of redisvl."""

    name = "redisvl SemanticMessageHistory"

    def __init__(self, client: "redis.Redis", namespace: str, embedder: Drawn) -> None:
        """Make its index."""
        from redisvl.extensions.message_history import SemanticMessageHistory
        from redisvl.utils.vectorize import CustomVectorizer

        self._history = SemanticMessageHistory(
            namespace,
            vectorizer=CustomVectorizer(embed=embedder.embed_one),
            distance_threshold=0.95,  # random vectors are far apart: at the default of 0.3 it would find nothing
            redis_client=client,
        )

    def fill(self, turns: Sequence[Turn]) -> None:
        """Remember turns of one conversation."""
        said = [{"role": turn.role, "content": turn.text} for turn in turns]
        self._history.add_messages(said, session_tag=turns[0].conversation)

    def hear(self, turn: Turn) -> int:
        """Search, read, remember: three calls."""
        found = self._history.get_relevant(turn.text, top_k=K, session_tag=turn.conversation)
        recent = self._history.get_recent(top_k=WINDOW, session_tag=turn.conversation)
        self._history.add_message({"role": turn.role, "content": turn.text}, session_tag=turn.conversation)
        return len(found) + len(recent)

    def drop(self) -> None:
        """Delete messages and index."""
        self._history.delete()


class Langchain:
    """RedisVectorStore of langchain-redis.

    The latest turns come from the store's own index: RedisChatMessageHistory reads all messages to show the last.
    """

    name = "langchain-redis RedisVectorStore"

    def __init__(self, client: "redis.Redis", namespace: str, embedder: Drawn) -> None:
        """Make its index. Raises ImportError where langchain-redis is not installed."""
        from langchain_redis import RedisConfig, RedisVectorStore

        fields = [{"name": "conversation", "type": "tag"}, {"name": "sent_at", "type": "numeric"}]
        config = RedisConfig(index_name=namespace, redis_client=client, metadata_schema=fields)
        given: Any = _Embeddings(embedder)  # of langchain-core's class, which need not be installed
        self._store = RedisVectorStore(given, config=config)

    def fill(self, turns: Sequence[Turn]) -> None:
        """Remember turns."""
        known = [{"conversation": turn.conversation, "sent_at": turn.sent_at} for turn in turns]
        self._store.add_texts([turn.text for turn in turns], known)

    def hear(self, turn: Turn) -> int:
        """Search, read, remember: three calls."""
        from redisvl.query import FilterQuery
        from redisvl.query.filter import Tag

        here = Tag("conversation") == turn.conversation
        found = self._store.similarity_search(turn.text, k=K, filter=here)
        latest = FilterQuery(here, return_fields=["text", "sent_at"], num_results=WINDOW)
        recent = self._store.index.query(latest.sort_by("sent_at", asc=False))
        self.fill([turn])
        return len(found) + len(recent)

    def drop(self) -> None:
        """Delete texts and index."""
        self._store.index.delete(drop=True)


class _Embeddings:
    """The embedder as langchain asks for it."""

    def __init__(self, embedder: Drawn) -> None:
        self._embedder = embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self._embedder.embed_one(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self._embedder.embed_one(text)


def rivals(client: "redis.Redis", namespace: str, embedder: Drawn) -> list[Rival]:
    """Return those that are installed."""
    found: list[Rival] = [Redisvl(client, f"{namespace}-redisvl", embedder)]
    with suppress(ImportError):
        found.append(Langchain(client, f"{namespace}-langchain", embedder))
    return found
