"""Whose tokens a request takes: those of the workspace in which something happened."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.attachments import File
from bot.errors import DeliveryError
from bot.notes import Notes
from bot.platforms.slack.outlet import Starts
from bot.platforms.slack.people import People
from bot.platforms.slack.rates import Rates

NOTE = "slack-workspaces"
TIMEOUT = 30  # seconds for one call
PATIENCE = 2  # times that a call is made again which Slack asked us to slow down for


@dataclass(frozen=True, slots=True)
class Workspace:
    """One workspace, as the bot knows it. me: the bot's own user id; bot: the id of its messages.

    client: for what may be asked again; sender: for what is posted, and must not be posted twice.
    """

    team: str
    me: str
    bot: str
    url: str
    client: AsyncWebClient
    sender: AsyncWebClient
    people: People
    starts: Starts = field(default_factory=Starts)
    rates: Rates = field(default_factory=Rates)


Token = Callable[[str], Awaitable[str]]  # the bot's token in a workspace; raises LookupError where it has none


class Workspaces:
    """The workspaces that the bot is in."""

    def __init__(
        self, token: Token, session: aiohttp.ClientSession, base_url: str | None = None, notes: Notes | None = None
    ) -> None:
        """base_url: another address of Slack's API, for tests. notes: where it is kept which workspaces there are."""
        self._notes = notes
        self._token = token
        self._session = session
        self._base_url = base_url
        self._known: dict[str, Workspace] = {}
        self._dropping = asyncio.Event()

    def known(self) -> list[Workspace]:
        """Return those that are known by now."""
        return list(self._known.values())

    async def of(self, team: str) -> Workspace:
        """Return a workspace. Raises LookupError where the bot has no token for it, SlackApiError."""
        token = await self._token(team)
        known = self._known.get(team)
        if known is not None and known.client.token == token:
            return known
        client, sender = self.client(token), self.client(token, again=False)
        who = await client.auth_test()
        ourselves = (who["user_id"], who["bot_id"], who["url"])
        if known is not None:
            self._known[team] = Workspace(team, *ourselves, client, sender, known.people, known.starts, known.rates)
        else:
            self._known[team] = Workspace(team, *ourselves, client, sender, People(client, team))
        if known is None:
            await self._note()
        return self._known[team]

    async def recall(self) -> None:
        """Know the workspaces again that an earlier process has served, as far as they still have the app."""
        if self._notes is None:
            return
        for team in json.loads(await self._notes.read(NOTE, "") or "[]"):
            with suppress(LookupError, SlackApiError, OSError, aiohttp.ClientError):
                await self.of(team)

    async def _note(self) -> None:
        if self._notes is not None:
            kept = json.loads(await self._notes.read(NOTE, "") or "[]")
            await self._notes.write(NOTE, "", json.dumps(sorted({*kept, *self._known})))

    async def respond(self, url: str, answer: dict[str, object]) -> bool:
        """Answer by the address that came with what somebody did; False where Slack does not take that any more.

        Raises OSError, aiohttp.ClientError.
        """
        async with self._session.post(url, json=answer) as response:
            await response.read()
            return response.ok

    def file(self, workspace: Workspace, told: Mapping[str, Any]) -> File:
        """Return a file of Slack's; it is downloaded with the bot's token, from Slack alone."""

        async def load() -> bytes:
            address = str(told.get("url_private_download") or told["url_private"])
            if self._base_url is None and not (urlsplit(address).hostname or "").endswith("slack.com"):
                raise DeliveryError("the file is not Slack's")
            headers = {"Authorization": f"Bearer {workspace.client.token}"}
            try:
                async with self._session.get(address, headers=headers) as response:
                    if response.status != 200 or response.content_type == "text/html":  # a page to log in
                        raise DeliveryError(f"the file cannot be downloaded ({response.status})")
                    return await response.read()
            except aiohttp.ClientError as error:
                raise DeliveryError("the file cannot be downloaded") from error

        size, declared = int(told.get("size") or 0), str(told.get("mimetype") or "")
        return File(str(told.get("name") or "file"), size, declared, load)

    def drop(self, team: str) -> None:
        """Forget a workspace that has uninstalled the app."""
        self._known.pop(team, None)
        self._dropping.set()

    async def dropped(self, seconds: float) -> None:
        """Wait until one was dropped, or for so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._dropping.wait(), seconds)
        self._dropping.clear()

    def client(self, token: str | None, *, again: bool = True) -> AsyncWebClient:
        """Return a client; again: a call that Slack has turned down for its rate is made again.

        slack_sdk's own handler for broken connections would post twice.
        """
        handlers: list[AsyncRetryHandler] = [AsyncRateLimitErrorRetryHandler(max_retry_count=PATIENCE)] if again else []
        options = {} if self._base_url is None else {"base_url": self._base_url}
        return AsyncWebClient(
            token=token,
            timeout=TIMEOUT,
            session=self._session,
            retry_handlers=handlers,
            **options,  # type: ignore[arg-type]
        )
