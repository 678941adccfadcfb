"""The unmodified `lorebot discord` in a process, between a small Discord, a small OpenAI and an embedded Redis."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.discordlike.records import Channel, Message, Person
from tests.discordlike.rules import Rules
from tests.discordlike.server import DiscordLike
from tests.openai_like import OpenAILike
from tests.platforms.conftest import Home


class Online:
    """A bot that can be started, killed and started again, and what is around it."""

    def __init__(self, home: Home, server: DiscordLike, openai: OpenAILike) -> None:
        self.home, self.server, self.openai = home, server, openai
        self.process: asyncio.subprocess.Process | None = None
        self.logged = ""
        home.settings |= {
            "OPENAI_BASE_URL": f"{openai.address}/v1",
            "DISCORD_BOT_TOKEN": server.token,
            "LOREBOT_DISCORD_API": server.api,
        }

    async def start(self, seconds: float = 40) -> asyncio.subprocess.Process:
        """Start the bot and wait until it is online; what it says where it ends instead is raised."""
        self.process = await self.home.start("discord")
        self._reading = asyncio.create_task(self._read(self.process))
        ended = asyncio.create_task(self.process.wait())
        online = asyncio.create_task(self.server.connected(seconds=seconds))
        await asyncio.wait([ended, online], return_when=asyncio.FIRST_COMPLETED)
        if not online.done():
            online.cancel()
            await self._reading
            raise RuntimeError(self.logged)
        ended.cancel()
        online.result()
        return self.process

    async def kill(self) -> None:
        """Kill the bot with -9, as it is."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._reading
        await self.server.until(lambda: not self.server.gateway.ready)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Keep what the bot logs: a pipe that nobody reads would hold it up."""
        assert process.stderr is not None
        async for line in process.stderr:
            self.logged += line.decode()

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
