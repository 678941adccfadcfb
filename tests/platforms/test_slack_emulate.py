"""A second opinion on Slack's Web API: `lorebot slack --http` in front of npm's `emulate`, which others wrote.

It has no streams, no sessions and no Socket Mode, reads arguments from bodies alone, and is nowhere told where events
go: a bridge puts the arguments there, and the tests send the events, signed, with the messages as it shows them. Left
out where npm is not present or cannot install it.
"""

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.platforms.slack.metadata import EVENT
from tests.openai_like import OpenAILike
from tests.platforms.home import Home
from tests.platforms.opinions import DIFFER, Asked, opinions
from tests.slacklike.server import SlackLike
from tests.waiting import until_it

pytestmark = pytest.mark.asyncio(loop_scope="module")

PACKAGE = "emulate@0.12.1"
SIGNING = "f" * 32
BOT = "xoxb-1-2-lorebot"


@asynccontextmanager
async def bridged(url: str) -> AsyncIterator[str]:
    """Return an address at which it takes arguments in the address too, as Slack does and slack_sdk counts on."""

    async def passed(request: web.Request) -> web.Response:
        wanted = {name: one for name, one in request.headers.items() if name in ("Authorization", "Content-Type")}
        body = await request.read()
        if request.query_string:
            wanted["Content-Type"], body = "application/x-www-form-urlencoded", request.query_string.encode()
        async with http.post(url + request.path, data=body, headers=wanted) as answer:
            return web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)

    app = web.Application()
    app.router.add_route("*", "/api/{method}", passed)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as http:
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


class Emulated:
    """The app, between that Slack and a small OpenAI."""

    def __init__(self, url: str, openai: OpenAILike) -> None:
        self.url, self.openai = url, openai
        self.bot = self.client(BOT)
        self.team = self.me = self.channel = self.events = ""
        self._serial = 0

    def client(self, token: str) -> AsyncWebClient:
        return AsyncWebClient(token=token, base_url=f"{self.url}/api/", retry_handlers=[])

    async def learn(self) -> None:
        """Look up who is who, and invite the app to the channel."""
        who = await self.bot.auth_test()
        self.team, self.me = who["team_id"], who["user_id"]
        channels = (await self.bot.conversations_list())["channels"]
        self.channel = next(one["id"] for one in channels if one["name"] == "books")
        await self.client("xoxp-ada").conversations_invite(channel=self.channel, users=self.me)

    async def say(self, who: str, text: str, channel: str = "", thread: str | None = None) -> str:
        """Let a person post a message, and tell the app of it; return its time stamp."""
        said = await self.client(f"xoxp-{who}").chat_postMessage(
            channel=channel or self.channel, text=text, thread_ts=thread
        )
        kind = {"channel_type": "im"} if channel else {}
        await self.tell({**said["message"], "channel": said["channel"], **kind})
        return str(said["ts"])

    async def tell(self, event: dict[str, object]) -> None:
        """Send an event as Slack does."""
        self._serial += 1
        about = {"team_id": self.team, "api_app_id": "A1", "event_time": int(time.time())}
        body = json.dumps({"type": "event_callback", "event_id": f"Ev{self._serial}", "event": event, **about})
        stamp = str(int(time.time()))
        signature = SignatureVerifier(SIGNING).generate_signature(timestamp=stamp, body=body) or ""
        headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature}
        headers["Content-Type"] = "application/json"
        async with aiohttp.ClientSession() as http, http.post(self.events, data=body, headers=headers) as response:
            assert response.status == 200, await response.text()

    async def thread(self, ts: str, channel: str = "") -> list[dict[str, object]]:
        """Return what the app has said below a message."""
        found = await self.bot.conversations_replies(channel=channel or self.channel, ts=ts, include_all_metadata=True)
        return [one for one in found["messages"] if one["user"] == self.me]

    async def answered(self, ts: str, text: str) -> dict[str, object]:
        """Wait until the only message below another one says this, with its buttons; return it."""

        async def whole() -> bool:
            found = await self.thread(ts)
            return bool(found) and found[0]["text"] == text and len(found[0]["blocks"]) > 1

        await until_it(whole)
        (only,) = await self.thread(ts)
        return only


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app() -> AsyncIterator[Emulated]:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("npm is not present")
    with tempfile.TemporaryDirectory(prefix="lorebot-") as folder:
        place = Path(folder, "emulate")
        place.mkdir()
        words = ("install", "--silent", "--no-audit", "--no-fund", "--no-save", "--prefix", str(place), PACKAGE)
        quiet = {"stdout": asyncio.subprocess.DEVNULL, "stderr": asyncio.subprocess.DEVNULL}
        installing = await asyncio.create_subprocess_exec(npm, *words, **quiet)
        if await asyncio.wait_for(installing.wait(), 120) != 0:
            pytest.skip(f"npm cannot install {PACKAGE}")
        script = shutil.copy(Path(__file__).with_name("emulate.mjs"), place)
        slack = await asyncio.create_subprocess_exec(node, script, stdout=asyncio.subprocess.PIPE)
        home = Home(Path(folder))
        process = None
        try:
            assert slack.stdout is not None
            line = (await asyncio.wait_for(slack.stdout.readline(), 30)).decode().strip()
            async with OpenAILike() as openai, bridged(line.replace("localhost", "127.0.0.1")) as url:
                found = Emulated(url, openai)
                await found.learn()
                home.settings |= {
                    "OPENAI_BASE_URL": f"{openai.address}/v1",
                    "SLACK_API_URL": f"{found.url}/api/",
                    "SLACK_BOT_TOKEN": BOT,
                    "SLACK_SIGNING_SECRET": SIGNING,
                    "LOREBOT_SLACK_PORT": "0",
                }
                process = await home.start("slack", "--http")
                assert process.stdout is not None
                listening = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
                found.events = f"http://{listening.split()[-1]}/slack/events"
                yield found
        finally:
            for one in (process, slack):
                if one is not None and one.returncode is None:
                    one.kill()
                    await one.wait()
            await home.server.stop()


async def test_a_mention_is_answered_once_in_its_thread_and_found_by_its_metadata(app):
    app.openai.answer = lambda prompt: "Rex is **his** name."
    ts = await app.say("ada", f"<@{app.me}> My dog is called Rex.")
    answer = await app.answered(ts, "Rex is his name.")  # as notifications show it
    assert answer["thread_ts"] == ts
    assert answer["blocks"][0] == {"type": "markdown", "text": "Rex is **his** name."}
    assert answer["metadata"]["event_type"] == EVENT
    assert answer["metadata"]["event_payload"]["asked"] == ts


async def test_what_one_person_said_is_recalled_for_another(app):
    app.openai.answer = lambda prompt: "Noted."
    await app.answered(await app.say("ada", f"<@{app.me}> The parrot is called Polly."), "Noted.")
    app.openai.answer = lambda prompt: "Polly."
    await app.answered(await app.say("bob", f"<@{app.me}> What is the parrot called?"), "Polly.")
    assert "The parrot is called Polly." in app.openai.prompts[-1]


async def test_a_direct_message_is_answered_where_it_was_written_and_recalled_nowhere_else(app):
    dm = (await app.client("xoxp-ada").conversations_open(users=app.me))["channel"]["id"]
    app.openai.answer = lambda prompt: "I keep it to myself."
    await app.say("ada", "My PIN is 4711.", dm)

    async def said() -> bool:
        found = (await app.client("xoxp-ada").conversations_history(channel=dm))["messages"]
        replies = [one for message in found for one in await app.thread(message["ts"], dm)]
        return any(one["text"] == "I keep it to myself." for one in [*found, *replies])

    await until_it(said)
    app.openai.answer = lambda prompt: "I do not know."
    await app.answered(await app.say("bob", f"<@{app.me}> What is her PIN?"), "I do not know.")
    assert "4711" not in app.openai.prompts[-1]


async def test_nobody_is_called(app):
    app.openai.answer = lambda prompt: "<!channel> wake up"
    ts = await app.say("ada", f"<@{app.me}> wake them")

    async def said() -> bool:
        return any("wake up" in str(one["text"]) and len(one["blocks"]) > 1 for one in await app.thread(ts))

    await until_it(said)
    assert "<!channel>" not in json.dumps(await app.thread(ts))


async def test_a_deleted_message_is_forgotten(app):
    app.openai.answer = lambda prompt: "Noted."
    ts = await app.say("ada", f"<@{app.me}> The safe is behind the painting.")
    await app.answered(ts, "Noted.")
    await app.client("xoxp-ada").chat_delete(channel=app.channel, ts=ts)
    gone = {"type": "message", "subtype": "message_deleted", "channel": app.channel, "deleted_ts": ts}
    await app.tell({**gone, "ts": str(time.time()), "previous_message": {"ts": ts, "user": "U1"}})
    app.openai.answer = lambda prompt: "I do not know."
    await app.answered(await app.say("bob", f"<@{app.me}> Where is the safe?"), "I do not know.")
    assert "painting" not in app.openai.prompts[-1]


async def test_an_edited_message_is_remembered_as_it_says_then(app):
    app.openai.answer = lambda prompt: "Noted."
    before = f"<@{app.me}> The boat is called Argo."
    ts = await app.say("ada", before)
    answer = await app.answered(ts, "Noted.")
    changed = await app.client("xoxp-ada").chat_update(channel=app.channel, ts=ts, text=before.replace("Argo", "Nemo"))
    event = {"type": "message", "subtype": "message_changed", "channel": app.channel, "ts": answer["ts"]}
    previous = {**changed["message"], "text": before}
    await app.tell({**event, "message": changed["message"], "previous_message": previous})
    app.openai.answer = lambda prompt: "Nemo."
    await app.answered(await app.say("bob", f"<@{app.me}> What is the boat called?"), "Nemo.")
    assert "The boat is called Nemo." in app.openai.prompts[-1]
    assert "Argo" not in app.openai.prompts[-1]


@pytest.mark.filterwarnings("ignore:The top-level `text` argument is missing")  # that is asked on purpose
async def test_our_small_slack_says_the_same_but_where_slack_s_own_documents_do(app):
    ada = app.client("xoxp-ada")
    theirs = (await ada.chat_postMessage(channel=app.channel, text="hello"))["ts"]
    person = (await ada.auth_test())["user_id"]
    outside = next(one["id"] for one in (await app.bot.conversations_list())["channels"] if one["id"] != app.channel)
    second = await opinions(Asked(app.bot, person, app.channel, outside, theirs))
    async with SlackLike() as server:
        people = server.person("ada")
        inside, out = server.channel("books", people), server.channel("general", people, app=False)
        client = AsyncWebClient(server.bot_token, base_url=server.url)
        theirs = server.say(inside, people, "hello").ts
        ours = await opinions(Asked(client, people.id, inside.id, out.id, theirs))
    differing = {name: (ours[name], second[name]) for name in ours if ours[name] != second[name]}
    assert differing.keys() == DIFFER.keys(), differing
