"""`lorebot slack --http`: signed requests, and an app that many workspaces install."""

import asyncio
import html
import json
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
import pytest_asyncio
from cryptography.fernet import Fernet
from slack_sdk.signature import SignatureVerifier

from bot.platforms.slack.uses import events
from tests.platforms.test_slack import Online, ask, online
from tests.slacklike.records import Person

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def listening(**settings: str) -> AsyncIterator[Online]:
    """Have the app listen; nobody has installed it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with online() as app:
        for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"):
            app.home.settings.pop(name, None)
        app.home.settings |= app.server.http_environment | {
            "LOREBOT_SLACK_PORT": str(port),
            "LOREBOT_SECRET_KEY": Fernet.generate_key().decode(),
            **settings,
        }
        app.url = f"http://127.0.0.1:{port}"
        app.openai.answer = lambda prompt: "Rex!"
        await launched(app)
        yield app


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app():
    """The app, listening; nobody has installed it."""
    async with listening() as app:
        yield app


async def launched(app: Online) -> None:
    app.process = await app.home.start("slack", "--http")
    app._reading = asyncio.create_task(app._read(app.process))
    assert app.process.stdout is not None
    line = await asyncio.wait_for(app.process.stdout.readline(), 60)
    assert line.startswith(b"Listening on"), app.logged
    await app.server.serve_http(f"{app.url}/slack/events")


async def installed(app: Online, person: Person, *, org_wide: bool = False) -> None:
    """Let a person install the app into their workspace, or for all of their organisation."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{app.url}/slack/install", allow_redirects=False) as response:
            address = html.unescape(re.search(r'href="([^"]*client_id=[^"]*)"', await response.text())[1])
        back = app.server.authorize(address, person, org_wide=org_wide)
        cookies = {name: one.value for name, one in response.cookies.items()}
        back = back.replace("https://", "http://")
        target = f"{app.url}/slack/oauth_redirect?{back.partition('?')[2]}"
        async with session.get(target, cookies=cookies) as response:
            assert response.status == 200, await response.text()


async def test_two_workspaces_install_it_and_nothing_passes_from_one_to_the_other(app):
    places = []
    for name in ("Acme", "Beta"):
        team = app.server.workspace(name)
        person = app.server.person(f"ada-{name}", team=team)
        await installed(app, person)
        channel = app.server.channel(f"general-{name}", person, team=team)
        app.server.invite(channel, person)
        places.append((team, person, channel))
    for team, person, channel in places:
        me = app.server.bot_of(team)
        app.server.say(channel, person, f"{me.mention} The secret of {team.name} is 47.")
        await app.final(channel, "Rex!")
    team, person, channel = places[1]
    app.openai.answer = lambda prompt: "No idea."
    app.server.say(channel, person, f"{app.server.bot_of(team).mention} What is the secret of Acme?")
    await app.final(channel, "No idea.")
    assert "secret of Acme is" not in app.openai.prompts[-1]


async def test_what_is_not_signed_with_our_secret_or_signed_too_long_ago_is_refused(app):
    body = json.dumps({"type": "url_verification", "challenge": "47"})

    async def answered(secret: str, age: int = 0, *, signed: str | None = None) -> tuple[int, str]:
        stamp = str(int(time.time()) - age)
        signature = SignatureVerifier(secret).generate_signature(timestamp=stamp, body=signed or body)
        headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature}
        headers["Content-Type"] = "application/json"
        to = f"{app.url}/slack/events"
        async with aiohttp.ClientSession() as http, http.post(to, data=body, headers=headers) as response:
            return response.status, await response.text()

    ours = app.server.app.signing_secret
    assert await answered(ours) == (200, '{"challenge": "47"}')
    assert (await answered("0" * 32))[0] == 401
    assert (await answered(ours, age=301))[0] == 401
    assert (await answered(ours, age=-301))[0] == 401
    assert (await answered(ours, signed=body + " "))[0] == 401
    async with aiohttp.ClientSession() as http, http.post(f"{app.url}/slack/events", data=body) as response:
        assert response.status == 401


async def test_the_manifest_names_every_event_that_is_heard():
    from slack_bolt.async_app import AsyncApp

    from bot.platforms.slack.app import SlackApp

    heard = set()

    class Bolt(AsyncApp):
        def event(self, event, *rest):  # type: ignore[no-untyped-def]
            heard.add(event)
            return super().event(event, *rest)

    app = object.__new__(SlackApp)  # it registers, and no more
    app._floor = None
    app._register(Bolt(token="xoxb-1", signing_secret="x"))
    named = {one for one in heard if isinstance(one, str)}
    asked = {"message" if one.startswith("message.") else one for one in events()}
    assert named == asked
    assert ask


async def test_what_slack_sends_again_over_http_is_answered_once_and_also_where_it_never_came_before(app):
    """A request with X-Slack-Retry-Num may be the first that we get: whoever drops those loses messages."""
    team = app.server.workspace("Gamma")
    person = app.server.person("ada-Gamma", team=team)
    await installed(app, person)
    channel = app.server.channel("general-Gamma", person, team=team)
    mention = app.server.bot_of(team).mention
    url, app.server.http_mode.url = app.server.http_mode.url, "http://127.0.0.1:9/slack/events"
    before = len(app.server.deliveries.all)
    try:
        app.server.say(channel, person, f"{mention} Are you there?")
        told = app.server.deliveries.all[before:]
        await app.server.until(lambda: all(len(one.attempts) > 1 and one.attempts[-1].failure for one in told))
    finally:
        app.server.http_mode.url = url
    app.openai.answer = lambda prompt: "I am."
    app.server.deliveries.retry_now()
    await app.final(channel, "I am.")
    assert all(one.attempts[-1].number == 2 for one in told)
    again = [app.server.deliveries.again(one) for one in told]
    await app.server.until(lambda: all(one.acked.is_set() for one in again))
    app.openai.answer = lambda prompt: "Still."
    app.server.say(channel, person, f"{mention} Still?")
    await app.final(channel, "Still.")
    assert [one.text for one in app.server.said(channel)] == ["I am.", "Still."]
