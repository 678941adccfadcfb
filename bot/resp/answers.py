"""What a command that is not simply passed on means: an answer at once, some work, or Redis after all."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

import hiredis
import redis.asyncio
from pydantic import SecretStr

from bot.resp import login, refused, replies
from bot.resp.base import OK, Commands, Reply
from bot.resp.guest import Guest
from bot.resp.local import ON_OBJECTS, Local
from bot.resp.requests import Limits, Request
from bot.resp.state import State
from bot.resp.upstream import Upstream

SUBSCRIPTIONS = frozenset(b"SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE".split())
_OK = replies.encode(OK, 2)
_ABORTED = replies.error("Transaction discarded because of previous errors.", "EXECABORT")
_WHILE_LISTENING = SUBSCRIPTIONS | {b"PING", b"QUIT", b"RESET"}
_BEFORE_LOGIN = frozenset((b"AUTH", b"HELLO", b"QUIT"))
_ENDINGS = frozenset((b"EXEC", b"DISCARD"))
_QUEUED = ON_OBJECTS | {b"PING", b"CLIENT"}  # in a transaction these are Redis' own
_IN_TRANSACTION = _QUEUED | _ENDINGS | {b"MULTI", b"QUIT", b"RESET"}
_OWN = b"LLM."
_ATTACKS = frozenset((b"POST", b"HOST:"))  # a web page that has a browser talk to us; Redis hangs up too


@dataclass(frozen=True, slots=True)
class Shared:
    """What all clients of a gateway share. limits: once logged in; connecting: held while connecting to Redis."""

    commands: Commands
    names: frozenset[bytes]
    client: "redis.asyncio.Redis"
    guest: Guest
    local: Local
    password: SecretStr | None
    limits: Limits
    connecting: asyncio.Semaphore


class Line(Protocol):
    """What an answer may do with the connections of its client."""

    number: int
    state: State

    async def upstream(self) -> Upstream:
        """Return the connection to Redis, made where there is none; raises LoreError."""
        ...

    @property
    def connected(self) -> Upstream | None:
        """The connection to Redis, where there is one."""
        ...

    def admit(self) -> None:
        """Let the client send commands of any size from now on."""
        ...

    def reset(self) -> None:
        """Be as newly connected."""
        ...

    def last(self) -> None:
        """Hang up after the answer."""
        ...


Work = Coroutine[Any, Any, bytes | None]  # None: Redis is to answer
Step = bytes | Work | None
_Read = Callable[["Answers", Request], Step]


class Answers:
    """Decides about the commands of one client, in their order."""

    def __init__(self, shared: Shared, line: Line) -> None:
        """Nothing is asked yet."""
        self._shared = shared
        self._line = line

    def passes(self, request: Request) -> bool:
        """Tell whether a command is for Redis whatever comes before it, and take in what it changes."""
        name, state = request.name, self._line.state
        if not state.welcome or (state.listening and state.protocol == 2):
            return False
        if name not in _SPECIAL:
            return not name.startswith((_OWN, *refused.PREFIXES)) and name not in self._shared.names
        if state.transaction:
            if name in _ENDINGS and not (state.spoiled and name == b"EXEC"):
                if len(request) == 1:
                    state.transaction = state.spoiled = False
                return True
            return name == b"MULTI" or (name in _QUEUED and refused.why(request) is None)
        if name == b"MULTI":
            state.transaction = len(request) == 1
            return True
        return name in _ENDINGS or (name in ON_OBJECTS and state.database != 0)

    def step(self, request: Request) -> Step:
        """Decide about a command that does not pass; everything before it has been answered."""
        name, state = request.name, self._line.state
        if name in _ATTACKS:
            self._line.last()
            return b""
        if not state.welcome and name not in _BEFORE_LOGIN:
            return login.REQUIRED
        if state.listening and state.protocol == 2 and name not in _WHILE_LISTENING:
            return replies.error(
                f"Can't execute '{_shown(name)}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
                "allowed in this context"
            )
        if (error := refused.why(request)) is not None:
            state.spoiled = state.transaction
            return error
        if state.transaction and name not in _IN_TRANSACTION:
            state.spoiled = True
            return replies.error(f"{_shown(name).upper()} cannot run inside MULTI here; run it outside the transaction")
        if name in self._shared.names:
            return self._own(request)
        if name.startswith(_OWN):  # not passed on: a key in its arguments would show in MONITOR
            known = ", ".join(sorted(one.decode() for one in self._shared.names))
            return replies.error(f"unknown command '{_shown(name).upper()[:128]}'; these are known: {known}")
        read = _STEPS.get(name)
        return read(self, request) if read else None

    # Answered at once

    def ping(self, request: Request) -> Step:
        """Answer here: whether Redis is there shows when it is lost."""
        state = self._line.state
        if len(request) > 2:
            return replies.error("wrong number of arguments for 'ping' command")
        said = request.arguments
        if state.listening and state.protocol == 2:
            return replies.encode(["pong", *(said or [b""])], 2)
        return replies.bulk(said[0]) if said else b"+PONG\r\n"

    def auth(self, request: Request) -> Step:
        """Let the client in, or not."""
        error = login.auth(request.arguments, self._shared.password)
        if error is None:
            self._admit()
        return error or _OK

    def quit(self, request: Request) -> Step:
        """Say goodbye."""
        self._line.last()
        return _OK

    def reset(self, request: Request) -> Step:
        """Forget what the client had asked for, its login too."""
        self._line.reset()
        return b"+RESET\r\n"

    def client(self, request: Request) -> Step:
        """Keep names for a connection to Redis that is not there yet: many clients never need one."""
        part, arguments = request.word(1), request.arguments
        key = {b"SETNAME": b"NAME", b"SETINFO": request.word(2)}.get(part)
        wanted = {b"SETNAME": 2, b"SETINFO": 3}.get(part)
        good = key in (b"NAME", b"LIB-NAME", b"LIB-VER") and len(arguments) == wanted and login.printable(arguments[-1])
        if self._line.connected is not None or not good or key is None:
            return None
        self._line.state.facts[key] = [b"CLIENT", *arguments]
        return _OK

    # Answered after some work

    async def _own(self, request: Request) -> bytes:
        reply = await self._shared.commands.run(request.name.decode(), request.arguments)
        return self._encode(reply)

    def hello(self, request: Request) -> Step:
        """Log in, choose the protocol, and tell who we are."""
        state, shared = self._line.state, self._shared
        wanted = login.hello(request.arguments, state.protocol)
        if isinstance(wanted, bytes):
            return wanted
        if wanted.login is not None:
            if not login.right(*wanted.login, shared.password):
                return login.WRONG
            self._admit()
        if not state.welcome:
            return login.NOT_YET
        if state.listening and wanted.protocol != state.protocol:
            return replies.error("the protocol cannot change while subscribed; unsubscribe first")
        return self._hello(wanted)

    async def _hello(self, wanted: login.Hello) -> bytes:
        state, upstream = self._line.state, self._line.connected
        naming = [b"CLIENT", b"SETNAME", wanted.name] if wanted.name is not None else None
        if naming is not None:
            state.facts[b"NAME"] = naming
        if upstream is not None:
            await upstream.ask(b"HELLO", b"%d" % wanted.protocol)
            if naming is not None:
                await upstream.ask(*naming)
        state.protocol = wanted.protocol
        return self._encode(
            {
                "server": "redis",
                "version": await self._shared.local.version(),
                "proto": wanted.protocol,
                "id": self._line.number,
                "mode": "standalone",
                "role": "master",
                "modules": [],
            }
        )

    async def exec(self, request: Request) -> bytes:
        """Abort: a command of the transaction was refused here."""
        await (await self._line.upstream()).ask(b"DISCARD")
        self._line.state.transaction = self._line.state.spoiled = False
        return _ABORTED

    async def select(self, request: Request) -> bytes:
        """Go to another database."""
        reply = await (await self._line.upstream()).ask(b"SELECT", *request.arguments)
        if reply == _OK:
            self._line.state.database = int(request.arguments[0])
        return reply

    async def modules(self, request: Request) -> bytes:
        """List the modules."""
        return self._encode(await self._shared.local.modules())

    async def listing(self, request: Request) -> bytes:
        """List keys."""
        local = self._shared.local
        read = local.scan if request.name == b"SCAN" else local.keys
        return self._encode(await read(self._line.state.database, request.arguments))

    async def objects(self, request: Request) -> bytes | None:
        """Look for objects among the keys."""

        async def ask(*arguments: bytes) -> bytes:
            return await (await self._line.upstream()).ask(*arguments)

        return await self._shared.local.on_objects(request, ask, self._line.state.protocol)

    def subscribe(self, request: Request) -> Step:
        """Hear messages, or no longer."""
        if any(refused.channel(channel) for channel in request.arguments):
            return refused.NO_CHANNEL
        return self._subscribe(request)

    async def _subscribe(self, request: Request) -> bytes:
        state = self._line.state
        upstream = await self._line.upstream()
        await upstream.converse(request.raw, self._heard)
        if not state.listening:
            upstream.plain()
        return b""

    def _heard(self, frame: bytes) -> bytes:
        """Return what a client hears of something that Redis says by itself."""
        if self._line.state.protocol == 3 and not frame.startswith(b">"):
            return frame
        reader = hiredis.Reader()
        reader.feed(frame)
        message = reader.gets()
        if not isinstance(message, list):
            return frame
        if message[0] == b"pmessage" and refused.channel(message[2]):
            return b""
        self._line.state.confirmed(message)
        return frame

    def _admit(self) -> None:
        self._line.state.welcome = True
        self._line.admit()

    def _encode(self, reply: Reply) -> bytes:
        return replies.encode(reply, self._line.state.protocol)


def _shown(name: bytes) -> str:
    return name.decode("ascii", "replace").lower()


_STEPS: dict[bytes, _Read] = {
    b"PING": Answers.ping,
    b"AUTH": Answers.auth,
    b"HELLO": Answers.hello,
    b"QUIT": Answers.quit,
    b"RESET": Answers.reset,
    b"EXEC": Answers.exec,
    b"SELECT": Answers.select,
    b"CLIENT": Answers.client,
    b"MODULE": Answers.modules,
    b"SCAN": Answers.listing,
    b"KEYS": Answers.listing,
    **dict.fromkeys(SUBSCRIPTIONS, Answers.subscribe),
    **dict.fromkeys(ON_OBJECTS, Answers.objects),
}
_SPECIAL = _STEPS.keys() | refused.NAMES | _ATTACKS | {b"MULTI", b"DISCARD"}
