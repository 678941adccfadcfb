"""The same commands, with and without the gateway in between, have the same replies to the last byte."""

import asyncio
import random
from urllib.parse import urlsplit

import pytest
import redis.asyncio

from tests.resp.door import Wire

ANYWHERE = """
SET {p}a 1|GET {p}a|GET {p}b|INCR {p}a|APPEND {p}b x|DEL {p}a {p}b|EXISTS {p}a {p}b {p}a|TYPE {p}a|TTL {p}a
EXPIRE {p}a 100|EXPIRE {p}a 100 NX|EXPIRE {p}a -1|PERSIST {p}a|EXPIRETIME {p}b|PEXPIREAT {p}a 4000000000000|UNLINK {p}b
RPUSH {p}l a b c|LRANGE {p}l 0 -1|LPOP {p}l|BLPOP {p}l 0.01|BLPOP {p}none 0.01|HSET {p}h a 1 b 2|HGETALL {p}h
HGET {p}h a|SADD {p}s x|SMEMBERS {p}s|ZADD {p}z 1.5 a 2.5 b|ZRANGE {p}z 0 -1 WITHSCORES|ZSCORE {p}z a
GET {p}l|GET|DEL|EXPIRE {p}a|NONSENSE x|nonsense|PING|PING hello|PING a b
ECHO x|ECHO ""|ECHO|CLIENT NO-TOUCH off|CLIENT SETNAME ada|CLIENT GETNAME
CLIENT SETNAME "a b"|CLIENT SETINFO LIB-NAME x|CLIENT SETINFO NONSENSE x|CLIENT SETNAME|EVAL "return {{1,'a',false}}" 0
EVAL "return redis.call('INCR', KEYS[1])" 1 {p}a|EVAL "return redis.error_reply('MY error')" 0|SETRANGE {p}b 3 y
WATCH {p}a|UNWATCH|MULTI|MULTI|EXEC|EXEC|DISCARD|MULTI x|EXEC x|WAIT 0 0|OBJECT ENCODING {p}a|GETRANGE {p}b 0 2
STRLEN {p}b
"""
OUTSIDE = """
SELECT 1|SELECT 0|SELECT|SELECT x|SELECT 99999|SUBSCRIBE {p}c|SUBSCRIBE {p}c {p}d|PSUBSCRIBE {p}*|SSUBSCRIBE {p}e
UNSUBSCRIBE|UNSUBSCRIBE {p}c|PUNSUBSCRIBE|SUNSUBSCRIBE|SUBSCRIBE|UNSUBSCRIBE {p}none|PUBLISH {p}c hi
SPUBLISH {p}e ho|RESET
"""


def lines(text: str) -> list[str]:
    return text.strip().replace("\n", "|").split("|")


def drawn(choice: random.Random) -> list[str]:
    """Draw commands; what the gateway does not take in a transaction is drawn outside of them alone."""
    found: list[str] = []
    inside = False
    for _ in range(choice.randint(1, 60)):
        line = choice.choice(lines(ANYWHERE) + ([] if inside else lines(OUTSIDE)))
        inside = (inside or line == "MULTI") and line not in ("EXEC", "DISCARD")
        found.append(line)
    return found


async def said(wire: Wire, given: list[bytes]) -> bytes:
    """Send pieces, with others in between, and read all there is to the end."""
    reading = asyncio.create_task(wire.rest())
    for piece in given:
        wire.send(piece)
        await asyncio.sleep(0)
    return await reading


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("protocol", [2, 3])
async def test_replies_are_those_of_redis(door, redis_url, plain, protocol, seed):
    choice = random.Random(seed)
    commands = drawn(choice)
    data = "".join(f"{line.format(p=plain)}\r\n" for line in [*commands, "DISCARD", "QUIT"]).encode()
    cuts = sorted(choice.randrange(len(data)) for _ in range(choice.choice([0, 3, 40])))
    given = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    heard = []
    for wire in (await straight(redis_url), await door.wire()):
        if protocol == 3:
            wire.send(b"HELLO 3\r\n")
            wire.send(b"ECHO begin\r\n")
            await wire.reader.readuntil(b"begin\r\n")
        heard.append((await said(wire, given)).decode().splitlines())
        wire.close()
        await emptied(redis_url, plain)
    for ours, theirs in zip(heard[1], heard[0], strict=True):
        if ours.startswith("-ERR Can't execute"):  # Redis may find more wrong with the same command
            assert theirs.startswith("-")
        else:
            assert ours == theirs, commands


async def straight(redis_url: str) -> Wire:
    address = urlsplit(redis_url)
    if address.scheme == "unix":
        return Wire(*await asyncio.open_unix_connection(address.path))
    return Wire(*await asyncio.open_connection(address.hostname, address.port or 6379))


async def emptied(redis_url: str, plain: str) -> None:
    for database in (0, 1):
        client = redis.asyncio.Redis.from_url(redis_url, db=database)
        await client.delete(*(f"{plain}{name}" for name in "ablhsz"))
        await client.aclose()
