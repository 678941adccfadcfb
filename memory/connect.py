"""A client for the Redis at an address: one place decides on protocol, timeouts and retries."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import redis.asyncio
from redis import exceptions
from redis.asyncio.connection import UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import ExponentialWithJitterBackoff

from memory.errors import RedisUnavailable

# RESP2: raw FT.SEARCH answers are arrays there, on every server version; redisvl works with it too.
_OPTIONS: dict[str, Any] = {
    "protocol": 2,
    "decode_responses": False,
    "socket_connect_timeout": 5,
    "socket_timeout": 30,
    "socket_keepalive": True,
    "health_check_interval": 30,
    "client_name": "lorebot",
}

# Beyond so many connections a command waits for one: left to itself, redis-py refuses the hundred-and-first, and a
# thousand that connect at once overrun the server's backlog.
MOST = 100
PATIENCE = 30  # seconds

SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")


class _Ensured(UnixDomainSocketConnection):
    """A connection that makes sure of its server before it connects, the first time and after every loss."""

    def __init__(self, *, ensure: Callable[[], Awaitable[None]], **options: Any) -> None:
        super().__init__(**options)
        self._ensure = ensure

    async def connect_check_health(self, check_health: bool = True, retry_socket_connect: bool = True) -> None:
        if not self.is_connected:
            await self._ensure()
        await super().connect_check_health(check_health, retry_socket_connect)


def client(url: str, *, ensure: Callable[[], Awaitable[None]] | None = None) -> "redis.asyncio.Redis":
    """Return a client that connects at its first command; `close` lets go of it.

    ensure: awaited before each connection to a unix:// address; whatever it raises, the command raises.
    url: redis://, rediss://, unix://, or redis+sentinel://[user:password@]HOST[:26379][,HOST...]/SERVICE[/DB].
    Raises RedisUnavailable for an address of another form.
    """
    try:
        scheme = urlsplit(url).scheme
        if scheme not in SCHEMES:
            raise RedisUnavailable(f"REDIS_URL must begin with one of {', '.join(f'{one}://' for one in SCHEMES)}")
        retry = Retry(ExponentialWithJitterBackoff(base=0.05, cap=1.0), retries=3)
        options = {**_OPTIONS, "retry": retry, "retry_on_error": [exceptions.ConnectionError, exceptions.TimeoutError]}
        if scheme == "unix":
            options.pop("socket_keepalive")
        if scheme.endswith("+sentinel"):
            return _through_sentinel(url, options)
        pool = redis.asyncio.BlockingConnectionPool.from_url(url, **options, max_connections=MOST, timeout=PATIENCE)
        found = redis.asyncio.Redis.from_pool(pool)
    except ValueError:
        # The cause is left out: it may quote the password.
        raise RedisUnavailable(
            "REDIS_URL cannot be read; check host, port and database, and percent-encode / # @ : ? in its password"
        ) from None
    found.connection_pool.connection_kwargs |= {"protocol": 2, "decode_responses": False}  # not the address's to say
    if ensure is not None:
        found.connection_pool.connection_class = _Ensured
        found.connection_pool.connection_kwargs["ensure"] = ensure
    return found


async def close(client: "redis.asyncio.Redis") -> None:
    """Close the client's connections, and those to the sentinels that led to it."""
    await client.aclose()
    if isinstance(client.connection_pool, SentinelConnectionPool):
        for sentinel in client.connection_pool.sentinel_manager.sentinels:
            await sentinel.aclose()


def _through_sentinel(url: str, options: dict[str, Any]) -> "redis.asyncio.Redis":
    parts = urlsplit(url)
    service, _, database = parts.path.strip("/").partition("/")
    if not service:
        raise RedisUnavailable("REDIS_URL names no service; it looks like redis+sentinel://HOST:26379/SERVICE")
    options["max_connections"] = 10 * MOST  # its pool knows no waiting
    options["username"] = unquote(parts.username or "") or None
    options["password"] = unquote(parts.password or "") or None
    if parts.scheme == "rediss+sentinel":
        options["ssl"] = True
    hosts = [_address(host) for host in parts.netloc.rpartition("@")[2].split(",")]
    sentinels = Sentinel(hosts, sentinel_kwargs={"socket_connect_timeout": 5, "protocol": 2})  # type: ignore[no-untyped-call]
    found: redis.asyncio.Redis = sentinels.master_for(service, db=int(database or 0), **options)
    return found


def _address(host: str) -> tuple[str, int]:
    name, _, port = host.partition(":")
    return name, int(port or 26379)
