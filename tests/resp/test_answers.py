"""What clients of Redis do means through the gateway what it means without."""

import asyncio
import shutil

import pytest
import redis
from redis import exceptions

from bot.resp import expiry
from bot.resp.requests import Limits
from bot.resp.server import Gateway
from memory import connect
from tests.fakes import ToyCommands
from tests.resp.door import until


@pytest.fixture(params=[2, 3])
def protocol(request):
    return request.param


async def test_a_client_of_either_protocol_has_both_kinds_of_commands(door, commands, plain, protocol):
    commands.replies = {b"n": 0.1, b"big": 2**70, b"none": None, b"map": {"a": 1}}
    guest = door.client(protocol=protocol, client_name="ada")
    assert await guest.set(f"{plain}a", "1")
    assert await guest.execute_command("llm.echo", b"\x00\xff", "") == [b"\x00\xff", b""]
    assert await guest.hset(f"{plain}h", mapping={"a": 1, "b": 2}) == 2
    assert await guest.hgetall(f"{plain}h") == {b"a": b"1", b"b": b"2"}
    assert float(await guest.execute_command("LLM.REPLY", "n")) == 0.1
    assert int(await guest.execute_command("LLM.REPLY", "big")) == 2**70
    assert await guest.execute_command("LLM.REPLY", "none") is None
    assert await guest.execute_command("LLM.REPLY", "map") == ({b"a": 1} if protocol == 3 else [b"a", 1])
    assert await guest.client_getname() in ("ada", b"ada")


def test_a_client_that_blocks_is_served_too(redis_url, protocol):
    """The same through redis-py without asyncio, in a thread, as many programs have it."""

    async def served() -> object:
        client = connect.client(redis_url)
        async with Gateway(ToyCommands(), client, "sync-test", port=0) as gateway:
            found = await asyncio.to_thread(ask, gateway.port)
        await connect.close(client)
        return found

    def ask(port: int) -> object:
        with redis.Redis(port=port, protocol=protocol) as guest:
            pipeline = guest.pipeline(transaction=False)
            pipeline.ping()
            pipeline.execute_command("LLM.ECHO", "a")
            pipeline.echo("b")
            return pipeline.execute()

    assert asyncio.run(served()) == [True, [b"a"], b"b"]


async def test_a_pipeline_is_answered_in_its_order(door, plain, protocol):
    guest = door.client(protocol=protocol)
    pipeline = guest.pipeline(transaction=False)
    for number in range(300):
        pipeline.set(f"{plain}{number}", number)
        pipeline.execute_command("LLM.ECHO", number)
        pipeline.get(f"{plain}{number}")
        pipeline.ping()
    expected = [[True, [b"%d" % number], b"%d" % number, True] for number in range(300)]
    assert await pipeline.execute() == [one for four in expected for one in four]


async def test_many_thousand_commands_at_once_are_answered(door, plain):
    guest = door.client()
    pipeline = guest.pipeline(transaction=False)
    for number in range(20_000):
        pipeline.echo(number)
    assert await pipeline.execute() == [b"%d" % number for number in range(20_000)]


async def test_an_error_says_what_to_do_and_an_unexpected_one_tells_nothing(door, capsys):
    wire = await door.wire()
    assert await wire.ask("LLM.FAIL") == b"-ERR no model is called that; LLM.LIST lists them\r\n"
    assert await wire.ask("LLM.BREAK s3cr3t") == b"-ERR internal error\r\n"
    assert await wire.ask("LLM.CANCEL") == b"-ERR internal error\r\n"
    assert await wire.ask("PING") == b"+PONG\r\n"
    logged = "".join(capsys.readouterr())
    assert "LLM.BREAK" in logged
    assert "ValueError" in logged
    assert "tests/fakes.py" in logged
    assert "s3cr3t" not in logged


async def test_a_command_nobody_knows_is_told_by_redis(door):
    wire = await door.wire()
    told = await wire.ask("llm.nonsense model sk-secret")
    assert told.startswith(b"-ERR unknown command 'LLM.NONSENSE'; these are known: LLM.BREAK, ")
    assert b"sk-secret" not in told
    assert (await wire.ask("GET")).startswith(b"-ERR wrong number of arguments for 'get' command")


async def test_a_transaction_is_one_and_a_watched_key_stops_it(door, plain, client):
    guest = door.client()
    async with guest.pipeline(transaction=True) as pipeline:
        assert await pipeline.set(f"{plain}a", 1).incr(f"{plain}a").ping().exists(f"{plain}a").execute() == [
            True,
            2,
            True,
            1,
        ]
        await pipeline.watch(f"{plain}a")
        await client.set(f"{plain}a", 9)
        pipeline.multi()
        pipeline.set(f"{plain}a", 3)
        with pytest.raises(exceptions.WatchError):
            await pipeline.execute()
    assert await client.get(f"{plain}a") == b"9"


@pytest.mark.parametrize(
    "bad", ["LLM.ECHO x", "SELECT 1", "KEYS *", "SUBSCRIBE a", "FLUSHALL", "MODULE LIST", "HELLO 3"]
)
async def test_what_cannot_run_in_a_transaction_is_told_and_aborts_it(door, plain, client, bad):
    wire = await door.wire()
    wire.send(f"MULTI\r\nSET {plain}a 1\r\n{bad}\r\nSET {plain}b 1\r\nEXEC\r\nGET {plain}a\r\nLLM.ECHO\r\n".encode())
    await wire.read(b"+OK\r\n+QUEUED\r\n")
    told = await wire.reader.readline()
    assert told.startswith((b"-ERR " + bad.split()[0].encode() + b" cannot run inside MULTI", b"-NOPERM"))
    await wire.read(b"+QUEUED\r\n-EXECABORT Transaction discarded because of previous errors.\r\n$-1\r\n*0\r\n")
    assert await client.exists(f"{plain}a", f"{plain}b") == 0


async def test_a_transaction_that_was_discarded_leaves_no_trace(door, plain):
    wire = await door.wire()
    wire.send(f"MULTI\r\nLLM.ECHO\r\nDISCARD\r\nLLM.ECHO\r\nMULTI\r\nINCR {plain}a\r\nEXEC\r\nEXEC\r\n".encode())
    await wire.read(b"+OK\r\n-ERR LLM.ECHO cannot run inside MULTI here; run it outside the transaction\r\n")
    await wire.read(b"+OK\r\n*0\r\n+OK\r\n+QUEUED\r\n*1\r\n:1\r\n-ERR EXEC without MULTI\r\n")


async def test_a_client_that_waits_for_a_list_is_served_when_it_fills(door, plain):
    waiting = asyncio.create_task(door.client().blpop(f"{plain}l", 10))
    guest = door.client()
    await until_async(lambda: _blocked(guest))
    await guest.rpush(f"{plain}l", "x")
    assert await waiting == (f"{plain}l".encode(), b"x")


async def until_async(holds):
    async with asyncio.timeout(20):
        while not await holds():
            await asyncio.sleep(0.005)


async def _blocked(guest) -> bool:
    return (await guest.info("clients"))["blocked_clients"] > 0


async def test_a_client_that_goes_away_waits_for_nothing(door, plain, client):
    wire = await door.wire()
    wire.send(f"BLPOP {plain}l 0\r\n".encode())
    await until_async(lambda: _blocked(client))
    wire.close()
    await until_async(lambda: _unblocked(client))
    assert await client.rpush(f"{plain}l", "x") == 1
    assert await client.llen(f"{plain}l") == 1


async def _unblocked(client) -> bool:
    return not await _blocked(client)


async def test_a_database_stays_selected(door, plain):
    guest = door.client(db=2)
    await guest.set(f"{plain}a", 1)
    assert await door.client().get(f"{plain}a") is None
    assert await guest.delete(f"{plain}a") == 1


async def test_messages_are_heard_in_either_protocol(door, client, plain, protocol):
    guest = door.client(protocol=protocol)
    async with guest.pubsub() as heard:
        await heard.subscribe(f"{plain}a", f"{plain}b")
        await heard.psubscribe(f"{plain}p*")
        assert [(await heard.get_message(timeout=5))["data"] for _ in range(3)] == [1, 2, 3]
        for number in range(3):
            await client.publish(f"{plain}a", number)
        await client.publish(f"{plain}pq", "x")
        assert [(await heard.get_message(timeout=5))["data"] for _ in range(4)] == [b"0", b"1", b"2", b"x"]
        await heard.unsubscribe()
        await heard.punsubscribe()
        assert [(await heard.get_message(timeout=5))["data"] for _ in range(3)] == [3 - one for one in (1, 2, 3)]


async def test_a_listener_of_resp2_may_do_little_else_until_it_stops_listening(door, plain):
    wire = await door.wire()
    wire.send(f"SUBSCRIBE {plain}a {plain}a\r\n".encode())
    channel = b"$%d\r\n%b\r\n" % (len(f"{plain}a"), f"{plain}a".encode())
    await wire.read((b"*3\r\n$9\r\nsubscribe\r\n" + channel + b":1\r\n") * 2)
    assert (await wire.ask("GET a")).startswith(b"-ERR Can't execute 'get': only (P|S)SUBSCRIBE")
    assert (await wire.ask("LLM.ECHO a")).startswith(b"-ERR Can't execute 'llm.echo': only")
    wire.send(b"PING\r\nPING hi\r\n")
    await wire.read(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n*2\r\n$4\r\npong\r\n$2\r\nhi\r\n")
    wire.send(b"UNSUBSCRIBE\r\nGET a\r\nLLM.ECHO\r\n")
    await wire.read(b"*3\r\n$11\r\nunsubscribe\r\n" + channel + b":0\r\n$-1\r\n*0\r\n")


async def test_a_listener_of_resp3_goes_on_with_everything(door, client, plain):
    wire = await door.wire()
    wire.send(b"HELLO 3\r\n")
    await wire.reader.readuntil(b"modules\r\n*0\r\n")
    wire.send(f"SUBSCRIBE {plain}a\r\nSSUBSCRIBE {plain}s\r\n".encode())
    channel = b"$%d\r\n%b\r\n" % (len(f"{plain}a"), f"{plain}a".encode())
    shard = channel.replace(b":a\r\n", b":s\r\n")
    await wire.read(b">3\r\n$9\r\nsubscribe\r\n" + channel + b":1\r\n>3\r\n$10\r\nssubscribe\r\n" + shard + b":1\r\n")
    wire.send(f"SET {plain}k 1\r\nLLM.ECHO x\r\nGET {plain}k\r\nSELECT 1\r\nGET {plain}k\r\nSELECT 0\r\n".encode())
    await wire.read(b"+OK\r\n*1\r\n$1\r\nx\r\n$1\r\n1\r\n+OK\r\n_\r\n+OK\r\n")
    await client.publish(f"{plain}a", "hi")
    message = b">3\r\n$7\r\nmessage\r\n" + channel + b"$2\r\nhi\r\n"
    await wire.read(message)
    wire.send(f"PUBLISH {plain}a hi\r\nUNSUBSCRIBE\r\nSUNSUBSCRIBE\r\nGET {plain}k\r\n".encode())
    heard = await wire.reader.readexactly(len(message) + 4)
    assert heard in (message + b":1\r\n", b":1\r\n" + message)
    unheard = b">3\r\n$11\r\nunsubscribe\r\n" + channel + b":0\r\n>3\r\n$12\r\nsunsubscribe\r\n" + shard + b":0\r\n"
    await wire.read(unheard + b"$1\r\n1\r\n")


async def test_messages_while_a_model_works_do_not_mix_with_its_answer(door, client, commands, plain):
    guest = door.client(protocol=3)
    async with guest.pubsub() as heard:
        await heard.subscribe(f"{plain}a")
        await heard.get_message(timeout=5)
        asked = heard.connection
        await asked.send_command("LLM.WAIT", "x" * 100)
        await until(lambda: commands.waiting == 1)
        for number in range(50):
            await client.publish(f"{plain}a", number)
        commands.go.set()
        said = [(await heard.get_message(timeout=5))["data"] for _ in range(50)]
        assert said == [b"%d" % number for number in range(50)]


async def test_a_reset_client_is_as_new(door, plain):
    wire = await door.wire()
    wire.send(f"SELECT 3\r\nMULTI\r\nRESET\r\nGET {plain}a\r\nLLM.ECHO\r\n".encode())
    await wire.read(b"+OK\r\n+OK\r\n+RESET\r\n$-1\r\n*0\r\n")
    assert (
        await wire.ask("ACL WHOAMI")
        == b"-NOPERM ACL is refused here: the server is its operator's; ask Redis itself\r\n"
    )
    assert (await wire.ask("CLIENT INFO")).startswith(b"$")
    assert b" db=0 " in await wire.reader.readline()


async def test_a_reset_client_is_still_a_guest(door, keys):
    guest = door.client()
    assert await guest.execute_command("RESET") in (b"RESET", "RESET")
    with pytest.raises(exceptions.NoPermissionError):
        await guest.get(f"{keys.namespace}:x")


async def test_modules_are_listed_with_ours(door, protocol):
    found = await door.client(protocol=protocol).module_list()
    names = {
        (one.get("name") or one.get(b"name"))
        if isinstance(one, dict)
        else dict(zip(one[::2], one[1::2], strict=True))[b"name"]
        for one in found
    }
    assert {b"search", b"LLM"} <= {name if isinstance(name, bytes) else name.encode() for name in names}


# Objects


async def test_objects_and_keys_are_counted_together(door, commands, plain):
    guest = door.client()
    commands.objects = {b"gpt": ("llm", None), b"docs": ("store", None)}
    await guest.set(f"{plain}a", 1)
    assert await guest.exists("gpt", f"{plain}a", "nothing", "gpt") == 3
    assert await guest.type("gpt") == b"llm"
    assert await guest.type(f"{plain}a") == b"string"
    assert await guest.delete("gpt", f"{plain}a", "nothing", "gpt") == 2
    assert await guest.unlink("docs") == 1
    assert commands.objects == {}
    assert await guest.exists(f"{plain}a") == 0


async def test_an_object_is_deleted_only_where_all_of_the_command_is_allowed(door, commands, keys):
    commands.objects = {b"gpt": ("llm", None)}
    with pytest.raises(exceptions.NoPermissionError):
        await door.client().delete("gpt", f"{keys.namespace}:x")
    assert commands.objects == {b"gpt": ("llm", None)}


async def test_an_object_expires_as_a_key_does(door, commands, plain):
    guest = door.client()
    await guest.set(f"{plain}k", 1)
    for key in ("gpt", f"{plain}k"):
        commands.objects = {b"gpt": ("llm", None)}
        assert (await guest.ttl(key), await guest.pttl(key), await guest.expiretime(key)) == (-1, -1, -1)
        assert await guest.persist(key) is False
        assert await guest.expire(key, 100, xx=True) is False
        assert await guest.expire(key, 100, gt=True) is False
        assert await guest.expire(key, 100, lt=True) is True
        assert await guest.expire(key, 200, nx=True) is False
        assert await guest.expire(key, 200, gt=True) is True
        assert await guest.expire(key, 300, lt=True) is False
        assert 199 <= await guest.ttl(key) <= 200
        assert 199_000 <= await guest.pttl(key) <= 200_000
        assert await guest.pexpireat(key, 4_000_000_000_499) is True
        assert (await guest.expiretime(key), await guest.pexpiretime(key)) == (4_000_000_000, 4_000_000_000_499)
        assert await guest.persist(key) is True
        assert await guest.ttl(key) == -1
        assert await guest.expire(key, -1) is True
        assert (await guest.exists(key), await guest.ttl(key)) == (0, -2)


@pytest.mark.parametrize(
    "line",
    [
        "EXPIRE {} x",
        "EXPIRE {} 1.5",
        "EXPIRE {}",
        "EXPIRE {} 9223372036854775807",
        "PEXPIRE {} 9223372036854775807",
        "EXPIREAT {} 99999999999999999999",
        "EXPIRE {} 1 NX XX",
        "EXPIRE {} 1 GT LT",
        "EXPIRE {} 1 YY",
        "TTL {} x",
        "TYPE {} x",
        "PERSIST {} x",
    ],
)
async def test_a_wrong_expiry_is_told_in_the_words_of_redis(door, commands, plain, line):
    wire = await door.wire()
    commands.objects = {b"gpt": ("llm", None)}
    await wire.ask(f"SET {plain}k 1")
    told = await wire.ask(line.format(f"{plain}k"))
    assert told.startswith(b"-ERR")
    assert await wire.ask(line.format("gpt")) == told


def test_what_is_left_is_rounded_as_redis_rounds_it():
    assert [expiry.told(b"TTL", at, 1000) for at in (1499, 1500, 2499, 900)] == [0, 1, 1, 0]


async def test_objects_are_in_database_0_alone(door, commands):
    commands.objects = {b"gpt": ("llm", None)}
    assert await door.client(db=1).exists("gpt") == 0
    assert await door.client(db=0).exists("gpt") == 1


# Programs of Redis


async def test_redis_cli_speaks_to_it(door, plain):
    cli = shutil.which("redis-cli")
    if cli is None:
        pytest.skip("no redis-cli here")
    process = await asyncio.create_subprocess_exec(cli, "-p", str(door.gateway.port), stdin=-1, stdout=-1, stderr=-1)
    said = f"SET {plain}a 1\nGET {plain}a\nLLM.ECHO a 'b c'\nLLM.FAIL\nCOMMAND COUNT\nFLUSHALL\n"
    out, _ = await asyncio.wait_for(process.communicate(said.encode()), 30)
    lines = out.decode().splitlines()
    assert lines[:4] == ["OK", "1", "a", "b c"]
    assert "ERR no model is called that; LLM.LIST lists them" in lines
    assert any(line.startswith("NOPERM FLUSHALL is refused here") for line in lines)


async def test_commands_are_described_by_redis(door):
    described = await door.client().execute_command("COMMAND DOCS", "GET")
    assert described
    assert await door.client().command_count() > 200


async def test_redis_benchmark_runs_through_it(door):
    benchmark = shutil.which("redis-benchmark")
    if benchmark is None:
        pytest.skip("no redis-benchmark here")
    process = await asyncio.create_subprocess_exec(
        *(benchmark, "-p", str(door.gateway.port), "-n", "200", "-c", "5", "-P", "4", "-q"),
        *("-t", "ping,set,get,lrange,mset"),
        stdout=-1,
        stderr=-1,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 50)
    assert process.returncode == 0
    for name in ("PING_MBULK", "SET", "GET", "LRANGE_600", "MSET"):
        assert f"{name}" in out.decode()
    guest = door.client()
    await guest.delete("key:__rand_int__", "mylist")


async def test_a_reply_longer_than_memory_wants_to_hold_comes_through(door, plain):
    guest = door.client()
    value = bytes(range(256)) * 40_000
    await guest.set(f"{plain}big", value)
    assert await guest.get(f"{plain}big") == value
    await guest.rpush(f"{plain}list", *range(20_000))
    assert await guest.lrange(f"{plain}list", 0, -1) == [b"%d" % number for number in range(20_000)]


async def test_a_slow_reader_gets_everything_in_the_end(door, client, plain):
    value = b"x" * 100_000
    await client.set(f"{plain}big", value)
    wire = await door.wire()
    wire.send(f"GET {plain}big\r\nLLM.ECHO y\r\nGET {plain}big\r\n".encode() * 100)
    other = await door.wire()
    assert await other.ask("PING") == b"+PONG\r\n"
    big = b"$100000\r\n" + value + b"\r\n"
    for _ in range(100):
        await wire.read(big + b"*1\r\n$1\r\ny\r\n" + big)


async def test_a_command_over_the_limit_is_refused(gate):
    door = await gate(limits=Limits(bulk=1000))
    wire = await door.wire()
    wire.send(b"*2\r\n$4\r\nECHO\r\n$1001\r\n")
    assert await wire.rest() == b"-ERR Protocol error: invalid bulk length\r\n"
