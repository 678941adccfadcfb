"""Gateway sessions: who gets which event, in order, with what was missed kept for a resume."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from tests.discordlike import payloads
from tests.discordlike.permissions import can_see
from tests.discordlike.records import Channel, Guild, Ids, Json, Kind
from tests.discordlike.rules import GUILD_MEMBERS, MESSAGE_CONTENT
from tests.discordlike.world import World

DISPATCH = 0
GUILDS, MESSAGES, REACTIONS, DM_MESSAGES, DM_REACTIONS = 1 << 0, 1 << 9, 1 << 10, 1 << 12, 1 << 13

# The intent an event takes in guilds, and in DMs; events that are not here need none.
INTENTS = {
    **{f"{name}_{what}": (GUILDS, 0) for name in ("CHANNEL", "THREAD") for what in ("CREATE", "UPDATE", "DELETE")},
    **{f"GUILD_{what}": (GUILDS, 0) for what in ("CREATE", "UPDATE", "DELETE")},
    **{f"GUILD_ROLE_{what}": (GUILDS, 0) for what in ("CREATE", "UPDATE", "DELETE")},
    **{f"GUILD_MEMBER_{what}": (GUILD_MEMBERS, 0) for what in ("ADD", "UPDATE", "REMOVE")},
    "THREAD_MEMBERS_UPDATE": (GUILDS, 0),
    **{f"MESSAGE_{what}": (MESSAGES, DM_MESSAGES) for what in ("CREATE", "UPDATE", "DELETE", "DELETE_BULK")},
    **{f"MESSAGE_REACTION_{what}": (REACTIONS, DM_REACTIONS) for what in ("ADD", "REMOVE")},
}


class Outlet(Protocol):
    """Where a session's frames go."""

    def send(self, frame: Json) -> None: ...


@dataclass(eq=False)
class Session:
    """What one shard of the bot is owed; without an outlet it waits to be resumed."""

    id: str
    intents: int
    shard: int
    shards: int
    outlet: Outlet | None
    lost_at: float = 0.0
    sent: list[Json] = field(default_factory=list)

    def dispatch(self, event: str, data: Json) -> None:
        """Number the event, keep it, and send it if somebody listens."""
        frame = {"op": DISPATCH, "t": event, "s": len(self.sent) + 1, "d": data}
        self.sent.append(frame)
        if self.outlet is not None:
            self.outlet.send(frame)

    def missed(self, since: int) -> list[Json]:
        return self.sent[since:]

    def has_guild(self, guild: Guild) -> bool:
        return (guild.id >> 22) % self.shards == self.shard

    def wants(self, event: str, where: Channel | Guild | None) -> bool:
        """Whether this shard gets the event, by its guild and its intents."""
        guild = where.guild if isinstance(where, Channel) else where
        if not (self.has_guild(guild) if guild else self.shard == 0):
            return False
        in_guild, in_dm = INTENTS.get(event, (0, 0))
        needed = in_guild if guild else in_dm
        return not needed or bool(self.intents & needed)


class Sessions:
    """All sessions, the lost ones too for as long as they can be resumed."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._sessions: dict[str, Session] = {}

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))

    def open(self, intents: int, shard: int, shards: int, outlet: Outlet) -> Session:
        session = Session(f"{self._ids.next():032x}", intents, shard, shards, outlet)
        self._sessions[session.id] = session
        return session

    def lost(self, session: Session, outlet: Outlet, *, ended: bool) -> None:
        """Keep for a resume what a broken connection served, unless the client ended it."""
        if session.outlet is not outlet:
            return
        session.outlet, session.lost_at = None, time.monotonic()
        if ended:
            self.forget(session)

    def resumed(self, session_id: str, life: float, outlet: Outlet) -> Session | None:
        """Return the session with its new outlet, or None when it is not known or too old."""
        session = self._sessions.get(session_id)
        if session is None or (session.outlet is None and time.monotonic() - session.lost_at > life):
            return None
        session.outlet = outlet
        return session

    def forget(self, session: Session | None = None) -> None:
        """End a session, or all of them: it cannot be resumed."""
        if session is None:
            self._sessions.clear()
        else:
            self._sessions.pop(session.id, None)

    def prune(self, life: float) -> None:
        for session in self:
            if session.outlet is None and time.monotonic() - session.lost_at > life:
                self.forget(session)


def emit(sessions: Sessions, world: World, event: str, data: Json, where: Channel | Guild | None) -> None:
    """Give an event to every session that may have it, each as its intents let it see it."""
    guild = where.guild if isinstance(where, Channel) else where
    if guild is not None and world.me.id not in guild.members:
        return
    if isinstance(where, Channel) and event != "INTERACTION_CREATE" and not _heard(where, world):
        return
    sessions.prune(world.rules.session_life)
    for session in sessions:
        if session.wants(event, where):
            session.dispatch(event, as_seen(session, world, event, data))


def as_seen(session: Session, world: World, event: str, data: Json) -> Json:
    """Return an event's data without what the session's intents do not cover."""
    if event in ("MESSAGE_CREATE", "MESSAGE_UPDATE") and "guild_id" in data and not session.intents & MESSAGE_CONTENT:
        return payloads.blanked(data, world.me)
    if event == "GUILD_CREATE" and not session.intents & GUILD_MEMBERS:
        return data | {"members": [one for one in data["members"] if one["user"]["id"] == str(world.me.id)]}
    return data


def _heard(channel: Channel, world: World) -> bool:
    """Whether the bot hears what goes on there; a group of people never tells it anything."""
    return channel.kind != Kind.GROUP_DM and can_see(channel, world.me)
