"""How Slack's socket is looked after, over real sockets: what slack_sdk would not notice, or not in time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.errors import PlatformLost, Unconfigured
from bot.platforms.slack.socket_mode import APART, Client, SocketMode
from bot.platforms.slack.workspaces import Workspaces
from tests.slacklike.rules import Rules
from tests.slacklike.server import SlackLike

PING = 0.2  # seconds; all limits are so many of it


@pytest.fixture
async def server() -> AsyncIterator[SlackLike]:
    async with SlackLike(Rules(close_after=0.05, ack_within=0.3, retries=(0.0, 60.0))) as server:
        server.ratelimits.on = False
        yield server


class Bot:
    """A client that acknowledges what it hears, and whoever looks after it."""

    def __init__(self, server: SlackLike, client: Client) -> None:
        self.server, self.client = server, client
        self.transport = SocketMode(client)
        self.heard: list[str] = []
        self.watching = asyncio.create_task(self.transport.watch())
        client.socket_mode_request_listeners.append(self._hear)

    async def _hear(self, client, request) -> None:
        await client.send_socket_mode_response({"envelope_id": request.envelope_id})
        self.heard.append(request.payload["event"]["text"])

    async def ready(self) -> None:
        """Wait until nothing is wrong."""
        while await self.transport.trouble():
            await asyncio.sleep(0.01)

    async def unready(self) -> str:
        """Wait until something is wrong; return what."""
        while not (trouble := await self.transport.trouble()):
            await asyncio.sleep(0.01)
        return trouble

    async def lost(self, error: type[Exception]) -> str:
        """Wait until it is given up; return why."""
        await self.server.until(self.watching.done)
        with pytest.raises(error) as caught:
            self.watching.result()
        return str(caught.value)


@contextlib.asynccontextmanager
async def connecting(server: SlackLike, ping: float = PING) -> AsyncIterator[Bot]:
    async with aiohttp.ClientSession() as session:
        client = Client(server.app.token, Workspaces(_nobody, session, server.url).client(server.app.token), ping)
        bot = Bot(server, client)
        begun = asyncio.create_task(client.connect())
        try:
            yield bot
        finally:
            for task in (bot.watching, begun):
                task.cancel()
            await asyncio.gather(bot.watching, begun, return_exceptions=True)
            server.socket_mode.cut()  # else it would wait ten seconds for a goodbye
            await client.close()


async def _nobody(team: str) -> str:
    raise LookupError(team)


@pytest.fixture
async def bot(server: SlackLike) -> AsyncIterator[Bot]:
    async with connecting(server) as bot:
        await bot.ready()
        yield bot


class Place:
    def __init__(self, server: SlackLike) -> None:
        self.server = server
        self.ada = server.person("ada")
        self.channel = server.channel("general", self.ada)

    def say(self, text: str) -> None:
        self.server.say(self.channel, self.ada, text)


@pytest.fixture
def place(server: SlackLike) -> Place:
    return Place(server)


async def test_a_socket_is_ready_once_slack_has_greeted_us(server):
    server.socket_mode.greets = False
    async with connecting(server) as bot:
        await server.until(lambda: server.socket_mode.open)
        assert await bot.transport.trouble() == "Slack has not greeted us yet"
        server.socket_mode.greets = True
        await bot.ready()
        assert server.socket_mode.count("open") > 1, "the first was exchanged"


@pytest.mark.parametrize("reason", ["warning", "refresh_requested", "link_disabled"])
async def test_when_slack_asks_to_come_again_there_is_one_new_socket(server, bot, place, reason):
    server.socket_mode.refresh(reason)
    await server.until(lambda: server.socket_mode.count("open") >= 2 and len(server.socket_mode.open) == 1)
    await bot.ready()
    place.say("back?")
    await server.until(lambda: bot.heard == ["back?"])


async def test_a_goodbye_while_the_socket_is_being_exchanged_makes_no_second_one_that_nobody_reads(server, bot, place):
    """slack_sdk waits five seconds for its lock, and then connects beside whoever has it."""
    held = server.faults.hold(on="apps.connections.open")
    exchange = asyncio.create_task(bot.client.connect_to_new_endpoint(force=True))
    await server.until(held.reached.is_set)
    goodbye = asyncio.create_task(bot.client.connect_to_new_endpoint(force=True))
    done, _ = await asyncio.wait([goodbye], timeout=5.5)
    assert not done
    held.let_go.set()
    await asyncio.gather(exchange, goodbye)
    await server.until(lambda: len(server.socket_mode.open) == 1)
    await bot.ready()
    for number in range(4):
        place.say(str(number))
    await server.until(lambda: sorted(bot.heard) == ["0", "1", "2", "3"])


@pytest.mark.parametrize("how", ["cut", "close", "silence"])
async def test_a_socket_that_is_dead_is_replaced(server, bot, place, how):
    getattr(server.socket_mode, how)()
    place.say("anybody?")
    await server.until(lambda: server.socket_mode.count("open") >= 2)
    await bot.ready()
    await server.until(lambda: len(server.socket_mode.ready) == 1)
    server.deliveries.retry_now()
    await server.until(lambda: bot.heard == ["anybody?"])


async def test_a_socket_that_answers_pings_and_brings_nothing_is_exchanged_after_a_while(server, bot, place):
    """Complaint: online but deaf. While nothing comes, nothing tells a deaf socket from a quiet one."""
    server.socket_mode.silence(pongs=True)
    place.say("are you deaf?")
    await server.until(lambda: server.socket_mode.count("open") >= 2)
    await bot.ready()
    server.deliveries.retry_now()
    await server.until(lambda: bot.heard == ["are you deaf?"])


async def test_sockets_that_slack_takes_and_never_greets_end_the_process(server, bot):
    """Every ping of ours is answered, and `is_connected` of slack_sdk says that all is well."""
    server.socket_mode.greets = False
    server.socket_mode.cut()
    assert "has not been heard for" in await bot.unready()
    assert "start again" in await bot.lost(PlatformLost)
    assert server.socket_mode.count("open") > 2


async def test_sockets_that_are_open_and_silent_from_their_beginning_end_the_process(server, bot):
    """slack_sdk takes the time of its own ping for that of an answer."""
    watching = asyncio.create_task(_silenced(server))
    assert "start again" in await bot.lost(PlatformLost)
    watching.cancel()


async def _silenced(server: SlackLike) -> None:
    while True:
        server.socket_mode.greets = False
        server.socket_mode.silence()
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("what", ["shut", "failing", "cut"])
async def test_where_slack_lets_nobody_in_for_a_while_it_is_tried_until_it_does(server, bot, place, what):
    if what == "shut":
        server.rules.ticket_life = 0.05  # an address that was tried in vain is worth nothing
        server.socket_mode.shut = True
    elif what == "failing":
        server.faults.fail(500, times=2, on="apps.connections.open", error="internal_error")
    else:
        server.faults.cut(times=2, on="apps.connections.open")
    opened = server.socket_mode.count("open")
    server.socket_mode.cut()
    if what == "shut":
        await server.until(lambda: server.socket_mode.count("turned away") > 1)
        server.socket_mode.shut = False
    await server.until(lambda: server.socket_mode.count("open") > opened and server.socket_mode.ready)
    await bot.ready()
    place.say("back?")
    await server.until(lambda: bot.heard == ["back?"])
    assert not bot.watching.done()


async def test_where_slack_gives_out_addresses_too_slowly_it_is_asked_again_when_slack_says(server):
    """Slack says so in whole seconds; here the process would end after nine."""
    async with connecting(server, ping=1.0) as bot:
        await bot.ready()
        limit = server.faults.limit(1, on="apps.connections.open")
        server.socket_mode.cut()
        await server.until(lambda: server.socket_mode.count("open") >= 2)
        await bot.ready()
        assert (limit.times, min(server.journal.gaps("apps.connections.open")[1:]) > 0.9) == (0, True)


async def test_where_slack_lets_nobody_in_any_more_the_process_ends(server, bot):
    server.faults.fail(500, times=1000, on="apps.connections.open", error="internal_error")
    server.socket_mode.cut()
    assert "(internal_error)" in await bot.unready()
    assert await bot.lost(PlatformLost)


async def test_an_app_level_token_that_slack_refuses_while_we_run_is_named(server, bot):
    server.app.token = "xapp-1-another"
    server.socket_mode.cut()
    why = await bot.lost(Unconfigured)
    assert why.startswith("Slack refuses SLACK_APP_TOKEN (invalid_auth)")
    assert "xapp-1" not in why


async def test_a_token_that_is_refused_once_is_tried_again(server, bot):
    server.faults.fail(200, on="apps.connections.open", error="invalid_auth")
    server.socket_mode.cut()
    await server.until(lambda: server.socket_mode.count("open") >= 2)
    await bot.ready()
    assert not bot.watching.done()


async def test_an_app_with_too_many_sockets_does_not_connect_without_end(server, bot):
    server.rules.sockets = 0
    server.socket_mode.cut()
    await server.until(lambda: server.socket_mode.count("open") > 4)
    assert min(server.journal.gaps("apps.connections.open")[2:]) > APART * PING * 0.9
    server.rules.sockets = 10
    await server.until(lambda: server.socket_mode.ready)
    await bot.ready()
