"""Who can read what in Slack: nothing surfaces to somebody who could not have read it, whatever happens there."""

import asyncio
import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_sdk.errors import SlackApiError

from bot.platforms.slack import kept
from bot.platforms.slack.kept import Kept
from bot.platforms.slack.people import LISTED, People
from bot.platforms.slack.tenants import Served
from memory import connect, index
from memory.keys import Keys
from memory.memory import Memory
from memory.records import Turn
from memory.scope import Audience
from tests.fakes import ToyEmbedder
from tests.platforms.in_process.inside import Inside, inside
from tests.slacklike.records import Channel, Guest, Kind, Message, Person
from tests.slacklike.server import SlackLike

serial = itertools.count(1)


@pytest.fixture
async def app(client, memory, server):
    async with inside(client, memory, server, answers=False) as app:
        yield app


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Library:
    """The home workspace's Ada and Bob, a channel that everybody there reads, and another firm."""

    def __init__(self, app: Inside) -> None:
        self.server = app.server
        self.team = app.server.home
        self.ada, self.bob = app.server.person("ada", admin=True), app.server.person("bob")
        self.general = app.server.channel("general", self.ada, self.bob)
        self.firm = app.server.workspace("Firm", "E0FIRM")
        self.eve = app.server.person("eve", team=self.firm, admin=True)


@pytest.fixture
def library(app):
    return Library(app)


async def test_what_changes_while_it_is_asked_for_is_asked_for_again():
    answers, asked = asyncio.Queue(), []

    async def ask(id_: str) -> str:
        asked.append(id_)
        return await answers.get()

    things = Kept(ask, 10.0)
    waiting = [asyncio.create_task(things.get("C1")) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asked == ["C1"]
    things.drop("C1")
    await answers.put("old")
    await answers.put("new")
    assert await asyncio.gather(*waiting) == ["new", "new"]
    assert (things.known("C1"), len(asked)) == ("new", 2)


async def test_what_was_asked_is_believed_for_a_while_from_when_it_was_asked():
    clock = Clock()

    async def ask(id_: str) -> str:
        clock.now += 4.0
        return "public"

    things = Kept(ask, 10.0, clock)
    assert await things.get("C1") == "public"
    clock.now += 5.9
    assert things.known("C1") == "public"
    clock.now += 0.2
    assert things.known("C1") is None


async def test_only_so_much_is_kept():
    things: Kept[str] = Kept(None, 10.0)  # type: ignore[arg-type]
    for number in range(kept.MOST + 1):
        things.put(str(number), "x")
    assert (things.known("0"), things.known("1")) == (None, "x")


async def test_somebody_of_another_organisation_is_an_outsider_and_manages_nothing_here(app, library):
    people = (await app.workspace(library.team)).people
    assert (await people.person(library.ada.id)).admin
    eve = await people.person(library.eve.id)
    assert (eve.outsider, eve.admin) == (True, False)
    assert (await people.person("U0NOBODY")).outsider


async def test_where_slack_does_not_tell_who_reads_only_the_channel_itself_is_recalled(app, library):
    app.server.faults.fail(200, error="internal_error", times=100, on="conversations.members*")
    asked = app.server.say(library.general, library.ada, "hello")
    here = await app.scope(asked)
    assert (here.outsiders, here.audience) == (True, Audience.PUBLIC)
    app.server.faults.clear()
    assert not (await app.scope(asked)).outsiders


async def test_until_it_is_known_who_reads_nobody_waits_and_outsiders_may(app, library):
    people = (await app.workspace(library.team)).people
    held = app.server.faults.hold(on="conversations.members*")
    assert (await people.channel(library.general.id)).outsiders
    await held.reached.wait()
    assert (await people.settled(library.general.id, patience=0.0)).outsiders
    held.let_go.set()
    assert not (await people.settled(library.general.id)).outsiders
    assert not (await people.channel(library.general.id)).outsiders


async def test_the_list_of_all_members_is_read_once_for_many_and_again_when_it_is_old(app, library):
    clock = Clock()
    people = People(app.workspaces.client(app.server.bot_token), Served(library.team.id), clock)
    crowd = [app.server.person("somebody") for _ in range(30)]
    halls = [app.server.channel(f"hall{number}", *crowd) for number in range(3)]
    for hall in halls:
        assert not (await people.settled(hall.id)).outsiders
    assert len(app.server.journal.of("users.list")) == 1
    assert app.server.journal.of("users.info") == []
    crowd[7].guest = Guest.SINGLE
    clock.now += LISTED + 1
    assert (await people.settled(halls[0].id)).outsiders


async def test_with_exchanged_tokens_people_are_asked_about_with_the_new_one(app, library):
    people = (await app.workspace(library.team)).people
    old = app.server.bot_token
    app.server.app.issue(app.server.app.at(library.team))
    assert (await app.workspace(library.team)).people is people
    app.server.app.revoke(app.server.app.at(library.team), "token_expired", only=old)
    assert (await people.person(library.bob.id)).name == "bob"


async def test_a_channel_of_which_slack_cannot_say_what_it_is_is_closed_until_it_can(app, library, memory, client):
    team = await app.workspace(library.team)
    assert await app.readers.ready(team)
    key = memory.keys.tenant("slack:" + library.team.id)
    assert await client.smembers(key.everyones) == {library.general.id.encode()}
    app.server.faults.fail(200, error="internal_error", on="conversations.info*")
    with pytest.raises(SlackApiError):
        await app.readers.moved(team, library.general.id)
    assert not await client.exists(key.everyones)
    await app.readers.moved(team, library.general.id)
    assert await client.smembers(key.everyones) == {library.general.id.encode()}


async def test_what_changes_while_all_is_being_told_is_as_it_is_now(app, library, memory, client):
    team = await app.workspace(library.team)
    held = app.server.faults.hold(on="users.conversations*", after=True)
    telling = asyncio.create_task(app.readers.ready(team))
    await held.reached.wait()
    app.server.make_private(library.general, library.ada)
    await app.heard()
    held.let_go.set()
    assert await telling
    assert not await client.exists(memory.keys.tenant("slack:" + library.team.id).everyones)


async def test_a_channel_is_closed_as_soon_as_it_is_made_private_though_slack_answers_nothing(
    app, library, memory, client
):
    assert await app.readers.ready(await app.workspace(library.team))
    app.server.faults.fail(200, error="internal_error", times=100, on="conversations.info*")
    app.server.make_private(library.general, library.ada)
    await app.heard()
    assert not await client.exists(memory.keys.tenant("slack:" + library.team.id).everyones)


async def test_a_channel_that_has_got_another_id_is_told_of_by_that_one(app, library, memory, client):
    assert await app.readers.ready(await app.workspace(library.team))
    new = app.server.channel("new", library.ada)
    told = {"type": "channel_id_changed", "old_channel_id": library.general.id, "new_channel_id": new.id}
    app.server.world.tell(told | {"event_ts": "1.0"}, "channel_id_changed", new)
    await app.heard()
    assert await client.smembers(memory.keys.tenant("slack:" + library.team.id).everyones) == {new.id.encode()}


# Whatever happens

PEOPLE = ("ada", "bob", "gil", "sam")  # gil is a guest, sam another firm's
picks = st.integers(0, 11)
happenings = st.sampled_from(
    (
        "say say say say say say thread ask ask ask ask ask ask join join leave leave leave kick invite invite private "
        "public public public public share unshare unshare sleep wake guest rest behind night demoted"
    ).split()
)
stories = st.lists(st.tuples(happenings, picks, picks), min_size=12, max_size=50)


@dataclass
class Town:
    """A workspace with its people and places, and what was said where: the plain truth."""

    app: Inside
    said: dict[str, Message] = field(default_factory=dict)
    shown = 0  # turns that were recalled from elsewhere, in all stories

    def __post_init__(self) -> None:
        server = self.app.server
        self.team = server.workspace(f"Town{next(serial)}")
        server.add_app(self.team)
        self.firm = server.workspace(f"Firm{next(serial)}")
        teams = dict.fromkeys(PEOPLE, self.team) | {"sam": self.firm}
        guests = {"gil": Guest.MULTI}
        self.people = [server.person(one, team=teams[one], guest=guests.get(one, Guest.NO)) for one in PEOPLE]
        ada, bob, gil, _ = self.people
        self.channels = [
            server.channel(f"c{number}", ada, bob, team=self.team, private=number == 2) for number in range(3)
        ]
        self.places = [*self.channels, server.dm(ada), server.dm(gil), server.group_dm(ada, bob)]

    def full(self, person: Person) -> bool:
        return person.team is self.team and person.guest == Guest.NO

    def readers(self, place: Channel) -> list[Person]:
        """Return who reads a place, or may come in when they like."""
        inside = [one for one in self.people if one.id in place.members]
        return inside + [one for one in self.people if place.kind == Kind.PUBLIC and self.full(one)]

    def may_surface(self, said: Channel, place: Channel) -> bool:
        """Tell whether what was said in one channel may be recalled in another."""
        return said is place or (said.kind == Kind.PUBLIC and all(self.full(one) for one in self.readers(place)))

    async def happen(self, what: str, one: int, other: int) -> None:
        """Let something happen, if it can."""
        server, channel = self.app.server, self.channels[one % 3]
        person, me = self.people[other % 4], self.app.server.bot_of(self.team)
        shared = self.firm in channel.shared_with
        match what:
            case "join" if person.id not in channel.members and (shared or person.team is self.team):
                server.join(channel, person)
            case "leave" if person.id in channel.members:
                server.leave(channel, person)
            case "behind":  # what is done to a channel once the app is out of it
                await self.happen("kick", one, other)
                await self.happen("private", one, other)
            case "night":  # nobody hears that either
                for step in ("sleep", "kick", "private", "wake"):
                    await self.happen(step, one, other)
            case "demoted" if person.team is self.team:  # a member comes back as a guest, of which Slack tells nothing
                for number in range(3):
                    await self.happen("leave", number, other)
                person.guest = Guest.MULTI
                await self.happen("join", one, other)
            case "kick" if me.id in channel.members:
                server.kick(channel)
            case "invite" if me.id not in channel.members:
                server.invite(channel, self.people[0])
            case "private" if channel.kind == Kind.PUBLIC:
                server.make_private(channel, self.people[0])
            case "public" if channel.kind == Kind.PRIVATE:
                server.make_public(channel, self.people[0])
            case "share" if not shared:
                server.share(channel, self.firm)
            case "unshare" if shared:
                server.unshare(channel, self.firm)
            case "sleep":
                self.app.asleep = True
            case "wake":
                self.app.wake()
            case "rest":
                await self.app.memory.upkeep()
            case "guest" if self.app.asleep and person.team is self.team:  # awake it is noticed within ten minutes
                person.guest = Guest.NO if person.guest else Guest.MULTI
            case "say" | "thread" | "ask":
                await self.talk(what, self.places[one % len(self.places)], other)
        await self.app.heard()

    async def talk(self, what: str, place: Channel, pick: int) -> None:
        inside = [one for one in self.people if one.id in place.members]
        if not inside or self.app.server.bot_of(self.team).id not in place.members:
            return
        if self.app.asleep:
            self.app.wake()
        begun = [one for one in self.said.values() if one.channel is place]
        thread = begun[pick % len(begun)] if begun and what == "thread" else None
        message = self.app.server.say(place, inside[pick % len(inside)], "the secret word", thread=thread)
        await self.app.heard()
        if what == "ask":
            await self.ask(message)
        else:
            incoming = await self.app.incoming(message)
            facts = (incoming.scope.conversation, incoming.scope.person, "x", "user", f"the secret word {message.ts}")
            assert await self.app.memory.remember(incoming.scope, [Turn(message.ts, *facts, incoming.sent_at)])
            self.said[message.ts] = message

    async def ask(self, message: Message) -> None:
        here = await self.app.scope(message)
        found = await self.app.memory.recall(here, "What is the secret word?", 50, anyway=True)
        for one in found:
            said = self.said[one.turn.id].channel
            assert self.may_surface(said, message.channel), f"{said.name or said.kind} in {message.channel.name}"
            Town.shown += said is not message.channel


def lived(redis_url: str, how: settings) -> int:
    """Let stories happen; return how many turns surfaced in them elsewhere than where they were said."""
    Town.shown = 0
    with asyncio.Runner() as runner:
        keys, client = Keys(f"test-town-{next(serial)}"), connect.client(redis_url)
        memory = runner.run(Memory.open(client, ToyEmbedder(), keys=keys))
        server = runner.run(SlackLike().__aenter__())
        server.ratelimits.on = False
        opened = inside(client, memory, server, answers=False)
        app = runner.run(opened.__aenter__())

        @how
        @given(stories)
        def live(story: list[tuple[str, int, int]]) -> None:
            async def all_of_it() -> None:
                app.wake()
                town = Town(app)
                for what, one, other in story:
                    await town.happen(what, one, other)

            runner.run(all_of_it())

        try:
            live()
        finally:
            runner.run(opened.__aexit__(None, None, None))
            runner.run(server.__aexit__())
            runner.run(index.drop(client, keys))
            runner.run(client.aclose())
    return Town.shown


HOW = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None)


def test_nothing_surfaces_to_somebody_who_could_not_have_read_it(redis_url):
    assert lived(redis_url, settings(HOW, max_examples=25, derandomize=True)) > 12


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_nothing_surfaces_to_somebody_who_could_not_have_read_it_in_very_many_stories(redis_url):
    assert lived(redis_url, settings(HOW, max_examples=600)) > 300
