"""Guilds, channels, roles and people, and how they change; every change is told to the gateway."""

import mimetypes
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from tests.discordlike import payloads
from tests.discordlike.permissions import can_see, in_guild, target_kind
from tests.discordlike.records import (
    MEMBERS,
    NOTHING,
    Attachment,
    Can,
    Channel,
    Guild,
    Ids,
    Json,
    Kind,
    Message,
    Person,
    Role,
)
from tests.discordlike.refusals import Refused
from tests.discordlike.rules import Rules

Emit = Callable[[str, Json, "Channel | Guild | None"], None]


class World:
    """What the server keeps; it outlives every connection of the bot."""

    def __init__(self, rules: Rules, emit: Emit) -> None:
        self.rules = rules
        self.emit = emit
        self.ids = Ids()
        self.address = ""
        self.people: dict[int, Person] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.files: dict[int, tuple[Attachment, float]] = {}  # with the moment its address expires
        self.me = self.person("lorebot", bot=True)

    def person(self, name: str, *, bot: bool = False) -> Person:
        person = Person(self.ids.next(), name, bot)
        self.people[person.id] = person
        return person

    def guild(self, name: str, *members: Person, permissions: Can = MEMBERS, bot: bool = True) -> Guild:
        """Make a guild with an owner of its own; `permissions` are everyone's, the bot's too."""
        guild = Guild(self.ids.apart(), name, self.person(f"owner of {name}"))
        guild.roles[guild.id] = Role(guild.id, "@everyone", permissions, 0)
        guild.members = {person.id: [] for person in (guild.owner, *members)}
        self.guilds[guild.id] = guild
        if bot:
            self.join(guild, self.me)
        return guild

    def join(self, guild: Guild, person: Person, *roles: Role) -> None:
        guild.members[person.id] = list(roles)
        if person is self.me:
            data = self.whole(guild, members=True)
            del data["unavailable"]  # so the client tells a guild it joined from one that is back
            self.emit("GUILD_CREATE", data, guild)
        else:
            self.emit("GUILD_MEMBER_ADD", self._in(guild, payloads.member(guild, person)), guild)

    def leave(self, guild: Guild, person: Person) -> None:
        """Let a person leave, or remove the bot from the guild."""
        if person is self.me:
            self.emit("GUILD_DELETE", {"id": str(guild.id)}, guild)
        else:
            self.emit("GUILD_MEMBER_REMOVE", self._in(guild, {"user": payloads.user(person)}), guild)
        del guild.members[person.id]

    def vacate(self) -> None:
        """Let the bot leave every guild, and nobody have a DM with it."""
        for guild in self.guilds.values():
            if self.me.id in guild.members:
                self.leave(guild, self.me)
        self.channels = {one.id: one for one in self.channels.values() if one.guild is not None}

    def outage(self, guild: Guild, *, over: bool = False) -> None:
        """Make a guild unavailable, or available again."""
        if over:
            self.emit("GUILD_CREATE", self.whole(guild, members=True), guild)
        else:
            self.emit("GUILD_DELETE", {"id": str(guild.id), "unavailable": True}, guild)

    def role(self, guild: Guild, name: str, permissions: Can = MEMBERS) -> Role:
        role = Role(self.ids.next(), name, permissions, len(guild.roles))
        guild.roles[role.id] = role
        self.emit("GUILD_ROLE_CREATE", self._in(guild, {"role": payloads.role(role)}), guild)
        return role

    def permit(self, guild: Guild, role: Role, permissions: Can) -> None:
        """Change what a role allows."""
        role.permissions = permissions
        self.emit("GUILD_ROLE_UPDATE", self._in(guild, {"role": payloads.role(role)}), guild)

    def dress(self, guild: Guild, person: Person, *roles: Role) -> None:
        """Give a person these roles and no others."""
        guild.members[person.id] = list(roles)
        self.emit("GUILD_MEMBER_UPDATE", self._in(guild, payloads.member(guild, person)), guild)

    def channel(self, guild: Guild, name: str, *, nsfw: bool = False, hidden: Iterable[Role | Person] = ()) -> Channel:
        """Make a text channel that some roles or people cannot see."""
        channel = Channel(self.ids.next(), Kind.TEXT, name, guild, nsfw=nsfw)
        for target in hidden:
            channel.overwrites[target.id] = (target_kind(target), Can(0), Can.VIEW_CHANNEL)
        self.channels[channel.id] = channel
        self.emit("CHANNEL_CREATE", payloads.channel(channel, self.me), guild)
        return channel

    def overwrite(self, channel: Channel, target: Role | Person, *, allow: Can = NOTHING, deny: Can = NOTHING) -> None:
        """Set a channel's permission overwrite for a role or a person."""
        channel.overwrites[target.id] = (target_kind(target), allow, deny)
        self.changed(channel)

    def changed(self, channel: Channel) -> None:
        """Tell that a channel or thread is not what it was."""
        event = "THREAD_UPDATE" if channel.is_thread else "CHANNEL_UPDATE"
        self.emit(event, payloads.channel(channel, self.me), channel if channel.is_thread else channel.guild)

    def remove(self, channel: Channel) -> None:
        """Delete a channel with its threads, or a thread."""
        channel.deleted = True
        data = payloads.channel(channel, self.me)
        if channel.is_thread:
            kept = {name: data[name] for name in ("id", "guild_id", "parent_id", "type")}
            self.emit("THREAD_DELETE", kept, channel)
        else:
            self.emit("CHANNEL_DELETE", data, channel.guild)
        for one in [one for one in self.channels.values() if one is channel or one.parent is channel]:
            one.deleted = True
            del self.channels[one.id]

    def enter(self, thread: Channel, person: Person) -> None:
        """Add somebody to a thread; the bot gets to know a private one that it could not see."""
        thread.people[person.id] = person
        if person is self.me and thread.kind == Kind.PRIVATE_THREAD:
            self.emit("THREAD_CREATE", payloads.channel(thread, self.me), thread)
        self._thread_members(thread, [payloads.thread_member(thread, person)], [])

    def quit(self, thread: Channel, person: Person) -> None:
        """Take somebody out of a thread."""
        del thread.people[person.id]
        self._thread_members(thread, [], [str(person.id)])

    def _thread_members(self, thread: Channel, added: list[Json], removed: list[str]) -> None:
        assert thread.guild
        data: Json = {"id": str(thread.id), "member_count": len(thread.people)}
        data |= {"added_members": added, "removed_member_ids": removed}
        self.emit("THREAD_MEMBERS_UPDATE", self._in(thread.guild, data), thread)

    def dm(self, person: Person) -> Channel:
        """Return the person's DM with the bot."""
        return self._between(Kind.DM, "", [person, self.me])

    def group_dm(self, *people: Person) -> Channel:
        """Return a group of people; bots are not in groups, they hear of them through interactions only."""
        return self._between(Kind.GROUP_DM, "group", list(people))

    def _between(self, kind: Kind, name: str, people: list[Person]) -> Channel:
        ids = {person.id for person in people}
        for channel in self.channels.values():
            if channel.kind == kind and set(channel.people) == ids:
                return channel
        channel = Channel(self.ids.next(), kind, name, people={person.id: person for person in people})
        self.channels[channel.id] = channel
        return channel

    def find(self, channel_id: str | int) -> Channel:
        """Return a channel that the bot may see; else 10003 or 50001."""
        channel = self.channels.get(int(channel_id))
        if channel is None:
            raise Refused(10003)
        if not can_see(channel, self.me):
            raise Refused(50001)
        return channel

    def find_message(self, channel: Channel, message_id: str | int) -> Message:
        message = channel.log.get(int(message_id))
        if message is None or message.deleted or message.seen_by is not None:
            raise Refused(10008)
        return message

    def attach(self, channel: Channel, filename: str, data: bytes, content_type: str | None = None) -> Attachment:
        """Keep a file; its address is signed, and expires."""
        one = self.ids.next()
        kind = content_type or mimetypes.guess_type(filename)[0] or "application/octet-stream"
        address = f"{self.address}/attachments/{channel.id}/{one}/{filename}?hm={one:x}"
        attachment = Attachment(one, filename, kind, data, address)
        self.files[one] = (attachment, time.monotonic() + self.rules.attachment_life)
        return attachment

    def whole(self, guild: Guild, *, members: bool) -> Json:
        """Return the guild as GUILD_CREATE has it; without `members` the bot is its only one."""
        channels = [channel for channel in self.channels.values() if channel.guild is guild]
        people = [self.people[one] for one in guild.members] if members else [self.me]
        return payloads.guild(guild, channels, people, self.me)

    def may(self, guild: Guild, person: Person, wanted: Can) -> bool:
        return wanted in in_guild(guild, person)

    def owner(self, guild: Guild, person: Person) -> None:
        """Make somebody the guild's owner, who may do anything."""
        guild.owner = person
        guild.members.setdefault(person.id, [])

    def id_at(self, at: datetime | None) -> int:
        return self.ids.next(at)

    @staticmethod
    def _in(guild: Guild, data: Json) -> Json:
        return data | {"guild_id": str(guild.id)}
