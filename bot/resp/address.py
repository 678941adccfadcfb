"""Further connections to the Redis that a client of redis-py talks to, as bare streams of bytes."""

import asyncio
from typing import Any, TypeVar

import redis.asyncio
from redis import exceptions
from redis.asyncio.sentinel import SentinelConnectionPool

from memory.errors import RedisUnavailable

CONNECT = 5.0  # seconds

P = TypeVar("P", bound=asyncio.Protocol)


async def connect(client: "redis.asyncio.Redis", protocol: P) -> P:
    """Connect `protocol` to the server of `client`, over TLS where that does; it is connected, not logged in.

    Raises RedisUnavailable where nothing answers, LoreError where the embedded server cannot be started.
    """
    try:
        async with asyncio.timeout(CONNECT):
            await _reach(client, protocol)
    except (OSError, TimeoutError, exceptions.RedisError) as error:
        raise RedisUnavailable("Redis does not answer; check that it runs and that REDIS_URL points to it") from error
    return protocol


async def _reach(client: "redis.asyncio.Redis", protocol: asyncio.Protocol) -> None:
    loop = asyncio.get_running_loop()
    pool = client.connection_pool
    facts = pool.connection_kwargs
    if ensure := facts.get("ensure"):
        await ensure()
    if path := facts.get("path"):
        await loop.create_unix_connection(lambda: protocol, path)
        return
    if isinstance(pool, SentinelConnectionPool):
        host, port = await pool.get_master_address()  # type: ignore[no-untyped-call]
    else:
        host, port = facts.get("host", "localhost"), facts.get("port", 6379)
    await loop.create_connection(lambda: protocol, host, int(port), ssl=_tls(pool))


def _tls(pool: Any) -> Any:
    """Return the pool's own settings of TLS; None where it has none."""
    if not issubclass(pool.connection_class, redis.asyncio.SSLConnection):
        return None
    facts = {name: value for name, value in pool.connection_kwargs.items() if name != "connection_pool"}
    return redis.asyncio.SSLConnection(**facts).ssl_context.get()
