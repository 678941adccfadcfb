"""The unmodified `lorebot slack` in a process, between a small Slack, a small OpenAI and an embedded Redis."""

import asyncio
import html
import re
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from cryptography.fernet import Fernet

from tests.openai_like import OpenAILike
from tests.platforms.home import Home
from tests.slacklike.records import Channel, Message, Person
from tests.slacklike.server import SlackLike


class Online:
    """An app that can be started, killed and started again, and what is around it. url: where it listens, over HTTP."""

    def __init__(self, home: Home, server: SlackLike, openai: OpenAILike) -> None:
        self.home, self.server, self.openai = home, server, openai
        self.logged = self.url = ""
        home.settings |= {"OPENAI_BASE_URL": f"{openai.address}/v1", **server.environment}

    @property
    def running(self) -> bool:
        return self.process.returncode is None

    async def start(self) -> asyncio.subprocess.Process:
        """Start the app and wait until Slack can reach it; what it says where it ends instead is raised."""
        opened = self.server.socket_mode.count("open")
        process = await self.begin(*(["--http"] if self.url else []))
        ended = asyncio.create_task(process.wait())
        online = asyncio.create_task(self._listening() if self.url else self._connected(opened))
        await asyncio.wait([ended, online], return_when=asyncio.FIRST_COMPLETED)
        if not online.done():
            online.cancel()
            await self._reading
            raise RuntimeError(self.logged)
        ended.cancel()
        online.result()
        return process

    async def begin(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start the app, which may never come online."""
        self.process = await self.home.start("slack", *arguments)
        self._reading = asyncio.create_task(self._read(self.process))
        return self.process

    async def kill(self) -> None:
        """Kill it with -9, if it runs."""
        if self.running:
            self.process.kill()
        await self.ended()

    async def ended(self, seconds: float = 60) -> int:
        """Wait until it has ended, and return its exit code."""
        code = await asyncio.wait_for(self.process.wait(), seconds)
        await self._reading
        return code

    async def afresh(self) -> None:
        """Have it run, and undo what tests did to what is around it; the model says Rex!"""
        if not self.running:
            await self.start()
        self.server.faults.clear()
        self.server.socket_mode.shut = False
        self.openai.forget()
        self.openai.answer = lambda prompt: "Rex!"

    def listen(self, **settings: str) -> None:
        """Let it listen for Slack's requests from its next start on, instead of connecting by Socket Mode."""
        self.url = f"http://127.0.0.1:{free_port()}"
        self.home.settings |= {"LOREBOT_SLACK_PORT": self.url.rpartition(":")[2], **settings}
        self.home.settings.pop("SLACK_APP_TOKEN", None)

    async def installed(self, person: Person, *, org_wide: bool = False) -> None:
        """Let a person install the app into their workspace, or for all of their organisation."""
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{self.url}/slack/install", allow_redirects=False) as response:
                address = html.unescape(re.search(r'href="([^"]*client_id=[^"]*)"', await response.text())[1])
            back = self.server.authorize(address, person, org_wide=org_wide)
            cookies = {name: one.value for name, one in response.cookies.items()}
            target = f"{self.url}/slack/oauth_redirect?{back.partition('?')[2]}"
            async with session.get(target, cookies=cookies) as response:
                assert response.status == 200, await response.text()

    def ask(self, channel: Channel, person: Person, text: str, **more: object) -> Message:
        """Let a person mention the app."""
        me = self.server.bot_of(channel.team)
        return self.server.say(channel, person, f"{me.mention} {text}", **more)  # type: ignore[arg-type]

    async def final(self, channel: Channel, text: str, seconds: float = 20) -> Message:
        """Wait until a message of the app says just this, and is whole; return it."""
        return await self.server.final(channel, text, seconds)

    def replies(self, question: Message) -> list[str]:
        """Return what the app says to a question: in its thread, or anywhere in a direct message."""
        return [_whole(one) for one in self.server.said(question.channel) if one.thread_ts in ("", question.ts)]

    async def _connected(self, opened: int) -> None:
        sockets = self.server.socket_mode
        await self.server.until(lambda: sockets.count("open") > opened and sockets.ready, 60)

    async def _listening(self) -> None:
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), 60)
        if not line.startswith(b"Listening on"):
            await asyncio.sleep(60)  # it ends
        await self.server.serve_http(f"{self.url}/slack/events")

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Keep what it logs: a pipe that nobody reads would hold it up."""
        assert process.stderr is not None
        async for line in process.stderr:
            self.logged += line.decode()


class Office:
    """Ada, who manages the workspace, and Bob, with two channels that everyone there reads; the app is in them."""

    def __init__(self, server: SlackLike) -> None:
        self.ada, self.bob = server.person("ada", admin=True), server.person("bob")
        self.general = server.channel("general", self.ada, self.bob)
        self.lounge = server.channel("lounge", self.ada, self.bob)


@asynccontextmanager
async def online() -> AsyncIterator[Online]:
    """Open all that the app needs; it is not started yet, and killed at the end."""
    with tempfile.TemporaryDirectory(prefix="lorebot-") as folder:
        home = Home(Path(folder))
        async with OpenAILike() as openai, SlackLike() as server:
            found = Online(home, server, openai)
            try:
                yield found
            finally:
                if hasattr(found, "process"):
                    await found.kill()
                await home.server.stop()


@asynccontextmanager
async def listening(**settings: str) -> AsyncIterator[Online]:
    """Have the app listen for many workspaces; nobody has installed it."""
    async with online() as app:
        app.home.settings.pop("SLACK_BOT_TOKEN")
        key = {"LOREBOT_SECRET_KEY": Fernet.generate_key().decode()}
        app.listen(**app.server.http_environment, **key, **settings)
        app.openai.answer = lambda prompt: "Rex!"
        await app.start()
        yield app


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _whole(message: Message) -> str:
    """Return what a message says; where it was not streamed, the text beside its blocks is a shortened one."""
    return "\n".join(one["text"] for one in message.blocks if one["type"] == "markdown") or message.text
