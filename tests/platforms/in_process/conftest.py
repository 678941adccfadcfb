"""What tests of the Slack app in their own process start with."""

from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from memory.memory import Memory
from memory.scope import Audience, Scope
from tests.platforms.in_process.inside import Inside, inside
from tests.slacklike.records import Message
from tests.slacklike.server import SlackLike


@pytest.fixture
async def server() -> AsyncIterator[SlackLike]:
    async with SlackLike() as server:
        server.ratelimits.on = False
        yield server


class Office:
    """Ada, who manages it, and Bob; a channel that everyone in the workspace reads, and Ada's direct messages."""

    def __init__(self, server: SlackLike) -> None:
        self.server = server
        self.ada, self.bob = server.person("ada", admin=True), server.person("bob")
        self.general = server.channel("general", self.ada, self.bob)
        self.dm = server.dm(self.ada)

    def event(self, **event: object) -> None:
        """Let Slack tell of something in the channel general."""
        self.server.talk._tell(self.general, event)

    def thread(self, root: Message) -> Scope:
        """Return where something is said in a thread of the channel."""
        tenant, channel = f"slack:{self.server.home.id}", self.general.id
        return Scope(tenant, f"{channel}:{root.ts}", self.ada.id, Audience.PUBLIC, parent=channel, open_to_parent=True)

    @property
    def channel(self) -> Scope:
        """Where Ada speaks in the channel general."""
        return Scope(f"slack:{self.server.home.id}", self.general.id, self.ada.id, Audience.PUBLIC)

    @property
    def direct(self) -> Scope:
        """Where Ada writes to the bot alone."""
        return Scope(f"slack:{self.server.home.id}", self.dm.id, self.ada.id, Audience.DIRECT)


@pytest.fixture
async def office(server: SlackLike) -> Office:
    return Office(server)


@pytest.fixture
async def app(client: redis.asyncio.Redis, memory: Memory, server: SlackLike, office: Office) -> AsyncIterator[Inside]:
    async with inside(client, memory, server) as app:
        yield app
