"""Whose tokens a request takes: those of the workspace in which something happened."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.attachments import IMAGE_BYTES, File
from bot.errors import DeliveryError
from bot.platforms.slack.people import People
from bot.platforms.slack.rates import Rates
from bot.platforms.slack.tenants import Served

TIMEOUT = 30  # seconds for one call
PIECE = 65_536  # bytes of a file that are read at once
PATIENCE = 2  # times that a call is made again which Slack asked us to slow down for


@dataclass(frozen=True, slots=True)
class Workspace:
    """One workspace, as the bot knows it. me: the bot's own user id; bot: the id of its messages.

    home: through which installation it is served.

    client: for what may be asked again; sender: for what is posted, and must not be posted twice.
    """

    home: Served
    me: str
    bot: str
    url: str
    client: AsyncWebClient
    sender: AsyncWebClient
    people: People
    rates: Rates = field(default_factory=Rates)

    @property
    def team(self) -> str:
        """Its id."""
        return self.home.team


Token = Callable[[Served], Awaitable[str]]  # the bot's token in a workspace; raises LookupError where it has none


class Workspaces:
    """The workspaces that the bot is in."""

    def __init__(self, token: Token, session: aiohttp.ClientSession, base_url: str | None = None) -> None:
        """base_url: another address of Slack's API, for tests."""
        self._token = token
        self._session = session
        self._base_url = base_url
        self._only: Served | None = None
        self._homes: dict[str, Served] = {}
        self._known: dict[str, Workspace] = {}
        self._bots: dict[str, Served] = {}  # by the bot's user id
        self._dropping = asyncio.Event()

    def known(self) -> list[Workspace]:
        """Return those that have been heard of since the start."""
        return list(self._known.values())

    def teams(self) -> list[str]:
        """Return the ids of all that have the app, as far as that is known."""
        return list(self._homes)

    def only(self, home: Served) -> None:
        """Serve this workspace alone: what people of others do in channels that are shared with them is done in it."""
        self._only = home

    def expect(self, homes: Mapping[Served, str | None]) -> None:
        """Know of workspaces that have the app, and of the bot's user id in each, before they are heard of."""
        self._homes.update((one.team, one) for one in homes)
        self._bots.update((bot, one) for one, bot in homes.items() if bot is not None)

    def whose(self, person: str) -> Served | None:
        """Return the workspace whose bot somebody is."""
        return self._bots.get(person)

    async def of(self, home: Served) -> Workspace:
        """Return a workspace. Raises LookupError where the bot has no token for it, SlackApiError."""
        home = self._only or home
        token = await self._token(home)
        self._homes[home.team] = home
        known = self._known.get(home.team)
        if known is not None and known.client.token == token:
            return known
        client, sender = self.client(token), self.client(token, again=False)
        who = await client.auth_test()
        ourselves = (who["user_id"], who["bot_id"], who["url"])
        known = self._known.get(home.team)  # two may have asked
        if known is not None and known.home.org_wide == home.org_wide:
            known.people.client = client  # the older token is good for a while only
            found = Workspace(home, *ourselves, client, sender, known.people, known.rates)
        else:
            found = Workspace(home, *ourselves, client, sender, People(client, home))
        self._known[home.team] = found
        self._bots[found.me] = home
        return found

    async def at(self, team: str) -> Workspace:
        """Return a workspace that is known by its id alone. Raises LookupError, SlackApiError."""
        if team not in self._homes:
            raise LookupError(f"the app is not known to be in {team}")
        return await self.of(self._homes[team])

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
            if self._base_url is None and not _slacks(address):
                raise DeliveryError("the file is not Slack's")
            headers = {"Authorization": f"Bearer {workspace.client.token}"}
            try:
                async with self._session.get(address, headers=headers) as response:
                    if response.status != 200 or response.content_type == "text/html":  # a page to log in
                        raise DeliveryError(f"the file cannot be downloaded ({response.status})")
                    data = bytearray()
                    async for piece in response.content.iter_chunked(PIECE):
                        data += piece
                        if len(data) > max(size, IMAGE_BYTES):
                            raise DeliveryError("the file is larger than Slack says")
                    return bytes(data)
            except aiohttp.ClientError as error:
                raise DeliveryError("the file cannot be downloaded") from error

        size, declared = int(told.get("size") or 0), str(told.get("mimetype") or "")
        return File(str(told.get("name") or "file"), size, declared, load)

    def drop(self, team: str | None, enterprise: str | None = None) -> list[str]:
        """Forget a workspace that has uninstalled the app, and return its id.

        team None: those of an organisation that had it for all of them.
        """
        homes = self._homes.values()
        gone = [one.team for one in homes if team is None and one.org_wide and one.enterprise == enterprise]
        for one in [team] if team is not None else gone:
            self._homes.pop(one, None)
            self._known.pop(one, None)
        self._dropping.set()
        return [team] if team is not None else gone

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


def _slacks(address: str) -> bool:
    """Tell whether a file lies at Slack's: whoever adds one that lies elsewhere must not be sent the bot's token."""
    url = urlsplit(address)
    return url.scheme == "https" and f".{url.hostname}".endswith(".slack.com")
