"""The line: many share it, each gets their own replies, and it is made again when it is gone."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.resp.line import NAME, Line
from memory.batch import Batch
from memory.errors import RedisError, RedisUnavailable


@pytest.fixture
async def line(client) -> AsyncIterator[Line]:
    line = Line(client)
    await line.start()
    await up(line)
    yield line
    await line.close()


async def up(line: Line) -> None:
    async with asyncio.timeout(10):
        while type(line.batch()) is Batch:
            await asyncio.sleep(0.01)


async def echoed(line: Line, word: str) -> list[str]:
    batch = line.batch()
    answers = [batch.ask("ECHO", f"{word}-{number}", read=bytes.decode) for number in range(3)]
    await batch.send()
    return [answer.value for answer in answers]


async def test_everybody_gets_their_own_replies_in_their_order(line):
    found = await asyncio.gather(*(echoed(line, f"w{number}") for number in range(500)))
    assert found == [[f"w{number}-{place}" for place in range(3)] for number in range(500)]


async def test_who_stops_waiting_shifts_nobody_s_replies(line):
    asking = [asyncio.create_task(echoed(line, f"w{number}")) for number in range(20)]
    await asyncio.sleep(0)
    for task in asking[::2]:
        task.cancel()
    assert await asyncio.gather(*asking[1::2]) == [[f"w{n}-{place}" for place in range(3)] for n in range(1, 20, 2)]


async def test_an_error_is_raised_where_its_answer_is_read_and_nowhere_else(line):
    batch = line.batch()
    wrong, right = batch.ask("NOSUCHCOMMAND", read=str), batch.ask("ECHO", "x", read=bytes.decode)
    await batch.send()
    assert right.value == "x"
    with pytest.raises(RedisError, match="NOSUCHCOMMAND"):
        _ = wrong.value


async def test_a_line_that_is_cut_tells_who_waits_and_is_made_again(line, client):
    batch = line.batch()
    batch.ask("BLPOP", "nothing-comes", 0, read=str)
    waiting = asyncio.create_task(batch.send())
    cut = 0
    while not cut:
        await asyncio.sleep(0.01)
        for one in await client.client_list():
            if one["name"] == NAME:
                cut += await client.client_kill_filter(_id=one["id"])
    with pytest.raises(RedisUnavailable, match="try again"):
        await waiting
    assert await echoed(line, "w") == ["w-0", "w-1", "w-2"]  # by redis-py meanwhile
    await up(line)
    assert await echoed(line, "w") == ["w-0", "w-1", "w-2"]
