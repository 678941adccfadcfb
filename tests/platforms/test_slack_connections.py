"""One visible reply in Slack however it is delivered: dead sockets, events that come again, two processes, no Redis.

The unmodified `lorebot slack`; how its socket is looked after in detail is in test_slack_socket_mode.py.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
import pytest_asyncio

from tests.platforms.slack_online import Office, Online, free_port, online
from tests.slacklike.records import Message

pytestmark = pytest.mark.asyncio(loop_scope="module")

PING = 1.0  # seconds; all limits are so many of it
RETRIES = (0.0, 1.0, 3.0, 10.0)  # seconds; Slack's are at once, after a minute and after five


class Relay:
    """A Redis at an address that can be taken away: connections are refused, and those that are open break."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for one in list(self._open):
                one.transport.abort()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other, to_other = await asyncio.open_unix_connection(self._path)
        self._open |= {writer, to_other}
        await asyncio.gather(_copied(reader, to_other), _copied(other, writer))
        self._open -= {writer, to_other}


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slack() -> AsyncIterator[Online]:
    """The app, with a health port, impatient with its socket, and with a Redis that can be taken away."""
    async with online() as app:
        redis = app.home.server
        app.relay = Relay((await redis.start()).removeprefix("unix://"))
        await app.relay.start()
        app.port = free_port()
        app.home.settings |= {
            "REDIS_URL": app.relay.url,
            "LOREBOT_SLACK_PING": str(PING),
            "LOREBOT_BURST": "1.5",  # as it is without a setting: here it matters what comes meanwhile
            "LOREBOT_HEALTH_PORT": str(app.port),
            "LOG_LEVEL": "INFO",
        }
        app.server.rules.retries = RETRIES
        await app.start()
        yield app
        await app.relay.stop()
        redis.leave()


async def ready(app: Online) -> dict[str, object]:
    """Return what /readyz says."""
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as session,
        session.get(f"http://127.0.0.1:{app.port}/readyz") as response,
    ):
        found: dict[str, object] = await response.json()
        return found


async def comes(app: Online, *, well: bool, seconds: float = 20) -> dict[str, object]:
    """Wait until the app says that it is ready, or that it is not."""
    async with asyncio.timeout(seconds):
        while (told := await ready(app))["ready"] is not well:
            await asyncio.sleep(0.02)
        return told


async def answered_once(app: Online, office: Office, question: Message, seconds: float = 20) -> None:
    """Wait until a question is answered, and everything else is; it has one answer then."""
    await app.server.until(lambda: app.replies(question) == ["Rex!"], seconds)
    later = app.ask(office.lounge, office.bob, "And?")
    await app.server.until(lambda: app.replies(later) == ["Rex!"], seconds)
    assert app.replies(question) == ["Rex!"]


# Sockets


async def test_when_slack_asks_to_come_again_nothing_is_lost_or_doubled(app, office):
    opened = app.server.socket_mode.count("open")
    before = app.ask(office.general, office.ada, "Who is Rex?")
    app.server.socket_mode.refresh()
    await app.server.until(lambda: app.server.socket_mode.count("open") > opened and app.server.socket_mode.ready)
    app.server.deliveries.retry_now()
    await answered_once(app, office, before)


async def test_a_socket_that_is_cut_is_replaced_and_what_it_was_given_is_answered_once(app, office):
    opened = app.server.socket_mode.count("open")
    app.server.socket_mode.cut()
    lost = app.ask(office.general, office.ada, "Are you there?")
    await app.server.until(lambda: app.server.socket_mode.count("open") > opened)
    await app.server.until(lambda: len(app.server.socket_mode.open) == len(app.server.socket_mode.ready) == 1)
    app.server.deliveries.retry_now()
    await answered_once(app, office, lost)


async def test_while_slack_gives_out_no_address_it_is_not_ready_and_then_it_is(app, office):
    await comes(app, well=True)
    app.server.faults.fail(500, times=1000, on="apps.connections.open", error="internal_error")
    app.server.socket_mode.cut()
    told = await comes(app, well=False)
    assert list(told["troubles"]) == ["slack"]
    assert "internal_error" in told["troubles"]["slack"]
    app.server.faults.clear()
    await comes(app, well=True)
    await answered_once(app, office, app.ask(office.general, office.ada, "Back?"))


# Events that come again


async def test_what_comes_again_while_it_is_answered_and_afterwards_and_on_a_new_socket_is_answered_once(app, office):
    """Complaint: duplicate replies."""
    app.openai.let_go = asyncio.Event()
    chats = len(app.openai.chats)
    asked = app.ask(office.general, office.ada, "Who is Rex?")
    await app.server.until(lambda: len(app.openai.chats) == chats + 1)
    told = app.server.deliveries.about(asked)
    again = [app.server.deliveries.again(one) for one in told]
    await app.server.until(lambda: all(one.acked.is_set() for one in again))
    app.openai.let_go.set()
    await app.server.until(lambda: app.replies(asked) == ["Rex!"])
    opened = app.server.socket_mode.count("open")
    again = [app.server.deliveries.again(one) for one in told]
    app.server.socket_mode.refresh()
    await app.server.until(lambda: app.server.socket_mode.count("open") > opened and app.server.socket_mode.ready)
    again += [app.server.deliveries.again(one) for one in told]
    app.server.deliveries.retry_now()
    await app.server.until(lambda: all(one.acked.is_set() for one in again[-len(told) :]))
    await answered_once(app, office, asked)
    assert len(app.openai.chats) == chats + 2


async def test_an_event_that_slack_could_not_explain_at_first_is_taken_when_it_comes_again(app, office):
    app.server.faults.fail(200, on="users.info", error="internal_error")
    asked = app.ask(office.general, office.ada, "Who is Rex?")
    await answered_once(app, office, asked)


@pytest.mark.soak
async def test_a_redis_that_hangs_for_six_seconds_makes_acknowledgements_late_and_no_answer_double(app, office):
    status = await app.home.server.status()
    os.kill(status.pid, signal.SIGSTOP)
    try:
        asked = app.ask(office.general, office.ada, "Who is Rex?")
        told = app.server.deliveries.about(asked)
        await app.server.until(lambda: all([try_.failure for try_ in one.attempts][1:2] == ["timeout"] for one in told))
        assert not any(one.acked.is_set() for one in told)
    finally:
        os.kill(status.pid, signal.SIGCONT)
    await answered_once(app, office, asked)
    await app.server.until(lambda: all(one.acked.is_set() for one in told))


# The end


async def test_a_bot_token_that_is_revoked_while_it_runs_ends_it_with_78_and_its_name(app):
    app.server.app.revoke(app.server.world.install, "token_revoked")
    told = {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [app.server.me.id]}}
    app.server.world.tell_in(app.server.world.install, told, "tokens_revoked")
    assert await app.ended(30) == 78
    assert "Slack refuses SLACK_BOT_TOKEN (token_revoked)" in app.logged
    app.server.app.issue(app.server.world.install)
    app.home.settings["SLACK_BOT_TOKEN"] = app.server.bot_token


# Two processes


@asynccontextmanager
async def another(app: Online) -> AsyncIterator[Online]:
    """Have a second process behind the same app."""
    other = Online(app.home, app.server, app.openai)
    port = app.home.settings.pop("LOREBOT_HEALTH_PORT")
    sockets = len(app.server.socket_mode.ready)
    await other.begin()
    try:
        await app.server.connected(sockets + 1, seconds=60)
        yield other
    finally:
        app.home.settings["LOREBOT_HEALTH_PORT"] = port
        await other.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def beside(slack: Online) -> AsyncIterator[Online]:
    await slack.afresh()
    async with another(slack) as other:
        yield other


async def test_of_two_processes_one_answers_a_mention_that_both_are_told_of_in_either_order(app, office, beside):
    """Of the two events of a mention each goes to another process; one comes again much later, to either."""
    chats = len(app.openai.chats)
    rooms = [app.server.channel(f"two-{number}", office.ada, office.bob) for number in range(4)]
    asked = [app.ask(room, office.ada, "Who is Rex?") for room in rooms]
    for one in asked:
        await app.server.until(lambda one=one: app.replies(one) == ["Rex!"])
    told = app.server.deliveries.about(*asked)
    assert {one.name for one in told} == {"message", "app_mention"}
    again = [app.server.deliveries.again(one) for one in (*told, *told[1:])]  # so that each comes to both
    await app.server.until(lambda: all(one.acked.is_set() for one in again))
    await answered_once(app, office, asked[0])
    assert [app.replies(one) for one in asked] == [["Rex!"]] * 4
    assert len(app.openai.chats) == chats + 5


async def test_of_two_processes_one_carries_out_a_command_in_a_message(app, office, beside):
    asked = app.ask(office.general, office.ada, "Who is Rex?")
    await app.server.until(lambda: app.replies(asked) == ["Rex!"])
    app.ask(office.general, office.ada, "!lorebot-status", thread=asked)
    told = app.server.deliveries.all[-1]
    await app.server.until(lambda: app.server.ephemerals(office.ada))
    again = [app.server.deliveries.again(told) for _ in range(2)]
    await app.server.until(lambda: all(one.acked.is_set() for one in again))
    await answered_once(app, office, app.ask(office.general, office.ada, "Who is Rex?"))
    assert len(app.server.ephemerals(office.ada)) == 1


async def test_of_two_processes_without_redis_one_answers(app, office, beside):
    """What is said then is answered without memory. Nobody can tell the other process, so it waits to be told again."""
    await app.relay.stop()
    try:
        asked = app.ask(office.general, office.ada, "Who is Rex?")
        await app.server.until(lambda: any("Memory is off" in one for one in app.replies(asked)), 40)
        told = app.server.deliveries.about(asked)
        await app.server.until(lambda: {len(one.attempts) > 1 or one.acked.is_set() for one in told} == {True})
        assert len(app.replies(asked)) == 1
    finally:
        await app.relay.start()
    await comes(app, well=True)
    later = app.ask(office.lounge, office.bob, "And?")
    await app.server.until(lambda: app.replies(later) and "Rex!" in app.replies(later)[0])
    app.server.deliveries.retry_now()
    await app.server.until(lambda: all(one.acked.is_set() for one in told))
    final = app.ask(office.lounge, office.bob, "And now?")
    await app.server.until(lambda: app.replies(final))
    assert (len(app.replies(asked)), len(app.replies(later))) == (1, 1)


# By the clock, as it is without settings


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("lets_in", [True, False])
async def test_a_silent_socket_is_left_within_90_seconds_or_the_process_ends_with_75(app, office, lets_in):
    app.home.settings.pop("LOREBOT_SLACK_PING")
    await app.kill()
    try:
        await app.start()
        await comes(app, well=True)
        app.server.socket_mode.shut = not lets_in
        opened = app.server.socket_mode.count("open")
        app.server.socket_mode.silence()
        lost = app.ask(office.general, office.ada, "Are you there?")
        if lets_in:
            await app.server.until(lambda: app.server.socket_mode.count("open") > opened, 90)
            app.server.deliveries.retry_now()
            await app.server.until(lambda: app.replies(lost) == ["Rex!"], 90)
        else:
            assert await app.ended(91) == 75
            assert "Slack has not been heard for" in app.logged
    finally:
        app.home.settings["LOREBOT_SLACK_PING"] = str(PING)
