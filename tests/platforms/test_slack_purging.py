"""The Slack app leaves: tokens go at once, memory after its days of grace, and neither where it is back."""

import time

import pytest
from pydantic import SecretStr

from bot import grace
from bot.listening import Listening
from bot.platforms.slack.installations import Installations
from bot.platforms.slack.purging import Purging
from bot.registry.objects import How, Kind, Objects
from bot.registry.secrets import new_secret
from memory.memory import Memory
from memory.records import Turn
from memory.scope import Audience, Scope
from tests.conftest import NOON
from tests.platforms.test_slack_installations import installed

ADA = Scope("slack:T1", "C1", "ada", Audience.PUBLIC)
BOB = Scope("slack:T2", "C1", "bob", Audience.PUBLIC)
T1 = {"enterprise_id": None, "team_id": "T1"}
NOW = 2000.0  # seconds; after what `installed` says


class Workspace:
    """Two workspaces with memory, tokens, a channel's setting and a persona."""

    def __init__(self, memory: Memory, client, keys) -> None:
        self.memory = memory
        self.client = client
        self.listening = Listening(memory, "one")
        self.store = Installations(client, keys, SecretStr(new_secret()), "123.456")
        self.objects = Objects(client, keys)

    def purging(self, days=30, many: bool = True) -> Purging:
        return Purging(self.memory, self.listening, self.store if many else None, days)

    async def install(self, team: str | None = "T1", enterprise: str | None = None, **changes) -> None:
        await self.store.async_save(installed(team_id=team, enterprise_id=enterprise, **changes))

    async def fill(self) -> None:
        for scope in (ADA, BOB):
            turn = Turn("1", "C1", scope.person, scope.person, "user", "I have a dog", NOON)
            await self.memory.remember(scope, [turn])
            await self.listening.channels.set(scope, remembers=True)
            params = {"llm": "default"}
            await self.objects.create(Kind.APP, "chat", "chat", params, How(owner=scope.tenant))

    async def known(self) -> list[str]:
        """Return the tenants of which anything is kept."""
        found = []
        for scope in (ADA, BOB):
            pattern = self.memory.keys.tenant(scope.tenant).everything
            found += [scope.tenant] if [key async for key in self.client.scan_iter(match=pattern)] else []
        return found

    async def days_left(self, team: str) -> float | None:
        due = await grace.due(self.memory, f"slack:{team}")
        return None if due is None else round((due - time.time() * 1000) / grace.DAY, 2)


@pytest.fixture
async def place(memory, client, keys):
    place = Workspace(memory, client, keys)
    await place.fill()
    return place


async def test_uninstalling_deletes_tokens_at_once_and_memory_later(place, memory):
    await place.install()
    await place.purging().uninstalled(None, "T1", NOW)
    assert await place.store.async_find_bot(**T1) is None
    assert await place.store.async_find_installation(**T1) is None
    assert await place.days_left("T1") == 30
    assert await place.known() == ["slack:T1", "slack:T2"]
    assert await grace.sweep(memory, place.listening, int((time.time() + 29 * 86400) * 1000)) == []
    assert await grace.sweep(memory, place.listening, int((time.time() + 31 * 86400) * 1000)) == ["slack:T1"]
    assert await place.known() == ["slack:T2"]
    assert await place.objects.find("chat", owner="slack:T1") is None


async def test_without_grace_memory_goes_at_once(place):
    await place.install()
    await place.purging(days=0).uninstalled(None, "T1", NOW)
    assert await place.known() == ["slack:T2"]
    assert await place.days_left("T1") is None


async def test_memory_may_be_kept_for_ever(place):
    await place.install()
    await place.purging(days="keep").uninstalled(None, "T1", NOW)
    assert await place.store.async_find_bot(**T1) is None
    assert (await place.known(), await place.days_left("T1")) == (["slack:T1", "slack:T2"], None)


async def test_coming_back_within_the_time_of_grace_loses_nothing(place, memory):
    await place.install()
    await place.purging().uninstalled(None, "T1", NOW)
    await place.install(at=3000.0)
    assert await place.days_left("T1") is None
    assert await grace.sweep(memory, place.listening, int((time.time() + 400 * 86400) * 1000)) == []
    assert await place.known() == ["slack:T1", "slack:T2"]


async def test_word_of_leaving_that_comes_late_changes_nothing(place):
    await place.install(at=3000.0)
    await place.purging().uninstalled(None, "T1", NOW)
    await place.purging().revoked(None, "T1", ["UADA"], ["UBOT"], NOW)
    assert (await place.store.async_find_installation(**T1)).bot_token == "xoxb-bot-UADA"
    assert await place.days_left("T1") is None


async def test_both_events_in_either_order_come_to_the_same(place):
    for order in ((0, 1), (1, 0)):
        await place.install()
        purging = place.purging()
        events = (purging.uninstalled(None, "T1", NOW), purging.revoked(None, "T1", ["UADA"], ["UBOT"], NOW))
        for number in order:
            await events[number]
        assert await place.store.async_find_installation(**T1) is None
        assert await place.store.async_find_bot(**T1) is None
        assert await place.days_left("T1") == 30


async def test_a_person_who_revokes_their_own_token_takes_nothing_else_along(place):
    await place.install()
    await place.purging().revoked(None, "T1", ["UADA"], [], NOW)
    assert await place.store.async_find_installation(**T1, user_id="UADA") is None
    assert (await place.store.async_find_bot(**T1)).bot_token == "xoxb-bot-UADA"
    assert await place.days_left("T1") is None


async def test_an_organisation_leaves_with_all_its_workspaces(place):
    await place.install(None, "E1", is_enterprise_install=True)
    await place.store.heard_of("E1", "T1")
    await place.store.heard_of("E1", "T2")
    await place.purging(days=0).uninstalled("E1", None, NOW)
    assert await place.store.async_find_bot(enterprise_id="E1", team_id=None) is None
    assert await place.known() == []


async def test_an_organisation_takes_the_app_out_of_one_workspace(place):
    await place.install(None, "E1", is_enterprise_install=True)
    purging = place.purging()
    await purging.left("E1", ["T1"])
    assert (await place.days_left("T1"), await place.days_left("T2")) == (30, None)
    assert await place.store.async_find_bot(enterprise_id="E1", team_id=None) is not None
    await purging.here("T1")
    assert await place.days_left("T1") is None


async def test_where_the_token_is_a_setting_memory_is_erased_all_the_same(place):
    purging = place.purging(many=False)
    await purging.uninstalled(None, "T1", NOW)
    assert await place.days_left("T1") == 30
    await purging.here("T1")
    assert await place.days_left("T1") is None
    await purging.revoked(None, "T1", [], ["UBOT"], time.time() + 1)
    assert await place.days_left("T1") == 30


async def test_word_of_leaving_that_comes_after_the_start_with_a_new_token_erases_nothing(place):
    """Slack sends again for minutes what the process that ended for its token did not take."""
    purging = place.purging(many=False)
    await purging.here("T1")
    await purging.uninstalled(None, "T1", time.time() - 60)
    await purging.revoked(None, "T1", [], ["UBOT"], time.time() - 60)
    assert await place.days_left("T1") is None
