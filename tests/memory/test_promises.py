"""Memory keeps its promises through random steps: it is compared with a plain model after every one of them.

Never more than the model shows (a leak), never less (a wrong answer). Every id is one that a careless query would
take for another, or for a query.
"""

import asyncio
import functools
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from ulid import ULID

from memory import connect, index, summaries
from memory.errors import LoreError, ScopeError
from memory.keys import Keys
from memory.memory import Memory
from memory.pending import Due
from memory.records import Recalled, Status, Turn, Which, answer_id
from memory.scope import Audience, Operator, Scope
from memory.selection import Place
from memory.server import EmbeddedServer
from tests.fakes import ToyEmbedder
from tests.memory.promises import DAY, HOSTILE, NOBODY, TENANTS, Name, Plain, Room, Said, Town
from tests.platforms.victims import kill_redis

DUE = Due(3, "a job that names nobody")
ALL = 1000  # more turns than there ever are
MOST = 130  # turns; a search returns 150
FLAVOURS = ("", "cat ", "tea in Kyoto | -(piano) ", "\u00e9\U0001f415\x00\n", "{*} @reach:[1 2] ", "cake " * 150)
QUERIES = (
    "dog",
    "Dogs?",
    "dog | *",
    "dog} | @tenant_tag:{*",
    '-dog "(dog)" ~%dog% @words:dog',
    "\x00dog \u00e9 $reach0",
)

rooms = st.integers(0, 26)
people = st.integers(0, 3)
picks = st.integers(0, 2**10)
ids = st.integers(0, len(HOSTILE) - 1)  # of them: some are long
flips = st.booleans()
days = st.sampled_from((0, 0, 1, 2, 4))
ticks = st.integers(0, 15)


@dataclass
class Tally:
    """How many steps were made, in how many examples."""

    steps: int = 0
    examples: int = 0
    shown: int = 0  # turns that recalls showed
    kills: int = 0


class House:
    """The Redis that memory is tried on, and the loop that talks to it."""

    def __init__(self, url: str, runner: asyncio.Runner, server: EmbeddedServer | None = None) -> None:
        self.url = url
        self.do = runner.run
        self.server = server
        self.tally = Tally()


def step(**drawn: st.SearchStrategy[Any]) -> Callable[[Callable[..., Coroutine[Any, Any, None]]], Any]:
    """Make a rule of a coroutine function."""

    def wrap(action: Callable[..., Coroutine[Any, Any, None]]) -> Any:
        @functools.wraps(action)
        def act(self: "Promises", **values: Any) -> None:
            self.house.tally.steps += 1
            self.house.do(action(self, **values))

        return rule(**drawn)(act)

    return wrap


class Promises(RuleBasedStateMachine):
    """Three tenants that know the same ids, the platform they live on, memory, and what memory should be."""

    def __init__(self, house: House) -> None:
        super().__init__()
        self.house = house
        house.tally.examples += 1
        self.keys = Keys(f"test-{ULID()}")
        self.embedder = ToyEmbedder()
        self.base = time.time_ns() // 10**6 - 60_000
        self.words = 0
        self.dead: list[str] = []  # words that stand in no turn any more
        self.live: dict[str, tuple[str, Name]] = {}
        self.house.do(self._open())

    async def _open(self) -> None:
        self.client: redis.asyncio.Redis = connect.client(self.house.url)
        self.memory = await Memory.open(self.client, self.embedder, keys=self.keys)

    @initialize(order=st.permutations(range(12)), start=st.integers(0, len(HOSTILE) - 1), talkative=st.integers(0, 63))
    def settle(self, order: list[int], start: int, talkative: int) -> None:
        """Name everybody and everything; in some rooms people have talked before."""
        some = [(HOSTILE + HOSTILE)[start + number] for number in order]
        self.towns = [Town.settle(name, some[:6], some[6:10]) for name in TENANTS]
        self.plain = {name: Plain() for name in TENANTS}
        self.turn_ids = some[8:]
        self.people = some[6:10]
        often = (4, 2, 1, 4, 3, 1)  # most in the first town's channels and open threads
        self.places = [(self.towns[0], room) for room, times in zip(self.towns[0].rooms, often, strict=True)
                       for _ in range(times)]  # fmt: skip
        self.places += [(town, room) for town in self.towns[1:] for room in town.rooms]
        self.house.do(self._talk(talkative))

    async def _talk(self, rooms: int) -> None:
        for town in self.towns:
            for place, room in enumerate(town.rooms):
                if rooms >> place & 1:
                    turns = [self._turn(room.id, who, 0, who, 2 * place) for who in (0, 1)]
                    await self._remember(town, self._scope(town, room, 0), turns, live=False)

    def teardown(self) -> None:
        self.house.do(self._leave())

    async def _leave(self) -> None:
        try:
            if hasattr(self, "plain"):
                await self._nothing_stands_that_was_forgotten()
        finally:
            await index.drop(self.client, self.keys)
            await self.client.aclose()

    # What is said

    @step(room=rooms, who=people, number=st.integers(1, 4), day=days, tick=ticks, flavour=picks, live=flips)
    async def say(self, room: int, who: int, number: int, day: int, tick: int, flavour: int, live: bool) -> None:
        town, here = self.places[room]
        scope = self._scope(town, here, who)
        turns = [self._turn(here.id, who, day, tick + more, flavour) for more in range(number)]
        if await self._remember(town, scope, turns, live=live, due=bool(flavour % 3)):
            self._told(here)
        await self._look(town, room + tick)

    @step(room=rooms, who=people, tick=ticks, flavour=picks, answered=flips, forgotten=flips)
    async def hear(self, room: int, who: int, tick: int, flavour: int, answered: bool, forgotten: bool) -> None:
        town, here = self.places[room]
        plain, scope = self.plain[town.name], self._scope(town, here, who)
        turn = self._turn(here.id, who, 0, tick, flavour)
        window, due = 1 + tick, bool(flavour % 3)
        recent = plain.recent(here.id, window, pending=due)
        context = await self.memory.hear(scope, turn, k=ALL, window=window, due=DUE if due else None)
        assert context.paused == (scope.person in plain.paused)
        new = plain.remember(scope, turn, live=True, embedded=not self.embedder.error, due=due)
        assert context.new == new
        self._note(town, turn, new)
        self._told(here)
        itself = (here.id, turn.id)
        self._compare(town, scope, list(context.recalled), itself)
        assert list(context.recent) == [one for one in recent if one.id != turn.id]
        if forgotten and itself in plain.said:
            await self._forget(town, Operator(town.name), Which(turns=(itself,)))
        if answered:
            answer = replace(
                self._turn(here.id, who, 0, tick, flavour),
                **{"id": answer_id(turn.id), "role": "assistant", "person": "lorebot", "author": "Lorebot"},
                to=self.people[who],
                status=Status.CUT,
            )
            await self._remember(town, scope, [answer], live=True)

    @step(room=rooms, who=people, count=st.integers(1, 6), flavour=picks, changed=flips)
    async def summarise(self, room: int, who: int, count: int, flavour: int, changed: bool) -> None:
        """Summarise what awaits it; in vain where it is changed before."""
        town, here = self.places[room]
        plain, scope = self.plain[town.name], self._scope(town, here, who)
        assert list(await self.memory.awaiting(scope, ALL)) == plain.awaiting(here.id)
        sources = await self.memory.awaiting(scope, count)
        if not sources or len(plain.said) >= MOST:
            return
        text = self._text(flavour)
        if changed and flavour % 2:
            name = (here.id, sources[flavour % len(sources)].id)
            if flavour % 4 == 1:
                await self._forget(town, Operator(town.name), Which(turns=(name,)))
            else:
                await self._edit(town, scope, name, self._text(flavour))
            assert not await self.memory.summarise(scope, sources, text, person="lorebot", author="Lorebot")
            self.dead.append(_word(text))
        else:
            assert await self.memory.summarise(scope, sources, text, person="lorebot", author="Lorebot")
            summary = summaries.of(scope, sources, text, "lorebot", "Lorebot")
            plain.summarise(summary, embedded=not self.embedder.error)
            self._note(town, summary, True)
        await self._look(town, room + who)

    @step(room=rooms, which=picks, tick=ticks, flavour=picks)
    async def say_late(self, room: int, which: int, tick: int, flavour: int) -> None:
        """A message with a scope as it once was."""
        town, here = self.places[room]
        if here.scopes:
            scope = here.scopes[which % len(here.scopes)]
            turn = replace(self._turn(here.id, which % 4, 0, tick, flavour), person=scope.person)
            await self._remember(town, scope, [turn], live=False)
            await self._look(town, which)

    @step(pick=picks, who=people, flavour=picks, parting=flips)
    async def say_between(self, pick: int, who: int, flavour: int, parting: bool) -> None:
        """A message that was sent when another was, and came after the one that follows; that other may go then."""
        if found := self._picked(pick):
            town, name = found
            scope = self._scope(town, town.find(name[0]), who)
            sent_at = self.plain[town.name].said[name].turn.sent_at
            turn = replace(self._turn(name[0], who, 0, 0, flavour), sent_at=sent_at)
            if await self._remember(town, scope, [turn], live=False):
                self._told(town.find(name[0]))
            if parting:
                await self._forget(town, Operator(town.name), Which(turns=(name,)))

    @step(pick=picks, who=people, flavour=picks)
    async def say_again(self, pick: int, who: int, flavour: int) -> None:
        if found := self._picked(pick):
            town, name = found
            scope = self._scope(town, town.find(name[0]), who)
            again = replace(self._turn(name[0], who, 0, 0, flavour), id=name[1])
            await self._remember(town, scope, [again], live=False)

    @step(pick=picks, who=people, flavour=picks, missing=flips, ident=ids)
    async def edit(self, pick: int, who: int, flavour: int, missing: bool, ident: int) -> None:
        found = self._picked(pick)
        if not found:
            return
        town, (room, turn) = found
        name = (room, HOSTILE[ident] if missing else turn)
        await self._edit(town, self._scope(town, town.find(room), who), name, self._text(flavour))
        await self._look(town, pick)

    async def _edit(self, town: Town, scope: Scope, name: Name, text: str) -> None:
        plain = self.plain[town.name]
        old = plain.said.get(name)
        done = await self.memory.edit(scope, name[1], text)
        assert done == plain.edit(name, text, embedded=not self.embedder.error)
        if old is None:
            self.dead.append(_word(text))
        else:
            self._buried([old])
            if name in plain.covered:
                self._buried(plain.uncover([name]))
            self.live[_word(text)] = (town.name, name)

    # What is forgotten

    @step(pick=picks, operator=flips)
    async def delete_one(self, pick: int, operator: bool) -> None:
        if found := self._picked(pick):
            town, name = found
            who = next((n for n, one in enumerate(self.people) if one == self.plain[town.name].said[name].owner), 0)
            whose = Operator(town.name) if operator else self._scope(town, town.find(name[0]), who)
            await self._forget(town, whose, Which(turns=(name, (name[0], "none"), ("general", name[1]))))
            await self._look(town, pick)

    @step(
        room=rooms, who=people, whom=st.none() | people, other=st.none() | rooms, since=st.none() | days,
        until=st.none() | days, tick=ticks, operator=flips,
    )  # fmt: skip
    async def forget(
        self,
        room: int,
        who: int,
        whom: int | None,
        other: int | None,
        since: int | None,
        until: int | None,
        tick: int,
        operator: bool,
    ) -> None:
        town, here = self.places[room]
        which = Which(
            person=None if whom is None else self.people[whom],
            conversation=None if other is None else self.places[other][1].id,
            since=None if since is None else self._when(since, tick),
            until=None if until is None else self._when(until, tick),
        )
        if which == Which() and tick % 4:
            return  # all that can be seen: seldom
        whose = Operator(town.name) if operator else self._scope(town, here, who)
        await self._forget(town, whose, which)
        await self._look(town, room + tick)

    @step(room=rooms, who=people, k=st.integers(1, 3), flavour=picks)
    async def forget_what_was_found(self, room: int, who: int, k: int, flavour: int) -> None:
        town, here = self.places[room]
        scope = self._scope(town, here, who)
        found = await self.memory.recall(scope, QUERIES[flavour % len(QUERIES)], k)
        names = tuple((one.turn.conversation, one.turn.id) for one in found)
        which = Which(turns=names)
        places = await self.memory.find(scope, which)
        assert await self.memory.read(scope, places) == self.plain[town.name].order(names)
        await self._forget(town, scope, which)

    @step(room=rooms, keep=st.sampled_from((None, 1, 2, 4)))
    async def retain(self, room: int, keep: int | None) -> None:
        town, here = self.places[room]
        await self.memory.retain(self._scope(town, here, 0), keep)
        self.plain[town.name].days = keep
        assert await self.memory.retention(Operator(town.name)) == keep

    # Who reads what

    @step(room=rooms, announced=st.sampled_from((True, True, True, False)), who=people, late=st.none() | picks)
    async def move(self, room: int, announced: bool, who: int, late: int | None) -> None:
        """Make a channel private or public, open a thread to its parent or close it; a message comes late."""
        town, here = self.places[room]
        if here.kind == "direct":
            return
        scopes = [self._scope(town, one, who) for one in (here, *here.threads)]
        before = {one.id: self._wide(one) for one in (here, *here.threads)}
        if here.kind == "channel":
            here.public = not here.public
        else:
            here.open = not here.open
        for one in (here, *here.threads):
            one.unannounced |= self._wide(one) < before[one.id]
        if announced:
            await self._announce(town, here, who)
        await self._look(town, room + who)
        if late is not None:
            scope = scopes[late % len(scopes)]
            turn = replace(self._turn(scope.conversation, who, 0, 0, late), person=scope.person)
            await self._remember(town, scope, [turn], live=False)
            await self._look(town, room + who)

    @step(room=rooms, who=people)
    async def announce(self, room: int, who: int) -> None:
        town, here = self.places[room]
        await self._announce(town, here, who)
        await self._look(town, room + who)

    @step(room=rooms, which=picks)
    async def announce_late(self, room: int, which: int) -> None:
        """What was true once is told after what is true now, and then corrected."""
        town, here = self.places[room]
        if here.scopes:
            scope = here.scopes[which % len(here.scopes)]
            await self.memory.moved(scope)
            self.plain[town.name].tell(scope, trusted=True)
            await self._compared(town, self._scope(town, here, which % 4))
            await self._announce(town, here, which % 4)

    @step(room=rooms, who=people)
    async def join(self, room: int, who: int) -> None:
        town, here = self.places[room]
        here.people.add(self.people[who])
        await self._look(town, room + who)

    @step(room=rooms, who=people, altogether=flips)
    async def leave(self, room: int, who: int, altogether: bool) -> None:
        """Leave a room, or the tenant: whoever is still in one of its rooms is an outsider there."""
        town, here = self.places[room]
        here.people.discard(self.people[who])
        if altogether:
            town.members.discard(self.people[who])
        await self._look(town, room + who)

    @step(room=rooms, who=people)
    async def belong(self, room: int, who: int) -> None:
        town, _ = self.places[room]
        town.members.add(self.people[who])
        await self._look(town, room + who)

    # Wishes and chores

    @step(room=rooms, who=people, again=flips)
    async def pause(self, room: int, who: int, again: bool) -> None:
        town, here = self.places[room]
        plain, scope = self.plain[town.name], self._scope(town, here, who)
        if again:
            await self.memory.resume(scope)
            plain.paused.discard(scope.person)
        else:
            await self.memory.pause(scope)
            plain.paused.add(scope.person)
        assert [await self.memory.paused(self._scope(town, here, who)) for who in range(4)] == [
            person in plain.paused for person in self.people
        ]

    @step(times=st.integers(1, 2))
    async def upkeep(self, times: int) -> None:
        for _ in range(times):
            done = await self.memory.upkeep()
            expired = []
            for plain in self.plain.values():
                gone = plain.expire(time.time_ns() // 10**6)
                self._buried(gone)
                expired += gone
                plain.waiting.clear()
            lacking = [one for plain in self.plain.values() for one in plain.said.values() if not one.embedded]
            assert done.expired == len(expired)
            if self.embedder.error:
                assert (done.embedded, bool(done.trouble)) == (0, bool(lacking))
            else:
                assert (done.embedded, done.trouble) == (len(lacking), "")
                for one in lacking:
                    one.embedded = True
        for town in self.towns:
            await self._look(town, times + len(expired))
            await self._exported(town, Operator(town.name))

    @step(away=flips)
    async def embedder_goes(self, away: bool) -> None:
        self.embedder.error = LoreError("away") if away else None

    @step(room=rooms)
    async def begin_anew(self, room: int) -> None:
        town, here = self.places[room]
        await self.memory.begin_anew(self._scope(town, here, 0))
        self.plain[town.name].begin_anew(here.id)
        assert await self.memory.recent(self._scope(town, here, 0), 10) == ()

    @step(room=rooms)
    async def restart(self, room: int) -> None:
        await self.client.aclose()
        error, self.embedder.error = self.embedder.error, None
        await self._open()
        self.embedder.error = error
        town, _ = self.places[room]
        await self._look(town, room)

    # What is shown

    @step(room=rooms, who=people, flavour=picks, narrow=flips)
    async def recall(self, room: int, who: int, flavour: int, narrow: bool) -> None:
        town, here = self.places[room]
        await self._compared(town, self._scope(town, here, who, narrow=narrow), QUERIES[flavour % len(QUERIES)])

    @step(place=ids, person=ids, tenant=picks, audience=picks, above=st.none() | ids, more=picks)
    async def recall_with_hostile_ids(
        self, place: int, person: int, tenant: int, audience: int, above: int | None, more: int
    ) -> None:
        """Any scope at all, of people and places that nobody heard of: it sees what it says it may, and no more."""
        town = self.towns[tenant % 3]
        conversation = HOSTILE[place]
        parent = None if above is None or above == place else HOSTILE[above]
        scope = Scope(
            town.name,
            conversation,
            HOSTILE[person],
            list(Audience)[audience % 3],
            parent,
            open_to_parent=parent is not None and more % 2 == 0,
            outsiders=more % 7 == 0,
            narrow=more % 5 == 0,
        )
        await self._compared(town, scope, QUERIES[more % len(QUERIES)])
        plain = self.plain[town.name]
        known = await self.memory.known(scope, self.turn_ids)
        assert known == [(conversation, one) in plain.said for one in self.turn_ids]
        elsewhere = replace(scope, tenant=HOSTILE[more % len(HOSTILE)])
        assert await self.memory.recall(elsewhere, "dog", ALL) == []
        assert (await self.memory.latest(elsewhere)).total == 0
        assert await self.memory.find(Operator(elsewhere.tenant), Which()) == []

    @step(room=rooms, nobody=st.sampled_from(NOBODY), part=st.sampled_from(("tenant", "conversation", "person")))
    async def recall_for_nobody(self, room: int, nobody: str, part: str) -> None:
        town, here = self.places[room]
        with pytest.raises(ScopeError):
            replace(self._scope(town, here, 0), **{part: nobody})

    @step(room=rooms, who=people, pick=picks, dead=flips)
    async def recall_a_secret(self, room: int, who: int, pick: int, dead: bool) -> None:
        """A word that one turn has: no other conversation's turn tells that it was said."""
        words = self.dead if dead or not self.live else list(self.live)
        if not words:
            return
        word = words[pick % len(words)]
        town, here = self.places[room]
        scope = self._scope(town, here, who)
        plain = self.plain[town.name]
        found = await self.memory.recall(scope, word, ALL)
        self._none_leaks(town, scope, found)
        telling = [one for one in found if one.signals["text"] > 0]
        where, name = self.live.get(word, ("", ("", "")))
        names = [(one.turn.conversation, one.turn.id) for one in found]
        if where == town.name and name in plain.may(scope):
            assert {one.turn.conversation for one in telling} <= {name[0]}
            assert name in names or name not in plain.must(scope)
        else:
            assert telling == [], f"leak: {word!r} is told of in {scope}"

    @step(room=rooms, who=people, most=st.integers(1, 8), skip=st.integers(0, 3))
    async def list_turns(self, room: int, who: int, most: int, skip: int) -> None:
        town, here = self.places[room]
        plain, scope = self.plain[town.name], self._scope(town, here, who)
        assert list(await self.memory.recent(scope, most)) == plain.recent(here.id, most)
        listing = await self.memory.latest(scope, ALL)
        assert listing.total == len(listing.turns)
        self._same(town, scope, list(listing.turns))
        assert [one.sent_at for one in listing.turns] == sorted((one.sent_at for one in listing.turns), reverse=True)
        part = await self.memory.latest(scope, most, skip)
        assert (part.total, [one.sent_at for one in part.turns]) == (
            listing.total,
            [one.sent_at for one in listing.turns[skip : skip + most]],
        )
        batch = self.memory.batch()
        glance = self.memory.glance(batch, scope, "dog")
        await batch.send()
        assert set(glance.value.speakers) == plain.speakers(here.id)

    @step(pick=picks, ident=ids, who=people)
    async def look_up(self, pick: int, ident: int, who: int) -> None:
        if found := self._picked(pick):
            town, (room, turn) = found
            scope, plain = self._scope(town, town.find(room), who), self.plain[town.name]
            for one in (turn, HOSTILE[ident], f"{turn} ", turn.swapcase()):
                said = plain.said.get((room, one))
                assert await self.memory.get(scope, one) == (said and said.turn)

    @step(room=rooms, who=people, operator=flips)
    async def export(self, room: int, who: int, operator: bool) -> None:
        town, here = self.places[room]
        await self._exported(town, Operator(town.name) if operator else self._scope(town, here, who))

    # Within

    def _scope(self, town: Town, room: Room, who: int, *, narrow: bool = False) -> Scope:
        scope = town.scope(room, self.people[who], narrow=narrow)
        if not narrow and scope not in room.scopes:
            room.scopes.append(scope)
        return scope

    @staticmethod
    def _wide(room: Room) -> int:
        return 2 if room.everyones else 1 if room.open else 0

    async def _announce(self, town: Town, room: Room, who: int) -> None:
        scope, heard = self._scope(town, room, who), self.plain[town.name].rooms
        before = heard.get(room.id)
        await self.memory.moved(scope)
        self.plain[town.name].tell(scope, trusted=True)
        self._told(room)
        if room.kind == "channel" and (before is None or before.everyone != room.public):
            follow = [one.id for one in room.threads if one.id in heard and heard[one.id].house == room.id]
            assert {heard[one].everyone for one in (room.id, *follow)} == {room.public}, "threads follow their channel"

    def _told(self, room: Room) -> None:
        """Memory has heard who reads a room, and with it the threads that are open to it."""
        for one in (room, *(thread for thread in room.threads if thread.open)):
            one.unannounced = False

    def _when(self, day: int, tick: int) -> int:
        return self.base - day * DAY - DAY // 2 + tick

    def _text(self, flavour: int) -> str:
        self.words += 1
        return f"{FLAVOURS[flavour % len(FLAVOURS)]}dog k{self.words}q"

    def _turn(self, conversation: str, who: int, day: int, tick: int, flavour: int) -> Turn:
        number = self.words
        few = self.turn_ids[flavour % len(self.turn_ids)]
        return Turn(
            id=few if flavour % 3 == 0 else f"{few}{number}",
            conversation=conversation,
            person=self.people[who],
            author=f"Name {self.people[who]}"[:100],
            role="user",
            text=self._text(flavour),
            sent_at=self._when(day, tick),
        )

    def _picked(self, pick: int) -> tuple[Town, Name] | None:
        every = [(town, name) for town in self.towns for name in self.plain[town.name].said]
        return every[pick % len(every)] if every else None

    async def _remember(self, town: Town, scope: Scope, turns: list[Turn], *, live: bool, due: bool = False) -> bool:
        """Let memory hear turns; False where there are so many that they were kept from it."""
        plain = self.plain[town.name]
        if len(plain.said) + len(turns) > MOST:
            return False
        done = await self.memory.remember(scope, turns, live=live, due=DUE if due else None)
        for turn, new in zip(turns, done, strict=True):
            assert new == plain.remember(scope, turn, live=live, embedded=not self.embedder.error, due=due)
            self._note(town, turn, new)
        return True

    def _note(self, town: Town, turn: Turn, new: bool) -> None:
        if new:
            self.live[_word(turn.text)] = (town.name, (turn.conversation, turn.id))
        else:
            self.dead.append(_word(turn.text))

    def _buried(self, gone: list[Said]) -> None:
        for one in gone:
            word = _word(one.turn.text)
            del self.live[word]
            self.dead.append(word)

    def _within(self, town: Town, whose: Scope | Operator, which: Which) -> tuple[set[Name], set[Name]]:
        """Return which turns somebody may find, and which they must."""
        plain = self.plain[town.name]
        if isinstance(whose, Operator):
            every = set(plain.meeting(which, plain.said))
            return every, every
        may, must = plain.theirs(whose, plain.may(whose)), plain.theirs(whose, plain.must(whose))
        return set(plain.meeting(which, may)), set(plain.meeting(which, must))

    async def _forget(self, town: Town, whose: Scope | Operator, which: Which) -> None:
        plain = self.plain[town.name]
        places: list[Place] = await self.memory.find(whose, which)
        turns = await self.memory.read(whose, places)
        names = {(one.conversation, one.id) for one in turns}
        most, least = self._within(town, whose, which)
        assert (names - most, least - names) == (set(), set()), f"leaks and wrong answers of find for {whose}"
        assert turns == plain.order(names)
        gone = plain.forget(names)
        self._buried(gone)
        done = await self.memory.forget(whose, places if len(names) % 2 else which)
        assert (done.turns, done.trouble) == (len(gone), "")

    async def _exported(self, town: Town, whose: Scope | Operator) -> None:
        plain = self.plain[town.name]
        found = [one async for one in self.memory.export(whose)]
        turns = [one.turn for one in found]
        assert turns == plain.order((one.conversation, one.id) for one in turns)
        most, least = self._within(town, whose, Which())
        names = {(one.conversation, one.id) for one in turns}
        assert (names - most, least - names) == (set(), set())
        for one in found:
            room_ = plain.rooms[one.turn.conversation]
            told = one.conversation
            assert (told.audience is Audience.PUBLIC) == room_.everyone
            assert (told.parent if told.open_to_parent else None) == room_.house

    async def _look(self, town: Town, number: int) -> None:
        """Recall in one room after another, and where nobody has been yet."""
        for place in (number, number + 3):
            room = town.rooms[place % len(town.rooms)]
            await self._compared(town, self._scope(town, room, number % 4))
        await self._compared(town, Scope(town.name, "elsewhere", self.people[number % 4], Audience.PUBLIC))

    async def _compared(self, town: Town, scope: Scope, text: str = "dog") -> None:
        self._compare(town, scope, await self.memory.recall(scope, text, ALL))

    def _compare(
        self,
        town: Town,
        scope: Scope,
        found: list[Recalled],
        itself: Name | None = None,
    ) -> None:
        self._same(town, scope, [one.turn for one in found], itself)
        self._none_leaks(town, scope, found)
        self.house.tally.shown += len(found)

    def _same(self, town: Town, scope: Scope, turns: list[Turn], itself: Name | None = None) -> None:
        plain = self.plain[town.name]
        may, must = plain.may(scope), plain.must(scope)
        shown = {(one.conversation, one.id): one for one in turns}
        assert len(shown) == len(turns)
        leaks = {name: one for name, one in shown.items() if may.get(name) != one}
        wrong = {name: one for name, one in must.items() if name not in shown and name != itself}
        assert not leaks, f"leaks to {scope}: {leaks}"
        assert not wrong, f"wrong answers to {scope}, not shown: {wrong}"

    def _none_leaks(self, town: Town, scope: Scope, found: list[Recalled]) -> None:
        """Whoever reads the room reads all that is recalled there, as far as memory was told."""
        here = next((room for room in town.rooms if room.id == scope.conversation), None)
        if here is None or scope.audience != town.scope(here, scope.person).audience:
            return  # nobody's room, or a scope that lies
        readers = town.readers(here)
        if replace(scope, narrow=False) != town.scope(here, scope.person):
            return
        for name in {one.turn.conversation for one in found}:
            source = town.find(name)
            told = not source.unannounced and not (source.open and source.parent and source.parent.unannounced)
            assert not told or readers <= town.readers(source), f"{readers} read {scope}, not all of them {source}"

    async def _nothing_stands_that_was_forgotten(self) -> None:
        held = [await _held(self.client, key) async for key in self.client.scan_iter(f"{self.keys.namespace}:*")]
        text = b"\n".join(held).decode(errors="replace")
        assert [word for word in self.dead if word in text] == []
        for town in self.towns:
            await self.memory.forget(Operator(town.name), Which())
        kinds = {key.decode().split(":")[1] for key in await self.client.keys(f"{self.keys.namespace}:*")}
        derived = {"summaries", "pending", "covered", "jobs", "queued"}
        assert kinds.isdisjoint({"turn", "passage", "timeline", "speakers", "spoken", *derived})


async def _held(client: "redis.asyncio.Redis", key: bytes) -> bytes:
    """Return the text under a key that holds any."""
    if b":turn:" in key:
        return b" ".join(await client.hmget(key, "text", "words", "before"))  # type: ignore[arg-type]
    return b""


def _word(text: str) -> str:
    return text.rsplit(" ", 1)[1]


class PromisesThroughKills(Promises):
    """The same, and the server goes away and comes back: what was acknowledged is there."""

    @step(room=rooms, brutally=flips)
    async def restart_redis(self, room: int, brutally: bool) -> None:
        assert self.house.server
        if brutally:
            await kill_redis(self.house)  # type: ignore[arg-type]
        else:
            await self.house.server.stop()
        self.house.tally.kills += 1
        await self.house.server.start()
        await self.client.aclose()
        error, self.embedder.error = self.embedder.error, None
        await self._open()
        self.embedder.error = error
        for town in self.towns:
            await self._look(town, room)


HOW = settings(
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)


def keeps(machine: type[Promises], house: House, how: settings) -> Tally:
    """Try a machine; print and return what was done."""
    began = time.monotonic()
    try:
        run_state_machine_as_test(lambda: machine(house), settings=how)
    finally:
        print(f"{house.tally} in {time.monotonic() - began:.0f} s")
    return house.tally


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def server(tmp_path: Path, runner: asyncio.Runner) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(tmp_path / "redis")
    yield server
    runner.run(server.stop())


@pytest.fixture
def house(server: EmbeddedServer, runner: asyncio.Runner) -> House:
    return House(runner.run(server.start()), runner, server)


@pytest.fixture
def forgetful(house: House) -> House:
    """One whose Redis keeps nothing on the disk: rewriting that after each forgetting would be most of the time."""
    house.do(_unwritten(house.url))
    return house


@pytest.fixture
def promises(forgetful: House) -> Iterator[Promises]:
    """The machine, to be told its steps one by one; people have talked in the first town's public channel."""
    promises = Promises(forgetful)
    promises.settle(order=list(range(12)), start=0, talkative=1)
    yield promises
    promises.teardown()


def test_a_channel_that_was_closed_unannounced_is_closed_by_what_a_paused_person_says_there(promises: Promises) -> None:
    promises.move(room=0, who=0, announced=False, late=None)
    promises.pause(room=0, who=0, again=False)
    promises.say(room=0, who=0, number=1, day=0, tick=1, flavour=0, live=True)
    promises.export(room=0, who=0, operator=True)


def test_a_channel_that_was_closed_unannounced_is_closed_by_a_turn_that_comes_again(promises: Promises) -> None:
    promises.move(room=0, who=0, announced=False, late=None)
    promises.say_again(pick=0, who=0, flavour=0)
    promises.export(room=0, who=0, operator=True)


def test_a_thread_is_opened_with_its_channel_that_nobody_was_heard_in(promises: Promises) -> None:
    promises.say(room=11, who=1, number=1, day=0, tick=1, flavour=0, live=True)
    promises.move(room=4, who=0, announced=True, late=None)
    promises.upkeep(times=1)


@pytest.mark.timeout(600)  # where it fails, the steps that lead there are searched for
def test_a_thousand_random_steps_leak_nothing_and_answer_nothing_wrong(forgetful: House) -> None:
    how = settings(HOW, max_examples=30, stateful_step_count=50, derandomize=True)
    assert keeps(Promises, forgetful, how).steps >= 1000


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_random_steps_leak_nothing_and_answer_nothing_wrong(forgetful: House) -> None:
    how = settings(HOW, max_examples=1200, stateful_step_count=102)
    assert keeps(Promises, forgetful, how).steps >= 100_000


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_random_steps_through_restarts_and_kills_of_redis_leak_nothing_and_answer_nothing_wrong(house: House) -> None:
    how = settings(HOW, max_examples=50, stateful_step_count=52)
    assert keeps(PromisesThroughKills, house, how).kills > 10


async def _unwritten(url: str) -> None:
    client = connect.client(url)
    await client.config_set("appendonly", "no")
    await client.aclose()
