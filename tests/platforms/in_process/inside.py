"""The Slack app in this process, between the small Slack, a scripted model and a real Redis: no process to start."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import redis.asyncio
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.apps.chat import ChatApp, ChatOptions
from bot.engine import Engine
from bot.ledger import Ledger
from bot.limits import Allowance, Limits
from bot.listening import Listening
from bot.metrics import Metrics
from bot.notices import Practices
from bot.platforms.slack import intake
from bot.platforms.slack.app import SlackApp
from bot.platforms.slack.opening import OPTIONS
from bot.platforms.slack.purging import Purging
from bot.platforms.slack.readers import Readers
from bot.platforms.slack.rooms import Rooms
from bot.platforms.slack.tenants import Served
from bot.platforms.slack.workspaces import Workspace, Workspaces
from bot.presets import Presets, Wanted
from bot.prompts import Prompts
from bot.records import Incoming
from bot.registry import wiring
from bot.service import Service
from bot.settings import Settings
from memory.memory import Memory
from memory.scope import Scope
from tests.fakes import ScriptedModel
from tests.slacklike.deliveries import Attempt, Delivery
from tests.slacklike.http_mode import answer
from tests.slacklike.installs import Install
from tests.slacklike.records import Channel, Message, Person, Team
from tests.slacklike.server import SlackLike


class Inside:
    """The app, which can begin a new life at any time, and what is around it; a burst ends at once.

    asleep: it hears nothing, and nothing is sent again. answers: else what people say reaches it by `incoming` and
    `scope` alone. home: the small Slack's own workspace.
    """

    home: Workspace

    def __init__(
        self, server: SlackLike, model: ScriptedModel, memory: Memory, engine: Engine, service: Service,
        session: aiohttp.ClientSession, *, burst: float = 0.0, answers: bool = True,
    ) -> None:  # fmt: skip
        self.server, self.model, self.memory = server, model, memory
        self._engine, self._service, self._session, self._burst = engine, service, session, burst
        self.asleep, self.answers = False, answers
        server.deliveries.outlet = self
        self.wake()

    def wake(self) -> None:
        """Begin a new life, which knows only what is in Redis."""

        async def token(home: Served) -> str:
            return self._install(home.team).token

        async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
            bot = self._install(str(team_id)).bot
            who = {"bot_user_id": bot.id, "bot_id": bot.bot_id, "bot_token": "xoxb-1"}
            return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, **who)

        self.workspaces = Workspaces(token, self._session, self.server.url)
        self.bolt = AsyncApp(client=self.workspaces.client(None), authorize=authorize, signing_secret="", **OPTIONS)
        purging = Purging(self.memory, self._service.listening, None, 30)
        rooms = Rooms(self._engine, self.memory, self._service, Settings(burst=self._burst), self.workspaces, purging)
        self.app = SlackApp(self.bolt, rooms)
        self.asleep = False

    def _install(self, team: str) -> Install:
        install = next((one for one in self.server.app.installs if one.team.id == team), None)
        if install is None or install.gone:
            raise LookupError(team)
        return install

    async def deliver(self, delivery: Delivery, attempt: Attempt) -> str:
        """Take what Slack tells, as bolt does by Socket Mode."""
        said = delivery.name in ("message", "app_mention") and not delivery.subtype
        if self.asleep or (said and not self.answers):
            delivery.acknowledge()
            return ""
        told = SocketModeRequest(delivery.kind, delivery.id, delivery.body, retry_attempt=attempt.number)
        answered = await run_async_bolt_app(self.bolt, told)
        if answered.status != 200:
            return "http_error"
        delivery.acknowledge(answer(answered.body, answered.first_headers().get("content-type", "").partition(";")[0]))
        return ""

    # What people do, and what is seen of the app

    def ask(self, channel: Channel, person: Person, text: str, **more: object) -> Message:
        """Let a person mention the bot."""
        return self.server.say(channel, person, f"{self.server.me.mention} {text}", **more)  # type: ignore[arg-type]

    async def final(self, channel: Channel, text: str) -> Message:
        """Wait until a message of the bot says just this, and is whole; return it."""
        return await self.server.final(channel, text)

    async def at_rest(self) -> None:
        """Wait until nothing is being answered."""
        await self.server.until(lambda: len(self.app.talks) == 0)

    async def heard(self) -> None:
        """Wait until all that Slack has told is taken in."""
        await self.server.until(lambda: not self.server.deliveries.unacknowledged())

    @property
    def seen(self) -> str:
        """What the last prompt says of the screen."""
        return self.model.last_prompt.partition("Also on the screen")[2]

    # What the app makes of it

    @property
    def readers(self) -> Readers:
        return self.app.readers

    async def workspace(self, team: Team) -> Workspace:
        return await self.workspaces.of(Served(team.id, team.enterprise))

    async def incoming(self, message: Message) -> Incoming:
        """Return a message as the engine takes it."""
        one = intake.heard(self.server.world.shown(message) | {"channel": message.channel.id})
        assert one is not None
        workspace = await self.workspace(message.channel.team)
        await self.readers.met(workspace, await workspace.people.channel(one.channel))
        return await self.app.talks.questions.incoming(workspace, one)

    async def scope(self, message: Message) -> Scope:
        """Return the scope by which a message's answer recalls."""
        here = (await self.incoming(message)).scope
        return await self.readers.settled(await self.workspace(message.channel.team), here)


@asynccontextmanager
async def inside(
    client: "redis.asyncio.Redis", memory: Memory, server: SlackLike, *, burst: float = 0.0, answers: bool = True
) -> AsyncIterator[Inside]:
    """Open the app in a small Slack."""
    model = ScriptedModel()
    settings = Settings(namespace=memory.keys.namespace)
    async with aiohttp.ClientSession() as session, wiring.over(client, settings, memory=memory) as registry:

        def make(wanted: Wanted) -> ChatApp:
            options = ChatOptions(prompt_tokens=2000, reply_tokens=200)
            return ChatApp(memory, wanted.model or model, Prompts(), options)

        presets = Presets(registry.objects, registry.models, registry.apps, make)
        engine = Engine(memory, presets.app, Ledger(memory.keys, "test"), name="Lorebot", max_message=100_000)
        limits, practices = Limits(client, memory.keys, Allowance()), Practices("Lorebot")
        async with Listening(memory, "test") as listening:
            parts = (presets, registry.apps, Prompts(), limits, practices, Metrics(), listening)
            service = Service("Lorebot", model.name, *parts)
            app = Inside(server, model, memory, engine, service, session, burst=burst, answers=answers)
            app.home = await app.workspace(server.home)
            try:
                yield app
            finally:
                server.faults.clear()
                await app.app.drain(5.0)
