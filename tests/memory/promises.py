"""What memory promises, told twice in dicts and lists: who can read what on a platform, and what memory then recalls.

`Town` is a tenant as its people know it: members, outsiders, rooms and who reads them. `Plain` is memory of one tenant
without Redis, tags or searches: who may see what is said of rooms and in words ("everyone", "the parent's readers").
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import count

from memory.keys import tag
from memory.records import Turn, Which
from memory.scope import Audience, Scope

DAY = 24 * 3600 * 1000  # milliseconds

TENANTS = ("discord:1", "discord:1 ", "discord:1}|{*")

# Ids that a careless query, key or comparison would take for one another, or for more than they are. Each serves as
# conversation, person and turn id, in every tenant.
HOSTILE = (
    *("general", "General", "general ", " general", "general\x00", "general\x1f", "general\n", "general\u00a0"),
    *("general,staff", "general|staff", "{general}", "gen*", "*", "-", "?", "general.reply", "general.reply.reply"),
    *("$reach0", "@reach:{*}", "general} | @tenant_tag:{$tenant", ")=>[KNN 5 @vector1 $vector]", "a\\b", "a\\", "'\"`"),
    *("caf\u00e9", "cafe\u0301", "\ufb01", "fi", "\u00df", "ss", "\u0130", "i\u0307", "\u200bgeneral", "\U0001f415"),
    *("0", "00", "1e3", "1000", "inf", "nan", "-1", "None", "null", "public", "direct", "%67eneral"),
    *("L" * 5000 + "a", "L" * 5000 + "b", "L" * 5000),
    *(tag("tenant", TENANTS[0]), tag("public", TENANTS[0]), tag("conversation", TENANTS[0], "general")),
)

NOBODY = ("", "  ", "\x1f", "\n", "\ud800")  # ids that no scope takes


@dataclass
class Room:
    """A conversation on the platform. people: who was let in by name; open: to all who read the parent."""

    id: str
    kind: str  # channel, thread or direct
    people: set[str]
    public: bool = False
    parent: "Room | None" = None
    open: bool = False
    threads: "list[Room]" = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)  # as they were at times: messages that arrive late carry them
    unannounced: bool = False  # fewer people read it than memory has been told

    @property
    def everyones(self) -> bool:
        if self.kind == "thread" and self.open:
            assert self.parent
            return self.parent.public
        return self.kind == "channel" and self.public


@dataclass
class Town:
    """A tenant: who belongs to it, and its rooms. Whoever is in a room and not a member is an outsider."""

    name: str
    members: set[str]
    rooms: list[Room]

    def readers(self, room: Room) -> set[str]:
        if room.kind == "thread" and room.open:
            assert room.parent
            return self.readers(room.parent)
        return room.people | self.members if room.everyones else room.people

    def scope(self, room: Room, person: str, *, narrow: bool = False) -> Scope:
        """Return what the platform says of a room now."""
        private = Audience.DIRECT if room.kind == "direct" else Audience.PRIVATE
        return Scope(
            self.name,
            room.id,
            person,
            Audience.PUBLIC if room.everyones else private,
            parent=room.parent.id if room.parent else None,
            open_to_parent=room.open,
            outsiders=not self.readers(room) <= self.members,
            narrow=narrow,
        )

    def find(self, conversation: str) -> Room:
        return next(room for room in self.rooms if room.id == conversation)

    @staticmethod
    def settle(name: str, ids: list[str], people: list[str]) -> "Town":
        """Found a town of two channels with threads, and a direct conversation; the last of the people is a guest."""
        *members, _guest = people
        square = Room(ids[0], "channel", set(), public=True)
        staff = Room(ids[1], "channel", set(members[:2]))
        rooms = [square, staff, Room(ids[2], "direct", set(members[:1]))]
        for parent, name_, open_ in ((square, ids[3], True), (staff, ids[4], True), (staff, ids[5], False)):
            thread = Room(name_, "thread", set(members[1:2]), parent=parent, open=open_)
            parent.threads.append(thread)
            rooms.append(thread)
        return Town(name, set(members), rooms)


@dataclass
class Heard:
    """Who can read a conversation, as memory was told: itself always, its parent's readers, everyone in the tenant."""

    everyone: bool
    house: str | None  # the parent whose readers read it
    parent: str | None


@dataclass
class Said:
    """A turn, and how many were said in its tenant before it."""

    turn: Turn
    number: int
    embedded: bool

    @property
    def owner(self) -> str:
        return self.turn.to or self.turn.person


Name = tuple[str, str]  # conversation and id of a turn


class Plain:
    """Memory of one tenant."""

    def __init__(self) -> None:
        self.said: dict[Name, Said] = {}
        self.rooms: dict[str, Heard] = {}
        self.waiting: set[str] = set()  # rooms whose turns upkeep has yet to tell who reads them now
        self.anew: dict[str, int] = {}
        self.pending: set[Name] = set()  # what awaits a summary
        self.covered: dict[Name, Name] = {}  # by which summary
        self.paused: set[str] = set()
        self.days: int | None = None
        self._numbers = count(1)
        self._last = 0

    # Who can read

    def tell(self, scope: Scope, *, trusted: bool) -> None:
        """Hear who can read a conversation; that more do than before is believed where it is trusted alone."""
        room, old = scope.conversation, self.rooms.get(scope.conversation)
        house = scope.parent if scope.open_to_parent else None
        everyone = scope.audience is Audience.PUBLIC
        if house is not None and house in self.rooms and not self.rooms[house].everyone:
            everyone = False
        if old is not None and not trusted:
            everyone, house = everyone and old.everyone, house if old.house == house else None
            if (everyone, house) == (old.everyone, old.house):
                return
        self.rooms[room] = Heard(everyone, house, scope.parent)
        if old is not None and (everyone, house) == (old.everyone, old.house):
            return
        threads = [one for one in self.rooms.values() if one.house == room]
        if old is not None or (threads and (trusted or not everyone)):
            self.waiting.add(room)
            for thread in threads:
                thread.everyone = everyone

    def readable(self, scope: Scope) -> set[str]:
        """Return the rooms whose turns may be recalled in a room."""
        if scope.outsiders or scope.narrow:
            return {scope.conversation}
        house = scope.parent if scope.open_to_parent else None
        found = {scope.conversation} | ({house} if house else set())
        for name, room in self.rooms.items():
            if room.everyone or (room.house is not None and room.house in (scope.conversation, house)):
                found.add(name)
        return found

    def may(self, scope: Scope) -> dict[Name, Turn]:
        """Return the turns that a recall may show."""
        rooms = self.readable(scope)
        return {name: one.turn for name, one in self.said.items() if name[0] in rooms}

    def must(self, scope: Scope) -> dict[Name, Turn]:
        """Return the turns that a recall must show: what awaits upkeep may still be missing, but where it was said."""
        return {name: turn for name, turn in self.may(scope).items() if self.settled(name[0], scope)}

    def settled(self, room: str, scope: Scope) -> bool:
        above = self.rooms[room].parent if room in self.rooms else None
        return room == scope.conversation or not {room, above} & self.waiting

    # What is said, changed, forgotten

    def remember(self, scope: Scope, turn: Turn, *, live: bool, embedded: bool, due: bool = False) -> bool:
        """Hear a turn: who can read its conversation is taken in, whether the turn itself is kept or not."""
        self.tell(scope, trusted=False)
        asked = turn.id.removesuffix(".reply") if turn.role == "assistant" else turn.id
        unwanted = scope.person in self.paused or (asked != turn.id and (scope.conversation, asked) not in self.said)
        if (live and unwanted) or (scope.conversation, turn.id) in self.said:
            return False
        self._last = next(self._numbers)
        self.said[scope.conversation, turn.id] = Said(turn, self._last, embedded)
        if due:
            self.pending.add((scope.conversation, turn.id))
        return True

    def awaiting(self, room: str) -> list[Turn]:
        return self.order(name for name in self.pending if name[0] == room)

    def summarise(self, summary: Turn, *, embedded: bool) -> None:
        """Take the summary of turns that await one."""
        name = (summary.conversation, summary.id)
        self._last = next(self._numbers)
        self.said[name] = Said(summary, self._last, embedded)
        for source in summary.covers:
            self.pending.remove((summary.conversation, source))
            self.covered[summary.conversation, source] = name

    def uncover(self, names: Iterable[Name]) -> list[Said]:
        """Forget the summaries of turns, and summaries themselves: what else they cover awaits another."""
        over = {self.covered.get(name, name) for name in names}
        gone = [name for name in over if name in self.said and self.said[name].turn.role == "summary"]
        for name in gone:
            sources = [source for source, summary in self.covered.items() if summary == name]
            for source in sources:
                del self.covered[source]
                self.pending.add(source)
        return [self.said.pop(name) for name in gone]

    def edit(self, name: Name, text: str, *, embedded: bool) -> bool:
        if name not in self.said:
            return False
        old = self.said[name]
        self.said[name] = Said(replace(old.turn, text=text), old.number, embedded)
        return True

    def meeting(self, which: Which, names: Iterable[Name]) -> list[Name]:
        """Return those that meet the conditions."""
        found = []
        for name in names:
            one = self.said[name]
            if (
                (which.turns is None or name in which.turns)
                and (which.person is None or one.owner == which.person)
                and (which.conversation is None or name[0] == which.conversation)
                and (which.since is None or one.turn.sent_at >= which.since)
                and (which.until is None or one.turn.sent_at < which.until)
            ):
                found.append(name)
        return found

    def theirs(self, scope: Scope, seen: Iterable[Name]) -> set[Name]:
        """Return what a person may forget: what can be seen, what they said, what answers them."""
        return {*seen, *(name for name, one in self.said.items() if one.owner == scope.person)}

    def forget(self, names: Iterable[Name]) -> list[Said]:
        """Forget turns and the answers to them; return them."""
        gone = dict.fromkeys(names)
        gone |= dict.fromkeys((room, f"{turn}.reply") for room, turn in [*gone])
        summaries = self.uncover(gone)
        self.pending -= gone.keys()
        return summaries + [self.said.pop(name) for name in gone if name in self.said]

    def expire(self, now: int) -> list[Said]:
        if self.days is None:
            return []
        return self.forget(self.meeting(Which(until=now - self.days * DAY), self.said))

    # What is shown

    def order(self, names: Iterable[Name]) -> list[Turn]:
        """Return turns by conversation and time."""
        found = sorted(names, key=lambda name: (name[0], self.said[name].turn.sent_at, self.said[name].number))
        return [self.said[name].turn for name in found]

    def begin_anew(self, room: str) -> None:
        self.anew[room] = self._last

    def recent(self, room: str, most: int, *, pending: bool = False) -> list[Turn]:
        spoken = self.order(name for name, one in self.said.items() if name[0] == room and one.turn.role != "summary")
        waits = self.pending if pending else ()
        there = [turn for turn in spoken if turn in spoken[-most:] or (room, turn.id) in waits]
        return [turn for turn in there if self.said[room, turn.id].number > self.anew.get(room, 0)]

    def speakers(self, room: str) -> set[str]:
        return {one.turn.author for name, one in self.said.items() if name[0] == room and one.turn.role == "user"}
