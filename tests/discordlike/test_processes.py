"""A bot in a process of its own is killed and comes again; the server forgets nothing."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.discordlike.server import DiscordLike

BOT = Path(__file__).parent / "echo_bot.py"


@contextlib.asynccontextmanager
async def bot(server: DiscordLike, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running bot, which is killed in the end."""
    told = {"LOREBOT_DISCORD_API": server.api, "DISCORD_BOT_TOKEN": server.token}
    process = await asyncio.create_subprocess_exec(sys.executable, str(BOT), *arguments, env={**os.environ, **told})
    try:
        await server.connected()
        yield process
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize(("arguments", "compression"), [([], "zstd-stream"), (["zlib"], "zlib-stream")])
async def test_a_bot_that_is_killed_comes_again_and_answers_on(server, arguments, compression):
    if compression == "zstd-stream":
        pytest.importorskip("zstandard")
    ada = server.person("ada")
    general = server.channel(server.guild("Library", ada), "general")
    async with bot(server, *arguments):
        server.say(general, ada, f"{server.me.mention} one")
        await server.replied(general)
    await server.until(lambda: not server.gateway.ready)
    server.say(general, ada, f"{server.me.mention} lost on it")
    async with bot(server, *arguments):
        server.say(general, ada, f"{server.me.mention} two")
        said = await server.replied(general, 2)
    assert [message.text for message in said] == ["echo: @lorebot one", "echo: @lorebot two"]
    assert [moment.detail for moment in server.gateway.log if moment.what == "connect"] == [compression] * 2
    assert (server.gateway.count("identify"), server.gateway.count("resume")) == (2, 0)
