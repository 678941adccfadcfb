"""One client: its commands are carried out in order, and its replies come in that order.

Commands for Redis go through at once, one after another. A command that is answered here waits until their replies
have gone through, and those after it wait for it. A client that does not read is not read from.
"""

import asyncio
import socket
import traceback
from typing import Protocol

import structlog

from bot.resp import address, replies
from bot.resp.answers import Answers, Shared, Work
from bot.resp.requests import BEFORE_LOGIN, ProtocolError, Request, Requests
from bot.resp.state import State
from bot.resp.upstream import Upstream
from memory.errors import LoreError, RedisUnavailable

UNDER_WAY = 1000  # commands that Redis may owe a client replies to
UNREAD = 2**18  # bytes of commands that wait here before no more are read
PATIENCE = 30.0  # seconds in which Redis has to take us, as long as other commands have
FAREWELL = 5.0  # seconds in which a client may read what was said last

_LOST = replies.error("the connection to Redis was lost; connect again")

log = structlog.get_logger()


class Host(Protocol):
    """Whoever keeps count of the clients."""

    def left(self, session: "Session") -> None:
        """Learn that a client has gone."""
        ...

    def end(self, task: "asyncio.Task[None]") -> None:
        """Cancel what a client asked for who has gone."""
        ...


class Session(asyncio.Protocol):
    """A connected client."""

    def __init__(self, shared: Shared, host: Host, number: int) -> None:
        """number: the client's own, since the gateway's start."""
        self.number = number
        self.state = State(welcome=shared.password is None)
        self.connected: Upstream | None = None
        self._shared = shared
        self._host = host
        self._answers = Answers(shared, self)
        self._requests = Requests(shared.limits if self.state.welcome else BEFORE_LOGIN)
        self._head: Request | None = None  # the next command, which has to wait
        self._passing: Request | None = None  # one that Redis is to answer
        self._task: asyncio.Task[None] | None = None
        self._socket: asyncio.Transport | None = None  # until it is closed
        self._transport: asyncio.Transport | None = None  # until we hang up
        self._full = False  # the client does not read
        self._stuck = False  # Redis does not read
        self._reading = True
        self._ending = False  # takes no more, and closes once nothing is under way
        self._last_words = b""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._socket = self._transport = transport
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # a machine that vanished is noticed

    def data_received(self, data: bytes) -> None:
        """Take commands, or parts of them."""
        if not self._ending:
            self._requests.feed(data)
            self._advance()

    def connection_lost(self, error: Exception | None) -> None:
        """Cancel what the client asked for."""
        self._socket = self._transport = None
        self._let_go()
        self._host.left(self)

    def pause_writing(self) -> None:
        """Wait: the client does not read what it asked for."""
        self._full = True
        if self.connected is not None:
            self.connected.pause(True)

    def resume_writing(self) -> None:
        """Go on: the client reads again."""
        self._full = False
        if self.connected is not None:
            self.connected.pause(False)
        self._advance()

    # What the gateway wants of it

    def finish(self) -> None:
        """Take no more commands, and close once those that came are answered."""
        self._ending = True
        self._advance()

    def abort(self) -> None:
        """Close at once."""
        if self._socket is not None:
            self._socket.abort()

    # upstream.Listener

    def pass_back(self, data: bytes) -> None:
        """Hand the client what Redis answers."""
        if self._transport is not None and data:
            self._transport.write(data)

    def answered(self) -> None:
        """Go on with what waited for a reply."""
        self._advance()

    def hold(self, full: bool) -> None:
        """Send Redis no more for now, or again."""
        self._stuck = full
        if not full:
            self._advance()

    def lost(self, torn: bool) -> None:
        """Say that Redis has gone, and close: what the client had begun there is lost."""
        self._hang_up(b"" if torn else _LOST)

    # answers.Line

    async def upstream(self) -> Upstream:
        """Return the connection to Redis, made where there is none; raises LoreError."""
        if self.connected is None:
            async with self._shared.connecting:
                self.connected = await self._open()
        return self.connected

    def admit(self) -> None:
        """Let the client send commands of any size from now on."""
        self._requests.limits = self._shared.limits

    def reset(self) -> None:
        """Be as newly connected."""
        if self.connected is not None:
            self.connected.close()
            self.connected = None
        self.state = State(welcome=self._shared.password is None)
        if not self.state.welcome:
            self._requests.limits = BEFORE_LOGIN

    def last(self) -> None:
        """Hang up after the answer; what came after it is not looked at."""
        self._ending = True
        self._requests.clear()

    # The order of things

    def _advance(self) -> None:
        """Carry out commands until one has to wait, or no whole one is left."""
        sent: list[bytes] = []
        try:
            self._carry_out(sent)
        except ProtocolError as error:
            self._last_words = replies.error(f"Protocol error: {error}")
            self.last()
        if sent and self.connected is not None:
            self.connected.send(b"".join(sent), len(sent))
        if self._ending and not sent and not self._waiting and self._clear:
            self._hang_up(self._last_words)
        self._regulate()

    def _carry_out(self, sent: list[bytes]) -> None:
        answers = self._answers
        while self._task is None and self._transport is not None and not (self._full or self._stuck):
            if self._passing is not None:
                if self.connected is None:
                    self._start(self._reach(), self._passing)
                    return
                if self.connected.outstanding + len(sent) >= UNDER_WAY:
                    return
                sent.append(self._passing.raw)
                self._passing = None
            request = self._head or self._requests.next()
            if request is None:
                return
            self._head = None
            clear = self._clear and not sent
            if answers.passes(request) or (not clear and request.name == b"PING" and not self.state.listening):
                self._passing = request
            elif not clear:
                self._head = request
                return
            else:
                self._take(request)

    def _take(self, request: Request) -> None:
        step = self._answers.step(request)
        if step is None:
            self._passing = request
        elif isinstance(step, bytes):
            self.pass_back(step)
        else:
            self._start(step, request)

    @property
    def _clear(self) -> bool:
        """Whether everything that was asked for has been answered."""
        return self._task is None and (self.connected is None or self.connected.between)

    @property
    def _waiting(self) -> bool:
        return self._head is not None or self._passing is not None

    def _start(self, work: Work, request: Request) -> None:
        self._task = asyncio.get_running_loop().create_task(self._finish(work, request))

    async def _finish(self, work: Work, request: Request) -> None:
        """Wait for an answer and go on. Here is the edge: whatever goes wrong is this command's alone."""
        reply: bytes | None
        try:
            reply = await work
        except LoreError as error:
            reply = replies.error(str(error))
        except (Exception, asyncio.CancelledError) as error:  # its text may quote what the client said
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error(
                "command_failed", command=request.name.decode(errors="replace"), kind=type(error).__name__, at=where
            )
            reply = replies.error("internal error")
        self._task = None
        if reply is None:
            self._passing = request
        else:
            self.pass_back(reply)
        self._advance()

    async def _reach(self) -> bytes | None:
        """Connect to Redis for the command that is passing; a client that cannot be served is let go."""
        try:
            await self.upstream()
        except LoreError:
            self._passing = None
            self.last()
            raise
        return None

    async def _open(self) -> Upstream:
        upstream = await address.connect(self._shared.client, Upstream(self))
        try:
            async with asyncio.timeout(PATIENCE):
                await self._introduce(upstream)
        except TimeoutError:
            upstream.close()
            raise RedisUnavailable("Redis is too busy to take another connection; try again in a moment") from None
        except BaseException:
            upstream.close()
            raise
        upstream.pause(self._full)
        return upstream

    async def _introduce(self, upstream: Upstream) -> None:
        """Log in as the guest, and say what the client has said of itself."""
        guest = self._shared.guest
        hello = (b"HELLO", b"%d" % self.state.protocol, b"AUTH", guest.name.encode(), guest.secret)
        reply = await upstream.ask(*hello)
        if reply.startswith(b"-WRONGPASS"):  # Redis was restarted, and forgot the user
            await guest.make()
            reply = await upstream.ask(*hello)
        if reply.startswith(b"-"):
            raise RedisUnavailable(f"Redis refuses the gateway's user: {reply[1:].decode(errors='replace').strip()}")
        for fact in self.state.facts.values():
            await upstream.ask(*fact)

    def _regulate(self) -> None:
        """Read from the client only while what it sends is taken."""
        if self._transport is None or self._transport.is_closing():
            return
        blocked = self._waiting or self._task is not None or self._full or self._stuck
        reading = not (blocked and self._requests.held > UNREAD)
        if reading != self._reading:
            self._reading = reading
            (self._transport.resume_reading if reading else self._transport.pause_reading)()

    def _hang_up(self, words: bytes) -> None:
        transport, self._transport = self._transport, None
        self._ending = True
        if transport is not None and not transport.is_closing():
            transport.write(words)
            transport.close()
            asyncio.get_running_loop().call_later(FAREWELL, self.abort)
        self._let_go()

    def _let_go(self) -> None:
        if self._task is not None and self._task is not asyncio.current_task():
            self._host.end(self._task)
        if self.connected is not None:
            self.connected.close()
