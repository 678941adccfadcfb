"""Who people and channels are, as far as it matters who reads what; asked of Slack once, then kept for a while."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from slack_sdk.web.async_client import AsyncWebClient

T = TypeVar("T")

KEPT = 600.0  # seconds; events that change them come at once
MOST = 10_000
PAGE = 200


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody. outsider: a guest, a stranger, or another team's: not everybody's channels are theirs."""

    id: str
    name: str
    outsider: bool = False
    bot: bool = False
    admin: bool = False


@dataclass(frozen=True, slots=True)
class Channel:
    """A conversation of Slack's. kind: public, private, group (a direct message of several) or direct.

    outsiders: whether some of its readers are.
    """

    id: str
    kind: str
    name: str = ""
    outsiders: bool = False


class Kept(Generic[T]):
    """Things by id, for a while."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._things: dict[str, tuple[float, T]] = {}

    def get(self, id_: str) -> T | None:
        """Return what is known, unless it is too old."""
        until, thing = self._things.get(id_, (0.0, None))
        return thing if until > self._clock() else None

    def put(self, id_: str, thing: T) -> T:
        """Keep something."""
        if len(self._things) >= MOST:
            self._things.pop(next(iter(self._things)))
        self._things[id_] = (self._clock() + KEPT, thing)
        return thing

    def drop(self, id_: str) -> None:
        """Forget something: it has changed."""
        self._things.pop(id_, None)


class People:
    """The people and channels of one workspace. team: its id."""

    def __init__(self, client: AsyncWebClient, team: str) -> None:
        self._client = client
        self._team = team
        self._people: Kept[Person] = Kept()
        self._channels: Kept[Channel] = Kept()

    async def person(self, id_: str) -> Person:
        """Return who somebody is. Raises SlackApiError."""
        known = self._people.get(id_)
        if known is not None:
            return known
        answer = await self._client.users_info(user=id_)
        return self._people.put(id_, self._read(answer["user"]))

    async def admin(self, id_: str) -> bool:
        """Tell whether somebody manages the workspace. Raises SlackApiError."""
        return (await self.person(id_)).admin

    async def channel(self, id_: str) -> Channel:
        """Return what a channel is, and whether outsiders read it. Raises SlackApiError."""
        known = self._channels.get(id_)
        if known is not None:
            return known
        info = (await self._client.conversations_info(channel=id_))["channel"]
        kind = _kind(info)
        shared = any(info.get(flag) for flag in ("is_ext_shared", "is_org_shared", "is_pending_ext_shared"))
        outsiders = bool(shared) or (kind != "direct" and await self._outsiders(id_))
        return self._channels.put(id_, Channel(id_, kind, info.get("name") or "", outsiders))

    def told(self, info: Mapping[str, Any]) -> Channel:
        """Return what a channel is, as Slack tells it in a list: of its readers that tells nothing."""
        return Channel(str(info["id"]), _kind(info), str(info.get("name") or ""))

    def name(self, id_: str) -> str:
        """Return somebody's name, as far as it is known."""
        known = self._people.get(id_)
        return known.name if known is not None else id_

    def moved(self, channel: str) -> None:
        """Take in that other people read a channel."""
        self._channels.drop(channel)

    async def _outsiders(self, channel: str) -> bool:
        """Tell whether anybody who reads a channel is an outsider."""
        cursor = ""
        while True:
            page = await self._client.conversations_members(channel=channel, limit=PAGE, cursor=cursor)
            for one in page["members"]:
                if (await self.person(one)).outsider:
                    return True
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return False

    def _read(self, user: dict[str, Any]) -> Person:
        profile = user.get("profile") or {}
        name = profile.get("display_name") or profile.get("real_name") or user.get("real_name") or user.get("name")
        team = user.get("team_id") or self._team
        foreign = team != self._team and not user.get("enterprise_user")
        guest = user.get("is_restricted") or user.get("is_ultra_restricted") or user.get("is_stranger")
        admin = user.get("is_admin") or user.get("is_owner") or user.get("is_primary_owner")
        return Person(user["id"], name or user["id"], bool(guest or foreign), bool(user.get("is_bot")), bool(admin))


def _kind(info: Mapping[str, Any]) -> str:
    if info.get("is_im"):
        return "direct"
    if info.get("is_mpim"):
        return "group"
    return "private" if info.get("is_private") or info.get("is_group") else "public"
