"""The HTTP side: every request is noted, may meet a fault, shows its token, passes the rate limits and is answered."""

import json
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, web

from tests.discordlike.journal import UNKNOWN, Asked, Journal
from tests.discordlike.ratelimits import RateLimits
from tests.discordlike.refusals import Refused
from tests.faults import Fault, Faults

PREFIX = "/api/v10"
VIA = {"Via": "1.1 google"}  # discord.py takes a 429 without it for Cloudflare's ban


@dataclass(frozen=True, slots=True)
class Request:
    """What a handler needs of a request."""

    path: dict[str, str]
    query: dict[str, str]
    body: Any
    files: list[tuple[str, bytes]] = field(default_factory=list)


Handler = Callable[[Request], Awaitable[Any]]
Route = tuple[str, str, Handler]


class Rest:
    """Serves routes; a handler returns JSON, or None for 204."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.journal = Journal()
        self.faults = Faults()
        self.ratelimits = RateLimits()

    def add(self, app: web.Application, routes: Iterable[Route]) -> None:
        for method, route, handler in routes:
            app.router.add_route(method, PREFIX + route, self._serving(route, handler))

    def add_unknown(self, app: web.Application) -> None:
        """Answer 404 to all the rest, and note it: a bot may need what the server cannot do."""
        app.router.add_route("*", PREFIX + "/{path:.*}", self._unknown)

    async def _unknown(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix(PREFIX)
        self.journal.all.append(Asked(time.monotonic(), request.method, path, UNKNOWN, status=404))
        return as_json({"message": "404: Not Found", "code": 0}, {}, 404)

    def _serving(self, route: str, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            path = request.path.removeprefix(PREFIX)
            asked = Asked(time.monotonic(), request.method, path, route)
            self.journal.all.append(asked)
            faults = self.faults.take(f"{request.method} {path}")
            body, files = await _read(request)
            asked.body, asked.files = body, [name for name, _ in files]
            response = await self._meet(request, [fault for fault in faults if not fault.after])
            if response is None:
                given = Request(dict(request.match_info), dict(request.query), body, files)
                response = await self._answer(request, asked, handler, given)
                late = await self._meet(request, [fault for fault in faults if fault.after])
                response = late or response
            asked.status = 0 if _is_cut(request) else response.status
            return response

        return serve

    async def _meet(self, request: web.Request, faults: list[Fault]) -> web.Response | None:
        """Let the faults happen; return what they answer."""
        response = None
        for fault in faults:
            await fault.wait()
            if fault.cut:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response(status=500)
            if fault.status == 429:
                response = limited(fault.retry_after, everywhere=fault.everywhere)
            elif fault.status:
                response = web.Response(status=fault.status, text="upstream connect error", headers=VIA)
        return response

    async def _answer(self, request: web.Request, asked: Asked, handler: Handler, given: Request) -> web.Response:
        headers: dict[str, str] = {}
        by_token = asked.route.startswith(("/interactions", "/webhooks"))
        try:
            if not by_token and request.headers.get("Authorization") != f"Bot {self.token}":
                raise Refused(0)
            major = given.path.get("channel") or given.path.get("guild") or given.path.get("token") or ""
            headers, wait, everywhere = self.ratelimits.take(asked.method, asked.route, major)
            if wait:
                return limited(wait, everywhere=everywhere, headers=headers)
            answer = await handler(given)
        except Refused as refused:
            asked.code = refused.body["code"]
            return as_json(refused.body, {**headers, **VIA}, refused.status)
        if answer is None:
            return web.Response(status=204, headers=headers)
        return as_json(answer, headers)


def limited(wait: float, *, everywhere: bool, headers: dict[str, str] | None = None) -> web.Response:
    """Return a 429 that says how long to wait, in seconds."""
    body = {"message": "You are being rate limited.", "retry_after": round(wait, 3), "global": everywhere}
    scope = {"X-RateLimit-Global": "true"} if everywhere else {}
    found = {"Retry-After": f"{wait:.3f}", **scope, **(headers or {}), **VIA}
    return as_json(body, found, 429)


def as_json(body: Any, headers: dict[str, str], status: int = 200) -> web.Response:
    """Return JSON without a charset, as Discord does: discord.py takes no other for JSON."""
    kind = {"Content-Type": "application/json"}
    return web.Response(body=json.dumps(body).encode(), status=status, headers={**headers, **kind})


async def _read(request: web.Request) -> tuple[Any, list[tuple[str, bytes]]]:
    """Return the JSON of a request, and its files."""
    if not request.content_type.startswith("multipart/"):
        text = await request.text()
        return (json.loads(text) if text else None), []
    body, files = None, []
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        data = bytes(await part.read())
        if part.name == "payload_json":
            body = json.loads(data)
        else:
            files.append((part.filename or "file", data))
    return body, files


def _is_cut(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
