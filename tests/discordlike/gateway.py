"""The gateway: hello, identify or resume, heartbeats, and every way a connection can go wrong."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from tests.discordlike import payloads
from tests.discordlike.records import Json
from tests.discordlike.rules import GUILD_MEMBERS, PRIVILEGED
from tests.discordlike.sessions import Session, Sessions
from tests.discordlike.wire import Socket
from tests.discordlike.world import World

HEARTBEAT, IDENTIFY, PRESENCE, RESUME, RECONNECT, REQUEST_MEMBERS, INVALID, HELLO, ACK = 1, 2, 3, 6, 7, 8, 9, 10, 11
INTENTS_THERE_ARE = (1 << 26) - 1


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that a client did on the gateway; `at` is of time.monotonic."""

    at: float
    what: str  # turned away, connect, heartbeat, identify, resume, presence, closed
    detail: Any = None


class Gateway:
    """Accepts connections of the bot's shards, and breaks them when a test says so."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.acks = True
        self.resumes = True  # whether a resume is answered at all
        self.shut = False  # nobody gets in
        self.log: list[Moment] = []
        self.open: list[Socket] = []
        self.address = ""
        self._over = asyncio.Event()

    def start(self, world: World, sessions: Sessions, address: str) -> None:
        self.world, self.sessions, self.address = world, sessions, address

    def stop(self) -> None:
        self._over.set()
        for socket in self.open:
            socket.abort()

    def count(self, what: str) -> int:
        """Return how often something happened: `count("resume")`."""
        return sum(moment.what == what for moment in self.log)

    @property
    def ready(self) -> list[Session]:
        """The sessions that somebody listens to."""
        return [socket.session for socket in self.open if socket.session and socket.session.outlet is socket]

    def reconnect(self) -> None:
        """Ask every client to come again and resume (op 7)."""
        self._tell({"op": RECONNECT, "d": None})

    def invalidate(self, *, resumable: bool = False) -> None:
        """Tell every client that its session is invalid (op 9)."""
        if not resumable:
            self.sessions.forget()
        self._tell({"op": INVALID, "d": resumable})

    def close(self, code: int) -> None:
        for socket in self.open:
            socket.close(code)

    def cut(self) -> None:
        """Cut every connection; sessions can be resumed."""
        for socket in self.open:
            socket.abort()

    def blackhole(self) -> None:
        """Let today's connections fall silent, though they stay open; new ones work."""
        for socket in self.open:
            socket.blackholed = True

    def _tell(self, frame: Json) -> None:
        for socket in self.open:
            socket.send(frame)

    def _note(self, what: str, detail: Any = None) -> None:
        self.log.append(Moment(time.monotonic(), what, detail))

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if self.shut:
            self._note("turned away")
            return web.Response(status=503)
        response = web.WebSocketResponse(max_msg_size=0)
        await response.prepare(request)
        socket = Socket(request, response)
        self.open.append(socket)
        self._note("connect", request.query.get("compress"))
        socket.send({"op": HELLO, "d": {"heartbeat_interval": int(self.world.rules.heartbeat_interval * 1000)}})
        writer = asyncio.create_task(socket.write())
        try:
            await self._read(socket)
        finally:
            self.open.remove(socket)
            self._note("closed", response.close_code)
            if socket.session is not None:
                ended = not socket.closed and response.close_code in (WSCloseCode.OK, WSCloseCode.GOING_AWAY)
                self.sessions.lost(socket.session, socket, ended=ended)
            if not socket.closed:
                writer.cancel()
            await asyncio.wait([writer])
        return response

    async def _read(self, socket: Socket) -> None:
        async for message in socket.response:
            if socket.blackholed:
                await self._over.wait()
            if message.type is not WSMsgType.TEXT:
                socket.close(4002)
                continue
            frame = message.json()
            code = self._answer(socket, frame["op"], frame.get("d"))
            if code is not None:
                socket.close(code)

    def _answer(self, socket: Socket, op: int, data: Any) -> int | None:
        """Do what a frame asks; return a code to close with."""
        if op == HEARTBEAT:
            self._note("heartbeat", data)
            if self.acks:
                socket.send({"op": ACK})
            return None
        if op == IDENTIFY:
            return self._identify(socket, data)
        if op == RESUME:
            return self._resume(socket, data)
        if socket.session is None:
            return 4003
        if op == PRESENCE:
            self._note("presence", data)
            return None
        if op == REQUEST_MEMBERS:
            self._members(socket.session, data)
            return None
        return 4001

    def _identify(self, socket: Socket, data: Json) -> int | None:
        self._note("identify", {name: data.get(name) for name in ("intents", "shard", "compress")})
        shard, shards = data.get("shard") or (0, 1)
        wrong = (
            (4005, socket.session is not None),
            (4004, data.get("token") != self.token),
            (4013, data.get("intents", -1) & ~INTENTS_THERE_ARE),
            (4014, data.get("intents", 0) & PRIVILEGED & ~self.world.rules.privileged),
            (4010, not 0 <= shard < shards),
            (4011, shards < self.world.rules.shards_required),
        )
        for code, holds in wrong:
            if holds:
                return code
        session = socket.session = self.sessions.open(data["intents"], shard, shards, socket)
        guilds = [guild for guild in self.world.guilds.values() if self._inside(session, guild.id)]
        session.dispatch("READY", self._ready(session, [guild.id for guild in guilds]))
        for guild in guilds:
            session.dispatch("GUILD_CREATE", self.world.whole(guild, members=bool(session.intents & GUILD_MEMBERS)))
        return None

    def _inside(self, session: Session, guild_id: int) -> bool:
        guild = self.world.guilds[guild_id]
        return self.world.me.id in guild.members and session.has_guild(guild)

    def _ready(self, session: Session, guilds: list[int]) -> Json:
        return {
            "v": 10,
            "user": payloads.user(self.world.me) | {"verified": True, "mfa_enabled": False, "email": None},
            "guilds": [{"id": str(one), "unavailable": True} for one in guilds],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self.address,
            "shard": [session.shard, session.shards],
            "application": {
                "id": str(self.world.me.id),
                "flags": payloads.application_flags(self.world.rules),
            },
            "private_channels": [],
            "user_settings": {},
            "_trace": [],
        }

    def _resume(self, socket: Socket, data: Json) -> int | None:
        self._note("resume", data.get("seq"))
        if not self.resumes:
            return None
        if data.get("token") != self.token:
            return 4004
        session = self.sessions.resumed(data.get("session_id") or "", self.world.rules.session_life, socket)
        if session is None:
            socket.send({"op": INVALID, "d": False})
            return None
        if (data.get("seq") or 0) > len(session.sent):
            self.sessions.forget(session)
            return 4007
        socket.session = session
        for frame in session.missed(data.get("seq") or 0):
            socket.send(frame)
        session.dispatch("RESUMED", {"_trace": []})
        return None

    def _members(self, session: Session, data: Json) -> None:
        """Answer a request for members: by their ids, or by what their names begin with."""
        guild = self.world.guilds[int(data["guild_id"])]
        people = [self.world.people[one] for one in guild.members]
        wanted = data.get("user_ids")
        if wanted is not None:
            ids = {str(one) for one in (wanted if isinstance(wanted, list) else [wanted])}
            people = [person for person in people if str(person.id) in ids]
        else:
            people = [person for person in people if person.name.startswith(data.get("query") or "")]
            people = people[: data.get("limit") or None]
        chunk = {"guild_id": str(guild.id), "chunk_index": 0, "chunk_count": 1, "not_found": []}
        chunk |= {"members": [payloads.member(guild, person) for person in people], "nonce": data.get("nonce")}
        session.dispatch("GUILD_MEMBERS_CHUNK", chunk)
