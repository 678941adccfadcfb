"""What Discord says of a token."""

import json
from collections.abc import AsyncIterator

import pytest

from bot.errors import DeliveryError, Unconfigured
from bot.findings import Finding, Verdict
from bot.platforms.discord import checkup
from bot.settings import Settings
from tests.discordlike.rules import GUILD_MEMBERS, MESSAGE_CONTENT
from tests.discordlike.server import DiscordLike
from tests.platforms.conftest import saying

GOOD, WARNING, BAD = Verdict.GOOD, Verdict.WARNING, Verdict.BAD


@pytest.fixture
async def server() -> AsyncIterator[DiscordLike]:
    async with DiscordLike() as server:
        yield server


@pytest.mark.parametrize("verified", [True, False])
@pytest.mark.parametrize(("privileged", "heard"), [(MESSAGE_CONTENT, True), (GUILD_MEMBERS, False), (0, False)])
async def test_it_is_known_whose_token_it_is_and_whether_messages_may_be_read(server, verified, privileged, heard):
    server.rules.verified, server.rules.privileged = verified, privileged
    found = await checkup.application(server.token, server.api)
    assert found == checkup.Application(server.me.id, server.me.name, heard)


async def test_a_token_that_discord_refuses_and_a_discord_that_is_away_are_told_apart(server):
    with pytest.raises(Unconfigured, match="Discord refuses it"):
        await checkup.application("wrong", server.api)
    with pytest.raises(DeliveryError, match="can't be reached"):
        await checkup.application(server.token, "http://127.0.0.1:9")
    server.faults.fail(503, on="GET /users/@me")
    with pytest.raises(DeliveryError, match="503"):
        await checkup.application(server.token, server.api)


async def test_the_doctor_judges_a_token_before_it_sends_it(server):
    def settings(token: str | None, **more: object) -> Settings:
        return Settings(discord_bot_token=token, discord_api=server.api, **more)

    async def found(settings: Settings) -> list[Finding]:
        return [finding async for finding in checkup.findings(settings)]

    assert [one.verdict for one in await found(settings(None))] == [GOOD]
    (slack,) = await found(settings("xoxb-secret"))
    assert (slack.verdict, slack.text) == (BAD, "is a Slack token")
    assert server.journal.all == []
    (refused,) = await found(settings(server.token[:-1] + "x"))
    assert (refused.verdict, refused.text) == (BAD, "Discord refuses it")
    assert [one.verdict for one in await found(settings(server.token))] == [GOOD, GOOD]
    server.rules.privileged = 0
    assert [one.verdict for one in await found(settings(server.token))] == [GOOD, BAD]
    without = settings(server.token, discord_message_content=False)
    assert [one.verdict for one in await found(without)] == [GOOD, GOOD]
    away = Settings(discord_bot_token=server.token, discord_api="http://127.0.0.1:9")
    assert [one.verdict for one in await found(away)] == [WARNING]


async def test_the_doctor_tells_whose_token_it_is_and_what_it_may_hear(home, server, model):
    model.will(saying("Hello."))
    home.settings |= {"DISCORD_BOT_TOKEN": server.token, "LOREBOT_DISCORD_API": server.api}
    server.rules.privileged = 0
    ran = await home.run("doctor", "--json")
    found = {one["check"]: one for one in json.loads(ran.out)}
    assert found["DISCORD_BOT_TOKEN"]["text"] == f"{server.me.name}, application {server.me.id}"
    assert found["message content intent"]["verdict"] == "bad"
    assert "MESSAGE CONTENT INTENT" in found["message content intent"]["fix"]
    assert server.token not in ran.out + ran.err
