"""Commands that travel to Redis together, in one round trip; each answer is read where it was asked for."""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import redis.asyncio
from redis import exceptions

from memory.errors import IndexMissing, LoreError, RedisError, RedisUnavailable

T = TypeVar("T")

# Lua that begins with this runs also where Redis is full: it frees memory, or makes sure that it will be freed.
ALSO_WHEN_FULL = "#!lua flags=allow-oom\n"

Argument = str | bytes | int | float


class Answer(Generic[T]):
    """What a command will have answered once its batch is sent."""

    def __init__(self, read: Callable[[Any], T]) -> None:
        self._read = read
        self._reply: Any = _NOT_SENT

    def take(self, reply: Any) -> None:
        """Take in what the command answered: a raw reply, or an error of redis-py's."""
        self._reply = reply

    @property
    def value(self) -> T:
        """The answer; raises RedisError where Redis refused the command."""
        if self._reply is _NOT_SENT:
            raise RuntimeError("the batch has not been sent")
        if isinstance(self._reply, exceptions.RedisError):
            raise explained(self._reply) from self._reply
        return self._read(self._reply)


class Batch:
    """A pipeline: commands run in the order they were asked, each atomic by itself, or with `atomic` all or none."""

    def __init__(self, client: "redis.asyncio.Redis", *, atomic: bool = False) -> None:
        self._pipeline = client.pipeline(transaction=atomic)
        self._answers: list[Answer[Any]] = []

    def ask(self, *command: Argument, read: Callable[[Any], T]) -> Answer[T]:
        """Add a command; `read` turns its raw reply into the answer's value."""
        self._pipeline.execute_command(*command)
        answer = Answer(read)
        self._answers.append(answer)
        return answer

    async def send(self) -> None:
        """Send everything asked so far and take the answers in; nothing asked, nothing sent.

        Raises RedisUnavailable where no server answers; a refused command raises when its answer is read.
        """
        if not self._answers:
            return
        answers, self._answers = self._answers, []
        try:
            replies = await self._pipeline.execute(raise_on_error=False)
        except exceptions.RedisError as error:
            raise explained(error) from error
        for answer, reply in zip(answers, replies, strict=True):
            answer.take(reply)


async def command(client: "redis.asyncio.Redis", *arguments: Argument) -> Any:
    """Send one command of its own; raises what redis-py raises."""
    return await client.execute_command(*arguments)  # type: ignore[no-untyped-call]


async def explaining(work: Awaitable[T]) -> T:
    """Await what talks to Redis by itself; raises RedisError where redis-py raises its own."""
    try:
        return await work
    except exceptions.RedisError as error:
        raise explained(error) from error


def explained(error: exceptions.RedisError) -> LoreError:
    """Say what a Redis error means and what to do."""
    text = str(error)
    if isinstance(error, exceptions.BusyLoadingError):
        return RedisUnavailable("Redis is still loading its data; try again in a moment")
    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError | exceptions.NoPermissionError):
        return RedisUnavailable(f"Redis refuses the user or password in REDIS_URL ({text})")
    if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError):
        return RedisUnavailable(f"Redis does not answer ({text}); check that it runs and that REDIS_URL points to it")
    if isinstance(error, exceptions.OutOfMemoryError):
        return RedisError("Redis is full: raise its maxmemory, or forget what is no longer needed; nothing was stored")
    if isinstance(error, exceptions.ReadOnlyError):
        return RedisError("Redis is a read-only replica; point REDIS_URL to the primary")
    if any(said in text.lower() for said in ("no such index", "unknown index", "index not found")):
        return IndexMissing("the index of memory is gone: another embedder took its place; restart with its settings")
    return RedisError(f"Redis refused a command: {text}")


_NOT_SENT = object()
