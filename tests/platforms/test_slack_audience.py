"""Who may recall what in Slack, as places and installations come and go: `lorebot slack --http` in many workspaces."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot import grace
from memory import connect, conversations
from memory.keys import Keys
from tests.platforms.slack_online import Online, listening
from tests.slacklike.records import Channel, Guest, Message, Person, Team
from tests.waiting import until, until_it

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS = Keys()
serial = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slack() -> AsyncIterator[Online]:
    async with listening() as app:
        yield app


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def redis(slack: Online):
    client = connect.client(f"unix://{slack.home.server.socket}")
    yield client
    await client.aclose()


class Firm:
    """A workspace with Ada, who manages it, and Bob, and two channels that everybody there reads."""

    def __init__(self, app: Online, name: str, enterprise: str | None = None) -> None:
        self.app, self.server = app, app.server
        self.team: Team = app.server.workspace(f"{name}{next(serial)}", enterprise)
        self.ada, self.bob = self.person("ada", admin=True), self.person("bob")
        self.general, self.lounge = self.channel("general"), self.channel("lounge")

    @property
    def tenant(self) -> str:
        return f"slack:{self.team.id}"

    def person(self, name: str, **more) -> Person:
        return self.server.person(f"{name}{next(serial)}", team=self.team, **more)

    def channel(self, name: str, **more) -> Channel:
        return self.server.channel(f"{name}{next(serial)}", self.ada, self.bob, team=self.team, **more)

    async def open(self, **more) -> "Firm":
        """Install the app and bring it into the channels."""
        await self.app.installed(self.ada, **more)
        self.since = time.time()
        return self if more else self.invite()

    async def uninstall(self, **more) -> None:
        """Uninstall the app, in another second than it was installed in: Slack tells the time in whole ones."""
        await until(lambda: int(time.time()) > self.since)
        self.server.uninstall(self.team, **more)

    def invite(self) -> "Firm":
        for channel in (self.general, self.lounge):
            self.server.invite(channel, self.ada)
        return self

    def ask(self, channel: Channel, person: Person, text: str, **more) -> Message:
        return self.server.say(channel, person, f"{self.server.bot_of(self.team).mention} {text}", **more)

    async def tell(self, channel: Channel, text: str) -> None:
        """Let Ada say something that is answered."""
        said = len(self.server.said(channel))
        self.ask(channel, self.ada, text)
        await self.server.replied(channel, said + 1)

    async def recalled(self, channel: Channel, person: Person, question: str) -> str:
        """Ask something and return what the model was shown."""
        chats, said = len(self.app.openai.chats), len(self.server.said(channel))
        self.ask(channel, person, question)
        await self.server.until(lambda: len(self.app.openai.chats) > chats)
        await self.server.replied(channel, said + 1)
        return self.app.openai.prompts[-1]


async def heard(app: Online) -> None:
    """Wait until the app has taken in all that it was told."""
    await app.server.until(lambda: not app.server.deliveries.unacknowledged())


async def keys_of(redis, firm: Firm) -> set[str]:
    """Return the kinds of keys that a workspace has in Redis."""
    pattern = KEYS.tenant(firm.tenant).everything
    return {key.decode().split(":")[1] async for key in redis.scan_iter(match=pattern, count=10_000)}


async def tokens_of(redis, firm: Firm, enterprise: str = "") -> list[str]:
    """Return the keys that hold tokens of a workspace, or lead to them."""
    of = (firm.server.app.client_id, enterprise, firm.team.id)
    return [key for key in (KEYS.installation(*of), KEYS.refreshing(*of)) if await redis.exists(key)]


async def test_it_answers_in_a_workspace_that_is_part_of_an_organisation(app):
    firm = await Firm(app, "Acme", "E0ACME").open()
    await firm.tell(firm.general, "The cat is called Tom.")
    assert "The cat is called Tom." in await firm.recalled(firm.lounge, firm.bob, "What is the cat called?")


async def test_an_organisation_installs_it_for_all_of_its_workspaces_which_stay_apart(app):
    east, west = Firm(app, "East", "E0GLOBE"), Firm(app, "West", "E0GLOBE")
    await east.open(org_wide=True)
    install = next(one for one in app.server.app.installs if one.org_wide and one.team is east.team)
    for firm in (east, west):
        app.server.grant(install, firm.team)
        firm.invite()
    await east.tell(east.general, "The code of the east is Kyoto.")
    await west.tell(west.general, "The code of the west is Lima.")
    assert "Kyoto" in await east.recalled(east.lounge, east.bob, "What is the code?")
    shown = await west.recalled(west.lounge, west.bob, "What is the code?")
    assert ("Lima" in shown, "Kyoto" in shown) == (True, False)
    app.server.slash(west.general, west.ada, "/memory", "search code")
    await app.server.until(lambda: any("Lima" in one.text for one in app.server.ephemerals(west.ada)))
    app.server.share(west.lounge, east.team)
    app.server.join(west.lounge, east.bob)
    await heard(app)
    assert "Lima" not in await west.recalled(west.lounge, west.bob, "And what is the code of the west now?")
    app.server.withdraw(install, west.team)
    await heard(app)
    assert "Kyoto" in await east.recalled(east.general, east.bob, "What is the code here?")


async def test_where_a_guest_comes_in_nothing_from_elsewhere_is_recalled_from_then_on(app):
    firm = await Firm(app, "Inn").open()
    await firm.tell(firm.general, "The party is in Kyoto.")
    assert "Kyoto" in await firm.recalled(firm.lounge, firm.bob, "Where is the party?")
    late = firm.person("late")
    app.server.join(firm.lounge, late)
    await heard(app)
    assert "Kyoto" in await firm.recalled(firm.lounge, late, "Where is the party, please?")
    app.server.leave(firm.lounge, late)
    await heard(app)
    late.guest = Guest.MULTI  # of which Slack tells nothing
    app.server.join(firm.lounge, late)
    await heard(app)
    assert "Kyoto" not in await firm.recalled(firm.lounge, firm.bob, "Where was the party?")
    app.server.leave(firm.lounge, late)
    await heard(app)
    assert "Kyoto" in await firm.recalled(firm.lounge, firm.bob, "Where, again, is the party?")


async def test_in_a_channel_of_two_thousand_slack_is_answered_at_once_and_readers_are_found_in_pages(app):
    firm = Firm(app, "Crowd")
    hall = firm.channel("hall")
    hall.members |= {one.id: one for one in (firm.person("somebody") for _ in range(2000))}
    await firm.open()
    await firm.tell(firm.general, "The party is in Kyoto.")
    app.server.journal.all.clear()
    app.server.invite(hall, firm.ada)
    assert "Kyoto" in await firm.recalled(hall, firm.bob, "Where is the party?")
    asked = [one.method for one in app.server.journal.all if one.channel in ("", hall.id)]
    assert (asked.count("users.list"), asked.count("conversations.members")) == (3, 3)
    assert asked.count("users.info") <= 2
    told = [one for one in app.server.deliveries.all if (one.body.get("event") or {}).get("user") == firm.bob.id]
    assert {len(one.attempts) for one in told} == {1}  # and not sent again after three seconds


async def test_a_channel_that_it_was_put_out_of_is_closed_and_quiet_until_it_is_invited_again(app, redis):
    firm = await Firm(app, "Yard").open()
    await firm.tell(firm.general, "The wedding is in Osaka.")
    app.server.slash(firm.general, firm.ada, "/channel", "joins on")
    flags = KEYS.tenant(firm.tenant).channels
    await until_it(lambda: redis.hexists(flags, f"joins {firm.general.id}"))
    app.server.kick(firm.general)
    await until_it(lambda: _gone(redis, flags))
    app.server.make_private(firm.general, firm.ada)  # which nobody tells it
    assert "Osaka" not in await firm.recalled(firm.lounge, firm.bob, "Where is the wedding?")
    app.server.invite(firm.general, firm.ada)
    await heard(app)
    chats = len(app.openai.chats)
    app.server.say(firm.general, firm.ada, "Nobody asked you.")
    assert "Osaka" in await firm.recalled(firm.general, firm.bob, "Where is the wedding?")
    assert len(app.openai.chats) == chats + 1
    assert "Osaka" not in await firm.recalled(firm.lounge, firm.bob, "Where was the wedding?")
    app.server.make_public(firm.general, firm.ada)
    await heard(app)
    await conversations.retag(redis, KEYS.tenant(firm.tenant))  # as upkeep does, every half a minute
    assert "Osaka" in await firm.recalled(firm.lounge, firm.bob, "Where exactly is the wedding?")


async def _gone(redis, key: str) -> bool:
    return not await redis.exists(key)


async def test_a_deleted_channel_is_forgotten_with_its_threads(app, redis):
    firm = await Firm(app, "Attic").open()
    first = firm.ask(firm.general, firm.ada, "The wedding is in Osaka.")
    await app.server.replied(firm.general)
    firm.ask(firm.general, firm.ada, "The funeral is in Lima.", thread=first)
    await app.server.replied(firm.general, 2)
    assert "turn" in await keys_of(redis, firm)
    app.server.remove(firm.general, firm.ada)
    await until_it(lambda: _without(redis, firm, "turn"))
    shown = await firm.recalled(firm.lounge, firm.bob, "Where is the wedding, and the funeral?")
    assert ("Osaka" in shown, "Lima" in shown) == (False, False)


async def _without(redis, firm: Firm, kind: str) -> bool:
    return kind not in await keys_of(redis, firm)


@pytest.mark.parametrize("uninstalled_first", [False, True])
async def test_uninstalled_a_workspace_has_no_tokens_and_its_memory_until_the_time_of_grace_is_over(
    app, redis, uninstalled_first
):
    firm, other = await Firm(app, "Leaving").open(), await Firm(app, "Staying").open()
    for one in (firm, other):
        await one.tell(one.general, f"The secret of {one.team.name} is 47.")
    assert await tokens_of(redis, firm)
    app.openai.let_go, app.openai.first = asyncio.Event(), "It "
    asked = firm.ask(firm.general, firm.bob, "Tell me a story.")
    await app.server.until(lambda: app.openai.busy and app.server.thread(asked))
    await firm.uninstall(uninstalled_first=uninstalled_first)
    await app.server.until(lambda: not app.openai.busy)
    app.openai.let_go, app.openai.first = None, ""
    await until_it(lambda: _no_tokens(redis, firm))
    assert "turn" in await keys_of(redis, firm)
    assert await redis.zscore(KEYS.purges, firm.tenant)
    assert "is 47." in await other.recalled(other.lounge, other.bob, "What is the secret?")
    assert await tokens_of(redis, other)

    await firm.open()  # within the time of grace
    assert await redis.zscore(KEYS.purges, firm.tenant) is None
    assert "is 47." in await firm.recalled(firm.lounge, firm.bob, "What is the secret?")


async def _no_tokens(redis, firm: Firm) -> bool:
    return not await tokens_of(redis, firm)


async def test_reinstalled_it_says_elsewhere_nothing_of_channels_that_it_has_not_been_invited_to_again(app):
    firm = await Firm(app, "Back").open()
    await firm.tell(firm.general, "The wedding is in Osaka.")
    await firm.uninstall()
    app.server.make_private(firm.general, firm.ada)
    await app.installed(firm.ada)
    app.server.invite(firm.lounge, firm.ada)
    assert "Osaka" not in await firm.recalled(firm.lounge, firm.bob, "Where is the wedding?")
    app.server.invite(firm.general, firm.ada)
    assert "Osaka" in await firm.recalled(firm.general, firm.bob, "Where is the wedding?")


async def test_where_two_workspaces_that_share_a_channel_both_have_it_the_one_that_is_asked_answers_once(app):
    host, guest = await Firm(app, "Host").open(), await Firm(app, "Guest").open()
    await host.tell(host.general, "The host's secret is Kyoto.")
    await guest.tell(guest.general, "The guest's secret is Lima.")
    shared = host.channel("shared")
    app.server.share(shared, guest.team)
    app.server.invite(shared, host.ada)
    app.server.join(shared, guest.ada)
    app.server.join(shared, app.server.bot_of(guest.team))
    for firm, place in ((host, host.ada), (guest, guest.ada)):
        shown = await firm.recalled(shared, place, f"What does {firm.team.name} know?")
        assert ("Kyoto" in shown, "Lima" in shown) == (False, False)
        answers = app.server.said(shared)
        assert answers[-1].author is app.server.bot_of(firm.team)
    assert len(app.server.said(shared)) == 2
    follow = next(one for one in shared.messages if one.author is guest.ada and "know" in one.text)
    chats = len(app.openai.chats)
    app.server.say(shared, guest.ada, "And then?", thread=follow)
    await app.server.replied(shared, 3)
    assert app.server.said(shared)[-1].author is app.server.bot_of(guest.team)
    assert len(app.openai.chats) == chats + 1


async def test_after_a_restart_all_workspaces_get_their_answers_and_what_is_due_is_erased(app, redis):
    firms = [await Firm(app, f"North{number}").open() for number in range(2)]
    gone = await Firm(app, "Gone").open()
    await gone.tell(gone.general, "The secret is 47.")
    await gone.uninstall()
    await until_it(lambda: redis.zscore(KEYS.purges, gone.tenant))
    app.openai.let_go = asyncio.Event()
    for firm in firms:
        firm.ask(firm.general, firm.ada, "Who is Rex?")
    await app.server.until(lambda: app.openai.busy == len(firms))
    await app.kill()
    app.openai.let_go = None
    await redis.zadd(KEYS.purges, {gone.tenant: 1 - grace.DAY})
    for firm in firms:
        app.server.make_private(firm.general, firm.ada)
    app.server.faults.fail(200, error="internal_error", on="conversations.replies*")  # which is no reason to give up
    await app.start()
    for firm in firms:
        await app.final(firm.general, "Rex!", seconds=40)
        assert len(app.server.said(firm.general)) == 1
    await until_it(lambda: _nothing(redis, gone))
    assert "Who is Rex?" not in await firms[0].recalled(firms[0].lounge, firms[0].bob, "What was asked of Rex?")


async def _nothing(redis, firm: Firm) -> bool:
    return not await keys_of(redis, firm)
