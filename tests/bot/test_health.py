"""Health over HTTP, against a real server."""

import asyncio
import socket

import aiohttp
import pytest
from aiohttp import web

from bot.errors import SettingsError
from bot.health import Health, RedisCheck, add_routes, served
from bot.metrics import Metrics, Socket, Taken
from bot.records import Tokens
from memory import connect
from memory.memory import Memory
from memory.server import EmbeddedServer


class Says:
    """A check that finds what the test says."""

    def __init__(self, trouble: str = "", held: asyncio.Event | None = None) -> None:
        self.says = trouble
        self.held = held

    async def trouble(self) -> str:
        if self.held is not None:
            await self.held.wait()
        return self.says


async def get(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
        return response.status, await response.text()


async def test_it_is_ready_when_all_that_it_needs_is_there_and_says_what_is_not():
    health = Health(["redis", "discord"])
    redis, discord = Says(), Says("shard 1 has not connected yet")
    async with served(health, Metrics(), ("127.0.0.1", 0)) as port:
        assert await get(port, "/healthz") == (200, '{"alive": true}')
        health.check("redis", redis)
        assert await get(port, "/readyz") == (503, '{"ready": false, "troubles": {"discord": "still starting"}}')
        health.check("discord", discord)
        status, body = await get(port, "/readyz")
        assert (status, '{"discord": "shard 1 has not connected yet"}' in body) == (503, True)
        discord.says = ""
        assert await get(port, "/readyz") == (200, '{"ready": true, "troubles": {}}')


async def test_an_app_that_serves_something_else_tells_of_health_and_not_of_figures():
    health = Health(["redis"])
    app = web.Application()
    add_routes(app, health)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        port = runner.addresses[0][1]
        assert await get(port, "/healthz") == (200, '{"alive": true}')
        assert (await get(port, "/readyz"))[0] == 503
        health.check("redis", Says())
        assert (await get(port, "/readyz"))[0] == 200
        assert (await get(port, "/metrics"))[0] == 404
    finally:
        await runner.cleanup()


async def test_a_check_that_hangs_is_a_trouble_and_does_not_hold_up_the_answer():
    health = Health(["redis"])
    health.check("redis", Says(held=asyncio.Event()))
    assert await health.troubles() == {"redis": "no answer within 2 s"}


async def test_redis_is_checked_by_asking_it(client, memory, embedder, tmp_path):
    assert await RedisCheck(memory).trouble() == ""
    server = EmbeddedServer(tmp_path)
    other = connect.client(await server.start())
    gone = await Memory.open(other, embedder)
    await server.stop()
    assert await RedisCheck(gone).trouble() == "Redis does not answer"
    await other.aclose()


async def test_without_a_port_nothing_is_served():
    async with served(Health([]), Metrics(), None) as port:
        assert port is None


async def test_a_port_that_is_taken_names_the_setting():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SettingsError, match="LOREBOT_HEALTH_PORT"):
        async with served(Health([]), Metrics(), taken.getsockname()):
            pass


async def test_figures_are_served_as_prometheus_reads_them():
    metrics = Metrics()
    metrics.answered(Taken("discord", "answered", 2.5, 0.4, 0.02, Tokens(300, 40, 6000)))
    metrics.answered(Taken("discord", "failed", 0.5))
    metrics.limited("discord")
    metrics.serves("discord", lambda: [Socket("0", True, 3.0), Socket("1", False, 70.0)], lambda: 2)
    async with served(Health([]), metrics, ("127.0.0.1", 0)) as port:
        _, page = await get(port, "/metrics")
    found = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line[0] != "#"}
    wanted = {
        'lorebot_messages_total{outcome="answered",platform="discord"}': 1,
        'lorebot_messages_total{outcome="failed",platform="discord"}': 1,
        'lorebot_first_sign_seconds_sum{platform="discord"}': 0.4,
        'lorebot_answer_seconds_count{platform="discord"}': 1,
        'lorebot_answer_seconds_sum{platform="discord"}': 2.5,
        'lorebot_memory_seconds_sum{platform="discord"}': 0.02,
        'lorebot_tokens_total{kind="prompt",platform="discord"}': 300,
        'lorebot_tokens_total{kind="completion",platform="discord"}': 40,
        'lorebot_rate_limits_total{platform="discord"}': 1,
        'lorebot_conversations_waiting{platform="discord"}': 2,
        'lorebot_socket_up{platform="discord",socket="1"}': 0,
        'lorebot_heartbeat_age_seconds{platform="discord",socket="1"}': 70,
    }
    assert {name: found.get(name) for name in wanted} == wanted


def test_metrics_of_two_bots_in_one_process_do_not_meet():
    one, other = Metrics(), Metrics()
    one.limited("discord")
    assert b'lorebot_rate_limits_total{platform="discord"}' not in other.page()
