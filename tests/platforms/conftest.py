"""What tests of processes start with: a home and a model server, or a Discord or Slack that a file's tests share."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.bot.model_server import DONE, USAGE, ModelServer, Say, chunk
from tests.discordlike.server import DiscordLike
from tests.openai_like import OpenAILike
from tests.platforms import slack_online
from tests.platforms.home import Home
from tests.platforms.online import Library, Online, online


def saying(*pieces: str) -> Say:
    """Return a whole streamed answer."""
    return Say(events=(*(chunk(piece) for piece in pieces), chunk(finish="stop"), USAGE, DONE))


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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Online]:
    """A bot, and what is around it, for all tests of a file."""
    async with online() as bot:
        yield bot


@pytest_asyncio.fixture(loop_scope="module")
async def bot(running: Online) -> Online:
    """That bot for one test, of which it has heard nothing yet: `await bot.up()` has it online."""
    await running.afresh()
    return running


@pytest.fixture
def server(bot: Online) -> DiscordLike:
    return bot.server


@pytest.fixture
def openai(bot: Online) -> OpenAILike:
    return bot.openai


@pytest.fixture
def library(bot: Online) -> Library:
    return Library(bot.server)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slack() -> AsyncIterator[slack_online.Online]:
    """`lorebot slack`, and what is around it, for all tests of a file."""
    async with slack_online.online() as app:
        await app.start()
        yield app


@pytest_asyncio.fixture(loop_scope="module")
async def app(slack: slack_online.Online) -> slack_online.Online:
    """That app for one test, with a model that says Rex!"""
    await slack.afresh()
    return slack


@pytest_asyncio.fixture(loop_scope="module")
async def office(app: slack_online.Online) -> slack_online.Office:
    return slack_online.Office(app.server)
