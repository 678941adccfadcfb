"""The commands that memory sent, sent again by redis-py alone: what the same work costs without memory around it."""

from typing import Any

import redis.asyncio

Command = tuple[Any, ...]


class Recorder:
    """A Redis client that notes every command on its way."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        """Note nothing yet."""
        self._client = client
        self._noted: list[Command] = []

    def taken(self) -> list[Command]:
        """Return what was noted, and forget it."""
        noted, self._noted = self._noted, []
        return noted

    def pipeline(self, transaction: bool = True) -> Any:
        """Return a pipeline of which every command is noted."""
        pipeline = self._client.pipeline(transaction=transaction)
        send = pipeline.execute_command

        def noting(*command: Any, **options: Any) -> Any:
            self._noted.append(command)
            return send(*command, **options)

        pipeline.execute_command = noting  # type: ignore[method-assign]
        return pipeline

    def execute_command(self, *command: Any, **options: Any) -> Any:
        """Note a command and send it."""
        self._noted.append(command)
        return self._client.execute_command(*command, **options)  # type: ignore[no-untyped-call]

    def __getattr__(self, name: str) -> Any:
        """Be the client in everything else."""
        return getattr(self._client, name)


def renamed(commands: list[Command], old: str, new: str) -> list[Command]:
    """Return the commands for another namespace."""

    def other(argument: Any) -> Any:
        if isinstance(argument, bytes):
            return argument.replace(old.encode(), new.encode())
        return argument.replace(old, new) if isinstance(argument, str) else argument

    return [tuple(other(argument) for argument in command) for command in commands]


async def replay(client: "redis.asyncio.Redis", commands: list[Command]) -> list[Any]:
    """Send commands in one pipeline and return the replies as redis-py gives them; raises what Redis refuses."""
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    return await pipeline.execute()
