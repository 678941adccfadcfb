"""Memory cannot be reached through the gateway, by whatever command."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import exceptions
from ulid import ULID

from bot.resp.guest import Guest, patterns
from bot.resp.server import Gateway
from memory import connect
from memory.errors import RedisError
from tests.fakes import ToyCommands

namespaces = st.text("lorebt_.-A0", min_size=1, max_size=6)


def matches(pattern: str, key: str) -> bool:
    """Match as Redis does, the few forms that are used."""
    parts = re.findall(r"\[\^\\?(.)\]|(\*)|\\?(.)", pattern, re.DOTALL)
    regex = "".join(f"[^{re.escape(no)}]" if no else ".*" if star else re.escape(one) for no, star, one in parts)
    return re.fullmatch(regex, key, re.DOTALL) is not None


def around(namespace: str) -> st.SearchStrategy[str]:
    cut = st.integers(0, len(namespace)).map(lambda at: namespace[:at])
    return st.tuples(cut, st.text("lorebt_.-A0:x*\\[]^\n", max_size=4)).map("".join)


@given(st.data(), namespaces)
def test_every_key_but_those_of_the_namespace_is_allowed(data, namespace):
    key = data.draw(around(namespace))
    allowed = any(matches(pattern[1:], key) for pattern in patterns(namespace))
    assert allowed == (not key.startswith(namespace))


@pytest.mark.parametrize("namespace", ["lore", "a", "l-o.r_e", "aa", "lore-"])
async def test_redis_reads_the_patterns_as_they_are_meant(client, namespace):
    user = f"patterns-{ULID()}"
    await client.execute_command("ACL", "SETUSER", user, "reset", "+get", *patterns(namespace))
    letters = [*dict.fromkeys(namespace), "^", "]", "\\", "-", "\n", "\x00"]
    starts = [namespace[:at] for at in range(len(namespace) + 1)]
    try:
        for start, one, other in itertools.product(starts, ["", *letters], ["", ":x"]):
            key = start + one + other
            told = await client.execute_command("ACL", "DRYRUN", user, "GET", key)
            assert (told == b"OK") == (not key.startswith(namespace)), key
    finally:
        await client.execute_command("ACL", "DELUSER", user)


@pytest.fixture
async def secret(client, keys):
    key = f"{keys.namespace}:secret"
    await client.set(key, "s3cr3t")
    await client.json().set(f"{key}:json", "$", "s3cr3t")
    await client.hset(f"{key}:hash", "a", "1")
    yield key
    await client.delete(key, f"{key}:json", f"{key}:hash")


ROUTES = """
GET {s}|SET {s} x|DEL {s}|UNLINK {s}|EXISTS {s}|TYPE {s}|EXPIRE {s} 1|PERSIST {s}|TTL {s}|APPEND {s} x|GETEX {s}
MGET {p} {s}|MSET {p} 1 {s} 2|STRLEN {s}|GETRANGE {s} 0 -1|COPY {s} {p}|COPY {p} {s}|COPY {s} {p} DB 1|RENAME {s} {p}
RENAMENX {s} {p}|MOVE {s} 1|DUMP {s}|RESTORE {s} 0 x REPLACE|OBJECT ENCODING {s}|OBJECT IDLETIME {s}|TOUCH {s}|WATCH {s}
MEMORY USAGE {s}|BITOP OR {p} {s}|BITCOUNT {s}|PFMERGE {p} {s}|SORT {s}|SORT {p} BY {s}* GET {s}*|SORT_RO {p} GET {s}
SORT {p} STORE {s}|SINTERCARD 2 {p} {s}|SUNIONSTORE {p} {s}|ZUNIONSTORE {p} 2 {p} {s}|LMPOP 2 {p} {s} LEFT
HGETALL {s}:hash|HSET {s}:hash a 2|XREAD STREAMS {s} 0|BLPOP {s} 1|GEORADIUS {p} 0 0 1 m STORE {s}|LCS {p} {s}
EVAL "return redis.call('GET',KEYS[1])" 1 {s}|EVAL "return redis.call('GET','{s}')" 0
EVAL_RO "return redis.call('GET','{s}')" 0
EVAL "return redis.call('KEYS','*')" 0|EVAL "return redis.call('SCAN',0)" 0|EVAL "return redis.call('RANDOMKEY')" 0
EVAL "return redis.call('FLUSHALL')" 0|EVAL "return redis.call('FT._LIST')" 0|EVAL "return redis.call('ACL','LIST')" 0
EVAL "return redis.call('JSON.GET','{s}:json')" 0|EVAL "return redis.call('CONFIG','GET','*')" 0
JSON.GET {s}:json|JSON.SET {s}:json $ 1|JSON.DEL {s}:json|JSON.MGET {p} {s}:json $|JSON.MSET {p}j $ 1 {s}:json $ 1
JSON.TYPE {s}:json|JSON.RESP {s}:json|JSON.DEBUG MEMORY {s}:json|JSON.MERGE {s}:json $ 1|JSON.FORGET {s}:json
FT._LIST|FT.SEARCH x *|FT.CREATE x ON HASH PREFIX 1 {s} SCHEMA a TEXT|FT.INFO x|FT.AGGREGATE x *|FT.DROPINDEX x DD
FT.CONFIG GET *|_FT.DEBUG x|RANDOMKEY|MONITOR|CLIENT LIST|CLIENT KILL TYPE normal|CLIENT TRACKING ON BCAST
CLIENT REPLY OFF|CLIENT PAUSE 1|CLIENT UNBLOCK 1|CLIENT NO-EVICT on|SUBSCRIBE __keyspace@0__:{s}|PSUBSCRIBE __key*
FLUSHALL|FLUSHDB|SWAPDB 0 1|CONFIG GET *|CONFIG SET save x|SCRIPT FLUSH|SCRIPT KILL|FUNCTION LIST|FUNCTION LOAD x
DEBUG SLEEP 0|SHUTDOWN NOSAVE|ACL LIST|ACL WHOAMI|ACL SETUSER x|SAVE|BGSAVE|BGREWRITEAOF|REPLICAOF NO ONE|SLAVEOF NO ONE
MIGRATE h 1 {s} 0 1|CLUSTER INFO|CLUSTER RESET|MODULE LOAD x|MODULE UNLOAD x|MODULE LOADEX x|SLOWLOG GET|LATENCY LATEST
PSYNC ? -1|SYNC|REPLCONF x|FAILOVER|LASTSAVE|ROLE|RESTORE-ASKING {s} 0 x|PFDEBUG GETREG {s}|PFSELFTEST|MEMORY STATS
DEBUG OBJECT {s}
"""
COMMANDS = ROUTES.strip().replace("\n", "|").split("|")
REFUSALS = (b"NOPERM", b"ermission", b"ACL failure", b"unknown", b"not allowed", b"cannot run inside MULTI")


@pytest.mark.parametrize("route", COMMANDS)
@pytest.mark.parametrize("inside", [False, True])
async def test_memory_is_out_of_reach_by(door, plain, secret, client, route, inside):
    await client.rpush(f"{plain}list", "1")
    wire = await door.wire()
    if inside:
        assert await wire.ask("MULTI") == b"+OK\r\n"
    answer = await wire.ask(route.format(s=secret, p=f"{plain}list"))
    if inside and answer == b"+QUEUED\r\n":  # what a script does is seen when it runs
        await wire.ask("EXEC")
        answer = await wire.reader.readline()
    assert answer.startswith(b"-")
    assert any(word in answer for word in REFUSALS), answer
    assert await client.get(secret) == b"s3cr3t"
    assert b"s3cr3t" not in answer


async def test_lists_of_keys_leave_memory_out(door, plain, secret, keys):
    guest = door.client()
    await guest.mset({f"{plain}{number}": number for number in range(50)})
    mine = {f"{plain}{number}".encode() for number in range(50)}
    assert mine <= {key async for key in guest.scan_iter("*", count=100)}
    assert set(await guest.keys(f"{plain}*")) == mine
    every = {*await guest.keys("*"), *[key async for key in guest.scan_iter(count=1000)]}
    assert not [key for key in every if key.startswith(keys.namespace.encode())]


async def test_lists_of_keys_are_of_the_selected_database(door, plain):
    guest = door.client(db=1)
    await guest.set(f"{plain}one", 1)
    assert await guest.keys(f"{plain}*") == [f"{plain}one".encode()]
    assert await door.client().keys(f"{plain}*") == []
    await guest.delete(f"{plain}one")


async def test_a_pattern_of_channels_hears_all_but_what_tells_of_keys(door, client, plain):
    wire = await door.wire()
    wire.send(b"PSUBSCRIBE *\r\n")
    await wire.read(b"*3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:1\r\n")
    await client.publish("__keyspace@0__:secret", "set")
    channel = f"{plain}c"
    await client.publish(channel, "hi")
    await wire.read(b"*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$%d\r\n%b\r\n$2\r\nhi\r\n" % (len(channel), channel.encode()))


async def test_what_a_client_of_redis_needs_is_allowed(door, plain):
    guest = door.client()
    assert await guest.register_script("return redis.call('SET', KEYS[1], ARGV[1])")([f"{plain}a"], ["1"]) == b"OK"
    assert await guest.json().set(f"{plain}j", "$", {"a": 1})
    assert await guest.json().get(f"{plain}j") == {"a": 1}
    assert await guest.rpush(f"{plain}l", 3, 1, 2) == 3
    assert await guest.sort(f"{plain}l") == [b"1", b"2", b"3"]
    assert await guest.xadd(f"{plain}x", {"a": 1})
    assert await guest.dump(f"{plain}a")
    assert await guest.object("encoding", f"{plain}a") == b"int"
    assert (await guest.info("server"))["redis_version"]
    assert await guest.execute_command("VCARD", f"{plain}v") == 0


async def test_the_user_is_deleted_at_the_end(gate, client, keys):
    door = await gate()
    await door.client().get("x")
    names = [name for name in await client.acl_users() if name.startswith(f"{keys.namespace}-gateway-")]
    assert len(names) == 1
    await door.gateway.drain(0)
    assert names[0] not in await client.acl_users()


async def test_what_a_killed_gateway_left_is_swept_and_what_is_in_use_or_new_is_not(gate, client, keys, redis_url):
    def name(timestamp: float) -> str:
        return f"{keys.namespace}-gateway-{ULID.from_timestamp(timestamp)}"

    left, busy, new = name(1_700_000_000.0), name(1_700_000_001.0), Guest(client, keys.namespace).name
    for user in (left, busy, new, f"{keys.namespace}-gateway-mine"):
        await client.execute_command("ACL", "SETUSER", user, "on", "nopass", "+@connection")
    other = connect.client(f"{redis_url}?username={busy}&password=x")
    await other.ping()
    await gate()
    users = await client.acl_users()
    assert left not in users
    assert {busy, new, f"{keys.namespace}-gateway-mine"} <= set(users)
    await connect.close(other)
    await client.execute_command("ACL", "DELUSER", busy, new, f"{keys.namespace}-gateway-mine")


async def test_a_user_that_redis_forgot_is_made_again(door, client, keys, plain):
    names = [name for name in await client.acl_users() if name.startswith(f"{keys.namespace}-gateway-")]
    await client.execute_command("ACL", "DELUSER", *names)
    guest = door.client()
    await guest.set(f"{plain}a", 1)
    assert await guest.get(f"{plain}a") == b"1"
    with pytest.raises(exceptions.NoPermissionError):
        await guest.get(f"{keys.namespace}:x")


async def test_a_redis_that_lets_nobody_make_users_is_told_at_start(client, keys, redis_url):
    user = f"tenant-{ULID()}"
    await client.execute_command("ACL", "SETUSER", user, "on", ">x", "~*", "&*", "+@all", "-acl|setuser")
    tenant = connect.client(f"{redis_url}?username={user}&password=x")
    try:
        with pytest.raises(RedisError, match=r"does not let the gateway make a user.*Give the user in REDIS_URL"):
            await Gateway(ToyCommands(), tenant, keys.namespace, port=0).start()
    finally:
        await connect.close(tenant)
        await client.execute_command("ACL", "DELUSER", user)
