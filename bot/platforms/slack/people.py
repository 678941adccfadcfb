"""Who people and channels are, as far as it matters who reads what; asked of Slack once, then kept for a while."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.latest import Latest
from bot.platforms.slack.failures import FAILED, coded, why
from bot.platforms.slack.kept import MOST, Kept
from bot.platforms.slack.tenants import Served

log = structlog.get_logger()

KEPT = 300.0  # seconds; what changes a channel is told at once, and that somebody has become a guest is not told
LISTED = 600.0  # seconds for which the list of all members is believed, which may take minutes to read
PATIENCE = 10.0  # seconds that an answer waits until it is known who reads along
PAGE = 1000  # people or members a page; Slack's most
FEW = 20  # people who are asked about one by one; for more, the list of all members is read
UNSEEN = frozenset({"user_not_found", "user_not_visible", "users_not_found"})

# Other teams read along, or soon may. https://docs.slack.dev/reference/objects/conversation-object
SHARED = ("is_shared", "is_ext_shared", "is_org_shared", "is_global_shared", "is_pending_ext_shared")


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

    outsiders: whether some of its readers are, or may be, as far as that is known. member: whether the bot is in it.
    """

    id: str
    kind: str
    name: str = ""
    outsiders: bool = False
    member: bool = True


@dataclass(frozen=True, slots=True)
class _List:
    """The members of a workspace, as they were at a time of the clock."""

    at: float
    people: Mapping[str, Person]


class People:
    """The people and channels of one workspace."""

    def __init__(self, client: AsyncWebClient, home: Served, clock: Callable[[], float] = time.monotonic) -> None:
        self.client = client
        self._home = home
        self._clock = clock
        self._people = Kept(self._ask_person, KEPT, clock)
        self._channels = Kept(self._ask_channel, KEPT, clock)
        self._outsiders = Kept(self._ask_outsiders, KEPT, clock)
        self._lists = Kept(self._ask_list, LISTED, clock)
        self._came: Latest[str, float] = Latest(MOST)  # since then a list may say too much of somebody

    async def person(self, id_: str) -> Person:
        """Return who somebody is; one of whom Slack tells nothing is a stranger. Raises SlackApiError."""
        return self._known(id_) or await self._people.get(id_)

    async def admin(self, id_: str) -> bool:
        """Tell whether somebody manages the workspace. Raises SlackApiError."""
        return (await self.person(id_)).admin

    async def channel(self, id_: str) -> Channel:
        """Return what a channel is, as far as that is known at once. Raises SlackApiError.

        Until it is known who reads it, which is found out beside, outsiders may.
        """
        found = await self._channels.get(id_)
        if found.outsiders or found.kind == "direct":
            return found
        outsiders = self._outsiders.known(id_)
        if outsiders is None:
            self._outsiders.begin(id_)
        return replace(found, outsiders=outsiders is not False)

    async def settled(self, id_: str, patience: float = PATIENCE) -> Channel:
        """Return what a channel is once it is known who reads it. Raises SlackApiError where there is none.

        patience: seconds; where it is not known by then, or cannot be found out, outsiders may read it.
        """
        found = await self._channels.get(id_)
        if found.outsiders or found.kind == "direct":
            return found
        try:
            async with asyncio.timeout(patience):
                return replace(found, outsiders=await self._outsiders.get(id_))
        except FAILED as error:
            log.warning("readers not known", team=self._home.team, channel=id_, error=why(error))
            return replace(found, outsiders=True)

    def told(self, info: Mapping[str, Any]) -> Channel:
        """Return what a channel is, as Slack tells it in a list: of its readers that tells next to nothing."""
        shared, member = any(info.get(one) for one in SHARED), bool(info.get("is_member", True))
        return Channel(str(info["id"]), _kind(info), str(info.get("name") or ""), shared, member)

    def name(self, id_: str) -> str:
        """Return somebody's name, as far as it is known."""
        known = self._known(id_)
        return known.name if known is not None else id_

    def moved(self, channel: str) -> None:
        """Take in that a channel is not what it was."""
        self._channels.drop(channel)
        self._outsiders.drop(channel)

    def came(self, channel: str, person: str) -> None:
        """Take in that somebody has come into a channel or left it; who they are may be new as well."""
        self._outsiders.drop(channel)
        self._people.drop(person)
        self._came[person] = self._clock()

    # What is asked

    def _known(self, id_: str) -> Person | None:
        known, listed = self._people.known(id_), self._lists.known("")
        if known is None and listed is not None and listed.at > self._came.get(id_, float("-inf")):
            return listed.people.get(id_)
        return known

    async def _ask_person(self, id_: str) -> Person:
        try:
            answer = await self.client.users_info(user=id_)
        except SlackApiError as error:
            if coded(error) in UNSEEN:
                return Person(id_, id_, outsider=True)
            raise
        return _person(answer["user"], self._home.team)

    async def _ask_channel(self, id_: str) -> Channel:
        return self.told((await self.client.conversations_info(channel=id_))["channel"])

    async def _ask_outsiders(self, channel: str) -> bool:
        """Tell whether anybody who reads a channel is an outsider."""
        cursor = ""
        while True:
            page = await self.client.conversations_members(channel=channel, limit=PAGE, cursor=cursor)
            if await self._some_outside(page["members"]):
                return True
            cursor = _next(page)
            if not cursor:
                return False

    async def _some_outside(self, ids: Sequence[str]) -> bool:
        """Tell whether some of these people are outsiders, or too many are not on the list of all members."""
        if any(known.outsider for one in ids if (known := self._known(one)) is not None):
            return True
        unknown = [one for one in ids if self._known(one) is None]
        if len(unknown) > FEW:
            listed = (await self._lists.get("")).people
            if any(listed[one].outsider for one in unknown if one in listed):
                return True
            unknown = [one for one in unknown if one not in listed or one in self._came]
            if len(unknown) > FEW:
                return True
        return any(one.outsider for one in await asyncio.gather(*(self._people.get(one) for one in unknown)))

    async def _ask_list(self, _: str) -> _List:
        at, people, cursor = self._clock(), {}, ""
        while True:
            page = await self.client.users_list(limit=PAGE, cursor=cursor, team_id=self._home.asked)
            for one in page["members"]:
                people[str(one["id"])] = _person(one, self._home.team)
            cursor = _next(page)
            if not cursor:
                return _List(at, people)


def _person(user: Mapping[str, Any], team: str) -> Person:
    """Return a person as one workspace sees them: who isn't known to be a member of it is an outsider.

    Bots are none: an organisation's is in several workspaces, and another team's is where that team is.
    """
    profile = user.get("profile") or {}
    name = profile.get("display_name") or profile.get("real_name") or user.get("real_name") or user.get("name")
    teams = (user.get("enterprise_user") or {}).get("teams") or ()
    member = user.get("team_id") == team or team in teams
    guest = user.get("is_restricted") or user.get("is_ultra_restricted") or user.get("is_stranger")
    admin = member and (user.get("is_admin") or user.get("is_owner") or user.get("is_primary_owner"))
    id_, bot = str(user["id"]), bool(user.get("is_bot"))
    return Person(id_, name or id_, not bot and bool(guest or not member), bot, bool(admin))


def _next(page: Any) -> str:
    """Return the cursor of the next page, "" after the last."""
    return str((page.get("response_metadata") or {}).get("next_cursor") or "")


def _kind(info: Mapping[str, Any]) -> str:
    if info.get("is_im"):
        return "direct"
    if info.get("is_mpim"):
        return "group"
    return "private" if info.get("is_private") or info.get("is_group") else "public"
