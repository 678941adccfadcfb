"""A client's own connection to Redis: commands go through at once, replies come back as they are."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Protocol

from bot.resp import replies
from bot.resp.frames import Frames
from memory.errors import RedisUnavailable

_PUSH = ord(">")


class Listener(Protocol):
    """Whoever is told what Redis says."""

    def pass_back(self, data: bytes) -> None:
        """Take bytes of replies."""
        ...

    def answered(self) -> None:
        """Learn that a command has its reply, and that all of it was passed back."""
        ...

    def lost(self, torn: bool) -> None:
        """Learn that the connection ended without our doing; torn: within a reply that was passed back in part."""
        ...

    def hold(self, full: bool) -> None:
        """Learn that Redis takes no more for now, or does again."""
        ...


class Upstream(asyncio.Protocol):
    """A connection to Redis whose replies are counted, never decoded.

    While `framed`, only whole replies are passed back, so that what Redis says by itself may come at any time.
    """

    def __init__(self, listener: Listener) -> None:
        """Nothing is connected yet: that is address.connect's."""
        self.outstanding = 0
        self.framed = False
        self._listener = listener
        self._frames = Frames()
        self._kept: list[bytes] = []  # of a reply that is not whole, while whole ones are wanted
        self._take: Callable[[bytes], bytes] | None = None  # looks at each whole reply, returns what is passed back
        self._asked: asyncio.Future[bytes] | None = None
        self._over: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._closing = False

    @property
    def between(self) -> bool:
        """Whether no reply is awaited, and none was passed back in part."""
        return not self.outstanding and (self.framed or self._frames.between)

    def send(self, data: bytes, count: int) -> None:
        """Send so many commands, each of which has one reply; the replies are passed back."""
        self.outstanding += count
        self._write(data)

    async def ask(self, *arguments: bytes) -> bytes:
        """Send a command and return its reply, which is not passed back; while `between` only.

        Raises RedisUnavailable when the connection ends.
        """
        self._asked = asyncio.get_running_loop().create_future()
        self._write(replies.request(*arguments))
        try:
            return await self._asked
        finally:
            self._asked = None

    async def converse(self, raw: bytes, take: Callable[[bytes], bytes]) -> None:
        """Send a command that may have any number of replies, and wait until they are all here; while `between` only.

        take: looks at each whole reply from now on, as long as this is framed, and returns what is passed back.
        """
        self.framed = True
        marker = b"lorebot-" + secrets.token_hex(8).encode()
        text = replies.bulk(marker)
        ends = (text, b"*2\r\n$4\r\npong\r\n" + text)  # the second form: RESP2, while subscribed
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def look(frame: bytes) -> bytes:
            if frame in ends:
                self._take = take
                if not over.done():
                    over.set_result(None)
                return b""
            return take(frame)

        self._take, self._over = look, over
        self._write(raw + replies.request(b"PING", marker))
        await over

    def plain(self) -> None:
        """Pass bytes back as they come again."""
        self.framed, self._take = False, None

    def pause(self, full: bool) -> None:
        """Read no more from Redis, or again."""
        if self._transport is not None and not self._closing:
            (self._transport.pause_reading if full else self._transport.resume_reading)()

    def close(self) -> None:
        """Let go at once; what was asked for is no longer wanted."""
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._closing:
            self._transport.write(data)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._closing:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Pass replies back."""
        frames = self._frames.feed(data)
        if self.framed or self._asked is not None:
            self._whole(data, [(frame.kind, frame.end) for frame in frames])
            return
        self.outstanding -= len(frames)
        self._listener.pass_back(data)
        if frames:
            self._listener.answered()

    def _whole(self, data: bytes, ends: list[tuple[int, int]]) -> None:
        at, out = 0, []
        for kind, end in ends:
            self._kept.append(data[at:end])
            frame, self._kept = b"".join(self._kept), []
            at = end
            if self._asked is not None and not self._asked.done() and kind != _PUSH:
                self._asked.set_result(frame)
                continue
            if kind != _PUSH and self.outstanding:
                self.outstanding -= 1
            out.append(self._take(frame) if self._take is not None else frame)
        if at < len(data):
            self._kept.append(data[at:])
        if passed := b"".join(out):
            self._listener.pass_back(passed)
        if ends:
            self._listener.answered()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell everyone who waits."""
        gone = RedisUnavailable("the connection to Redis was lost; connect again")
        for waiting in (self._asked, self._over):
            if waiting is not None and not waiting.done():
                waiting.set_exception(gone)
        if not self._closing:
            self._closing = True
            self._listener.lost(torn=not (self.framed or self._frames.between))

    def pause_writing(self) -> None:
        """Redis takes no more for now."""
        self._listener.hold(True)

    def resume_writing(self) -> None:
        """Redis takes more again."""
        self._listener.hold(False)
