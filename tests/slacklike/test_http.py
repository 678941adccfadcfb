"""Signed requests, retries, and the app in many workspaces: installed, refreshed, uninstalled."""

import asyncio
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_sdk.oauth.installation_store.file import FileInstallationStore
from slack_sdk.oauth.state_store.file import FileOAuthStateStore
from slack_sdk.web.async_client import AsyncWebClient

from tests.slacklike.conftest import Bot, refused

# slack_sdk 3.47 still asks aiohttp for what aiohttp 3.14 calls deprecated, whenever it exchanges a code.
pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")


async def test_events_are_posted_signed_and_heard(server, bot, place):
    await server.serve_http(f"{await bot.serve()}/slack/events")

    server.say(place.channel, place.ada, "hello")
    await server.until(lambda: bot.heard == ["hello"])
    body = '{"type": "event_callback"}'
    assert (await server.http_mode.post(body, headers=server.http_mode.signed(body, secret="wrong")))[0] == 401
    old = server.http_mode.signed(body, at=time.time() - 301)
    assert (await server.http_mode.post(body, headers=old))[0] == 401
    assert (await server.http_mode.post(body))[0] == 404  # nobody listens for such a thing


async def test_commands_and_buttons_come_as_forms(server, bot, place):
    @bot.app.command("/ask")
    async def ask(ack):
        element = {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}
        await ack(text="x", blocks=[{"type": "actions", "elements": [element]}])

    @bot.app.action("go")
    async def go(ack, respond):
        await ack()
        await respond("gone", replace_original=True)

    await server.serve_http(f"{await bot.serve()}/slack/events")
    interaction = server.slash(place.channel, place.ada, "/ask", "a&b=c \u00fc")
    await server.until(lambda: interaction.said)
    assert bot.bodies[-1]["text"] == "a&b=c \u00fc"
    server.press(interaction.said[0], place.ada, "Go")
    await server.until(lambda: interaction.said[0].shown == "gone")


async def test_what_fails_is_posted_again_with_its_number_and_reason(server, bot, place):
    tries = []

    @bot.app.middleware
    async def fail(request, next):
        tries.append([request.headers.get(f"x-slack-retry-{name}", [""])[0] for name in ("num", "reason")])
        if len(tries) < 3:
            raise RuntimeError("not now")
        await next()

    await server.serve_http(f"{await bot.serve()}/slack/events")
    tries.clear()
    server.say(place.channel, place.ada, "hello")
    await server.until(lambda: server.deliveries.all[0].acked.is_set())
    assert tries == [["", ""], ["1", "http_error"], ["2", "http_error"]]


async def test_what_takes_too_long_is_posted_again_at_once(server, bot, place):
    again = asyncio.Event()

    @bot.app.middleware
    async def hold(request, next):
        if request.headers.get("x-slack-retry-reason") == ["http_timeout"]:
            again.set()
        if bot.heard:
            await again.wait()
        await next()

    await server.serve_http(f"{await bot.serve()}/slack/events")
    server.say(place.channel, place.ada, "hello")
    (delivery,) = server.deliveries.all
    await server.until(delivery.acked.is_set)
    assert [attempt.failure for attempt in delivery.attempts] == ["http_timeout", ""]
    assert bot.heard == ["hello", "hello"]


async def test_nobody_at_the_address_is_a_failed_connection(server, bot, place):
    await server.serve_http(f"{await bot.serve()}/slack/events")
    await bot.runner.cleanup()
    server.say(place.channel, place.ada, "hello")
    (delivery,) = server.deliveries.all
    await server.until(delivery.over.is_set)
    assert [attempt.failure for attempt in delivery.attempts] == ["connection_failed"] * 4


async def test_an_address_without_the_app_is_not_taken(server, bot):
    with pytest.raises(ValueError, match="challenge"):
        await server.serve_http(f"{await bot.serve()}/elsewhere")


@pytest.fixture
async def oauth(server, tmp_path):
    """An app for many workspaces, which keeps what it knows in files."""
    settings = AsyncOAuthSettings(
        client_id=server.app.client_id,
        client_secret=server.app.client_secret,
        scopes=["chat:write", "users:read"],
        installation_store=FileInstallationStore(base_dir=str(tmp_path / "installations")),
        state_store=FileOAuthStateStore(expiration_seconds=60, base_dir=str(tmp_path / "states")),
    )
    bot = Bot(server, settings)
    yield bot
    await bot.end()


async def install(server, oauth, person, http):
    """Install the app as a person does in a browser; return the status of the last page."""
    base = await oauth.serve() if oauth.runner is None else server.http_mode.url.removesuffix("/slack/events")
    await server.serve_http(f"{base}/slack/events")
    server.rules.redirect_uri = f"{base}/slack/oauth_redirect"
    async with http.get(f"{base}/slack/install") as page:
        text, cookies = await page.text(), {name: one.value for name, one in page.cookies.items()}
    address = text.split('href="https://slack.com/oauth')[1].split('"')[0].replace("&amp;", "&")
    back = server.authorize("https://slack.com/oauth" + address, person)
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    async with http.get(back, headers=headers) as page:
        return page.status, back


async def test_an_app_is_installed_in_another_workspace_and_answers_there(server, oauth, http):
    @oauth.app.event("message")
    async def answer(event, say):
        await say("hello to you")

    partner = server.workspace("Partner", enterprise="E1")
    sue = server.person("sue", team=partner)
    assert not server.installed(partner)
    status, back = await install(server, oauth, sue, http)
    assert (status, server.installed(partner)) == (200, True)
    hall = server.channel("hall", sue, team=partner)
    server.say(hall, sue, "hello")
    (reply,) = await server.replied(hall)
    assert (reply.author, reply.author.team) == (server.bot_of(partner), partner)
    code = parse_qs(urlsplit(back).query)["code"][0]
    secrets = {"client_id": server.app.client_id, "client_secret": server.app.client_secret}
    client = AsyncWebClient(base_url=server.url)
    assert await refused(client.oauth_v2_access(**secrets, code=code)) == "code_already_used"
    assert await refused(client.oauth_v2_access(**secrets, code="x")) == "invalid_code"
    assert await refused(client.oauth_v2_access(**{**secrets, "client_secret": "x"}, code="x")) == "bad_client_secret"


async def test_who_cancels_is_sent_back_with_an_error(server):
    url = f"https://slack.com/oauth/v2/authorize?state=s&client_id={server.app.client_id}&redirect_uri=http://here/"
    assert server.refuse(url) == "http://here/?error=access_denied&state=s"


async def test_tokens_that_rotate_expire_and_are_refreshed_once(server, http):
    server.rules.rotation, server.rules.token_life = True, 0
    sue = server.person("sue", team=server.workspace("Partner"))
    back = server.authorize(f"https://slack.com/?client_id={server.app.client_id}&scope=chat:write", sue)
    code = parse_qs(urlsplit(back).query)["code"][0]
    secrets = {"client_id": server.app.client_id, "client_secret": server.app.client_secret}
    client = AsyncWebClient(base_url=server.url)
    granted = await client.oauth_v2_access(**secrets, code=code)
    assert (granted["expires_in"], granted["scope"], granted["access_token"][:10]) == (0, "chat:write", "xoxe.xoxb-")
    assert await refused(client.auth_test(token=granted["access_token"])) == "token_expired"
    server.rules.token_life = 43_200
    again = {**secrets, "grant_type": "refresh_token", "refresh_token": granted["refresh_token"]}
    fresh = await client.oauth_v2_access(**again)
    assert (await client.auth_test(token=fresh["access_token"]))["team_id"] == sue.team.id
    assert await refused(client.oauth_v2_access(**again)) == "invalid_refresh_token"


@pytest.mark.parametrize("how", ["by a person", "by the app", "by its last token"])
async def test_an_app_that_is_taken_out_is_told_and_its_token_worthless(server, bot, place, how):
    await bot.connect()
    if how == "by a person":
        server.uninstall(server.home)
    elif how == "by the app":
        secrets = {"client_id": server.app.client_id, "client_secret": server.app.client_secret}
        await bot.client.apps_uninstall(**secrets)
    else:
        await bot.client.auth_revoke()
    await server.until(lambda: len(bot.events) == 2)
    assert {event["type"] for event in bot.events} == {"tokens_revoked", "app_uninstalled"}
    assert bot.of("tokens_revoked")[0]["tokens"] == {"oauth": [], "bot": [server.me.id]}
    expected = "token_revoked" if how == "by its last token" else "account_inactive"
    assert await refused(bot.client.auth_test()) == expected
    server.say(place.channel, place.ada, "anybody?")
    assert len(server.deliveries.all) == 2
    install = server.add_app(server.home)
    assert (install.bot, server.app.is_good(install.token)) == (server.me, True)
