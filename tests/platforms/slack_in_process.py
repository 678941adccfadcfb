"""The app's own handlers in the test's process, between the small Slack and a real Redis: no process to start."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import redis.asyncio
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest

from bot.apps.chat import ChatApp, ChatOptions
from bot.engine import Engine
from bot.ledger import Ledger
from bot.limits import Allowance, Limits
from bot.listening import Listening
from bot.metrics import Metrics
from bot.notices import Practices
from bot.platforms.slack import intake
from bot.platforms.slack.app import SlackApp
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
from tests.slacklike.records import Message, Team
from tests.slacklike.server import SlackLike


class Office:
    """The app, which can begin a new life at any time; asleep it hears nothing, and nothing is sent again.

    What people say goes to the app by `incoming` and `scope` alone: nothing is answered here.
    """

    def __init__(self, server: SlackLike, memory: Memory, engine: Engine, service: Service, session: object) -> None:
        self.server, self.memory = server, memory
        self._engine, self._service, self._session = engine, service, session
        self.asleep = False
        server.deliveries.outlet = self
        self.wake()

    def wake(self) -> None:
        """Begin a new life, which knows only what is in Redis."""

        async def token(home: Served) -> str:
            install = next((one for one in self.server.app.installs if one.team.id == home.team), None)
            if install is None or install.gone:
                raise LookupError(home.team)
            return install.token

        async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
            return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token="xoxb-1")

        self.workspaces = Workspaces(token, self._session, self.server.url)  # type: ignore[arg-type]
        self.bolt = AsyncApp(
            client=self.workspaces.client(None), authorize=authorize, process_before_response=True,
            raise_error_for_unhandled_request=False,
        )  # fmt: skip
        purging = Purging(self.memory, self._service.listening, None, 30)
        rooms = Rooms(self._engine, self.memory, self._service, Settings(), self.workspaces, purging)
        self.app = SlackApp(self.bolt, rooms)
        self.asleep = False

    @property
    def readers(self) -> Readers:
        return self.app.readers

    async def deliver(self, delivery: Delivery, attempt: Attempt) -> str:
        """Take what Slack tells."""
        said = delivery.name == "message" and not delivery.subtype
        if not self.asleep and not said:
            answered = await self.bolt.async_dispatch(AsyncBoltRequest(mode="socket_mode", body=delivery.body))
            if answered.status != 200:
                return "http_error"
        delivery.acknowledge()
        return ""

    async def heard(self) -> None:
        """Wait until all that Slack has told is taken in."""
        await self.server.until(lambda: not self.server.deliveries.unacknowledged())

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
async def office(client: "redis.asyncio.Redis", memory: Memory) -> AsyncIterator[Office]:
    """Open all that the app needs."""
    settings = Settings(namespace=memory.keys.namespace)
    model = ScriptedModel()
    async with SlackLike() as server, aiohttp.ClientSession() as session:
        server.ratelimits.on = False
        async with wiring.over(client, settings, memory=memory) as registry:

            def make(wanted: Wanted) -> ChatApp:
                return ChatApp(memory, wanted.model or model, Prompts(), ChatOptions())

            presets = Presets(registry.objects, registry.models, registry.apps, make)
            engine = Engine(memory, presets.app, Ledger(memory.keys, "test"), name="Lorebot", max_message=100_000)
            limits, practices = Limits(client, memory.keys, Allowance()), Practices("Lorebot")
            parts = (presets, registry.apps, Prompts(), limits, practices, Metrics(), Listening(memory, "test"))
            yield Office(server, memory, engine, Service("Lorebot", model.name, *parts), session)
