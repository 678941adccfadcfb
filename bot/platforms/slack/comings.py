"""Channels and workspaces as they come, change and go: who reads what, and whom the app serves."""

from slack_bolt.async_app import AsyncApp

from bot.platforms.slack import leaving
from bot.platforms.slack.floor import Floor, Json
from bot.platforms.slack.workspaces import Workspace

MOVES = ("channel_shared", "channel_unshared", "channel_id_changed")
CAME = ("member_joined_channel", "member_left_channel")
GONE = ("channel_deleted", "channel_left", "group_deleted", "group_left")


class Comings:
    """Hears of them, and tells whom it concerns."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._readers, self._sharing, self._purging = floor.readers, floor.sharing, floor.rooms.purging
        self._memory, self._listening = floor.rooms.memory, floor.service.listening

    def register(self, bolt: AsyncApp) -> None:
        """Let bolt call us."""
        for event in MOVES:
            bolt.event(event)(self._on_move)
        for event in CAME:
            bolt.event(event)(self._on_came)
        for event in GONE:
            bolt.event(event)(self._on_gone)
        bolt.event("app_uninstalled")(self._on_uninstalled)
        bolt.event("tokens_revoked")(self._on_revoked)
        bolt.event("team_access_granted")(self._on_granted)
        bolt.event("team_access_revoked")(self._on_withdrawn)

    async def _on_move(self, event: Json, context: Json) -> None:
        """Tell memory that other people read a channel: it holds for the next recall."""
        workspace = await self._floor.workspace(context)
        if workspace is None:
            return
        if event["type"] == "channel_id_changed":
            await self._readers.closed(workspace, str(event["old_channel_id"]))
            await self._readers.moved(workspace, str(event["new_channel_id"]))
            return
        for one in await self._sharing.beside(workspace, str(event["channel"])):
            await self._readers.moved(one, str(event["channel"]))

    async def _on_came(self, event: Json, context: Json) -> None:
        """Take in that somebody came into a channel or left it; where it is the bot itself, what it is is asked."""
        workspace = await self._floor.workspace(context)
        if workspace is None:
            return
        channel, person = str(event["channel"]), str(event["user"])
        left = event["type"] == "member_left_channel"
        for one in await self._sharing.beside(workspace, channel, person):
            one.people.came(channel, person)
            if person == one.me:
                await (self._left if left else self._readers.moved)(one, channel)

    async def _on_gone(self, event: Json, context: Json) -> None:
        """Forget a channel that is gone, and close one that the bot is out of."""
        workspace = await self._floor.workspace(context)
        if workspace is None:
            return
        channel = str(event["channel"])
        if event["type"].endswith("left"):
            await self._left(workspace, channel)
            return
        for one in await self._sharing.beside(workspace, channel):
            await leaving.channel_gone(self._memory, self._readers, self._listening, one, channel)

    async def _left(self, workspace: Workspace, channel: str) -> None:
        await leaving.left(self._readers, self._listening, workspace, channel)

    async def _on_uninstalled(self, body: Json, context: Json) -> None:
        """Let go of a workspace that has uninstalled the app: of its tokens at once, of its memory after a while."""
        enterprise, team = _installation(context)
        if not await self._purging.is_back(enterprise, team, float(body["event_time"])):
            await self._leave(team, enterprise)
            await self._purging.uninstalled(enterprise, team, float(body["event_time"]))

    async def _leave(self, team: str | None, enterprise: str | None = None) -> None:
        """Serve a workspace no more, or with team None those of an organisation that had the app for all of them."""
        for one in self._floor.rooms.workspaces.drop(team, enterprise):
            self._readers.away(one)
            await self._floor.talks.leave(one)

    async def _on_granted(self, event: Json) -> None:
        """Keep the memory of workspaces that an organisation has let the app into again."""
        for team in event.get("team_ids") or ():
            await self._purging.here(str(team))

    async def _on_withdrawn(self, event: Json, context: Json) -> None:
        """Let go of workspaces that an organisation has taken the app from."""
        teams = [str(team) for team in event.get("team_ids") or ()]
        for team in teams:
            await self._leave(team)
        await self._purging.left(context.get("enterprise_id"), teams)

    async def _on_revoked(self, event: Json, body: Json, context: Json) -> None:
        """Let go of tokens that somebody has taken back."""
        tokens = event["tokens"]
        people, bots = tokens.get("oauth") or (), tokens.get("bot") or ()
        enterprise, team = _installation(context)
        if bots and not await self._purging.is_back(enterprise, team, float(body["event_time"])):
            await self._leave(team, enterprise)
        await self._purging.revoked(enterprise, team, people, bots, float(body["event_time"]))


def _installation(context: Json) -> tuple[str | None, str | None]:
    """Return the organisation and the workspace of the installation that an event came through.

    No workspace where the organisation has installed the app for all of them, though the event names one.
    """
    return context.get("enterprise_id"), None if context.get("is_enterprise_install") else context.get("team_id")
