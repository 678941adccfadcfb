"""The part of Slack that gives tokens out: oauth.v2.access and auth.test, over a real socket, with its error names."""

import asyncio
from itertools import count
from typing import Any, Self

from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

CLIENT_ID, CLIENT_SECRET = "123.456", "c" * 32
TWELVE_HOURS = 43_200


class SlackOAuth:
    """Gives tokens for codes, and new ones for refresh tokens, each of which is worth one exchange."""

    def __init__(self) -> None:
        self.codes: dict[str, dict[str, Any]] = {}
        self.exchanged: list[str] = []  # refresh tokens that were tried
        self.failing = 0  # that many of the next exchanges end with a 500
        self.going_on = asyncio.Event()  # exchanges wait for it
        self.going_on.set()
        self._good: set[str] = set()
        self._numbers = count(1)
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/api/oauth.v2.access", self._access)
        app.router.add_post("/api/auth.test", self._test)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        self.going_on.set()
        await self._runner.cleanup()

    def client(self) -> AsyncWebClient:
        """A client of the SDK's that talks to this one; no retries, which would hide how often it is asked."""
        return AsyncWebClient(base_url=f"http://127.0.0.1:{self.port}/api/", retry_handlers=[])

    def allow(self, team: str | None = "T1", user: str = "U1", **changes: Any) -> str:
        """Somebody allows the app: return the code that Slack sends them back with."""
        code = f"code-{next(self._numbers)}"
        where = None if team is None else {"id": team, "name": "Library"}
        self.codes[code] = {"team": where, "authed_user": {"id": user}, **changes}
        return code

    def tokens(self) -> dict[str, Any]:
        """Return a new pair of tokens, both of which are good from now on."""
        number = next(self._numbers)
        refresh = f"xoxe-1-refresh-{number}"
        self._good.add(refresh)
        pair = {"access_token": f"xoxe.xoxb-1-token-{number}", "refresh_token": refresh}
        return pair | {"expires_in": TWELVE_HOURS, "token_type": "bot"}

    async def _access(self, request: web.Request) -> web.Response:
        form = await request.post()
        # slack_sdk sends the id and the secret as HTTP's user and password
        who = request.headers.get("Authorization", "")
        if not who.startswith("Basic ") and form.get("client_secret") != CLIENT_SECRET:
            return web.json_response({"ok": False, "error": "bad_client_secret"})
        if form.get("grant_type") == "refresh_token":
            return await self._refresh(str(form["refresh_token"]))
        found = self.codes.pop(str(form.get("code")), None)
        if found is None:
            return web.json_response({"ok": False, "error": "invalid_code"})
        scope = "chat:write,commands"
        told = {"ok": True, "app_id": "A1", "bot_user_id": "UBOT", "scope": scope, "enterprise": None}
        return web.json_response(told | self.tokens() | found)

    async def _refresh(self, token: str) -> web.Response:
        self.exchanged.append(token)
        await self.going_on.wait()
        if self.failing:
            self.failing -= 1
            return web.Response(status=500)
        if token not in self._good:
            return web.json_response({"ok": False, "error": "invalid_refresh_token"})
        self._good.discard(token)
        return web.json_response({"ok": True, "team": {"id": "T1"}, **self.tokens()})

    async def _test(self, request: web.Request) -> web.Response:
        team = {"team": "Library", "team_id": "T1", "user_id": "UBOT", "bot_id": "B1"}
        return web.json_response({"ok": True, "url": "https://library.slack.com/", **team})
