"""One WebSocket to the bot: frames in order, in one compressed stream, flushed after each."""

import asyncio
import contextlib
import importlib
import json
import zlib
from collections.abc import Callable

from aiohttp import web

from tests.discordlike.records import Json
from tests.discordlike.sessions import Session

Compress = Callable[[str], str | bytes]


CLOSED = {
    4001: "Unknown opcode.",
    4002: "Error while decoding payload.",
    4003: "Not authenticated.",
    4004: "Authentication failed.",
    4005: "Already authenticated.",
    4007: "Invalid seq.",
    4010: "Invalid shard.",
    4011: "Sharding required.",
    4013: "Invalid intent(s).",
    4014: "Disallowed intent(s).",
}


class Socket:
    """One connection. What is sent waits in a queue, so that events keep their order; a blackhole swallows it."""

    def __init__(self, request: web.Request, response: web.WebSocketResponse) -> None:
        self._request = request
        self.response = response
        self.session: Session | None = None
        self.blackholed = self.closed = False
        self._compress = compressor(request.query.get("compress"))
        self._queue: asyncio.Queue[Json | int] = asyncio.Queue()

    def send(self, frame: Json) -> None:
        self._queue.put_nowait(frame)

    def close(self, code: int) -> None:
        """Close with a code once everything before is sent."""
        self._queue.put_nowait(code)

    def abort(self) -> None:
        """Cut the connection as a broken network does."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def write(self) -> None:
        """Send what is queued until the connection ends."""
        with contextlib.suppress(ConnectionError):
            while True:
                item = await self._queue.get()
                if self.blackholed:
                    continue
                if isinstance(item, int):
                    self.closed = True
                    await self.response.close(code=item, message=CLOSED.get(item, "").encode(), drain=True)
                    return
                frame = self._compress(json.dumps(item))
                await (self.response.send_str(frame) if isinstance(frame, str) else self.response.send_bytes(frame))


def compressor(kind: str | None) -> Compress:
    """Return what makes frames of texts: `zlib-stream`, `zstd-stream` or None for plain JSON.

    discord.py asks for zstd wherever the package zstandard is installed; then it is here too. Raises ImportError.
    """
    if kind is None:
        return lambda text: text
    if kind == "zlib-stream":
        stream = zlib.compressobj()
        return lambda text: stream.compress(text.encode()) + stream.flush(zlib.Z_SYNC_FLUSH)
    zstandard = importlib.import_module("zstandard")
    frames = zstandard.ZstdCompressor().compressobj()
    return lambda text: frames.compress(text.encode()) + frames.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
