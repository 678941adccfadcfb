"""The gateway itself: it listens, knows its clients, and ends in good order."""

import asyncio
import contextlib
import errno
import ipaddress
from types import TracebackType
from typing import Any

import redis.asyncio
import structlog
from pydantic import SecretStr

from bot.errors import SettingsError
from bot.resp import replies
from bot.resp.answers import Shared
from bot.resp.base import Commands
from bot.resp.guest import Guest
from bot.resp.local import Local
from bot.resp.requests import AFTER_LOGIN, Limits
from bot.resp.session import Session
from memory import tasks
from memory.errors import RedisError

log = structlog.get_logger()

BACKLOG = 1024  # connections that wait to be accepted
CONNECTING = 64  # to Redis at a time; 511 wait there, and a Unix socket fails for those beyond


class Gateway:
    """A Redis, as its clients see it, that answers some commands by itself and passes on the others."""

    def __init__(
        self,
        commands: Commands,
        client: "redis.asyncio.Redis",
        namespace: str,
        *,
        host: str = "127.0.0.1",
        port: int = 6380,
        password: SecretStr | None = None,
        limits: Limits = AFTER_LOGIN,
        most_clients: int = 10_000,
    ) -> None:
        """Nothing listens yet.

        client: of an operator, who may make users; stays the caller's. namespace: what the keys begin with that no
        client may touch. port: 0 picks a free one.
        """
        self.host = host
        self.port = port
        self._guest = Guest(client, namespace)
        self._shared = Shared(
            commands=commands,
            names=frozenset(name.upper().encode() for name in commands.names),
            client=client,
            guest=self._guest,
            local=Local(commands, client, namespace),
            password=password,
            limits=limits,
            connecting=asyncio.Semaphore(CONNECTING),
        )
        self._most_clients = most_clients
        self._server: asyncio.Server | None = None
        self._sessions: set[Session] = set()
        self._ends: set[asyncio.Task[Any]] = set()  # of what clients who have gone had asked for
        self._empty = asyncio.Event()
        self._count = 0

    async def start(self) -> None:
        """Listen. From then on `port` is the real one.

        Raises SettingsError for an address that cannot be listened on, or must not be without a password; RedisError
        where Redis does not let us make a user, RedisUnavailable where it does not answer.
        """
        if self._shared.password is None and not _loopback(self.host):
            raise SettingsError(
                f"{self.host} can be reached from other machines; set LOREBOT_RESP_PASSWORD, or listen on 127.0.0.1"
            )
        await self._guest.sweep()
        await self._guest.make()
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._greet, self.host, self.port, backlog=BACKLOG)
        except OSError as error:
            await self._guest.delete()
            raise SettingsError(_unheard(error, self.host, self.port)) from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def serve(self, *, drain: float = 10.0) -> None:
        """Serve until cancelled; then answer what is under way, `drain` seconds at most. Raises what `start` raises."""
        await self.start()
        try:
            await asyncio.Event().wait()
        finally:
            await self.drain(drain)

    async def drain(self, seconds: float) -> None:
        """Take no more connections and commands, answer what came, `seconds` at most, and close."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for session in list(self._sessions):
            session.finish()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._left()
        for session in list(self._sessions):
            session.abort()
        await self._left()
        await asyncio.gather(*self._ends)
        try:
            await self._guest.delete()
        except RedisError as error:  # the next gateway to start sweeps it
            log.warning("gateway_user_left", user=self._guest.name, reason=str(error))

    async def __aenter__(self) -> "Gateway":
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and wait for nothing."""
        await self.drain(0)

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._sessions)

    async def _left(self) -> None:
        """Wait until every client has gone."""
        while self._sessions:
            self._empty.clear()
            await self._empty.wait()

    def _greet(self) -> asyncio.Protocol:
        if len(self._sessions) >= self._most_clients:
            return _Full()
        self._count += 1
        session = Session(self._shared, self, self._count)
        self._sessions.add(session)
        return session

    # session.Host

    def left(self, session: Session) -> None:
        """Forget a client."""
        self._sessions.discard(session)
        if not self._sessions:
            self._empty.set()

    def end(self, task: "asyncio.Task[None]") -> None:
        """Cancel what somebody had asked for, until it is over."""
        ending = asyncio.get_running_loop().create_task(tasks.ended(task))
        self._ends.add(ending)
        ending.add_done_callback(self._ends.discard)


class _Full(asyncio.Protocol):
    """A client too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say so."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(replies.error("max number of clients reached"))
        transport.close()


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _unheard(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken; set LOREBOT_RESP_PORT to a free one"
    if error.errno == errno.EACCES:
        return f"port {port} on {host} is not for this user; set LOREBOT_RESP_PORT to 1024 or more"
    return f"{host} cannot be listened on; set LOREBOT_RESP_HOST to an address of this machine"
