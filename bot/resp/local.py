"""Commands that are answered here: those of objects, of modules, and those that list keys."""

import time
from collections.abc import Awaitable, Callable, Sequence

import redis.asyncio

from bot.errors import CommandError
from bot.resp import expiry, replies
from bot.resp.base import Commands, Reply, Simple
from bot.resp.requests import Request
from memory.batch import Batch, command, explaining

_PAGE = 1000  # keys a step; Redis serves others in between
_ON_MANY = frozenset((b"DEL", b"UNLINK", b"EXISTS"))

ON_OBJECTS = _ON_MANY | {b"TYPE", b"PERSIST"} | expiry.ASKING | expiry.SETTING

Ask = Callable[..., Awaitable[bytes]]


class Local:
    """Answers as an operator: what it hands out names no key of memory. Replies are whole; None: Redis is to answer."""

    def __init__(self, commands: Commands, client: "redis.asyncio.Redis", namespace: str) -> None:
        """client: of an operator."""
        self._commands = commands
        self._client = client
        self._prefix = namespace.encode()
        self._version = ""

    async def on_objects(self, request: Request, ask: Ask, protocol: int) -> bytes | None:
        """Carry out a command of ON_OBJECTS where it names an object; `ask` has Redis carry out the rest of it."""
        arguments = request.arguments
        if request.name in _ON_MANY:
            return await self._many(request.name, arguments, ask, protocol)
        complete = len(arguments) >= 2 if request.name in expiry.SETTING else len(arguments) == 1
        kind = await self._commands.kind(arguments[0]) if complete else None
        if kind is None:
            return None
        return replies.encode(await self._one(request.name, kind, arguments), protocol)

    async def _many(self, name: bytes, keys: Sequence[bytes], ask: Ask, protocol: int) -> bytes | None:
        kinds = {key: await self._commands.kind(key) for key in dict.fromkeys(keys)}
        objects = [key for key in keys if kinds[key] is not None]
        if not objects:
            return None
        others, count = [key for key in keys if kinds[key] is None], 0
        if others:
            answer = await ask(name, *others)
            if not answer.startswith(b":"):
                return answer
            count = int(answer[1:])
        if name == b"EXISTS":
            return replies.encode(count + len(objects), protocol)
        for key in dict.fromkeys(objects):
            count += await self._commands.delete(key)
        return replies.encode(count, protocol)

    async def _one(self, name: bytes, kind: str, arguments: Sequence[bytes]) -> Reply:
        key, now = arguments[0], time.time_ns() // 10**6
        if name == b"TYPE":
            return Simple(kind)
        current = await self._commands.expires(key)
        if name in expiry.ASKING:
            return expiry.told(name, current, now)
        if name == b"PERSIST":
            return int(current is not None and await self._commands.expire(key, None))
        at, options = expiry.asked(name, arguments[1:], now)
        if not expiry.holds(options, at, current):
            return 0
        return int(await (self._commands.delete(key) if at <= now else self._commands.expire(key, at)))

    async def version(self) -> str:
        """Return the version of Redis."""
        if not self._version:
            info = await explaining(command(self._client, "INFO", "server"))
            self._version = info["redis_version"]
        return self._version

    async def modules(self) -> Reply:
        """Return the modules of Redis, and LLM."""
        found: list[Reply] = []
        for flat in await explaining(command(self._client, "MODULE", "LIST")):
            found.append({_text(name): value for name, value in zip(flat[::2], flat[1::2], strict=True)})
        return [*found, {"name": "LLM", "ver": 1, "path": "", "args": []}]

    async def scan(self, database: int, arguments: Sequence[bytes]) -> Reply:
        """Return the next cursor and some keys, none of memory's."""
        cursor, names = await self._scan(database, arguments)
        return [str(cursor), list(names)]

    async def keys(self, database: int, arguments: Sequence[bytes]) -> Reply:
        """Return the keys that match a pattern, none of memory's; unlike Redis' own, it lets others in between."""
        if len(arguments) != 1:
            raise CommandError("wrong number of arguments for 'keys' command")
        cursor, found = 0, dict[bytes, None]()
        while True:
            cursor, names = await self._scan(
                database, [b"%d" % cursor, b"MATCH", arguments[0], b"COUNT", b"%d" % _PAGE]
            )
            found |= dict.fromkeys(names)
            if not cursor:
                return list(found)

    async def _scan(self, database: int, arguments: Sequence[bytes]) -> tuple[int, list[bytes]]:
        batch = Batch(self._client, atomic=True)  # whoever has the connection next finds it in its own database again
        batch.ask("SELECT", database, read=bool)
        answer = batch.ask("SCAN", *arguments, read=lambda found: (int(found[0]), list(found[1])))
        batch.ask("SELECT", self._home, read=bool)
        await batch.send()
        cursor, names = answer.value
        return cursor, [name for name in names if not name.startswith(self._prefix)]

    @property
    def _home(self) -> int:
        return int(self._client.connection_pool.connection_kwargs.get("db") or 0)


def _text(name: bytes) -> str:
    return name.decode()
