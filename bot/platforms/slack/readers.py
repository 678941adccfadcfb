"""Tells memory who can read the channels of Slack's, and closes them where nobody says so any more."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace

import structlog

from bot.platforms.slack.audience import place, scope
from bot.platforms.slack.failures import FAILED, coded, why
from bot.platforms.slack.people import PATIENCE, Channel
from bot.platforms.slack.tenants import tenant
from bot.platforms.slack.workspaces import Workspace
from memory.errors import RedisError
from memory.memory import Memory
from memory.scope import Scope

log = structlog.get_logger()

PAGE = 200
HIDDEN = frozenset({"channel_not_found", "not_in_channel", "team_not_found", "team_access_not_granted"})


@dataclass(eq=False, slots=True)
class _Office:
    """A workspace, as far as memory has been told of it.

    told: the work of telling all; changed: the channels that changed while that was done; open_: those that everybody
    reads, as noted by this process.
    """

    told: "asyncio.Task[None] | None" = None
    changed: set[str] = field(default_factory=set)
    open_: set[str] = field(default_factory=set)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Readers:
    """Says never more than Slack says now.

    A channel that the bot has left is closed until it is invited again, as nobody tells it of changes there, and so is
    one of which Slack cannot say what it is.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._offices: dict[str, _Office] = {}

    async def settled(self, workspace: Workspace, here: Scope) -> Scope:
        """Return a scope to recall by, once it is known who reads there and in the whole workspace.

        As long as that cannot be found out, that conversation alone is recalled.
        """
        known = await self.ready(workspace)
        channel, thread = place(here.conversation)
        try:
            person = await workspace.people.person(here.person)
            found = await workspace.people.settled(channel)
        except FAILED as error:
            log.warning("readers not known", team=workspace.team, channel=channel, error=why(error))
            return replace(here, outsiders=True)
        return scope(workspace.team, found, person, thread, narrow=here.narrow or not known)

    async def ready(self, workspace: Workspace, patience: float = PATIENCE) -> bool:
        """Tell whether memory knows who reads the channels of a workspace; wait for it so many seconds at most.

        They may have changed while nobody listened, so it is told of all of them once, and again after an outage.
        """
        office = self._office(workspace.team)
        if office.told is None:
            office.told = asyncio.create_task(self._tell_all(workspace, office))
        told = office.told
        await asyncio.wait([told], timeout=patience)
        if not told.done() or told.cancelled():
            return False
        if (error := told.exception()) is None:
            return True
        if office.told is told:  # who asks next has it tried again
            office.told = None
            log.warning("audiences not told", team=workspace.team, error=type(error).__name__)
        return False

    def away(self, team: str) -> None:
        """Take in that a workspace was not listened to for a while, or has gone: anything may have changed there."""
        office = self._offices.pop(team, None)
        if office is not None and office.told is not None:
            office.told.cancel()

    async def met(self, workspace: Workspace, channel: Channel) -> None:
        """Note a channel in which something is said; while memory is away, it is noted the next time."""
        if channel.kind == "public" and channel.id not in (office := self._office(workspace.team)).open_:
            with suppress(RedisError):
                await self._note(workspace.team, [channel.id])
                office.open_.add(channel.id)

    async def moved(self, workspace: Workspace, channel: str) -> None:
        """Tell memory who reads a channel that is not what it was: it holds for the next recall.

        Raises RedisError, and SlackApiError where Slack cannot say now what it is: it is closed until it can.
        """
        office = self._office(workspace.team)
        workspace.people.moved(channel)
        async with office.writing:
            office.changed.add(channel)
            try:
                found = await workspace.people.channel(channel)
            except FAILED as error:
                await self._close(workspace, [channel])
                if coded(error) in HIDDEN:
                    return
                raise
            await self._tell(workspace, [found])

    async def closed(self, workspace: Workspace, channel: str) -> None:
        """Tell memory that a channel was made private, or may have been. Raises RedisError."""
        office = self._office(workspace.team)
        workspace.people.moved(channel)
        office.changed.add(channel)
        await self._close(workspace, [channel])
        async with office.writing:  # whoever was telling something else has done so
            await self._close(workspace, [channel])

    def _office(self, team: str) -> _Office:
        return self._offices.setdefault(team, _Office())

    async def _tell_all(self, workspace: Workspace, office: _Office) -> None:
        """Tell of the channels that the bot is in, and close those that it is not in any more."""
        office.changed.clear()
        office.open_.clear()
        before = await self._noted(workspace.team)
        listed: set[str] = set()
        cursor = ""
        while True:
            page = await workspace.client.users_conversations(
                types="public_channel,private_channel,mpim", limit=PAGE, cursor=cursor, team_id=workspace.home.asked
            )
            found = [workspace.people.told(one) for one in page["channels"]]
            listed.update(one.id for one in found)
            async with office.writing:  # what has changed meanwhile is told as it is now
                await self._tell(workspace, [one for one in found if one.id not in office.changed])
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                break
        async with office.writing:
            await self._close(workspace, before - listed - office.changed)

    async def _tell(self, workspace: Workspace, channels: Iterable[Channel]) -> None:
        channels = list(channels)
        if channels:
            await self._note(workspace.team, [one.id for one in channels if one.kind == "public"])
            await self._memory.moved(*(scope(workspace.team, one, workspace.me) for one in channels))

    async def _close(self, workspace: Workspace, channels: Iterable[str]) -> None:
        """Tell that not everybody reads some channels."""
        channels = list(channels)
        self._office(workspace.team).open_.difference_update(channels)
        await self._tell(workspace, [Channel(one, "private") for one in channels])
        if channels:
            batch = self._memory.batch()
            batch.ask("SREM", self._memory.keys.tenant(tenant(workspace.team)).everyones, *channels, read=int)
            await batch.send()

    async def _note(self, team: str, channels: list[str]) -> None:
        """Write down which channels everybody reads, before memory learns it."""
        if channels:
            batch = self._memory.batch()
            noted = batch.ask("SADD", self._memory.keys.tenant(tenant(team)).everyones, *channels, read=int)
            await batch.send()
            _ = noted.value

    async def _noted(self, team: str) -> set[str]:
        batch = self._memory.batch()
        key = self._memory.keys.tenant(tenant(team)).everyones
        found = batch.ask("SMEMBERS", key, read=lambda ids: {one.decode() for one in ids})
        await batch.send()
        return found.value
