"""Installing the app into a workspace, through slack_bolt's own flow and a small Slack that gives tokens out."""

import html
import json
import logging
import re
import time
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.signature import SignatureVerifier

from bot import grace
from bot.platforms.slack import oauth, uses
from bot.platforms.slack.installations import Installations
from bot.platforms.slack.secrets import IN_LOGS
from bot.platforms.slack.tokens import ManyWorkspaces
from bot.registry.secrets import new_secret
from memory import connect
from memory.batch import Batch
from tests.platforms.slack_oauth import CLIENT_ID, CLIENT_SECRET, SlackOAuth
from tests.waiting import until

WEB = ManyWorkspaces(SecretStr("s" * 32), CLIENT_ID, SecretStr(CLIENT_SECRET), SecretStr(new_secret()))
T1 = {"enterprise_id": None, "team_id": "T1"}


class Browser:
    """Somebody who installs the app."""

    def __init__(self, client, keys, slack: SlackOAuth) -> None:
        sdk = slack.client()
        self.found = oauth.installations(client, keys, WEB, sdk)
        self.flow = oauth.flow(client, keys, WEB, sdk, self.found)

    async def begin(self) -> dict[str, list[str]]:
        """Open the page; return what its button asks Slack for."""
        page = await self.flow.handle_installation(AsyncBoltRequest(body="", query={}))
        assert page.status == 200
        self.cookie = page.headers["set-cookie"][0].split(";")[0]
        address = re.search(r'href="(https://slack\.com/oauth/v2/authorize\?[^"]+)"', page.body)
        return parse_qs(urlsplit(html.unescape(address[1])).query)

    async def come_back(self, **query: str) -> int:
        """Come back from Slack; return the page's status."""
        request = AsyncBoltRequest(body="", query=query, headers={"cookie": self.cookie})
        return (await self.flow.handle_callback(request)).status


@pytest.fixture
async def slack():
    async with SlackOAuth() as slack:
        yield slack


@pytest.fixture
def browser(client, keys, slack):
    return Browser(client, keys, slack)


async def test_the_app_asks_for_the_scopes_that_are_used_and_is_installed(browser, slack):
    asked = await browser.begin()
    assert asked["scope"] == [",".join(uses.scopes())]
    assert asked["client_id"] == [CLIENT_ID]
    assert "user_scope" not in asked
    assert await browser.come_back(code=slack.allow("T1", "U1"), state=asked["state"][0]) == 200
    bot = await browser.found.async_find_bot(**T1)
    assert (bot.bot_id, bot.bot_user_id, bot.team_name) == ("B1", "UBOT", "Library")
    assert bot.bot_token.startswith("xoxe.xoxb-")
    assert (await browser.found.async_find_installation(**T1)).user_id == "U1"


async def test_a_state_installs_once(browser, slack):
    state = (await browser.begin())["state"][0]
    assert await browser.come_back(code=slack.allow(), state=state) == 200
    assert await browser.come_back(code=slack.allow("T2"), state=state) == 401
    assert await browser.found.async_find_bot(enterprise_id=None, team_id="T2") is None


async def test_a_state_of_nobody_or_of_another_browser_installs_nothing(browser, slack, client, keys):
    await browser.begin()
    other = Browser(client, keys, slack)
    state = (await other.begin())["state"][0]
    assert await browser.come_back(code=slack.allow(), state=state) == 400
    assert await browser.come_back(code=slack.allow(), state="made-up") == 400
    assert await browser.found.async_find_bot(**T1) is None


async def test_a_code_that_slack_refuses_installs_nothing_and_is_not_logged(browser, slack, caplog):
    caplog.set_level(logging.INFO)
    state = (await browser.begin())["state"][0]
    assert await browser.come_back(code="worthless-code", state=state) == 401
    assert await browser.found.async_find_bot(**T1) is None
    assert "worthless-code" in caplog.text
    assert "worthless-code" not in IN_LOGS.sub(r"\1...", caplog.text)


async def test_an_app_for_a_whole_organisation_is_found_from_its_workspaces(browser, slack):
    state = (await browser.begin())["state"][0]
    code = slack.allow(team=None, enterprise={"id": "E1", "name": "Houses"}, is_enterprise_install=True)
    assert await browser.come_back(code=code, state=state) == 200
    org = {"enterprise_id": "E1", "team_id": "T7", "is_enterprise_install": True}
    assert (await browser.found.async_find_bot(**org)).bot_token.startswith("xoxe.xoxb-")
    assert (await browser.found.async_find_installation(**org)).enterprise_url == "https://library.slack.com/"


async def test_installing_again_saves_what_is_remembered(browser, slack, client, keys, memory):
    batch = Batch(client)
    grace.schedule(batch, keys, "slack:T1", 5)
    await batch.send()
    state = (await browser.begin())["state"][0]
    assert await browser.come_back(code=slack.allow("T1"), state=state) == 200
    assert await grace.due(memory, "slack:T1") is None


async def test_with_a_second_key_all_is_encrypted_anew_at_the_start(browser, slack, client, keys):
    state = (await browser.begin())["state"][0]
    assert await browser.come_back(code=slack.allow("T1"), state=state) == 200
    assert await oauth.resealed(browser.found, WEB) == 0
    new = new_secret()
    both = replace(WEB, sealing=SecretStr(f"{new},{WEB.sealing.get_secret_value()}"))
    assert await oauth.resealed(oauth.installations(client, keys, both, slack.client()), both) == 1
    alone = oauth.installations(client, keys, replace(WEB, sealing=SecretStr(new)), slack.client())
    assert (await alone.async_find_bot(**T1)).team_name == "Library"


# Requests of Slack's


class Heard:
    """An app that writes down whose token it is to answer mentions with."""

    def __init__(self, browser: Browser) -> None:
        self.tokens: list[str | None] = []
        self.app = AsyncApp(signing_secret=WEB.signing.get_secret_value(), oauth_flow=browser.flow)
        self.app.event("app_mention")(self._mentioned)
        self.app.event("app_uninstalled")(self._uninstalled)

    async def _mentioned(self, context: AsyncBoltContext) -> None:
        self.tokens.append(context.client.token)
        assert (context.bot_user_id, context.bot_id) == ("UBOT", "B1")

    async def _uninstalled(self, context: AsyncBoltContext) -> None:
        self.tokens.append(context.client.token)

    async def send(self, kind: str, team: str = "T1", enterprise: str | None = None, secret: str = "s" * 32) -> int:
        """Send it a signed event; return the status of its answer."""
        org = enterprise is not None
        at = {"team_id": team, "enterprise_id": enterprise, "is_enterprise_install": org}
        event = {"type": kind, "user": "U1", "text": "hello", "channel": "C1", "ts": "1.2"}
        body = json.dumps({"type": "event_callback", "event": event, "authorizations": [at], **at})
        now = str(int(time.time()))
        signature = SignatureVerifier(secret).generate_signature(timestamp=now, body=body)
        signed = {"x-slack-signature": signature, "x-slack-request-timestamp": now}
        request = AsyncBoltRequest(body=body, headers={**signed, "content-type": "application/json"})
        return (await self.app.async_dispatch(request)).status


async def install(browser: Browser, slack: SlackOAuth, **changes: object) -> str:
    """Install the app; return the bot's token."""
    state = (await browser.begin())["state"][0]
    code = slack.allow(**changes)
    assert await browser.come_back(code=code, state=state) == 200
    org = "enterprise" in changes
    bot = await browser.found.async_find_bot(
        enterprise_id="E1" if org else None, team_id=None if org else "T1", is_enterprise_install=org
    )
    return bot.bot_token


async def test_a_request_is_answered_with_the_token_of_its_workspace(browser, slack):
    token = await install(browser, slack)
    heard = Heard(browser)
    assert await heard.send("app_mention") == 200
    await until(lambda: heard.tokens)
    assert heard.tokens == [token]
    assert await heard.send("app_mention", secret="another") == 401
    await heard.send("app_mention", team="T2")
    assert heard.tokens == [token]


async def test_a_token_is_exchanged_as_a_request_comes_in(browser, slack):
    token = await install(browser, slack)
    bot = await Installations.async_find_bot(browser.found, **T1)
    bot.bot_token_expires_at = int(time.time()) - 5
    await browser.found.async_save_bot(bot)
    heard = Heard(browser)
    assert await heard.send("app_mention") == 200
    await until(lambda: heard.tokens)
    assert heard.tokens != [token]
    assert slack.exchanged == [bot.bot_refresh_token]


async def test_word_of_uninstalling_needs_no_token(browser, slack):
    heard = Heard(browser)
    assert await heard.send("app_uninstalled") == 200
    await until(lambda: heard.tokens)
    assert heard.tokens == [None]


async def test_the_workspaces_of_an_organisation_are_noted_as_they_are_heard_of(browser, slack):
    token = await install(browser, slack, team=None, enterprise={"id": "E1"}, is_enterprise_install=True)
    heard = Heard(browser)
    for team in ("T1", "T7", "T1"):
        assert await heard.send("app_mention", team, "E1") == 200
    await until(lambda: len(heard.tokens) == 3)
    assert heard.tokens == [token] * 3
    assert await browser.found.tenants("E1", None) == ["slack:E1", "slack:T1", "slack:T7"]


async def test_a_redis_that_is_away_is_no_app_that_is_not_installed(keys, slack, tmp_path):
    gone = connect.client(f"unix://{tmp_path}/nothing.sock")
    try:
        heard = Heard(Browser(gone, keys, slack))
        assert await heard.send("app_mention") == 500
    finally:
        await gone.aclose()


@pytest.mark.parametrize(
    ("logged", "hidden"),
    [
        ("token xoxb-1-2-abc, refused", "token xoxb-..., refused"),
        ("{'access_token': 'xoxe.xoxb-1-Mi0x'}", "{'access_token': 'xoxe.xoxb-...'}"),
        ("refresh xoxe-1-My0x", "refresh xoxe-..."),
        ("wss://wss.slack.com/link/?ticket=abc&app_id=A1", "wss://wss.slack.com/link/?ticket=...&app_id=A1"),
        ("POST https://hooks.slack.com/commands/T1/2/x", "POST https://hooks.slack.com/commands/..."),
        ("a box-office with xoxo-love", "a box-office with xoxo-..."),
        ("nothing to hide: code 7", "nothing to hide: code 7"),
    ],
)
def test_what_libraries_log_shows_no_secret(logged, hidden):
    assert IN_LOGS.sub(r"\1...", logged) == hidden
