"""The Web API: every call is noted, may meet a fault, shows its token, passes the rate limits and is answered."""

import base64
import binascii
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, web

from tests.faults import Fault, Faults
from tests.slacklike.installs import App, Install
from tests.slacklike.journal import UNKNOWN, Asked, Journal
from tests.slacklike.ratelimits import RateLimits
from tests.slacklike.records import Json
from tests.slacklike.refusals import Refused, missing_scope

PREFIX = "/api/"
STRUCTURED = ("attachments", "blocks", "chunks", "files", "loading_messages", "metadata", "prompts", "view")


@dataclass(frozen=True, slots=True)
class Call:
    """What a method needs of a call."""

    args: Json
    install: Install
    token: str
    warnings: list[str] = field(default_factory=list)

    def need(self, scope: str) -> None:
        """Raise missing_scope when the installation lacks it."""
        scopes = self.install.scopes
        if scopes is not None and scope not in scopes:
            raise missing_scope(scope, scopes)

    def flag(self, name: str, *, otherwise: bool = False) -> bool:
        value = self.args.get(name)
        return otherwise if value is None else value in (True, "true", "True", "1", 1)


Handler = Callable[[Call], Json | None]


@dataclass(frozen=True, slots=True)
class Method:
    """A method and the scope it takes, unless that depends on what is asked for."""

    handler: Handler
    scope: str = ""


class WebApi:
    """Serves methods; a handler returns what is beside `ok`."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.journal = Journal()
        self.faults = Faults()
        self.ratelimits = RateLimits()
        self.methods: dict[str, Method] = {}
        self.open_socket: Callable[[], str] = lambda: ""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        asked = Asked(time.monotonic(), request.match_info["method"])
        args, token = await _read(request)
        asked.body = args
        self.journal.all.append(asked)
        faults = self.faults.take(f"{asked.method} {asked.channel}".strip(), asked.method)
        response = await self._meet(request, [fault for fault in faults if not fault.after])
        if response is None:
            response = self._answer(request, asked, token)
            late = await self._meet(request, [fault for fault in faults if fault.after])
            response = late or response
        asked.status = 0 if request.transport is None or request.transport.is_closing() else response.status
        if not asked.status:
            asked.answer = {}
        else:
            asked.answer = json.loads(response.body) if response.content_type == "application/json" else {}
            asked.error = str(asked.answer.get("error") or "")
        return response

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
                response = limited(fault.retry_after)
            elif fault.error:
                response = web.json_response({"ok": False, "error": fault.error}, status=fault.status)
            elif fault.status:
                response = web.Response(status=fault.status, text="upstream connect error")  # plain, as Envoy has it
        return response

    def _answer(self, request: web.Request, asked: Asked, token: str) -> web.Response:
        warnings = ["missing_charset"] if request.content_type == "application/json" and not request.charset else []
        try:
            body = self._done(request, asked, token, warnings)
        except Limited as limit:
            return limited(limit.wait)
        except Refused as refused:
            return web.json_response(refused.body)
        if warnings:
            body |= {"warning": ",".join(warnings)}
            body["response_metadata"] = {**body.get("response_metadata", {}), "warnings": warnings}
        return web.json_response({"ok": True, **body}, headers=self._granted(token))

    def _granted(self, token: str) -> dict[str, str]:
        """Return what Slack tells with each answer of what a token may do."""
        known = self.app.is_good(token) and token != self.app.token
        scopes = self.app.who(token).scopes if known else None
        return {} if scopes is None else {"X-OAuth-Scopes": ",".join(sorted(scopes))}

    def _done(self, request: web.Request, asked: Asked, token: str, warnings: list[str]) -> Json:
        if asked.method == "api.test":
            return {"args": asked.body}
        if asked.method == "apps.connections.open":
            return self._connection(token)
        if asked.method == "oauth.v2.access":
            return self.app.exchange(*_client(request, asked.body), asked.body)
        method = self.methods.get(asked.method)
        if method is None:
            raise Refused(UNKNOWN)
        install = self.app.who(token)
        self._limit(asked, install.team.id)
        call = Call(asked.body, install, token, warnings)
        if method.scope:
            call.need(method.scope)
        return method.handler(call) or {}

    def _connection(self, token: str) -> Json:
        if token != self.app.token:
            known = self.app.is_good(token)
            raise Refused("not_allowed_token_type" if known else "invalid_auth" if token else "not_authed")
        self._limit(Asked(0.0, "apps.connections.open"), "")
        return {"url": self.open_socket()}

    def _limit(self, asked: Asked, team: str) -> None:
        distributed = self.app.rules.distributed
        wait = self.ratelimits.take(asked.method, team, asked.channel, distributed=distributed)
        if wait:
            raise Limited(wait)


class Limited(Exception):
    def __init__(self, wait: float) -> None:
        super().__init__(wait)
        self.wait = wait


def limited(wait: float) -> web.Response:
    """Return a 429 that says how long to wait, in whole seconds."""
    return web.json_response(
        {"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": str(math.ceil(wait))}
    )


async def _read(request: web.Request) -> tuple[Json, str]:
    """Return the arguments of a call, wherever they are, and its token."""
    args: Json = dict(request.query)
    if request.content_type == "application/json":
        text = await request.text()
        args |= json.loads(text) if text else {}
    elif request.content_type.startswith("multipart/"):
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            args[part.name or ""] = await part.text()
    else:
        args |= dict(await request.post())
    for name in STRUCTURED:
        if isinstance(args.get(name), str):
            args[name] = _parsed(name, args[name])
    token = str(args.pop("token", ""))
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return args, given if scheme == "Bearer" else token


def _parsed(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text if name != "blocks" else [{}]


def _client(request: web.Request, args: Json) -> tuple[str, str]:
    """Return the app's id and secret, which come as arguments or by basic authentication."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme == "Basic":
        try:
            client_id, _, secret = base64.b64decode(given).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return client_id, secret
    return str(args.get("client_id", "")), str(args.get("client_secret", ""))


def page(items: list[Any], call: Call, *, most: int = 1000, usual: int = 100) -> tuple[list[Any], str]:
    """Return a page of a list and the cursor of the next, by `cursor` and `limit`."""
    limit = min(int(call.args.get("limit") or usual), most)
    try:
        start = int(base64.b64decode(call.args.get("cursor") or b"MA==").decode())
    except (binascii.Error, ValueError):
        raise Refused("invalid_cursor") from None
    rest = start + limit
    return items[start:rest], base64.b64encode(str(rest).encode()).decode() if rest < len(items) else ""
