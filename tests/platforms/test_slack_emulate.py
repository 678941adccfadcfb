"""What the app calls, asked of our small Slack and of another that others made; and the app itself beside that one.

Where the two disagree, DIFFER says what Slack's own documents say, docs.slack.dev/reference/methods. The other one has
no streams, agents, assistants, Socket Mode, commands and buttons, and tells of events only a program it runs in.
"""

import asyncio
import hashlib
import hmac
import json
import socket
import time
from dataclasses import dataclass
from itertools import count

import aiohttp
import pytest
import pytest_asyncio
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.platforms.emulated import (
    ADMIN,
    BOT_USER,
    CHANNEL,
    ELSEWHERE,
    PERSONS_TOKEN,
    SECRET,
    TEAM,
    TOKEN,
    emulated,
    installed,
)
from tests.platforms.test_slack import online
from tests.slacklike.server import SlackLike
from tests.waiting import until_it

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:The top-level `text` argument is missing"),  # that is asked on purpose
]

PART = {"event_type": "lorebot_part", "event_payload": {"nonce": "n1", "asked": "1.1"}}
VIEW = {"type": "home", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}]}
MODAL = {"type": "modal", "title": {"type": "plain_text", "text": "Hello"}, "blocks": VIEW["blocks"]}

DIFFER = {
    "post where it is not": "not_in_channel: chat:write is for channels that it is in",
    "history where it is not": "not_in_channel, for a bot's token",
    "posted by": "a bot's messages have its bot_id",
    "replies of nothing": "thread_not_found",
    "whisper to nobody": "user_not_in_channel is the one that chat.postEphemeral has",
    "updated without blocks": "those that it had stay, unless an empty list is given",
    "parent's thread": "a parent with replies has its own time stamp as thread_ts",
    "that one alone": "oldest and latest bound what is returned",
    "after it": "oldest bounds what is returned",
    "with a wrong token": "invalid_auth",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def other(tmp_path_factory):
    folder = await installed(tmp_path_factory.mktemp("emulate"))
    async with emulated(folder) as found:
        yield found


@dataclass(frozen=True)
class Asked:
    """A Slack, with a channel that the app is in and one that it is not. person: is in both; theirs: a message."""

    client: AsyncWebClient
    person: str
    channel: str
    outside: str
    theirs: str


async def told(asking, *fields):
    """Return what an answer says in fields, or the name of an error."""
    try:
        answer = (await asking).data
    except SlackApiError as error:
        return error.response["error"]
    return {field: type(found).__name__ if (found := _at(answer, field)) is not None else None for field in fields}


def _at(answer, field):
    for name in field.split("."):
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer


async def opinions(one: Asked) -> dict[str, object]:
    """Return what a Slack says to all that the app calls, as far as the app reads it."""
    client, channel, outside, person = one.client, one.channel, one.outside, one.person
    found: dict[str, object] = {
        "who": await told(client.auth_test(), "user_id", "bot_id", "team_id", "url"),
        "person": await told(client.users_info(user=person), "user.id", "user.profile.display_name", "user.is_bot"),
        "nobody": await told(client.users_info(user="U0NOBODY")),
        "place": await told(client.conversations_info(channel=channel), "channel.id", "channel.name", "channel.is_im"),
        "nowhere": await told(client.conversations_info(channel="C0NOWHERE")),
        "members": await told(
            client.conversations_members(channel=channel), "members", "response_metadata.next_cursor"
        ),
        "post where it is not": await told(client.chat_postMessage(channel=outside, text="x")),
        "history where it is not": await told(client.conversations_history(channel=outside)),
        "post nowhere": await told(client.chat_postMessage(channel="C0NOWHERE", text="x")),
        "post nothing": await told(client.chat_postMessage(channel=channel, blocks=[], text="")),
        "direct": await told(client.chat_postMessage(channel=person, text="x"), "channel", "ts"),
        "whisper": await told(client.chat_postEphemeral(channel=channel, user=person, text="x"), "message_ts"),
        "whisper to nobody": await told(client.chat_postEphemeral(channel=channel, user="U0NOBODY", text="x")),
        "update nothing": await told(client.chat_update(channel=channel, ts="1.1", text="x")),
        "update theirs": await told(client.chat_update(channel=channel, ts=one.theirs, text="x")),
        "delete nothing": await told(client.chat_delete(channel=channel, ts="1.1")),
        "delete theirs": await told(client.chat_delete(channel=channel, ts=one.theirs)),
        "replies of nothing": await told(client.conversations_replies(channel=channel, ts="1.1")),
        "home": await told(
            client.views_publish(user_id=person, view=VIEW), "view.id", "view.hash", "view.root_view_id"
        ),
        "dialog without a trigger": await told(client.views_open(trigger_id="1.1.x", view=MODAL)),
        "with a wrong token": await told(AsyncWebClient("xoxb-1-wrong", base_url=client.base_url).auth_test()),
    }
    return found | await _talked(client, channel)


async def _talked(client: AsyncWebClient, channel: str) -> dict[str, object]:
    """Post, update, look back, upload and delete; return what is seen."""
    blocks = [{"type": "markdown", "text": "hello"}]
    first = await client.chat_postMessage(channel=channel, text="hello", blocks=blocks, metadata=PART)
    second = await client.chat_postMessage(channel=channel, text="inside", thread_ts=first["ts"])
    updated = await client.chat_update(channel=channel, ts=first["ts"], text="hello again", metadata=PART)
    history = await client.conversations_history(channel=channel, include_all_metadata=True, limit=3)
    parent, reply = (await client.conversations_replies(channel=channel, ts=first["ts"], include_all_metadata=True))[
        "messages"
    ]
    one = await client.conversations_history(channel=channel, latest=first["ts"], oldest=first["ts"], inclusive=True)
    after = await client.conversations_history(channel=channel, oldest=first["ts"])
    upload = await told(client.files_upload_v2(channel=channel, filename="a.md", content="hello"), "files")
    deleted = await told(client.chat_delete(channel=channel, ts=second["ts"]), "ts")
    newest = history["messages"][0]
    return {
        "posted": (
            first["channel"] == channel,
            type(first["ts"]).__name__,
            second["message"]["thread_ts"] == first["ts"],
        ),
        "posted by": "bot_id" in newest,
        "updated": (updated["text"], updated["message"]["metadata"] == PART),
        "updated without blocks": bool(updated["message"].get("blocks")),
        "newest first": (newest["ts"] == first["ts"], newest["text"], newest["metadata"] == PART, history["has_more"]),
        "thread": (parent["ts"] == first["ts"], reply["text"], reply["thread_ts"] == first["ts"]),
        "parent's thread": parent.get("thread_ts") == first["ts"],
        "that one alone": [message["ts"] == first["ts"] for message in one["messages"]],
        "after it": [message["text"] for message in after["messages"]],
        "upload": upload,
        "deleted": deleted,
    }


async def ours() -> dict[str, object]:
    async with SlackLike() as server:
        ada = server.person("ada")
        inside, outside = server.channel("general", ada), server.channel("random", ada, app=False)
        client = AsyncWebClient(server.bot_token, base_url=server.url)
        theirs = server.say(inside, ada, "hello").ts
        return await opinions(Asked(client, ada.id, inside.id, outside.id, theirs))


async def test_two_small_slacks_say_the_same_to_what_the_app_calls_but_where_slack_says_so(other):
    person = AsyncWebClient(PERSONS_TOKEN, base_url=other.api)
    await person.conversations_invite(channel=CHANNEL, users=BOT_USER)
    theirs = (await person.chat_postMessage(channel=CHANNEL, text="hello"))["ts"]
    client = AsyncWebClient(TOKEN, base_url=other.api)
    mine, second = await ours(), await opinions(Asked(client, ADMIN, CHANNEL, ELSEWHERE, theirs))
    differing = {name: (mine[name], second[name]) for name in mine if mine[name] != second[name]}
    assert differing.keys() == DIFFER.keys(), differing


class Told:
    """Tells an app of events, signed, as Slack does."""

    def __init__(self, url: str) -> None:
        self._url, self._serial = url, count(1)

    async def __call__(self, event: dict[str, object]) -> int:
        body = json.dumps({
            "type": "event_callback", "team_id": TEAM, "api_app_id": "A0LOREBOT", "event": event,
            "event_id": f"Ev{next(self._serial)}", "event_time": int(time.time()),
            "authorizations": [{"team_id": TEAM, "user_id": BOT_USER, "is_bot": True}],
        })  # fmt: skip
        now = str(int(time.time()))
        signed = hmac.new(SECRET.encode(), f"v0:{now}:{body}".encode(), hashlib.sha256).hexdigest()
        headers = {"X-Slack-Request-Timestamp": now, "X-Slack-Signature": f"v0={signed}"}
        headers["Content-Type"] = "application/json"
        async with aiohttp.ClientSession() as session, session.post(self._url, data=body, headers=headers) as response:
            return response.status


@pytest.mark.soak
async def test_the_app_answers_beside_the_other_slack_too(other):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    person = AsyncWebClient(PERSONS_TOKEN, base_url=other.api)
    bot = AsyncWebClient(TOKEN, base_url=other.api)
    await person.conversations_invite(channel=ELSEWHERE, users=BOT_USER)
    dm = (await bot.conversations_open(users=ADMIN))["channel"]["id"]
    async with online() as app:
        app.home.settings.pop("SLACK_APP_TOKEN")
        app.home.settings |= {"SLACK_API_URL": other.api, "SLACK_BOT_TOKEN": TOKEN, "SLACK_SIGNING_SECRET": SECRET}
        app.home.settings |= {"LOREBOT_SLACK_PORT": str(port)}
        app.openai.answer = lambda prompt: "Rex!"
        app.process = await app.home.start("slack", "--http")
        app._reading = asyncio.create_task(app._read(app.process))
        line = await asyncio.wait_for(app.process.stdout.readline(), 60)
        assert line.startswith(b"Listening on"), app.logged
        tell = Told(f"http://127.0.0.1:{port}/slack/events")

        async def says(channel: str, text: str, kind: str) -> dict[str, object]:
            ts = (await person.chat_postMessage(channel=channel, text=text))["ts"]
            event = {"type": "message", "user": ADMIN, "text": text, "ts": ts, "event_ts": ts, "channel": channel}
            assert await tell({**event, "channel_type": kind}) == 200
            return event

        async def final(channel: str, text: str, thread: object = None) -> None:
            async def stands() -> bool:
                if thread:
                    found = await bot.conversations_replies(channel=channel, ts=str(thread))
                else:
                    found = await bot.conversations_history(channel=channel)
                return any(one["text"] == text and one["user"] == BOT_USER for one in found["messages"])

            await until_it(stands)

        asked = await says(ELSEWHERE, f"<@{BOT_USER}> My dog is called Rex.", "channel")
        assert await tell({**asked, "type": "app_mention"}) == 200
        await final(ELSEWHERE, "Rex!", asked["ts"])
        replies = (await bot.conversations_replies(channel=ELSEWHERE, ts=str(asked["ts"])))["messages"]
        assert [one["text"] for one in replies[1:]] == ["Rex!"], "a mention comes twice and is answered once"
        app.openai.answer = lambda prompt: "He is called Bello."
        text = f"<@{BOT_USER}> My dog is called Bello."
        edited = {**asked, "text": text, "edited": {"user": ADMIN, "ts": asked["ts"]}}
        changed = {"type": "message", "subtype": "message_changed", "channel": ELSEWHERE, "channel_type": "channel"}
        changed |= {"ts": "9.9", "event_ts": "9.9", "message": edited, "previous_message": asked, "hidden": True}
        assert await tell(changed) == 200
        await says(dm, "What is my dog called?", "im")
        await final(dm, "He is called Bello.")
        assert "My dog is called Bello." in app.openai.prompts[-1]
        assert "My dog is called Rex." not in app.openai.prompts[-1]
        assert "chat.startStream" in other.asked
        assert "chat.update" in other.asked or "chat.postMessage" in other.asked
