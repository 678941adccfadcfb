"""Where the Slack app is installed: encrypted, found again, exchanged in time, and gone when it is to be gone."""

import asyncio
import logging
import time

import pytest
from pydantic import SecretStr
from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from structlog.testing import capture_logs

from bot import grace
from bot.errors import SettingsError
from bot.platforms.slack.installations import Installations
from bot.platforms.slack.refreshing import FreshInstallations
from bot.platforms.slack.states import States
from bot.platforms.slack.tenants import Served
from bot.registry.secrets import new_secret
from memory import connect
from memory.batch import Batch
from memory.keys import OAUTH_STATE_TTL
from tests.platforms.slack_oauth import CLIENT_ID, CLIENT_SECRET, SlackOAuth
from tests.waiting import until

SECRET = SecretStr(new_secret())
SECRETS = (
    "xoxb-bot",
    "xoxe-refresh",
    "xoxp-ada",
    "xoxe-ada",
    "hooks.slack.com",
    "E0HOUSES",
    "T0LIBRARY",
    "UADA",
    "UBOB",
    "Library",
)


def installed(user: str = "UADA", at: float = 1000.0, **changes: object) -> Installation:
    """What slack_bolt makes of an answer of oauth.v2.access."""
    told = {
        "app_id": "A1",
        "enterprise_id": "E0HOUSES",
        "team_id": "T0LIBRARY",
        "team_name": "Library",
        "bot_token": f"xoxb-bot-{user}",
        "bot_refresh_token": "xoxe-refresh",
        "bot_id": "B1",
        "bot_user_id": "UBOT",
        "bot_scopes": "chat:write,commands",
        "user_id": user,
        "user_token": "xoxp-ada",
        "user_refresh_token": "xoxe-ada",
        "incoming_webhook_url": "https://hooks.slack.com/services/1",
        "installed_at": at,
        "custom_values": {"plan": "free"},
    }
    return Installation(**{**told, **changes})


T1 = {"enterprise_id": "E0HOUSES", "team_id": "T0LIBRARY"}
T2 = {"enterprise_id": "E0HOUSES", "team_id": "T0MUSEUM"}
E1 = {"enterprise_id": "E0HOUSES", "team_id": None}


@pytest.fixture
def store(client, keys):
    return Installations(client, keys, SECRET, "123.456")


async def everything(client, keys) -> bytes:
    """Return all that stands in Redis, the keys too."""
    found = b""
    async for key in client.scan_iter(match=f"{keys.namespace}:*", count=1000):
        kind = (await client.type(key)).decode()
        if kind == "hash":
            inside = b" ".join(b" ".join(pair) for pair in (await client.hgetall(key)).items())
        elif kind == "zset":
            inside = b" ".join(await client.zrange(key, 0, -1))
        elif kind == "set":
            inside = b" ".join(await client.smembers(key))
        else:
            assert kind == "string"
            inside = await client.get(key)
        found += key + b" " + inside + b"\n"
    return found


async def test_which_workspaces_have_it_is_known_from_what_is_kept_and_not_after_they_have_left(store, client, keys):
    await store.async_save(installed())
    await store.async_save(installed(team_id=None, enterprise_id="E0GLOBE", is_enterprise_install=True))
    await Installations(client, keys, SECRET, "999.1").async_save(installed(team_id="T0OTHER"))
    for team in ("T0EAST", "T0WEST"):
        await store.heard_of("E0GLOBE", team)
    library, east, west = (
        Served("T0LIBRARY", "E0HOUSES"),
        Served("T0EAST", "E0GLOBE", True),
        Served("T0WEST", "E0GLOBE", True),
    )
    assert await store.homes() == dict.fromkeys((library, east, west), "UBOT")
    await store.left("E0GLOBE", ["T0WEST"])
    await store.async_delete_all(**T1)
    assert await store.homes() == {east: "UBOT"}


async def test_what_was_installed_is_found_again(store):
    await store.async_save(installed())
    assert vars(await store.async_find_bot(**T1)) == vars(installed().to_bot())
    assert vars(await store.async_find_installation(**T1)) == vars(installed())
    assert vars(await store.async_find_installation(**T1, user_id="UADA")) == vars(installed())
    assert await store.async_find_installation(**T1, user_id="UBOB") is None
    assert await store.async_find_bot(**T2) is None
    assert await store.async_find_bot(enterprise_id=None, team_id="T0LIBRARY") is None
    assert await store.async_find_installation(**E1) is None


async def test_nothing_stands_in_clear_in_redis(store, client, keys):
    await store.async_save(installed())
    await store.async_save(installed("UBOB"))
    state = await States(client, keys).async_issue()
    there = await everything(client, keys)
    assert len(there) > 1000
    assert [secret for secret in (*SECRETS, state) if secret.encode() in there] == []


async def test_everybody_who_installs_it_shares_the_latest_bot(store):
    await store.async_save(installed("UADA"))
    await store.async_save(installed("UBOB", at=2000.0))
    assert (await store.async_find_installation(**T1)).user_id == "UBOB"
    ada = await store.async_find_installation(**T1, user_id="UADA")
    assert (ada.user_id, ada.user_token, ada.bot_token) == ("UADA", "xoxp-ada", "xoxb-bot-UBOB")


async def test_an_organisation_is_no_workspace(store):
    await store.async_save(installed())
    await store.async_save(installed("UBOB", is_enterprise_install=True, bot_token="xoxb-org"))
    assert (await store.async_find_bot(**T2, is_enterprise_install=True)).bot_token == "xoxb-org"
    assert (await store.async_find_bot(**E1)).bot_token == "xoxb-org"
    assert (await store.async_find_bot(**T1)).bot_token == "xoxb-bot-UADA"
    assert (await store.async_find_installation(**T1, is_enterprise_install=True)).user_id == "UBOB"
    await store.async_delete_all(**E1)
    assert await store.async_find_bot(**E1) is None
    assert (await store.async_find_bot(**T1)).bot_token == "xoxb-bot-UADA"


async def test_two_apps_in_one_redis_do_not_meet(store, client, keys):
    await store.async_save(installed())
    assert await Installations(client, keys, SECRET, "777.888").async_find_bot(**T1) is None


async def test_the_bot_goes_and_people_stay(store):
    await store.async_save(installed())
    await store.async_delete_bot(**T1)
    assert await store.async_find_bot(**T1) is None
    found = await store.async_find_installation(**T1)
    assert (found.bot_token, found.user_token) == (None, "xoxp-ada")


async def test_people_go_and_the_bot_stays(store):
    for user in ("UADA", "UBOB"):
        await store.async_save(installed(user))
    await store.async_delete_installation(**T1, user_id="UBOB")
    assert await store.async_find_installation(**T1, user_id="UBOB") is None
    assert (await store.async_find_installation(**T1, user_id="UADA")).user_id == "UADA"
    assert (await store.async_find_bot(**T1)).bot_token == "xoxb-bot-UBOB"
    await store.async_delete_installation(**T1)
    assert await store.async_find_installation(**T1, user_id="UADA") is None
    assert (await store.async_find_bot(**T1)).bot_token == "xoxb-bot-UBOB"


async def test_deleting_all_leaves_no_key(store, client, keys):
    await store.async_save(installed())
    await store.async_delete_all(**T1)
    assert await everything(client, keys) == b""


async def test_a_bot_alone_may_be_saved(store):
    bot = installed().to_bot()
    await store.async_save_bot(bot)
    assert vars(await store.async_find_bot(**T1)) == vars(bot)
    assert await store.async_find_installation(**T1) is None


async def test_installing_again_keeps_memory_that_was_to_be_erased(store, client, keys, memory):
    batch = Batch(client)
    for tenant in ("slack:T0LIBRARY", "slack:T0MUSEUM", "slack:T3", "slack:E0HOUSES"):
        grace.schedule(batch, keys, tenant, 5)
    await batch.send()
    await store.async_save(installed())
    assert [await grace.due(memory, one) for one in ("slack:T0LIBRARY", "slack:T0MUSEUM")] == [None, 5]
    await store.heard_of("E0HOUSES", "T0MUSEUM")
    await store.async_save(installed(is_enterprise_install=True))
    left = [
        one
        for one in ("slack:T0LIBRARY", "slack:T0MUSEUM", "slack:T3", "slack:E0HOUSES")
        if await grace.due(memory, one)
    ]
    assert left == ["slack:T3"]


# Keys


async def test_another_key_is_told_and_an_old_one_still_opens(store, client, keys):
    await store.async_save(installed())
    other = new_secret()
    with pytest.raises(SettingsError, match="LOREBOT_SECRET_KEY is not what the tokens"):
        await Installations(client, keys, SecretStr(other), "123.456").async_find_bot(**T1)
    both = Installations(client, keys, SecretStr(f"{other},{SECRET.get_secret_value()}"), "123.456")
    assert (await both.async_find_bot(**T1)).bot_token == "xoxb-bot-UADA"


async def test_after_a_rotation_the_old_key_opens_nothing(store, client, keys):
    for user in ("UADA", "UBOB"):
        await store.async_save(installed(user))
    await store.async_save(installed(team_id="T0MUSEUM"))
    new = new_secret()
    both = Installations(client, keys, SecretStr(f"{new},{SECRET.get_secret_value()}"), "123.456")
    assert await both.rotate() == 2
    alone = Installations(client, keys, SecretStr(new), "123.456")
    assert vars(await alone.async_find_installation(**T1)) == vars(installed("UBOB"))
    assert vars(await alone.async_find_installation(**T2)) == vars(installed(team_id="T0MUSEUM"))
    assert (await alone.async_find_installation(**T1, user_id="UADA")).user_id == "UADA"
    with pytest.raises(SettingsError):
        await store.async_find_bot(**T1)


# Tokens that expire


@pytest.fixture
async def slack():
    async with SlackOAuth() as slack:
        yield slack


@pytest.fixture
def fresh(client, keys, slack):
    return made(client, keys, slack)


def made(client, keys, slack: SlackOAuth) -> FreshInstallations:
    rotator = AsyncTokenRotator(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, client=slack.client())
    return FreshInstallations(client, keys, SECRET, CLIENT_ID, rotator)


def expiring(slack: SlackOAuth, seconds: float) -> Installation:
    """An installation whose bot token ends after so many seconds."""
    pair = slack.tokens()
    return installed(
        bot_token=pair["access_token"],
        bot_refresh_token=pair["refresh_token"],
        bot_token_expires_at=int(time.time() + seconds),
    )


async def test_a_token_is_exchanged_before_it_expires(fresh, slack, client, keys):
    before = expiring(slack, 600)
    await fresh.async_save(before)
    bot = await fresh.async_find_bot(**T1)
    assert bot.bot_token not in (before.bot_token, None)
    assert bot.bot_token_expires_at > time.time() + 40_000
    assert slack.exchanged == [before.bot_refresh_token]
    assert (await fresh.async_find_bot(**T1)).bot_token == bot.bot_token
    assert (await fresh.async_find_installation(**T1)).bot_token == bot.bot_token
    assert len(slack.exchanged) == 1
    kept = await Installations(client, keys, SECRET, CLIENT_ID).async_find_bot(**T1)
    assert kept.bot_refresh_token not in (before.bot_refresh_token, None)


async def test_refresh_tokens_are_handed_to_nobody(fresh, slack):
    await fresh.async_save(expiring(slack, 40_000))
    assert (await fresh.async_find_bot(**T1)).bot_refresh_token is None
    found = await fresh.async_find_installation(**T1)
    assert (found.bot_refresh_token, found.user_refresh_token) == (None, None)
    assert slack.exchanged == []


async def test_tokens_that_do_not_expire_are_left_alone(fresh, slack):
    await fresh.async_save(installed(bot_refresh_token=None))
    assert (await fresh.async_find_bot(**T1)).bot_token == "xoxb-bot-UADA"
    assert slack.exchanged == []


@pytest.mark.parametrize("seconds", [600, -5], ids=["expiring", "expired"])
async def test_two_processes_exchange_a_token_once(fresh, slack, keys, redis_url, seconds):
    before = expiring(slack, seconds)
    await fresh.async_save(before)
    other_client = connect.client(redis_url)
    other = made(other_client, keys, slack)
    try:
        found = await asyncio.gather(*(one.async_find_bot(**T1) for one in (fresh, other) * 10))
    finally:
        await other_client.aclose()
    assert slack.exchanged == [before.bot_refresh_token]
    tokens = {bot.bot_token for bot in found}
    if seconds < 0:
        assert len(tokens) == 1
        assert before.bot_token not in tokens
    else:
        assert len(tokens - {before.bot_token}) == 1


async def test_a_token_that_still_works_is_used_while_another_process_exchanges_it(fresh, slack, client, keys):
    before = expiring(slack, 600)
    await fresh.async_save(before)
    slack.going_on.clear()
    exchanging = asyncio.create_task(fresh.async_find_bot(**T1))
    await until(lambda: slack.exchanged)
    assert (await made(client, keys, slack).async_find_bot(**T1)).bot_token == before.bot_token
    slack.going_on.set()
    assert (await exchanging).bot_token != before.bot_token


async def test_an_exchange_under_way_survives_its_caller(fresh, slack):
    before = expiring(slack, 600)
    await fresh.async_save(before)
    slack.going_on.clear()
    exchanging = asyncio.create_task(fresh.async_find_bot(**T1))
    await until(lambda: slack.exchanged)
    exchanging.cancel()
    slack.going_on.set()
    with pytest.raises(asyncio.CancelledError):
        await exchanging
    assert (await fresh.async_find_bot(**T1)).bot_token != before.bot_token
    assert len(slack.exchanged) == 1


async def test_uninstalling_during_an_exchange_leaves_no_token(fresh, slack, client, keys):
    await fresh.async_save(expiring(slack, 600))
    slack.going_on.clear()
    exchanging = asyncio.create_task(fresh.async_find_bot(**T1))
    await until(lambda: slack.exchanged)
    await fresh.async_delete_all(**T1)
    slack.going_on.set()
    assert await exchanging is None
    assert await everything(client, keys) == b""


async def test_a_refused_exchange_is_not_tried_again_at_once_and_tells_no_token(fresh, slack, caplog, capsys):
    caplog.set_level(logging.INFO)  # below that, what libraries log is not written: see bot.observe
    before = installed(bot_refresh_token="xoxe-worthless", bot_token_expires_at=int(time.time() - 5))
    await fresh.async_save(before)
    with capture_logs() as logged:
        found = [(await fresh.async_find_bot(**T1)).bot_token for _ in range(5)]
    assert found == [before.bot_token] * 5
    assert slack.exchanged == ["xoxe-worthless"]
    told = f"{logged}{caplog.text}{''.join(capsys.readouterr())}"
    assert "invalid_refresh_token" in told
    assert "xoxe-worthless" not in told
    assert "xoxb-" not in told


async def test_a_refused_exchange_is_tried_again_after_a_while(fresh, slack, client, keys):
    slack.failing = 1
    before = expiring(slack, 600)
    await fresh.async_save(before)
    assert (await fresh.async_find_bot(**T1)).bot_token == before.bot_token
    lease = keys.refreshing(CLIENT_ID, "E0HOUSES", "T0LIBRARY")
    assert 0 < await client.pttl(lease) <= 60_000
    await client.delete(lease)  # as its end would
    assert (await fresh.async_find_bot(**T1)).bot_token != before.bot_token


async def test_where_slack_is_away_the_old_token_is_used(client, keys):
    async with SlackOAuth() as slack:
        before = expiring(slack, 600)
        store = made(client, keys, slack)
    await store.async_save(before)
    assert (await store.async_find_bot(**T1)).bot_token == before.bot_token


# States


async def test_a_state_is_believed_once(client, keys):
    states = States(client, keys)
    state = await states.async_issue()
    key = keys.oauth_state(state)
    assert OAUTH_STATE_TTL - 5 <= await client.ttl(key) <= OAUTH_STATE_TTL
    taken = await asyncio.gather(*(states.async_consume(state) for _ in range(10)))
    assert sorted(taken) == [False] * 9 + [True]
    assert await states.async_consume("made up") is False
    assert await client.exists(key) == 0


def test_the_stores_keep_what_a_bot_has():
    """Where slack_sdk gives a bot more, `vars` takes it along: what is stored makes the same bot again."""
    bot = installed().to_bot()
    assert vars(Bot(**vars(bot))) == vars(bot)
