"""The life of the unmodified `lorebot discord`: how it comes online, tells how it is, and ends."""

import math
import os
import signal
import socket
from itertools import islice

import pytest

from bot.pauses import pauses
from bot.platforms.discord.secrets import IN_ADDRESSES

shared = pytest.mark.asyncio(loop_scope="module")


@shared
async def test_it_is_alive_while_discord_is_away_and_ready_when_it_has_got_in(bot, server):
    server.faults.cut(times=math.inf, on="GET /users/@me")
    await bot.begin()
    await server.until(lambda: len(bot.logged("Discord not reached yet")) == 2, 30)
    assert await bot.comes("/healthz", 200) == {"alive": True}
    assert await bot.comes("/readyz", 503) == {"ready": False, "troubles": {"discord": "not connected yet"}}
    server.faults.clear()
    assert await bot.comes("/readyz", 200) == {"ready": True, "troubles": {}}
    told = bot.logged("Discord not reached yet")
    assert {one["level"] for one in told} == {"warning"}
    assert told[1]["again_in"] > told[0]["again_in"]
    assert "Unclosed" not in bot.err


@pytest.mark.parametrize(
    ("closed_with", "ends_with", "told"),
    [(4004, 78, "reset the token"), (4010, 78, "LOREBOT_DISCORD_SHARD_IDS"), (4011, 75, "start again")],
)
@shared
async def test_a_session_that_discord_ends_for_good_ends_the_process(bot, server, closed_with, ends_with, told):
    """4011 without a count of one's own: started again, the bot asks Discord for the count anew."""
    await bot.up()
    server.gateway.close(closed_with)
    assert await bot.ended() == ends_with
    assert told in bot.err


@shared
async def test_it_ends_at_once_when_asked_to_while_discord_is_away(bot, server):
    server.faults.cut(times=math.inf, on="GET /users/@me")
    await bot.begin()
    await server.until(lambda: bot.logged("Discord not reached yet"), 30)
    bot.process.terminate()
    assert await bot.ended(15) == 0


def test_pauses_grow_to_a_minute():
    found = list(islice(pauses(), 10))
    assert all(0.75 * base <= pause <= 1.25 * base for pause, base in zip(found, [1, 2, 4, 8, 16, 32], strict=False))
    assert all(45 <= pause <= 75 for pause in found[6:])


@shared
async def test_a_start_that_discord_fails_is_tried_again(bot, server):
    for path in ("GET /users/@me", "GET /gateway/bot"):
        server.faults.fail(503, on=path)
    await bot.begin()
    await server.connected()
    await bot.comes("/readyz", 200)
    assert len(bot.logged("Discord not reached yet")) == 2


@shared
async def test_without_redis_it_is_not_ready_and_says_so(bot, server):
    await bot.up()
    await bot.comes("/readyz", 200)
    status = await bot.home.server.status()
    os.kill(status.pid, signal.SIGSTOP)
    try:
        told = await bot.comes("/readyz", 503)
    finally:
        os.kill(status.pid, signal.SIGCONT)
    assert list(told["troubles"]) == ["redis"]
    await bot.comes("/readyz", 200)


@shared
async def test_rate_limits_are_counted(bot, server, library):
    await bot.up()
    before = await bot.figure('lorebot_rate_limits_total{platform="discord"}')
    server.faults.limit(0.1, on="POST /channels/*/messages")
    server.say(library.general, library.ada, f"{server.me.mention} hello")
    await server.replied(library.general)
    assert await bot.figure('lorebot_rate_limits_total{platform="discord"}') == before + 1


@shared
async def test_a_gateway_that_is_shut_at_the_start_is_tried_again(bot, server):
    server.gateway.shut = True
    await bot.begin()
    await server.until(lambda: bot.logged("Discord not reached yet"), 30)
    assert await bot.comes("/readyz", 503) == {
        "ready": False,
        "troubles": {"discord": "shard 0 has not connected yet"},
    }
    server.gateway.shut = False
    await server.connected()
    await bot.comes("/readyz", 200)


@shared
async def test_an_answer_is_counted_and_logged_with_its_turn_and_nothing_of_what_was_said(bot, server, openai, library):
    await bot.up(LOG_LEVEL="DEBUG", OPENAI_API_KEY="sk-very-secret")
    openai.answer = lambda prompt: "He is called Rex the Secretive."
    asked = server.say(library.general, library.ada, f"{server.me.mention} My dog hides treasures.")
    await server.until(lambda: bot.logged("turn over"))
    (line,) = bot.logged("turn over")
    assert (line["level"], line["turn"], line["outcome"]) == ("info", str(asked.id), "answered")
    assert (line["platform"], line["shard"], line["channel"]) == ("discord", 0, str(library.general.id))
    assert line["seconds"] >= line["first_sign"] > 0 < line["memory"]
    assert line["prompt_tokens"] > 0 < line["completion_tokens"]
    assert await bot.figure('lorebot_messages_total{outcome="answered",platform="discord"}') == 1
    assert await bot.figure('lorebot_tokens_total{kind="prompt",platform="discord"}') == line["prompt_tokens"]
    assert await bot.figure('lorebot_socket_up{platform="discord",socket="0"}') == 1
    assert await bot.figure("lorebot_heartbeat_age_seconds") < 60
    assert await bot.figure("lorebot_build_info") == 1
    assert any(line.get("logger", "").startswith("discord") for line in bot.log)
    for said in ("treasures", "Secretive", server.token, "sk-very-secret"):
        assert said not in bot.err


@shared
async def test_too_few_shards_end_with_78_and_the_setting(bot, server):
    server.rules.shards_required = 2
    await bot.begin(LOREBOT_DISCORD_SHARDS="1")
    assert await bot.ended() == 78
    assert "LOREBOT_DISCORD_SHARDS=1" in bot.err


def test_tokens_in_addresses_are_left_out_of_logs():
    logged = "POST https://discord.com/api/v10/webhooks/123/aW50ZXJhY3Rpb24_x-y/messages/@original responded with 429"
    assert IN_ADDRESSES.sub(r"\1...", logged) == logged.replace("aW50ZXJhY3Rpb24_x-y", "...")


@shared
async def test_a_process_serves_the_shards_that_it_is_given(bot, server):
    server.rules.shards_required = 3
    await bot.begin(LOREBOT_DISCORD_SHARDS="3", LOREBOT_DISCORD_SHARD_IDS="2")
    await server.connected()
    await bot.comes("/readyz", 200)
    assert [moment.detail["shard"] for moment in server.gateway.log if moment.what == "identify"] == [[2, 3]]
    assert await bot.figure('lorebot_socket_up{platform="discord",socket="2"}') == 1


@shared
async def test_a_port_that_is_taken_is_told(bot):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        await bot.begin(LOREBOT_HEALTH_PORT=str(taken.getsockname()[1]))
        assert await bot.ended() == 1
    assert "set LOREBOT_HEALTH_PORT to one that is free" in bot.err


@pytest.mark.soak
@shared
async def test_a_blackholed_socket_is_left_within_90_seconds_and_nothing_said_meanwhile_is_lost(bot, server, library):
    """Complaint: online but deaf."""
    await bot.begin()
    await bot.comes("/readyz", 200)
    server.gateway.blackhole()
    server.say(library.general, library.ada, f"{server.me.mention} are you deaf?")
    await server.until(lambda: server.gateway.count("resume"), 90)
    await server.replied(library.general)
    await bot.comes("/readyz", 200)


@pytest.mark.soak
@shared
async def test_a_gateway_that_never_answers_again_ends_the_process_with_75_within_90_seconds(bot, server):
    await bot.begin()
    await bot.comes("/readyz", 200)
    server.gateway.acks = False
    server.gateway.shut = True
    server.gateway.blackhole()
    assert await bot.ended(90) == 75
    assert "Discord is not heard" in bot.err
