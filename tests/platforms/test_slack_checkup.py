"""What Slack says of tokens."""

from collections.abc import AsyncIterator

import pytest

from bot.findings import Finding, Verdict
from bot.platforms.slack import checkup, uses
from bot.settings import Settings
from tests.slacklike.server import SlackLike

GOOD, WARNING, BAD = Verdict.GOOD, Verdict.WARNING, Verdict.BAD


@pytest.fixture
async def server() -> AsyncIterator[SlackLike]:
    async with SlackLike() as server:
        server.world.install.scopes = frozenset(uses.scopes())
        yield server


def settings(server: SlackLike, **more: object) -> Settings:
    given = {"slack_bot_token": server.bot_token, "slack_app_token": server.app.token, "slack_api": server.url}
    return Settings(**{**given, **more})


async def found(settings: Settings) -> list[Finding]:
    return [finding async for finding in checkup.findings(settings)]


async def test_good_tokens_are_good_and_it_is_told_whose_they_are(server):
    whose, scopes, opens = await found(settings(server))
    assert (whose.verdict, scopes.verdict, opens.verdict) == (GOOD, GOOD, GOOD)
    assert whose.text == f"{server.me.name} in {server.home.name}"


async def test_scopes_that_an_older_manifest_lacks_are_named(server):
    server.world.install.scopes = frozenset(uses.scopes()) - {"files:read", "users:read"}
    _, scopes, _ = await found(settings(server))
    assert (scopes.verdict, scopes.text) == (BAD, "without files:read, users:read")
    assert "slack-manifest" in scopes.fix


async def test_nothing_set_is_no_fault_and_asks_nothing(server):
    (one,) = await found(settings(server, slack_bot_token=None, slack_app_token=None))
    assert one.verdict is GOOD
    assert server.journal.all == []


async def test_swapped_tokens_are_named_before_they_are_sent(server):
    (one,) = await found(settings(server, slack_bot_token=server.app.token, slack_app_token=server.bot_token))
    assert (one.verdict, server.journal.all) == (BAD, [])
    assert "swapped" in one.text


async def test_what_slack_refuses_is_bad_and_a_slack_that_is_away_is_not(server):
    refused = await found(settings(server, slack_bot_token="xoxb-wrong", slack_app_token="xapp-wrong"))
    assert [(one.verdict, one.text) for one in refused] == [(BAD, "Slack refuses it (invalid_auth)")] * 2
    server.faults.fail(503, on="auth.test")
    assert [one.verdict for one in await found(settings(server))] == [WARNING, GOOD]
    assert [one.verdict for one in await found(settings(server, slack_api="http://127.0.0.1:9/"))] == [WARNING] * 2


async def test_one_workspace_over_http_has_no_app_level_token(server):
    alone = settings(server, slack_app_token=None, slack_signing_secret=server.app.signing_secret)
    assert [one.check for one in await found(alone)] == ["SLACK_BOT_TOKEN", "Slack scopes"]


async def test_many_workspaces_need_a_key(server):
    many = {
        "slack_bot_token": None,
        "slack_app_token": None,
        "slack_signing_secret": server.app.signing_secret,
        "slack_client_id": server.app.client_id,
        "slack_client_secret": server.app.client_secret,
    }
    (one,) = await found(settings(server, **many))
    assert (one.check, one.verdict) == ("LOREBOT_SECRET_KEY", BAD)
    (one,) = await found(settings(server, **many, secret_key="x" * 43 + "="))
    assert one.verdict is GOOD
