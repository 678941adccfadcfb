"""The Slack app in this process, between the small Slack, a scripted model and a real Redis; a burst ends at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import redis.asyncio
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult

from bot.apps.chat import ChatApp, ChatOptions
from bot.engine import Engine
from bot.ledger import Ledger
from bot.limits import Allowance, Limits
from bot.listening import Listening
from bot.metrics import Metrics
from bot.notices import Practices
from bot.platforms.slack.app import SlackApp
from bot.platforms.slack.purging import Purging
from bot.platforms.slack.rooms import Rooms
from bot.platforms.slack.workspaces import Workspace, Workspaces
from bot.presets import Presets, Wanted
from bot.prompts import Prompts
from bot.registry import wiring
from bot.service import Service
from bot.settings import Settings
from memory.memory import Memory
from tests.fakes import ScriptedModel
from tests.slacklike.records import Channel, Message, Person
from tests.slacklike.server import SlackLike


class Inside:
    """The app, and what is around it. Its people are Ada and Bob; all may read the channel general."""

    def __init__(self, server: SlackLike, model: ScriptedModel, memory: Memory, app: SlackApp, home: Workspace) -> None:
        self.server, self.model, self.memory, self.app, self.home = server, model, memory, app, home

    def ask(self, channel: Channel, person: Person, text: str, **more: object) -> Message:
        """Let a person mention the bot."""
        return self.server.say(channel, person, f"{self.server.me.mention} {text}", **more)  # type: ignore[arg-type]

    async def final(self, channel: Channel, text: str) -> Message:
        """Wait until a message of the bot says just this, and is whole; return it."""
        found = lambda: [one for one in self.server.said(channel) if one.text == text and not one.streaming]  # noqa: E731
        await self.server.until(found)
        return found()[-1]

    async def at_rest(self) -> None:
        """Wait until nothing is being answered."""
        await self.server.until(lambda: len(self.app.talks) == 0)

    @property
    def seen(self) -> str:
        """What the last prompt says of the screen."""
        return self.model.last_prompt.partition("Also on the screen")[2]


@asynccontextmanager
async def inside(
    client: "redis.asyncio.Redis", memory: Memory, server: SlackLike, *, owner: str = "test", burst: float = 0.0
) -> AsyncIterator[Inside]:
    """Open the app in the small Slack's home; another one in the same Slack and Redis has another owner."""
    model = ScriptedModel()
    settings = Settings(namespace=memory.keys.namespace)
    async with aiohttp.ClientSession() as session, wiring.over(client, settings, memory=memory) as registry:

        def make(wanted: Wanted) -> ChatApp:
            return ChatApp(memory, model, Prompts(), ChatOptions(prompt_tokens=2000, reply_tokens=200))

        presets = Presets(registry.objects, registry.models, registry.apps, make)
        engine = Engine(memory, presets.app, Ledger(memory.keys, owner), name="Lorebot", max_message=100_000)
        limits, practices = Limits(client, memory.keys, Allowance()), Practices("Lorebot")
        listening = Listening(memory, owner)
        parts = (presets, registry.apps, Prompts(), limits, practices, Metrics(), listening)
        service = Service("Lorebot", model.name, *parts)

        async def token(team: str) -> str:
            return server.bot_token

        workspaces = Workspaces(token, session, server.url)
        home = await workspaces.of(server.home.id)

        async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
            return AuthorizeResult(
                enterprise_id=enterprise_id, team_id=team_id, bot_user_id=home.me, bot_id=home.bot,
                bot_token=server.bot_token,
            )  # fmt: skip

        bolt = AsyncApp(
            client=workspaces.client(None), authorize=authorize, process_before_response=True,
            raise_error_for_unhandled_request=False, signing_secret="",
        )  # fmt: skip
        purging = Purging(memory, listening, None, settings.slack_grace_days)
        rooms = Rooms(engine, memory, service, settings, workspaces, purging, burst)
        async with listening:
            app = SlackApp(bolt, rooms)
            sockets = len(server.socket_mode.ready)
            handler = AsyncSocketModeHandler(bolt, server.app.token, web_client=workspaces.client(server.app.token))
            await handler.connect_async()
            await server.connected(sockets + 1)
            try:
                yield Inside(server, model, memory, app, home)
            finally:
                server.faults.clear()
                await app.drain(5.0)
                await handler.close_async()
