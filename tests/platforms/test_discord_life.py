"""The life of the unmodified `lorebot discord`: how it comes online, tells how it is, and ends."""

import asyncio
import json
import math
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import islice

import aiohttp
import pytest

from bot.pauses import pauses
from bot.platforms.discord.secrets import IN_ADDRESSES
from tests.discordlike.server import DiscordLike
from tests.openai_like import OpenAILike
from tests.platforms.conftest import Home


@dataclass
class Running:
    """The process, and what it has written to standard error by now."""

    process: asyncio.subprocess.Process
    port: int
    err: bytearray = field(default_factory=bytearray)

    async def read(self) -> None:
        while piece := await self.process.stderr.read(65536):
            self.err.extend(piece)

    @property
    def lines(self) -> list[dict]:
        """What was logged."""
        return [json.loads(line) for line in self.err.decode().splitlines() if line.startswith("{")]

    def logged(self, event: str) -> list[dict]:
        return [line for line in self.lines if line["event"] == event]

    async def get(self, path: str) -> tuple[int, str]:
        """Return the status and the body of a page of health; 0 where nobody answers."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as session,
                session.get(f"http://127.0.0.1:{self.port}{path}") as response,
            ):
                return response.status, await response.text()
        except aiohttp.ClientError:
            return 0, ""

    async def comes(self, path: str, status: int, seconds: float = 30) -> dict:
        """Wait until a page has this status, and return it."""
        async with asyncio.timeout(seconds):
            while True:
                found, body = await self.get(path)
                if found == status:
                    return json.loads(body)
                await asyncio.sleep(0.02)

    async def figure(self, name: str) -> float:
        """Return a sample of /metrics, such as `lorebot_messages_total{...}`; 0 where it is not there."""
        _, page = await self.get("/metrics")
        return next((float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(name)), 0.0)


@pytest.fixture
async def openai() -> AsyncIterator[OpenAILike]:
    async with OpenAILike() as server:
        server.answer = lambda prompt: "Rex!"
        yield server


@pytest.fixture
async def server() -> AsyncIterator[DiscordLike]:
    async with DiscordLike() as server:
        yield server


@pytest.fixture
async def start(home: Home, server: DiscordLike, openai: OpenAILike) -> AsyncIterator[Callable]:
    """Start `lorebot discord` with these settings beside the usual ones."""
    started: list[tuple[asyncio.subprocess.Process, asyncio.Task[None]]] = []

    async def starting(**settings: str) -> Running:
        port = _free_port()
        home.settings |= {
            "OPENAI_BASE_URL": f"{openai.address}/v1",
            "DISCORD_BOT_TOKEN": server.token,
            "LOREBOT_DISCORD_API": server.api,
            "LOREBOT_HEALTH_PORT": str(port),
            **settings,
        }
        running = Running(await home.start("discord"), port)
        started.append((running.process, asyncio.create_task(running.read())))
        return running

    yield starting
    for process, reading in started:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await reading


async def test_it_is_alive_while_discord_is_away_and_ready_when_it_has_got_in(start, server):
    server.faults.cut(times=math.inf, on="GET /users/@me")
    running = await start()
    await server.until(lambda: len(running.logged("Discord not reached yet")) == 2, 30)
    assert await running.comes("/healthz", 200) == {"alive": True}
    assert await running.comes("/readyz", 503) == {"ready": False, "troubles": {"discord": "not connected yet"}}
    server.faults.clear()
    assert await running.comes("/readyz", 200) == {"ready": True, "troubles": {}}
    told = running.logged("Discord not reached yet")
    assert {one["level"] for one in told} == {"warning"}
    assert told[1]["again_in"] > told[0]["again_in"]
    assert b"Unclosed" not in running.err


async def test_it_ends_at_once_when_asked_to_while_discord_is_away(start, server):
    server.faults.cut(times=math.inf, on="GET /users/@me")
    running = await start()
    await server.until(lambda: running.logged("Discord not reached yet"), 30)
    running.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(running.process.wait(), 15) == 0


def test_pauses_grow_to_a_minute():
    found = list(islice(pauses(), 10))
    assert all(0.75 * base <= pause <= 1.25 * base for pause, base in zip(found, [1, 2, 4, 8, 16, 32], strict=False))
    assert all(45 <= pause <= 75 for pause in found[6:])


@pytest.mark.parametrize("path", ["GET /users/@me", "GET /gateway/bot"])
async def test_a_start_that_discord_fails_is_tried_again(start, server, path):
    server.faults.fail(503, on=path)
    running = await start()
    await server.connected()
    await running.comes("/readyz", 200)
    assert [one["event"] for one in running.logged("Discord not reached yet")] == ["Discord not reached yet"]


async def test_a_gateway_that_is_shut_at_the_start_is_tried_again(start, server):
    server.gateway.shut = True
    running = await start()
    await server.until(lambda: running.logged("Discord not reached yet"), 30)
    assert await running.comes("/readyz", 503) == {
        "ready": False,
        "troubles": {"discord": "shard 0 has not connected yet"},
    }
    server.gateway.shut = False
    await server.connected()
    await running.comes("/readyz", 200)


async def test_without_redis_it_is_not_ready_and_says_so(start, server, home, redis_url):
    running = await start()
    await running.comes("/readyz", 200)
    status = await home.server.status()
    os.kill(status.pid, signal.SIGSTOP)
    try:
        told = await running.comes("/readyz", 503)
    finally:
        os.kill(status.pid, signal.SIGCONT)
    assert list(told["troubles"]) == ["redis"]
    await running.comes("/readyz", 200)


async def test_an_answer_is_counted_and_logged_with_its_turn_and_nothing_of_what_was_said(
    start, server, openai, library
):
    running = await start(LOG_LEVEL="DEBUG", OPENAI_API_KEY="sk-very-secret")
    await server.connected()
    openai.answer = lambda prompt: "He is called Rex the Secretive."
    asked = server.say(library.general, library.ada, f"{server.me.mention} My dog hides treasures.")
    await server.until(lambda: running.logged("turn over"))
    (line,) = running.logged("turn over")
    assert (line["level"], line["turn"], line["outcome"]) == ("info", str(asked.id), "answered")
    assert (line["platform"], line["shard"], line["channel"]) == ("discord", 0, str(library.general.id))
    assert line["seconds"] >= line["first_sign"] > 0 < line["memory"]
    assert line["prompt_tokens"] > 0 < line["completion_tokens"]
    assert await running.figure('lorebot_messages_total{outcome="answered",platform="discord"}') == 1
    assert await running.figure('lorebot_tokens_total{kind="prompt",platform="discord"}') == line["prompt_tokens"]
    assert await running.figure('lorebot_socket_up{platform="discord",socket="0"}') == 1
    assert await running.figure("lorebot_heartbeat_age_seconds") < 60
    assert await running.figure("lorebot_build_info") == 1
    assert any(line.get("logger", "").startswith("discord") for line in running.lines)
    for said in ("treasures", "Secretive", server.token, "sk-very-secret"):
        assert said not in running.err.decode()


async def test_rate_limits_are_counted(start, server, library):
    running = await start()
    await server.connected()
    server.faults.limit(0.1, on="POST /channels/*/messages")
    server.say(library.general, library.ada, f"{server.me.mention} hello")
    await server.replied(library.general)
    assert await running.figure('lorebot_rate_limits_total{platform="discord"}') == 1


async def test_too_few_shards_end_with_78_and_the_setting(start, server):
    server.rules.shards_required = 2
    running = await start(LOREBOT_DISCORD_SHARDS="1")
    assert await asyncio.wait_for(running.process.wait(), 60) == 78
    await server.until(lambda: b"LOREBOT_DISCORD_SHARDS=1" in running.err)


@pytest.mark.parametrize(
    ("closed_with", "ends_with", "told"),
    [(4004, 78, b"reset the token"), (4010, 78, b"LOREBOT_DISCORD_SHARD_IDS"), (4011, 75, b"start again")],
)
async def test_a_session_that_discord_ends_for_good_ends_the_process(start, server, closed_with, ends_with, told):
    """4011 without a count of one's own: started again, the bot asks Discord for the count anew."""
    running = await start()
    await running.comes("/readyz", 200)
    server.gateway.close(closed_with)
    assert await asyncio.wait_for(running.process.wait(), 30) == ends_with
    await server.until(lambda: told in running.err)


def test_tokens_in_addresses_are_left_out_of_logs():
    logged = "POST https://discord.com/api/v10/webhooks/123/aW50ZXJhY3Rpb24_x-y/messages/@original responded with 429"
    assert IN_ADDRESSES.sub(r"\1...", logged) == logged.replace("aW50ZXJhY3Rpb24_x-y", "...")


async def test_a_process_serves_the_shards_that_it_is_given(start, server):
    server.rules.shards_required = 3
    running = await start(LOREBOT_DISCORD_SHARDS="3", LOREBOT_DISCORD_SHARD_IDS="2")
    await server.connected()
    await running.comes("/readyz", 200)
    assert [moment.detail["shard"] for moment in server.gateway.log if moment.what == "identify"] == [[2, 3]]
    assert await running.figure('lorebot_socket_up{platform="discord",socket="2"}') == 1


async def test_a_port_that_is_taken_is_told(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        running = await start(LOREBOT_HEALTH_PORT=str(taken.getsockname()[1]))
        assert await asyncio.wait_for(running.process.wait(), 60) == 1
    while b"set LOREBOT_HEALTH_PORT to one that is free" not in running.err:
        await asyncio.sleep(0.01)


@pytest.mark.soak
async def test_a_blackholed_socket_is_left_within_90_seconds_and_nothing_said_meanwhile_is_lost(start, server, library):
    """Complaint: online but deaf."""
    running = await start()
    await running.comes("/readyz", 200)
    server.gateway.blackhole()
    server.say(library.general, library.ada, f"{server.me.mention} are you deaf?")
    await server.until(lambda: server.gateway.count("resume"), 90)
    await server.replied(library.general)
    await running.comes("/readyz", 200)


@pytest.mark.soak
async def test_a_gateway_that_never_answers_again_ends_the_process_with_75_within_90_seconds(start, server):
    running = await start()
    await running.comes("/readyz", 200)
    server.gateway.acks = False
    server.gateway.shut = True
    server.gateway.blackhole()
    assert await asyncio.wait_for(running.process.wait(), 90) == 75
    await server.until(lambda: b"Discord is not heard" in running.err)


class Library:
    """A guild with Ada, and a channel that everyone reads."""

    def __init__(self, server: DiscordLike) -> None:
        self.ada = server.person("ada")
        self.general = server.channel(server.guild("Library", self.ada), "general")


@pytest.fixture
def library(server: DiscordLike) -> Library:
    return Library(server)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]
