"""What happens to conversations: who comes and goes, what is private, what is shared, what is gone."""

from typing import Any

from tests.slacklike import payloads
from tests.slacklike.installs import Install
from tests.slacklike.records import Channel, Guest, Json, Kind, Person, Team
from tests.slacklike.talk import Talk
from tests.slacklike.world import World


class Places:
    """Changes to conversations and people, each told to the app."""

    def __init__(self, world: World, talk: Talk) -> None:
        self.world, self.talk = world, talk

    def join(self, channel: Channel, person: Person, by: Person | None = None) -> None:
        """Let somebody come in, or be brought in."""
        channel.members[person.id] = person
        more = {"inviter": by.id} if by is not None else {}
        self._membership("member_joined_channel", channel, person, more)
        self.talk.system(channel, person, f"{channel.type}_join", f"<@{person.id}> has joined the channel", **more)

    def leave(self, channel: Channel, person: Person) -> None:
        """Let somebody go, or be put out."""
        self._membership("member_left_channel", channel, person, {})
        if person.bot_id:
            name = "channel_left" if channel.kind == Kind.PUBLIC else "group_left"
            self._tell(channel, name, {"channel": channel.id})
        del channel.members[person.id]
        self.talk.system(channel, person, f"{channel.type}_leave", f"<@{person.id}> has left the channel")

    def invite(self, channel: Channel, by: Person) -> None:
        """Bring the app in; it may have been in the workspace only until now."""
        self.join(channel, self.world.bot_of(by.team), by)

    def kick(self, channel: Channel) -> None:
        """Put the app out."""
        self.leave(channel, self.world.bot_of(channel.team))

    def make_private(self, channel: Channel, by: Person) -> None:
        channel.kind = Kind.PRIVATE
        said = "made this channel *private*. Now, it can only be viewed or joined by invitation."
        self.talk.system(channel, by, "channel_convert_to_private", said)

    def make_public(self, channel: Channel, by: Person) -> None:
        channel.kind = Kind.PUBLIC
        said = "made this channel *public*. Any member in this workspace can see and join it."
        self.talk.system(channel, by, "channel_convert_to_public", said)

    def share(self, channel: Channel, team: Team) -> None:
        """Share a channel with another workspace."""
        channel.shared_with.append(team)
        self._tell(channel, "channel_shared", {"connected_team_id": team.id, "channel": channel.id})

    def unshare(self, channel: Channel, team: Team) -> None:
        channel.shared_with.remove(team)
        for person in [one for one in channel.members.values() if one.team is team]:
            del channel.members[person.id]
        event = {"previously_connected_team_id": team.id, "channel": channel.id}
        self._tell(channel, "channel_unshared", event | {"is_ext_shared": bool(channel.shared_with)})

    def rename(self, channel: Channel, name: str) -> None:
        channel.name = name
        event = {"channel": {"id": channel.id, "name": name, "created": 0, "is_channel": channel.kind == Kind.PUBLIC}}
        self._tell(channel, self._named(channel, "rename"), event, members_only=False)

    def archive(self, channel: Channel, by: Person) -> None:
        channel.archived = True
        self._tell(channel, self._named(channel, "archive"), _by(channel, by), members_only=False)

    def unarchive(self, channel: Channel, by: Person) -> None:
        channel.archived = False
        self._tell(channel, self._named(channel, "unarchive"), _by(channel, by), members_only=False)

    def remove(self, channel: Channel, by: Person) -> None:
        """Delete a channel with all that was said."""
        self._tell(
            channel, self._named(channel, "deleted"), {**_by(channel, by), "actor_id": by.id}, members_only=False
        )
        channel.deleted = True

    def become(self, person: Person, *, guest: Guest | None = None, deleted: bool | None = None) -> None:
        """Change what somebody is in the workspace, such as a guest."""
        person.guest = person.guest if guest is None else guest
        person.deleted = person.deleted if deleted is None else deleted
        for install in [one for one in self.world.app.installs if not one.gone]:
            if person.team in install.teams:
                event = {"type": "user_change", "user": payloads.user(person, seen_from=person.team)}
                event |= {"event_ts": self.world.ids.ts()}
                self.world.tell_in(install, event, "user_change", team=person.team)

    def grant(self, install: Install, team: Team) -> None:
        """Let an organisation's app into one of its workspaces."""
        install.granted.append(team)
        self._access(install, "team_access_granted", team)

    def withdraw(self, install: Install, team: Team) -> None:
        """Take an organisation's app out of one of its workspaces."""
        self._access(install, "team_access_revoked", team)
        install.granted.remove(team)
        for channel in self.world.channels.values():
            if channel.team is team:
                channel.members.pop(install.bot.id, None)

    def _access(self, install: Install, name: str, team: Team) -> None:
        event = {"type": name, "team_ids": [team.id], "event_ts": self.world.ids.ts()}
        self.world.tell_in(install, event, name, team=team)

    def uninstall(self, team: Team, *, uninstalled_first: bool = False) -> None:
        """Take the app out of a workspace: its tokens are worthless, and it is told so, in either order."""
        install = self.world.app.at(team)
        if install is None:
            raise LookupError(f"the app is not in {team.name}")
        self.world.app.revoke(install, "account_inactive")
        revoked = {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [install.bot.id]}}
        events = [revoked, {"type": "app_uninstalled"}]
        for event in reversed(events) if uninstalled_first else events:
            self.world.tell_in(install, event | {"event_ts": self.world.ids.ts()}, str(event["type"]))
        install.gone = True
        for channel in self.world.channels.values():
            channel.members.pop(install.bot.id, None)

    def _membership(self, name: str, channel: Channel, person: Person, more: Json) -> None:
        event = {"user": person.id, "channel": channel.id, "channel_type": "C", "team": person.team.id, **more}
        self._tell(channel, name, event)

    def _tell(self, channel: Channel, name: str, event: Json, **how: Any) -> None:
        self.world.tell({"type": name, **event, "event_ts": self.world.ids.ts()}, name, channel, **how)

    @staticmethod
    def _named(channel: Channel, what: str) -> str:
        return f"{'channel' if channel.kind == Kind.PUBLIC else 'group'}_{what}"


def _by(channel: Channel, by: Person) -> Json:
    return {"channel": channel.id, "user": by.id}
