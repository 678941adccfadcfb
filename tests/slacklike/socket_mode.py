"""Socket Mode: addresses for one use, hello, envelopes and their acks, and every way a socket can go wrong."""

import asyncio
import contextlib
import itertools
import json
import time
from dataclasses import dataclass
from typing import Any

from aiohttp import WSMsgType, web

from tests.slacklike.deliveries import EVENT, Attempt, Delivery
from tests.slacklike.records import Json
from tests.slacklike.rules import Rules

PATH = "/link/"


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened to the sockets; `at` is of time.monotonic."""

    at: float
    what: str  # open, turned away, ping, pong, ack, closed
    detail: Any = None


class Socket:
    """One WebSocket. What is sent waits in a queue, so that it keeps its order."""

    def __init__(self, request: web.Request, response: web.WebSocketResponse) -> None:
        self._request = request
        self.response = response
        self.deaf = False  # nothing of the app's is heard, not even its pings
        self.mute = False  # nothing is sent
        self.leaving = False  # asked to come again: gets nothing more
        self.sent: list[Delivery] = []
        self._queue: asyncio.Queue[Json] = asyncio.Queue()

    def send(self, frame: Json) -> None:
        self._queue.put_nowait(frame)

    @property
    def gone(self) -> bool:
        """Whether the client has hung up."""
        return self._request.transport is None or self._request.transport.is_closing()

    def abort(self) -> None:
        """Cut the connection as a broken network does."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def write(self) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                frame = await self._queue.get()
                if not self.mute:
                    await self.response.send_str(json.dumps(frame))

    async def ping(self, every: float) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                await asyncio.sleep(every)
                if not self.mute:
                    await self.response.ping(b"Ping from applink-0")


class SocketMode:
    """The sockets of one app; each envelope goes to one of them, in turn."""

    def __init__(self, rules: Rules, app_id: str) -> None:
        self.rules, self.app_id = rules, app_id
        self.address = ""  # such as ws://127.0.0.1:1234
        self.shut = False  # nobody gets in
        self.greets = True  # new sockets get their hello, and then events
        self.log: list[Moment] = []
        self.open: list[Socket] = []
        self._tickets: dict[str, float] = {}
        self._serials = itertools.count(1)
        self._turns = itertools.count()
        self._over = asyncio.Event()
        self._waiting: dict[str, Delivery] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def ticket(self) -> str:
        """Return an address for one WebSocket, as apps.connections.open does."""
        ticket = f"{next(self._serials):032x}"
        self._tickets[ticket] = time.monotonic() + self.rules.ticket_life
        return f"{self.address}{PATH}?ticket={ticket}&app_id={self.app_id}"

    def count(self, what: str) -> int:
        """Return how often something happened: `count("open")`."""
        return sum(moment.what == what for moment in self.log)

    @property
    def ready(self) -> list[Socket]:
        """The sockets that Slack takes to be alive; the silent are among them."""
        return [socket for socket in self.open if not socket.leaving]

    def stop(self) -> None:
        self._over.set()
        for socket in self.open:
            socket.abort()
        for task in self._closing:
            task.cancel()

    def refresh(self, reason: str = "refresh_requested") -> None:
        """Ask for new sockets: the present ones get nothing more, and end a little later."""
        for socket in self.ready:
            self._dismiss(socket, reason)

    def warn(self) -> None:
        """Say that the sockets will soon be refreshed; they go on meanwhile."""
        for socket in self.ready:
            socket.send(disconnect("warning"))

    def close(self, code: int = 1000) -> None:
        """Close today's sockets with a code and no word before."""
        for socket in self.open:
            self._later(socket.response.close(code=code))

    def cut(self) -> None:
        for socket in self.open:
            socket.abort()

    def silence(self, *, pongs: bool = False) -> None:
        """Let today's sockets fall silent though they stay open; with `pongs` only events stop coming."""
        for socket in self.open:
            socket.mute, socket.deaf = True, not pongs

    async def deliver(self, delivery: Delivery, attempt: Attempt) -> str:
        """Send an envelope over the socket whose turn it is, and wait for its ack."""
        ready = self.ready
        if not ready:
            return "no_connection"
        socket = ready[next(self._turns) % len(ready)]
        accepts = delivery.kind != EVENT
        envelope: Json = {"envelope_id": delivery.id, "type": delivery.kind, "payload": delivery.body}
        envelope["accepts_response_payload"] = accepts
        if delivery.kind == EVENT:
            envelope |= {"retry_attempt": attempt.number, "retry_reason": "timeout" if attempt.number else ""}
        self._waiting[delivery.id] = delivery
        socket.sent.append(delivery)
        socket.send(envelope)
        try:
            await asyncio.wait_for(delivery.acked.wait(), self.rules.ack_within)
        except TimeoutError:
            return "timeout"
        return ""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if self.shut or time.monotonic() > self._tickets.pop(request.query.get("ticket", ""), 0.0):
            self._note("turned away")
            return web.Response(status=503 if self.shut else 408)
        response = web.WebSocketResponse(autoping=False, autoclose=False, max_msg_size=0)
        await response.prepare(request)
        socket = Socket(request, response)
        self.open.append(socket)
        self._note("open", len(self.open))
        if self.greets:
            socket.send(self._hello())
        socket.leaving = not self.greets
        if len(self.ready) > self.rules.sockets:
            self._dismiss(socket, "too_many_websockets")
        writers = [asyncio.create_task(one) for one in (socket.write(), socket.ping(self.rules.ping_every))]
        try:
            await self._read(socket)
        finally:
            self.open.remove(socket)
            self._note("closed", response.close_code)
            for writer in writers:
                writer.cancel()
            await asyncio.wait(writers)
        return response

    async def _read(self, socket: Socket) -> None:
        async for message in socket.response:
            if socket.deaf:
                continue
            if message.type is WSMsgType.PING:
                self._note("ping")
                await socket.response.pong(message.data)
            elif message.type is WSMsgType.PONG:
                self._note("pong")
            elif message.type is WSMsgType.TEXT:
                self._acknowledge(json.loads(message.data))
        while socket.deaf and not socket.gone and not self._over.is_set():
            await asyncio.sleep(0.02)  # even a goodbye is not answered, so the client has to hang up
        await socket.response.close()

    def _acknowledge(self, frame: Json) -> None:
        delivery = self._waiting.get(frame.get("envelope_id", ""))
        self._note("ack", frame.get("envelope_id"))
        if delivery is not None:
            delivery.acknowledge(frame.get("payload"))

    def _dismiss(self, socket: Socket, reason: str) -> None:
        socket.leaving = True
        socket.send(disconnect(reason))
        self._later(self._end(socket))

    async def _end(self, socket: Socket) -> None:
        await asyncio.sleep(self.rules.close_after)
        await socket.response.close()

    def _later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _hello(self) -> Json:
        debug = {"host": "applink-0", "build_number": 1, "approximate_connection_time": self.rules.connection_time}
        said: Json = {"type": "hello", "num_connections": len(self.open), "debug_info": debug}
        return said | {"connection_info": {"app_id": self.app_id}}

    def _note(self, what: str, detail: Any = None) -> None:
        self.log.append(Moment(time.monotonic(), what, detail))


def disconnect(reason: str) -> Json:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-0"}}
