"""An app in a process of its own is killed and comes again; the server forgets nothing."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from tests.slacklike.server import SlackLike

BOT = Path(__file__).parent / "echo_bot.py"


@contextlib.asynccontextmanager
async def bot(server: SlackLike) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running app, which is killed in the end."""
    environment = {**os.environ, **server.environment}
    process = await asyncio.create_subprocess_exec(sys.executable, str(BOT), env=environment)
    try:
        await server.connected()
        yield process
    finally:
        process.kill()
        await process.wait()


async def test_an_app_that_is_killed_comes_again_and_is_told_what_it_missed(server, place):
    server.rules.retries = (60.0,)
    async with bot(server):
        server.say(place.channel, place.ada, f"{server.me.mention} one")
        await server.replied(place.channel)
        await server.until(lambda: not server.deliveries.unacknowledged())
    await server.until(lambda: not server.socket_mode.ready)
    server.say(place.channel, place.ada, f"{server.me.mention} two")
    await server.until(lambda: all(one.attempts for one in server.deliveries.unacknowledged()))
    async with bot(server):
        server.deliveries.retry_now()
        said = await server.replied(place.channel, 2)
    assert [message.shown for message in said] == [f"echo: {server.me.mention} {word}" for word in ("one", "two")]
    assert server.socket_mode.count("open") == 2
