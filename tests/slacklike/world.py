"""Workspaces, people and conversations: who is where, and what the app is told of."""

import mimetypes
import time
from collections.abc import Iterable

from tests.slacklike import payloads
from tests.slacklike.deliveries import EVENT, Deliveries, Delivery
from tests.slacklike.installs import App, Install
from tests.slacklike.records import Channel, File, Guest, Ids, Json, Kind, Message, Person, Session, Team
from tests.slacklike.refusals import Refused
from tests.slacklike.rules import Rules


class World:
    """What the server keeps; it outlives every connection of the app."""

    def __init__(self, rules: Rules, app: App, deliveries: Deliveries) -> None:
        self.rules, self.app, self.deliveries = rules, app, deliveries
        self.ids = Ids()
        self.address = ""
        self.teams: dict[str, Team] = {}
        self.people: dict[str, Person] = {}
        self.channels: dict[str, Channel] = {}
        self.files: dict[str, File] = {}
        self.sessions: dict[tuple[str, str], Session] = {}
        self.home = self.workspace("Library")
        self.install = self.add_app(self.home)
        self.me = self.install.bot

    def workspace(self, name: str, enterprise: str | None = None) -> Team:
        """Make a workspace, without the app."""
        team = Team(self.ids.next("T"), name, enterprise)
        self.teams[team.id] = team
        return team

    def add_app(self, team: Team, by: Person | None = None) -> Install:
        """Install the app in a workspace, as its owner does by hand."""
        return self.app.add(self.prepared(team, by))

    def prepared(self, team: Team, by: Person | None = None, scopes: frozenset[str] | None = None) -> Install:
        """Return an installation that becomes real when its token is issued; the bot user stays the same."""
        present = self.app.at(team)
        if present is not None:
            present.scopes = scopes or present.scopes
            return present
        before = [one.bot for one in self.app.installs if one.team is team]
        bot = before[-1] if before else self.person("lorebot", team=team, bot=True)
        return Install(team, bot, by or self.person(f"owner-of-{team.domain}", team=team, admin=True), scopes)

    def person(
        self,
        name: str,
        *,
        team: Team | None = None,
        guest: Guest = Guest.NO,
        admin: bool = False,
        bot: bool = False,
    ) -> Person:
        """Make a member of a workspace: the home one unless another is named."""
        bot_id = self.ids.next("B") if bot else ""
        person = Person(self.ids.next("U"), name, team or self.home, bot_id, guest, admin)
        self.people[person.id] = person
        return person

    def channel(
        self, name: str, *members: Person, private: bool = False, app: bool = True, team: Team | None = None
    ) -> Channel:
        """Make a channel with people in it, and with the app unless told otherwise."""
        team = team or self.home
        kind = Kind.PRIVATE if private else Kind.PUBLIC
        creator = members[0] if members else None
        channel = Channel(self.ids.next("C"), team, kind, name, creator=creator)
        channel.members = {person.id: person for person in members}
        install = self.app.at(team)
        if app and install is not None:
            channel.members[install.bot.id] = install.bot
        self.channels[channel.id] = channel
        return channel

    def dm(self, person: Person) -> Channel:
        """Return the person's conversation with the app of the same workspace."""
        return self.between(Kind.IM, person, self.bot_of(person.team))

    def group_dm(self, *people: Person) -> Channel:
        """Return a conversation of several people and the app."""
        return self.between(Kind.MPIM, *people, self.bot_of(people[0].team))

    def between(self, kind: Kind, *people: Person) -> Channel:
        ids = {person.id for person in people}
        for channel in self.channels.values():
            if channel.kind == kind and set(channel.members) == ids:
                return channel
        name = "mpdm-" + "--".join(person.name for person in people) + "-1" if kind == Kind.MPIM else ""
        prefix = "D" if kind == Kind.IM else "C"
        channel = Channel(self.ids.next(prefix), people[-1].team, kind, name, creator=people[-1])
        channel.members = {person.id: person for person in people}
        self.channels[channel.id] = channel
        return channel

    def bot_of(self, team: Team) -> Person:
        install = self.app.at(team)
        if install is None:
            raise LookupError(f"the app is not in {team.name}")
        return install.bot

    def file(self, name: str, data: bytes, owner: Person | None = None) -> File:
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        file = File(self.ids.next("F"), name, kind, data, owner=owner)
        self.files[file.id] = file
        return file

    def session(self, channel: Channel, thread_ts: str) -> Session:
        """Return the agent's session in a thread, which begins empty."""
        return self.sessions.setdefault((channel.id, thread_ts), Session(channel, thread_ts))

    def find(self, install: Install, channel_id: object) -> Channel:
        """Return a conversation that an installation may see, else channel_not_found."""
        channel = self.channels.get(str(channel_id))
        if channel is None or channel.deleted or not sees(install, channel):
            raise Refused("channel_not_found")
        return channel

    def member_in(self, install: Install, channel_id: object) -> Channel:
        """Return a conversation that the app is in, else not_in_channel."""
        channel = self.find(install, channel_id)
        if install.bot.id not in channel.members:
            raise Refused("not_in_channel")
        return channel

    def find_message(self, channel: Channel, ts: object, error: str = "message_not_found") -> Message:
        message = channel.log.get(str(ts))
        if message is None or message.deleted or message.seen_by is not None:
            raise Refused(error)
        return message

    def find_thread(self, channel: Channel, ts: object) -> Message:
        """Return a message that a thread hangs from; one that is deleted has its replies all the same."""
        message = channel.log.get(str(ts))
        if message is not None and message.deleted and channel.replies(message.ts):
            return message
        return self.find_message(channel, ts, "thread_not_found")

    def is_stranger(self, person: Person, install: Install) -> bool:
        """Whether somebody of another workspace shares no conversation with the app."""
        shared = (one for one in self.channels.values() if install.bot.id in one.members)
        return person.team is not install.team and not any(person.id in one.members for one in shared)

    def shown(self, message: Message, *, metadata: bool = True) -> Json:
        return payloads.message(message, self.app.id, self.address, metadata=metadata)

    def hearing(self, channel: Channel, *, members_only: bool = True) -> Install | None:
        """Return the installation through which the app hears of a conversation, if it does."""
        for install in self.app.installs:
            inside = install.bot.id in channel.members
            if not install.gone and sees(install, channel) and (inside or not members_only):
                return install
        return None

    def tell(self, event: Json, name: str, channel: Channel, *, members_only: bool = True) -> Delivery | None:
        """Tell the app of something in a conversation; `name` is how it subscribes to that."""
        install = self.hearing(channel, members_only=members_only)
        if install is None:
            return None
        return self.tell_in(install, event, name, shared=bool(channel.shared_with))

    def tell_in(self, install: Install, event: Json, name: str, *, shared: bool = False) -> Delivery | None:
        """Tell the app of something in a workspace, if it subscribed to that."""
        if self.rules.events is not None and name not in self.rules.events:
            return None
        return self.deliveries.send(EVENT, self._envelope(install, event, shared=shared))

    def _envelope(self, install: Install, event: Json, *, shared: bool) -> Json:
        authorization: Json = {"enterprise_id": install.team.enterprise, "team_id": install.team.id}
        authorization |= {"user_id": install.bot.id, "is_bot": True, "is_enterprise_install": False}
        return {
            "token": "verification",
            "team_id": install.team.id,
            "enterprise_id": install.team.enterprise,
            "context_team_id": install.team.id,
            "context_enterprise_id": install.team.enterprise,
            "api_app_id": self.app.id,
            "event": event,
            "type": "event_callback",
            "event_id": self.ids.next("Ev"),
            "event_time": int(time.time()),
            "authorizations": [authorization],
            "is_ext_shared_channel": shared,
            "event_context": f"4-{self.ids.next('ec')}",
        }

    def members_of(self, ids: Iterable[str]) -> list[Person]:
        """Return people by their ids, else user_not_found."""
        found = [self.people.get(one) for one in ids]
        if not found or None in found:
            raise Refused("user_not_found")
        return [person for person in found if person is not None]


def sees(install: Install, channel: Channel) -> bool:
    """Whether an app knows of a conversation: it is in it, or it is public in its workspace."""
    if install.bot.id in channel.members:
        return True
    return channel.kind == Kind.PUBLIC and install.team in (channel.team, *channel.shared_with)
