"""`lorebot slack --http`: signed requests, and an app that many workspaces install."""

import json
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from slack_sdk.signature import SignatureVerifier

from tests.platforms.slack_online import Online, listening

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app() -> AsyncIterator[Online]:
    """The app, listening; nobody has installed it."""
    async with listening() as app:
        yield app


async def test_two_workspaces_install_it_and_nothing_passes_from_one_to_the_other(app):
    places = []
    for name in ("Acme", "Beta"):
        team = app.server.workspace(name)
        person = app.server.person(f"ada-{name}", team=team)
        await app.installed(person)
        channel = app.server.channel(f"general-{name}", person, team=team)
        app.server.invite(channel, person)
        places.append((team, person, channel))
    for team, person, channel in places:
        app.ask(channel, person, f"The secret of {team.name} is 47.")
        await app.final(channel, "Rex!")
    team, person, channel = places[1]
    app.openai.answer = lambda prompt: "No idea."
    app.ask(channel, person, "What is the secret of Acme?")
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


async def test_what_slack_sends_again_over_http_is_answered_once_and_also_where_it_never_came_before(app):
    """A request with X-Slack-Retry-Num may be the first that we get: whoever drops those loses messages."""
    team = app.server.workspace("Gamma")
    person = app.server.person("ada-Gamma", team=team)
    await app.installed(person)
    channel = app.server.channel("general-Gamma", person, team=team)
    url, app.server.http_mode.url = app.server.http_mode.url, "http://127.0.0.1:9/slack/events"
    before = len(app.server.deliveries.all)
    try:
        app.ask(channel, person, "Are you there?")
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
    app.ask(channel, person, "Still?")
    await app.final(channel, "Still.")
    assert [one.text for one in app.server.said(channel)] == ["I am.", "Still."]
