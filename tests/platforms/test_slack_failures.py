"""How calls to Slack fail: by Slack's own word, or by what stands in between."""

from collections.abc import AsyncIterator

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import Unconfigured
from bot.platforms.slack.connecting import answered
from bot.platforms.slack.failures import busy, coded, refused, status, why
from tests.slacklike.server import SlackLike


@pytest.fixture
async def server() -> AsyncIterator[SlackLike]:
    async with SlackLike() as server:
        yield server


@pytest.fixture
def client(server: SlackLike) -> AsyncWebClient:
    return AsyncWebClient(server.bot_token, base_url=server.url, retry_handlers=[])


async def test_what_is_not_slacks_own_answer_has_no_name_and_refuses_no_token(server, client):
    server.faults.fail(503, on="auth.test")
    with pytest.raises(SlackApiError) as caught:
        await client.auth_test()
    error = caught.value
    assert (coded(error), status(error), busy(error), refused(error)) == ("", 503, False, False)
    assert (why(error), why(OSError()), coded(OSError()), busy(OSError())) == ("SlackApiError", "OSError", "", False)


async def test_slack_is_asked_until_it_answers_whatever_answers_in_its_place(server, client):
    server.faults.fail(503, on="auth.test")
    assert (await answered(client.auth_test, "SLACK_BOT_TOKEN"))["user_id"] == server.me.id
    server.faults.fail(200, on="auth.test", error="invalid_auth")
    with pytest.raises(Unconfigured, match=r"Slack refuses SLACK_BOT_TOKEN \(invalid_auth\)"):
        await answered(client.auth_test, "SLACK_BOT_TOKEN")
