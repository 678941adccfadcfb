"""The stage where the platform is Discord: guilds, and a channel for everybody who asks."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from bot.platforms.discord.throttle import ALLOWED
from tests.bench.stage import ANSWER, SETTINGS, Call, Question, Stage
from tests.discordlike.journal import Asked
from tests.discordlike.records import Channel, Guild, Message, Person
from tests.platforms.online import Online, online

RAISED = 1000  # requests a second; Discord allows more than 50 to large bots
TYPING = "/channels/{channel}/typing"


class DiscordStage(Stage):
    """Guilds, in which everybody has a channel."""

    kind = "typing"

    def __init__(self, online: Online, channels: int, guilds: int) -> None:
        super().__init__(online)
        self.guilds: list[Guild] = []
        self._places: list[tuple[Channel, Person]] = []
        for number in range(min(guilds, channels)):
            people = [self.server.person(f"person {number}-{one}") for one in range(-(-channels // guilds))]
            guild = self.server.guild(f"guild {number}", *people)
            self.guilds.append(guild)
            self._places += [(self.server.channel(guild, person.name.replace(" ", "-")), person) for person in people]
        del self._places[channels:]

    @property
    def tenant(self) -> str:
        return f"discord:{self.guilds[0].id}"

    def turn(self, question: Question) -> str:
        return str(question.message.id)

    def answer(self, question: Question) -> Message | None:
        for message in reversed(question.channel.log.values()):
            if message.author is self.server.me and message.reply_to == question.message.id:
                return message
        return None

    @property
    def called(self) -> int:
        return len(self.server.journal.all)

    def calls(self, since: int) -> Iterator[Call]:
        for asked in self.server.journal.all[since:]:
            yield Call(asked.at, f"{asked.method} {asked.route}", asked.status, _sign(asked))

    def _say(self, place: int, text: str) -> Question:
        channel, person = self._places[place % len(self._places)]
        return Question(channel, self.online.ask(channel, person, text))

    def _where(self, question: Question) -> str:
        return f"/channels/{question.channel.id}/typing"

    @property
    def _log(self) -> str:
        return self.online.err


def _sign(asked: Asked) -> str | None:
    return asked.path if asked.route == TYPING and asked.status == 204 else None


@asynccontextmanager
async def staged(channels: int, *, guilds: int = 4, rate: int = ALLOWED) -> AsyncIterator[DiscordStage]:
    """Open the stage; the bot is not started yet. rate: requests a second that Discord allows it."""
    async with online() as found:
        found.home.settings |= SETTINGS | {
            "LOREBOT_POOL_SIZE": str(max(channels, 20)),
            "LOREBOT_DISCORD_RATE": str(rate),
        }
        found.server.ratelimits.per_second = rate
        found.openai.answer = lambda prompt: ANSWER
        found.openai.pieces = 10
        yield DiscordStage(found, channels, guilds)
