"""The unmodified `lorebot discord` in a process, between a small Discord, a small OpenAI and an embedded Redis."""

import asyncio
import json
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.discordlike.records import Channel, Message, Person
from tests.discordlike.rules import Rules
from tests.discordlike.server import DiscordLike
from tests.openai_like import OpenAILike
from tests.platforms.home import Home
from tests.waiting import until_it


class Online:
    """A bot that can be started, killed and started again, with other settings too, and what is around it.

    err: what it has written to standard error since it was last started.
    """

    def __init__(self, home: Home, server: DiscordLike, openai: OpenAILike) -> None:
        self.home, self.server, self.openai = home, server, openai
        self.process: asyncio.subprocess.Process | None = None
        self.port = _free_port()  # of its health
        self.err = ""
        home.settings |= {
            "OPENAI_BASE_URL": f"{openai.address}/v1",
            "DISCORD_BOT_TOKEN": server.token,
            "LOREBOT_DISCORD_API": server.api,
            "LOREBOT_HEALTH_PORT": str(self.port),
            "LOG_LEVEL": "INFO",
        }
        self._usual = home.settings
        self._settings: dict[str, str] = {}

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def up(self, **settings: str) -> None:
        """Have it online with these settings beside the usual ones; it is started again only where it has others."""
        if not self.running or self._settings != settings:
            await self.start(**settings)

    async def start(self, seconds: float = 40, **settings: str) -> asyncio.subprocess.Process:
        """Start the bot and wait until it is online; what it says where it ends instead is raised."""
        process = await self.begin(**settings)
        ended = asyncio.create_task(process.wait())
        online = asyncio.create_task(self.server.connected(seconds=seconds))
        await asyncio.wait([ended, online], return_when=asyncio.FIRST_COMPLETED)
        if not online.done():
            online.cancel()
            await self._reading
            raise RuntimeError(self.err)
        ended.cancel()
        online.result()
        return process

    async def begin(self, **settings: str) -> asyncio.subprocess.Process:
        """Start the bot, which may never come online; one that runs is ended before."""
        if self.running:
            await self.end()
        self._settings, self.err = settings, ""
        self.home.settings = self._usual | settings
        self.process = await self.home.start("discord")
        self._reading = asyncio.create_task(self._read(self.process))
        return self.process

    async def end(self) -> int:
        """Ask it to end, wait until it has answered what is under way, and return its exit code."""
        assert self.process is not None
        self.process.terminate()
        return await self.ended()

    async def kill(self) -> None:
        """Kill the bot with -9, as it is."""
        assert self.process is not None
        if self.running:
            self.process.kill()
        await self.ended()

    async def ended(self, seconds: float = 60) -> int:
        """Wait until it has ended, and return its exit code."""
        assert self.process is not None
        code = await asyncio.wait_for(self.process.wait(), seconds)
        await self._reading
        await self.server.until(lambda: not self.server.gateway.ready)
        return code

    async def afresh(self) -> None:
        """Let it come to rest and leave its guilds, and undo what tests did to what is around it; the model says Rex!

        What is left unanswered there would be answered after the next start.
        """
        self.server.mend()
        if self.openai.let_go is not None:
            self.openai.let_go.set()
        if self.running:
            await until_it(self._at_rest)
        self.server.vacate()
        self.server.journal.all.clear()
        self.server.gateway.log.clear()
        self.openai.forget()
        self.openai.answer = lambda prompt: "Rex!"

    def ask(self, channel: Channel, person: Person, text: str, **more: object) -> Message:
        """Let a person mention the bot."""
        return self.server.say(channel, person, f"{self.server.me.mention} {text}", **more)  # type: ignore[arg-type]

    async def final(self, channel: Channel, text: str, seconds: float = 20) -> Message:
        """Wait until a message of the bot says just this; return it."""
        await self.server.until(lambda: any(one.text == text for one in self.server.said(channel)), seconds)
        return next(one for one in self.server.said(channel) if one.text == text)

    async def answered(self, channel: Channel, person: Person, text: str) -> tuple[Message, Message]:
        """Ask something; return the question, and the answer once it has its last buttons."""
        question, answer = await self.replied(channel, person, text)
        await self.server.until(lambda: "Why?" in answer.buttons)
        return question, answer

    async def replied(self, channel: Channel, person: Person, text: str) -> tuple[Message, Message]:
        """Ask something; return the question, and the answer as soon as anything of it is seen."""
        question = self.ask(channel, person, text)
        await self.server.until(lambda: self.replies(question))
        return question, self.replies(question)[0]

    def replies(self, question: Message) -> list[Message]:
        """Return the bot's messages that reply to a question."""
        return [one for one in self.server.said(question.channel) if one.reply_to == question.id]

    async def told(self, channel: Channel, person: Person, name: str, options: dict[str, str] | None = None) -> str:
        """Give a command; return what the person reads."""
        interaction = self.server.slash(channel, person, name, options)
        await interaction.answered()
        await self.server.until(lambda: interaction.texts and not any(one.loading for one in interaction.messages))
        return "\n".join(interaction.texts)

    @property
    def log(self) -> list[dict[str, Any]]:
        """What it has logged since it was last started."""
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of its log that tell of such an event."""
        return [line for line in self.log if line["event"] == event]

    async def get(self, path: str) -> tuple[int, str]:
        """Return the status and the body of a page of health; 0 where nobody answers."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as session,
                session.get(f"http://127.0.0.1:{self.port}{path}") as response,
            ):
                return response.status, await response.text()
        except aiohttp.ClientError:
            return 0, ""

    async def comes(self, path: str, status: int, seconds: float = 30) -> Any:
        """Wait until a page of health has this status, and return it."""
        async with asyncio.timeout(seconds):
            while True:
                found, body = await self.get(path)
                if found == status:
                    return json.loads(body)
                await asyncio.sleep(0.02)

    async def figure(self, name: str) -> float:
        """Return a sample of /metrics, such as `lorebot_messages_total{...}`; 0 where it is not there."""
        _, page = await self.get("/metrics")
        return next((float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(name)), 0.0)

    async def _at_rest(self) -> bool:
        return not self.openai.busy and await self.figure("lorebot_conversations_waiting") == 0

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Keep what the bot logs: a pipe that nobody reads would hold it up."""
        assert process.stderr is not None
        async for line in process.stderr:
            self.err += line.decode()


class Library:
    """A guild with Ada and Bob, and a channel that everyone reads."""

    def __init__(self, server: DiscordLike) -> None:
        self.ada, self.bob = server.person("ada"), server.person("bob")
        self.guild = server.guild("Library", self.ada, self.bob)
        self.general = server.channel(self.guild, "general")


@asynccontextmanager
async def online(rules: Rules | None = None) -> AsyncIterator[Online]:
    """Open all that a bot needs; it is not started yet, and killed at the end."""
    with tempfile.TemporaryDirectory(prefix="lorebot-") as folder:
        home = Home(Path(folder))
        async with OpenAILike() as openai, DiscordLike(rules) as server:
            found = Online(home, server, openai)
            try:
                yield found
            finally:
                if found.process is not None:
                    await found.kill()
                await home.server.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]
