"""Who is let in, many at once, and how it ends."""

import asyncio
import contextlib
import os
import resource
import signal
import socket
import ssl
import sys
import time
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis import exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from bot.errors import SettingsError
from bot.resp.server import Gateway
from memory import binary, connect
from memory.errors import RedisUnavailable
from tests.fakes import ToyCommands
from tests.resp.door import Wire, until

SECRET = SecretStr("open sésame")


@pytest.fixture
async def locked(gate):
    return await gate(password=SECRET)


async def test_nothing_is_done_for_a_stranger(locked, commands):
    wire = await locked.wire()
    for line in ("GET a", "PING", "LLM.ECHO", "CLIENT ID", "RESET", "SUBSCRIBE a", "MULTI", "MODULE LIST"):
        assert await wire.ask(line) == b"-NOAUTH Authentication required.\r\n"
    assert (await wire.ask("HELLO 3")).startswith(b"-NOAUTH HELLO must be called with the client already authenticated")
    assert (await wire.ask("AUTH wrong")).startswith(b"-WRONGPASS")
    assert (await wire.ask("AUTH admin 'open sésame'")).startswith(b"-WRONGPASS")
    assert (await wire.ask("HELLO 3 AUTH default wrong")).startswith(b"-WRONGPASS")
    assert await wire.ask("AUTH") == b"-ERR wrong number of arguments for 'auth' command\r\n"
    assert await wire.ask("AUTH 'open sésame'") == b"+OK\r\n"
    assert await wire.ask("PING") == b"+PONG\r\n"


async def test_a_stranger_may_say_goodbye_and_little_more(locked):
    wire = await locked.wire()
    wire.send(b"QUIT\r\nPING\r\n")
    assert await wire.rest() == b"+OK\r\n"
    wire = await locked.wire()
    wire.send(b"*2\r\n$4\r\nAUTH\r\n$20000\r\n")
    assert await wire.rest() == b"-ERR Protocol error: unauthenticated bulk length\r\n"


async def test_a_login_comes_with_hello_or_by_itself(locked, plain):
    for options in ({"protocol": 3}, {"protocol": 2}, {"protocol": 3, "username": "default"}):
        guest = locked.client(password=SECRET.get_secret_value(), client_name="ada", **options)
        await guest.set(f"{plain}a", "x" * 100_000)
        assert await guest.client_getname() in ("ada", b"ada")
    with pytest.raises(exceptions.AuthenticationError):
        await locked.client(password="wrong", retry=Retry(NoBackoff(), 0)).ping()


async def test_a_reset_client_is_a_stranger_again(locked):
    wire = await locked.wire()
    assert await wire.ask("AUTH 'open sésame'") == b"+OK\r\n"
    assert await wire.ask("RESET") == b"+RESET\r\n"
    assert await wire.ask("PING") == b"-NOAUTH Authentication required.\r\n"


async def test_without_a_password_a_login_is_answered_as_redis_does(door):
    wire = await door.wire()
    assert (await wire.ask("AUTH x")).startswith(b"-ERR AUTH <password> called without any password configured")
    assert await wire.ask("AUTH default x") == b"+OK\r\n"
    assert (await wire.ask("AUTH ada x")).startswith(b"-WRONGPASS")
    assert (await wire.ask("HELLO 4")).startswith(b"-NOPROTO unsupported protocol version")
    assert (await wire.ask("HELLO x")).startswith(b"-ERR Protocol version is not an integer")
    assert (await wire.ask("HELLO 3 SETNAME")).startswith(b"-ERR Syntax error in HELLO option 'setname'")
    assert (await wire.ask("HELLO 3 SETNAME 'a b'")).startswith(b"-ERR Client names cannot contain spaces")
    assert await wire.ask("HELLO 3 SETNAME ada") == b"%7\r\n"


async def test_hello_tells_of_redis_and_may_change_the_protocol_on_the_way(door, client):
    wire = await door.wire()
    version = (await client.info("server"))["redis_version"].encode()
    assert await wire.ask("HELLO") == b"*14\r\n"
    assert b"$%d\r\n%b\r\n" % (len(version), version) in await wire.reader.readuntil(b"modules\r\n*0\r\n")
    assert await wire.ask("GET nothing") == b"$-1\r\n"
    assert await wire.ask("HELLO 3") == b"%7\r\n"
    await wire.reader.readuntil(b"modules\r\n*0\r\n")
    assert await wire.ask("GET nothing") == b"_\r\n"


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.0.2.1", "example.org"])
async def test_an_open_door_needs_a_lock(client, keys, host):
    with pytest.raises(SettingsError, match="LOREBOT_RESP_PASSWORD"):
        await Gateway(ToyCommands(), client, keys.namespace, host=host, port=0).start()


async def test_a_port_that_is_taken_is_told_in_a_sentence(door, client, keys):
    port = door.gateway.port
    with pytest.raises(
        SettingsError, match=f"^port {port} on 127.0.0.1 is taken; set LOREBOT_RESP_PORT to a free one$"
    ):
        await Gateway(ToyCommands(), client, keys.namespace, port=port).start()
    assert len([name for name in await client.acl_users() if name.startswith(keys.namespace)]) == 1


async def test_a_redis_that_is_not_there_is_told_at_start(keys):
    nobody = connect.client("redis://127.0.0.1:9")
    with pytest.raises(RedisUnavailable, match="check that it runs and that REDIS_URL points to it"):
        await Gateway(ToyCommands(), nobody, keys.namespace, port=0).start()
    await connect.close(nobody)


# Many at once


async def test_a_model_that_takes_its_time_holds_up_only_its_own_client(door, commands):
    slow, other = await door.wire(), await door.wire()
    slow.send(b"LLM.WAIT a\r\nLLM.ECHO b\r\n")
    await until(lambda: commands.waiting == 1)
    assert await other.ask("PING") == b"+PONG\r\n"
    assert await other.ask("LLM.ECHO") == b"*0\r\n"
    commands.go.set()
    await slow.read(b"$1\r\na\r\n*1\r\n$1\r\nb\r\n")


async def test_a_client_that_goes_away_has_its_model_stopped(door, commands):
    wire = await door.wire()
    wire.send(b"LLM.WAIT a\r\n")
    await until(lambda: commands.waiting == 1)
    wire.close()
    await until(lambda: commands.cancelled == 1)
    await until(lambda: door.gateway.clients == 0)


async def test_a_thousand_clients_are_served_while_a_hundred_models_work(door, commands, plain):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    wires = [await door.wire() for _ in range(1000)]
    for number, wire in enumerate(wires[:100]):
        wire.send(b"LLM.WAIT %d\r\n" % number)
    await until(lambda: commands.waiting == 100)
    for number, wire in enumerate(wires[100:]):
        wire.send(f"SET {plain}{number} {number}\r\nGET {plain}{number}\r\n".encode())
    for number, wire in enumerate(wires[100:]):
        await wire.read(b"+OK\r\n$%d\r\n%d\r\n" % (len(str(number)), number))
    took = []
    for _ in range(50):
        begun = time.perf_counter()
        assert await wires[-1].ask("PING") == b"+PONG\r\n"
        took.append(time.perf_counter() - begun)
    assert sorted(took)[25] < 0.1
    commands.go.set()
    for number, wire in enumerate(wires[:100]):
        await wire.read(b"$%d\r\n%d\r\n" % (len(str(number)), number))


async def test_a_client_that_does_not_read_is_not_read_from(door, plain, client):
    await client.set(f"{plain}big", b"x" * 100_000)
    stuck = socket.create_connection(("127.0.0.1", door.gateway.port))
    stuck.setblocking(False)
    line = f"GET {plain}big\r\nLLM.ECHO {'y' * 1000}\r\n".encode() * 100
    sent = 0

    async def pour() -> None:
        nonlocal sent
        while True:
            sent += await asyncio.get_running_loop().sock_sendall(stuck, line) or len(line)

    pouring = asyncio.create_task(pour())
    before = -1
    while before != sent:  # until nothing more is taken
        before = sent
        done, _ = await asyncio.wait([pouring], timeout=0.5)
        assert not done
    assert sent < 40 * 2**20
    other = await door.wire()
    assert await other.ask("PING") == b"+PONG\r\n"
    pouring.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await pouring
    stuck.close()


async def test_one_client_too_many_is_told_so(gate):
    door = await gate(most_clients=1)
    wire = await door.wire()
    assert await wire.ask("PING") == b"+PONG\r\n"
    assert await (await door.wire()).rest() == b"-ERR max number of clients reached\r\n"


# The end


async def test_what_is_under_way_is_answered_before_the_end(door, commands, plain):
    busy, idle, listening = await door.wire(), await door.wire(), await door.wire()
    assert await idle.ask("PING") == b"+PONG\r\n"
    assert await listening.ask("SUBSCRIBE a") == b"*3\r\n"
    busy.send(f"LLM.WAIT a\r\nSET {plain}a 1\r\n".encode())
    await until(lambda: commands.waiting == 1)
    ending = asyncio.create_task(door.gateway.drain(10))
    assert await idle.rest() == b""
    assert (await listening.rest()).endswith(b":1\r\n")
    with pytest.raises(OSError, match=r"refused|Connect"):
        await door.wire()
    commands.go.set()
    assert await busy.rest() == b"$1\r\na\r\n+OK\r\n"
    await ending
    assert commands.cancelled == 0


async def test_what_takes_too_long_is_given_up_at_the_end(door, commands):
    wire = await door.wire()
    wire.send(b"LLM.WAIT a\r\n")
    await until(lambda: commands.waiting == 1)
    await door.gateway.drain(0.05)
    assert await wire.rest() == b""
    assert commands.cancelled == 1


PROGRAM = """
import asyncio, sys
from bot.platforms import signals
from bot.resp.server import Gateway
from memory import connect
from tests.fakes import ToyCommands

async def main():
    commands = ToyCommands()
    asyncio.get_running_loop().call_later(1.0, commands.go.set)
    gateway = Gateway(commands, connect.client(sys.argv[1]), sys.argv[2], port=int(sys.argv[3]))
    with signals.ending():
        await gateway.serve(drain=10)

asyncio.run(main())
"""


async def test_a_program_that_is_told_to_end_answers_first(redis_url, keys, client):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, redis_url, keys.namespace, str(port)), env={**os.environ, "PYTHONPATH": "."}
    )
    async with asyncio.timeout(20):
        while True:
            try:
                wire = Wire(*await asyncio.open_connection("127.0.0.1", port))
                break
            except OSError:
                await asyncio.sleep(0.02)
    assert await wire.ask("PING") == b"+PONG\r\n"
    wire.send(b"LLM.WAIT a\r\n")
    second = Wire(*await asyncio.open_connection("127.0.0.1", port))
    assert await second.ask("PING") == b"+PONG\r\n"
    process.send_signal(signal.SIGTERM)
    assert await second.rest() == b""
    assert await wire.rest() == b"$1\r\na\r\n"
    assert await asyncio.wait_for(process.wait(), 20) == 128 + signal.SIGTERM
    assert not [name for name in await client.acl_users() if name.startswith(keys.namespace)]
    wire.close()
    second.close()


# Where Redis is


async def test_a_lost_redis_is_told_and_ends_the_connection(door, client, keys):
    idle, busy, fresh = await door.wire(), await door.wire(), await door.wire()
    assert await idle.ask("GET a") == b"$-1\r\n"
    busy.send(b"GET a\r\nBLPOP nothing 0\r\n")
    await busy.read(b"$-1\r\n")
    for one in await client.client_list():
        if one["user"].startswith(keys.namespace):
            await client.client_kill_filter(_id=one["id"])
    lost = b"-ERR the connection to Redis was lost; connect again\r\n"
    assert await idle.rest() == lost
    assert await busy.rest() == lost
    assert await fresh.ask("GET a") == b"$-1\r\n"


@pytest.fixture
async def elsewhere(tmp_path: Path):
    """The port of a Redis of the test's own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(str((await binary.find()).server), "--port", str(port), "--save", ""),
        stdout=asyncio.subprocess.PIPE,
        cwd=tmp_path,
        env={"LC_ALL": "C"},
    )
    while b"Ready to accept connections" not in await asyncio.wait_for(process.stdout.readline(), 10):
        pass
    yield port
    process.kill()
    await process.communicate()


@pytest.fixture
async def secured(elsewhere, tmp_path: Path):
    """The address of the same Redis over TLS; the server that ships has none of its own, so this one is in front."""
    made = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost"
    try:
        process = await asyncio.create_subprocess_exec(*made.split(), cwd=tmp_path, stderr=asyncio.subprocess.DEVNULL)
    except FileNotFoundError:
        pytest.skip("no openssl here to make a certificate")
    assert await process.wait() == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            target.write(data)
        target.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", elsewhere)
        with contextlib.suppress(OSError):
            await asyncio.gather(pump(reader, outer), pump(inner, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    yield f"rediss://127.0.0.1:{port}?ssl_ca_certs={tmp_path}/cert.pem&ssl_check_hostname=false"
    server.close()


async def _reached(url: str) -> None:
    operator = connect.client(url)
    async with Gateway(ToyCommands(), operator, "lore", port=0) as gateway:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", gateway.port))
        assert await wire.ask("SET a 1") == b"+OK\r\n"
        assert await operator.get("a") == b"1"
        assert (await wire.ask("GET lore:x")).startswith(b"-NOPERM")
        wire.close()
    await connect.close(operator)


async def test_a_redis_at_a_tcp_address_is_reached(elsewhere):
    await _reached(f"redis://localhost:{elsewhere}")


async def test_a_redis_behind_tls_is_reached(secured):
    await _reached(secured)


async def test_a_certificate_of_nobody_is_refused(secured):
    stranger = connect.client(secured.partition("?")[0])
    with pytest.raises(RedisUnavailable):
        await Gateway(ToyCommands(), stranger, "lore", port=0).start()
    await connect.close(stranger)


async def test_a_sentinel_leads_to_the_redis(elsewhere, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = tmp_path / "sentinel.conf"
    config.write_text(f"port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {elsewhere} 1\ndir {tmp_path}\n")
    process = await asyncio.create_subprocess_exec(
        *(str((await binary.find()).server), str(config), "--sentinel"),
        stdout=asyncio.subprocess.PIPE,
        cwd=tmp_path,
        env={"LC_ALL": "C"},
    )
    while b"+monitor master" not in await asyncio.wait_for(process.stdout.readline(), 10):
        pass
    await _reached(f"redis+sentinel://127.0.0.1:{port}/main")
    process.kill()
    await process.communicate()
