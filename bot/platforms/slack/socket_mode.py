"""The socket of Socket Mode: kept open by slack_sdk, and looked after, for it may die in ways that slack_sdk misses.

What proves that Slack is heard: its hello on the present socket (Slack has taken it up, events go there), and that the
socket is open. aiohttp closes one on which nothing comes for one and a half pings, and slack_sdk then connects anew.
`last_ping_pong_time` of slack_sdk proves nothing: it is also set when a ping is sent.

What no pong proves is that events come. A socket that brings none for long is exchanged: where it was only quiet that
costs nothing, and what a deaf one was given Slack sends again, after a minute and after five more.
"""

import asyncio
import time
from contextlib import suppress
from typing import Any

import structlog
from aiohttp import ClientWebSocketResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import PlatformLost
from bot.metrics import Socket
from bot.platforms.slack.failures import refuse, why
from bot.platforms.slack.transport import Transport
from memory import tasks

log = structlog.get_logger()

# In pings, of LOREBOT_SLACK_PING seconds each.
GREETING = 3.0  # for Slack's hello on a new socket
SILENT = 4.0  # without an open socket that Slack has greeted: not ready
LOST = 7.0  # the same: the process ends, nine after the last sign of life at most, as aiohttp takes up to two to see it
QUIET = 30.0  # without an event: the socket is exchanged
APART = 0.5  # between two sockets, or an app with too many of them would connect without end

SURE = 3  # refusals in a row; one may be Slack's own trouble


class Client(SocketModeClient):
    """slack_sdk's client, but it connects one socket at a time, and tells what Slack says.

    Left to itself, it connects twice at once where Slack asks it to come again while it is connecting for more than
    five seconds; nobody would read one of those sockets, and yet events would go there.
    """

    def __init__(self, app_token: str, web_client: AsyncWebClient, ping: float) -> None:
        super().__init__(app_token=app_token, web_client=web_client, ping_interval=ping)
        self.greeted: ClientWebSocketResponse | None = None
        self.refused: SlackApiError | None = None
        self.refusals = 0  # in a row
        self.told_at = self._opened_at = 0.0  # by time.monotonic
        self.message_listeners.append(self._told)

    @property
    def heard(self) -> bool:
        """Whether the present socket is open, and Slack has greeted us on it."""
        session = self.current_session
        return session is not None and not session.closed and self.greeted is session

    async def connect_to_new_endpoint(self, force: bool = False) -> None:
        """Exchange the socket, or open one where there is none."""
        async with self.connect_operation_lock:
            if force or not await self.is_connected():
                await asyncio.sleep(self._opened_at + APART * self.ping_interval - time.monotonic())
                self.wss_uri = None
                await self.connect()  # type: ignore[no-untyped-call]
                self._opened_at = time.monotonic()

    async def issue_new_wss_url(self) -> str:
        """Return the address of a new socket. Raises SlackApiError, which is kept."""
        try:
            address = await super().issue_new_wss_url()
        except SlackApiError as error:
            self.refused, self.refusals = error, self.refusals + 1
            raise
        self.refused, self.refusals = None, 0
        return address

    async def _told(self, client: AsyncBaseSocketModeClient, message: dict[str, Any], raw: str | None = None) -> None:
        if message.get("type") == "hello":
            self.greeted = self.current_session
            log.info("Slack has greeted us", sockets=message.get("num_connections"))
        self.told_at = time.monotonic()


class SocketMode(Transport):
    """Looks after a client's socket."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._ping = client.ping_interval
        self._heard = time.monotonic()
        self._session: ClientWebSocketResponse | None = None
        self._since = 0.0  # when that was first seen
        self._exchange: asyncio.Task[None] | None = None

    @property
    def silence(self) -> float:
        """Seconds since Slack was last heard."""
        if self._client.heard:
            self._heard = time.monotonic()
        return time.monotonic() - self._heard

    async def trouble(self) -> str:
        """Tell whether Slack is heard."""
        if self.silence > SILENT * self._ping:
            return self._lost
        return "" if self._client.greeted is not None else "Slack has not greeted us yet"

    def sockets(self) -> list[Socket]:
        """Return the socket, for the figures."""
        return [Socket("0", self.silence <= SILENT * self._ping, self.silence)]

    async def watch(self) -> None:
        """Look at it again and again. Raises PlatformLost where it stays silent, Unconfigured where Slack refuses us.

        The client tries to connect with one address until that works, though Slack takes each only once: where it does
        not work, it is to ask for another.
        """
        try:
            while True:
                self._look()
                await asyncio.sleep(min(1.0, self._ping / 4))
        finally:
            if self._exchange is not None:
                await tasks.ended(self._exchange)

    def _look(self) -> None:
        client, now = self._client, time.monotonic()
        if client.refused is not None and client.refusals >= SURE:
            refuse(client.refused, "SLACK_APP_TOKEN")
        if self.silence > LOST * self._ping:
            raise PlatformLost(f"{self._lost}; start again")
        session = client.current_session
        if session is None or session.closed:
            client.wss_uri = None
            return
        if session is not self._session:
            self._session, self._since = session, now
        idle = now - max(self._since, client.told_at if client.heard else 0.0)
        exchanging = self._exchange is not None and not self._exchange.done()
        if idle > (QUIET if client.heard else GREETING) * self._ping and not exchanging:
            log.info("socket exchanged", greeted=client.heard, seconds=round(idle))
            self._exchange = asyncio.create_task(self._exchanged())

    async def _exchanged(self) -> None:
        with suppress(SlackApiError, OSError, asyncio.TimeoutError):  # it is tried again
            await self._client.connect_to_new_endpoint(force=True)

    @property
    def _lost(self) -> str:
        refused = self._client.refused
        reason = f" ({why(refused)})" if refused is not None else ""
        return f"Slack has not been heard for {self.silence:.0f} s{reason}"
