"""The unmodified `lorebot` in a process of its own, with folders of its own and a model server of the test's."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from memory.server import EmbeddedServer
from tests.bot.model_server import DONE, USAGE, ModelServer, Say, chunk
from tests.discordlike.server import DiscordLike
from tests.openai_like import OpenAILike

LOREBOT = [sys.executable, "-m", "bot"]


def saying(*pieces: str) -> Say:
    """Return a whole streamed answer."""
    return Say(events=(*(chunk(piece) for piece in pieces), chunk(finish="stop"), USAGE, DONE))


@dataclass(frozen=True)
class Ran:
    """What a command printed, and its exit code."""

    out: str
    err: str
    code: int


class Home:
    """A user's folders and settings; the embedded Redis in them is the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lorebot = LOREBOT
        self.settings = {
            "LOREBOT_DATA_DIR": str(folder / "data"),
            "XDG_STATE_HOME": str(folder / "state"),
            "LOREBOT_USER": "ada",
            "LOREBOT_TIMEZONE": "UTC",
            "LOREBOT_EMBEDDER": "local",
            "LOREBOT_LLM": "openai",
            "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        }

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "XDG_CACHE_HOME")}
        return {**kept, "PYTHONPATH": os.getcwd(), "TERM": "xterm-256color", "COLUMNS": "80", **self.settings}

    @property
    def server(self) -> EmbeddedServer:
        return EmbeddedServer(self.folder / "data" / "redis")

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start `lorebot` with these arguments; its input stays open."""
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *self.lorebot, *arguments, stdin=pipe, stdout=pipe, stderr=pipe, env=self.environment, cwd=self.folder
        )

    async def run(self, *arguments: str, given: bytes = b"") -> Ran:
        """Run `lorebot` to its end."""
        process = await self.start(*arguments)
        out, err = await asyncio.wait_for(process.communicate(given), 60)
        assert process.returncode is not None
        return Ran(out.decode(), err.decode(), process.returncode)

    async def kill_redis(self) -> None:
        """Kill the embedded Redis with -9 and wait until it is gone."""
        status = await self.server.status()
        assert status.pid
        os.kill(status.pid, signal.SIGKILL)
        while _alive(status.pid):
            await asyncio.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


@pytest.fixture
def home(model: ModelServer) -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="lorebot-") as folder:
        home = Home(Path(folder))
        home.settings["OPENAI_BASE_URL"] = f"{model.address}/v1"
        yield home
        asyncio.run(home.server.stop())


@pytest.fixture
async def openai() -> AsyncIterator[OpenAILike]:
    async with OpenAILike() as server:
        server.answer = lambda prompt: "Rex!"
        yield server


@pytest.fixture
async def server() -> AsyncIterator[DiscordLike]:
    async with DiscordLike() as server:
        yield server


@pytest.fixture
async def start(home: Home, server: DiscordLike, openai: OpenAILike) -> AsyncIterator[Callable]:
    """Start `lorebot discord` and wait until it is online."""
    home.settings |= {
        "OPENAI_BASE_URL": f"{openai.address}/v1",
        "DISCORD_BOT_TOKEN": server.token,
        "LOREBOT_DISCORD_API": server.api,
    }
    started: list[asyncio.subprocess.Process] = []

    async def starting() -> asyncio.subprocess.Process:
        started.append(await home.start("discord"))
        await server.connected()
        return started[-1]

    yield starting
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


class Library:
    """A guild with Ada and Bob, and a channel that everyone reads."""

    def __init__(self, server: DiscordLike) -> None:
        self.ada, self.bob = server.person("ada"), server.person("bob")
        self.guild = server.guild("Library", self.ada, self.bob)
        self.general = server.channel(self.guild, "general")


@pytest.fixture
def library(server: DiscordLike) -> Library:
    return Library(server)


async def final(server: DiscordLike, channel, text: str) -> None:
    await server.until(lambda: any(one.text == text for one in server.said(channel)))
