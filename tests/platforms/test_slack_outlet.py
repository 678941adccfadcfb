"""Replies in Slack: streamed where that can be, and whole in any case."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.delivery.mentions import quiet_on_slack
from bot.delivery.pace import Pace
from bot.delivery.receipts import Receipt
from bot.delivery.stream import Controls, nonce, show
from bot.errors import DeliveryRefused, MessageLost, SlowDown
from bot.platforms.slack import blocks, talks
from bot.platforms.slack.outlet import ROLL_OVER, STARTS, Outlet, Starts
from bot.platforms.slack.workspaces import Workspaces
from tests.fakes import ManualClock
from tests.slacklike.server import SlackLike


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
async def server() -> AsyncIterator[SlackLike]:
    async with SlackLike() as server:
        server.ratelimits.on = False
        yield server


class Place:
    """A question in a channel, and where its answer goes."""

    def __init__(self, server: SlackLike, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.ada = server.person("ada")
        self.channel = server.channel("general", self.ada)
        self.asked = server.say(self.channel, self.ada, f"{server.me.mention} hello")
        self.clock = Clock()
        self.client = Workspaces(self._token, session, server.url).client(server.bot_token, again=False)

    async def _token(self, team: str) -> str:
        return self.server.bot_token

    def outlet(self, *, thread: bool = True, starts: Starts | None = None) -> Outlet:
        where = self.asked.ts if thread else None
        recipient = (self.server.home.id, self.ada.id)
        return Outlet(
            self.client, self.channel.id, where, self.asked.ts, recipient,
            lambda controls: blocks.controls(controls, self.asked.ts, self.ada.id), starts, self.clock,
        )  # fmt: skip

    @property
    def said(self) -> list[str]:
        return [one.text for one in self.server.said(self.channel)]


@pytest.fixture
async def place(server: SlackLike) -> AsyncIterator[Place]:
    async with aiohttp.ClientSession() as session:
        yield Place(server, session)


async def pieces(*texts: str) -> AsyncIterator[str]:
    for text in texts:
        yield text
        await asyncio.sleep(0)


async def test_in_a_thread_an_answer_is_streamed_and_ends_with_its_buttons(place, server):
    outlet = place.outlet()
    message = await outlet.send("Once", "n", Controls.STOP)
    assert server.said(place.channel)[0].streaming
    await outlet.edit(message, "Once upon", Controls.STOP)
    await outlet.edit(message, "Once upon a time.", Controls.DONE)
    (told,) = server.said(place.channel)
    assert (told.text, told.streaming, "Why?" in told.buttons) == ("Once upon a time.", False, True)
    assert len(server.journal.of("chat.update")) == 0


async def test_a_stream_is_left_before_slack_ends_it_and_the_answer_goes_on_in_the_same_message(place, server):
    """Complaint: the stream dies at about five minutes."""
    outlet = place.outlet()
    message = await outlet.send("Once", "n", Controls.STOP)
    place.clock.time = ROLL_OVER + 1
    await outlet.edit(message, "Once upon", Controls.STOP)
    assert not server.said(place.channel)[0].streaming
    await outlet.edit(message, "Once upon a", Controls.STOP)
    await outlet.edit(message, "Once upon a time.", Controls.DONE)
    assert place.said == ["Once upon a time."]


async def test_a_stream_that_slack_has_ended_is_gone_on_with_by_updates(place, server):
    server.rules.stream_life = 0.05
    outlet = place.outlet()
    message = await outlet.send("Once", "n", Controls.STOP)
    await asyncio.sleep(0.1)  # Slack's own clock
    await outlet.edit(message, "Once upon", Controls.STOP)
    await outlet.edit(message, "Once upon a time.", Controls.DONE)
    assert place.said == ["Once upon a time."]


async def test_where_slack_does_not_stream_a_message_is_posted_and_updated(place, server):
    outlet = place.outlet(thread=False)
    message = await outlet.send("Once", "n", Controls.STOP)
    assert "Stop" in server.said(place.channel)[0].buttons
    await outlet.edit(message, "Once upon a time.", Controls.DONE)
    assert place.said == ["Once upon a time."]
    assert len(server.journal.of("chat.startStream")) == 0


async def test_more_streams_than_slack_takes_are_posted_instead(place, server):
    starts = Starts(place.clock)
    assert [starts.take() for _ in range(STARTS + 1)] == [True] * STARTS + [False]
    place.clock.time = 61.0
    assert starts.take()
    server.faults.limit(30, on="chat.startStream")
    await place.outlet().send("Once upon a time.", "n", Controls.STOP)
    assert place.said == ["Once upon a time."]


async def test_a_text_that_is_another_one_replaces_what_was_streamed(place):
    outlet = place.outlet()
    message = await outlet.send("Once", "n", Controls.STOP)
    await outlet.edit(message, "Never.", Controls.DONE)
    assert place.said == ["Never."]


async def test_whoever_goes_on_after_a_crash_ends_the_stream_and_edits_that_message(place, server):
    message = await place.outlet().send("Once", "n", Controls.STOP)
    await place.outlet().edit(message, "Once upon a time.", Controls.DONE)
    (told,) = server.said(place.channel)
    assert (told.text, told.streaming) == ("Once upon a time.", False)


async def test_a_message_is_found_again_by_its_metadata(place):
    first = place.outlet(thread=False)
    message = await first.send("Once", nonce("t", 0), Controls.NONE)
    assert await place.outlet(thread=False).find(0, nonce("t", 0)) == message
    assert await place.outlet(thread=False).find(1, nonce("t", 1)) is None


async def test_a_stream_that_was_cut_is_known_by_having_no_metadata_yet(place):
    message = await place.outlet().send("Once", nonce("t", 0), Controls.STOP)
    assert await place.outlet().find(0, nonce("t", 0)) == message
    await place.outlet().edit(message, "Once upon a time.", Controls.DONE)
    assert await place.outlet().find(1, nonce("t", 1)) is None


async def test_of_several_streams_nobody_can_tell_which_part_they_were(place):
    for _ in range(2):
        await place.outlet().send("Once", nonce("t", 0), Controls.STOP)
    with pytest.raises(MessageLost):
        await place.outlet().find(0, nonce("t", 0))


async def test_what_slack_says_is_told_in_the_words_of_delivery(place, server):
    outlet = place.outlet(thread=False)
    server.faults.limit(7, on="chat.postMessage")
    with pytest.raises(SlowDown) as caught:
        await outlet.send("Once", "n")
    assert caught.value.after == 7
    message = await outlet.send("Once", "n")
    server.delete(server.said(place.channel)[0])
    with pytest.raises(MessageLost):
        await outlet.edit(message, "Twice")
    server.kick(place.channel)
    with pytest.raises(DeliveryRefused):
        await outlet.send("Once", "n")


async def test_only_what_may_be_streamed_is_stopped_for_slack_lets_that_be_done_twenty_times_a_minute(place, server):
    starts = Starts(place.clock)
    while starts.take():
        pass
    outlet = place.outlet(starts=starts)
    message = await outlet.send("Once", "n", Controls.STOP)
    for text in ("Once upon", "Once upon a", "Once upon a time."):
        await outlet.edit(message, text, Controls.STOP)
    assert (place.said, server.journal.of("chat.stopStream")) == (["Once upon a time."], [])


async def test_a_cut_connection_does_not_post_twice(place, server):
    server.faults.cut(on="chat.postMessage", after=True)
    pace = Pace(ManualClock(), 0.0)
    kept = Kept()
    sent = await show(pieces("Hello."), place.outlet(thread=False), "t", talks.STYLE, pace, receipts=kept)
    assert (len(sent), place.said) == (1, ["Hello."])


class Kept:
    async def sending(self, part: int, anew: int) -> None:
        self.part = Receipt("", anew, 1)

    async def sent(self, part: int, anew: int, message: str) -> None:
        self.part = Receipt(message, anew)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(
            [
                "<!channel>",
                "<!here|here>",
                "<!everyone>",
                "<!subteam^S1>",
                "<!CHANNEL>",
                "@channel",
                " ",
                "`",
                "a",
                "<!",
                "channel>",
            ]
        ),
        min_size=1,
        max_size=8,
    )
)
async def test_nobody_is_called_however_the_pieces_come(words):
    async with SlackLike() as server, aiohttp.ClientSession() as session:
        server.ratelimits.on = False
        place = Place(server, session)
        pace = Pace(ManualClock(), 0.0)
        await show(pieces("x", *words), place.outlet(), "t", talks.STYLE, pace)
        await show(pieces("x", *words), place.outlet(thread=False), "u", talks.STYLE, pace)
        assert server.broadcasts() == []
        assert quiet_on_slack("<!channel>") != "<!channel>"
