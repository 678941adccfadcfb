"""Every form of address that REDIS_URL takes, and what is said of those it does not."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis.asyncio

from bot.limits import Allowance, Limits
from memory import binary, connect
from memory.batch import Batch
from memory.errors import RedisUnavailable
from memory.scope import Audience, Scope


def settings_of(url: str) -> dict[str, object]:
    return connect.client(url).connection_pool.connection_kwargs


def test_an_address_says_host_database_and_login():
    found = settings_of("redis://ada:secret@example.org:6380/3")
    assert (found["host"], found["port"], found["db"]) == ("example.org", 6380, 3)
    assert (found["username"], found["password"]) == ("ada", "secret")


def test_a_secure_address_is_spoken_to_over_tls():
    pool = connect.client("rediss://example.org").connection_pool
    assert issubclass(pool.connection_class, redis.asyncio.SSLConnection)


def test_a_socket_is_an_address():
    assert settings_of("unix:///run/redis.sock?db=2")["path"] == "/run/redis.sock"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://localhost", "REDIS_URL must begin with one of redis://"),
        ("localhost:6379", "REDIS_URL must begin with one of redis://"),
        ("redis://localhost:port/0", "REDIS_URL cannot be read"),
        ("redis+sentinel://localhost:26379", "REDIS_URL names no service"),
        ("redis+sentinel://localhost:port/main", "REDIS_URL cannot be read"),
    ],
)
def test_a_wrong_address_names_what_is_wrong(url, told):
    with pytest.raises(RedisUnavailable, match=told):
        connect.client(url)


async def test_a_server_that_does_not_answer_is_named():
    client = connect.client("redis://127.0.0.1:9")
    batch = Batch(client)
    batch.ask("PING", read=bool)
    with pytest.raises(RedisUnavailable, match="check that it runs and that REDIS_URL points to it"):
        await batch.send()
    await connect.close(client)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@pytest.fixture
async def sentinel(tmp_path: Path) -> AsyncIterator[str]:
    """A primary and a sentinel that watches it, both real; their address."""
    server = (await binary.find()).server
    primary, watcher = _free_port(), _free_port()
    config = tmp_path / "sentinel.conf"
    config.write_text(f"port {watcher}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {primary} 1\ndir {tmp_path}\n")
    quiet = {"stdout": asyncio.subprocess.DEVNULL, "cwd": tmp_path, "env": {"LC_ALL": "C"}}
    started = [
        await asyncio.create_subprocess_exec(str(server), "--port", str(primary), "--save", "", **quiet),
        await asyncio.create_subprocess_exec(str(server), str(config), "--sentinel", **quiet),
    ]
    for port in (primary, watcher):
        await _listening(port)
    yield f"redis+sentinel://127.0.0.1:{watcher}/main/1"
    for process in started:
        process.kill()
        await process.wait()


async def _listening(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            await writer.wait_closed()
            return


async def test_a_sentinel_leads_to_its_primary(sentinel):
    client = connect.client(sentinel)
    assert await client.set("here", "yes")
    assert await client.get("here") == b"yes"
    await connect.close(client)


async def test_limits_are_counted_behind_a_sentinel(sentinel, keys):
    client = connect.client(sentinel)
    limits = Limits(client, keys, Allowance())
    await limits.spent(Scope("discord:1", "general", "ada", Audience.PUBLIC), 10)
    assert len(await client.keys(f"{keys.limits}:*")) == 2
    await connect.close(client)


@pytest.mark.parametrize("url", ["redis://:s3cr3t/pw@host", "redis://[s3cr3t", "redis+sentinel://:s3cr3t@host:x/main"])
def test_a_password_is_never_told(url):
    with pytest.raises(RedisUnavailable) as caught:
        connect.client(url)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_an_address_cannot_change_what_the_code_relies_on(redis_url):
    client = connect.client(f"{redis_url}?protocol=3&decode_responses=True")
    assert await client.get("nothing") is None
    await client.set("here", "yes", px=1000)
    assert await client.get("here") == b"yes"
    await connect.close(client)


async def test_a_thousand_commands_at_once_wait_for_connections_and_none_is_refused(client):
    pushing = [client.execute_command("BLPOP", f"nothing-{number}", 0.05) for number in range(50)]
    asking = [client.execute_command("ECHO", number) for number in range(1000)]
    assert (await asyncio.gather(*pushing, *asking))[50:] == [str(number).encode() for number in range(1000)]
    assert len(client.connection_pool._available_connections) <= connect.MOST
