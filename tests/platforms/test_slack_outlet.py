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
from bot.errors import DeliveryError, DeliveryRefused, MessageLost, NotYet, SlowDown
from bot.platforms.slack import blocks, talks
from bot.platforms.slack.destination import Destination
from bot.platforms.slack.failures import PAUSE
from bot.platforms.slack.outlet import ROLL_OVER, Outlet
from bot.platforms.slack.rates import CLOSED, STARTS, Rate, Rates, Starts
from bot.platforms.slack.refusals import LOST, REFUSED
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

    def outlet(self, *, thread: bool = True, **more) -> Outlet:
        where = self.asked.ts if thread else None
        destination = Destination(self.channel.id, where, self.asked.ts, (self.server.home.id, self.ada.id))
        buttons = lambda controls: blocks.controls(controls, self.asked.ts, self.ada.id)  # noqa: E731
        return Outlet(self.client, destination, buttons, clock=self.clock, **more)

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


def none(place: Place) -> Starts:
    """Return what has begun as many streams as it may."""
    starts = Starts(place.clock)
    while starts.take():
        pass
    return starts


def test_a_rate_is_so_many_at_once_and_as_many_again_over_a_minute():
    clock = Clock()
    rate = Rate(10, clock)
    assert [rate.take() for _ in range(12)] == [True] * 10 + [False] * 2
    clock.time = 6.5
    assert [rate.take(), rate.take()] == [True, False]
    clock.time = 600.0
    assert [rate.take() for _ in range(12)] == [True] * 10 + [False] * 2


async def test_where_many_answer_at_once_an_answer_is_posted_when_it_is_whole(place, server):
    """Complaint: rate limits turn streaming into silence."""
    outlet = place.outlet(rates=Rates(drafts=Rate(0), starts=none(place)))
    with pytest.raises(NotYet):
        await outlet.send("Once", "n", Controls.STOP)
    assert place.said == []
    await outlet.send("Once upon a time.", "n", Controls.DONE)
    assert place.said == ["Once upon a time."]
    assert [one.method for one in server.journal.all] == ["chat.postMessage"]


async def test_a_message_that_was_posted_is_not_asked_to_end_its_stream(place, server):
    outlet = place.outlet(rates=Rates(updates=Rate(1), starts=none(place)))
    message = await outlet.send("Once", "n", Controls.STOP)
    await outlet.edit(message, "Once upon", Controls.STOP)
    with pytest.raises(NotYet):
        await outlet.edit(message, "Once upon a", Controls.STOP)
    await outlet.edit(message, "Once upon a time.", Controls.DONE)
    assert [one.method for one in server.journal.all] == ["chat.postMessage", "chat.update", "chat.update"]
    assert place.said == ["Once upon a time."]


@pytest.mark.parametrize("method", ["chat.appendStream", "chat.update"])
async def test_what_slack_asks_us_to_wait_with_is_left_to_the_end_unless_it_is_the_end(place, server, method):
    outlet = place.outlet(rates=Rates(starts=none(place)) if method == "chat.update" else None)
    message = await outlet.send("Once", "n", Controls.STOP)
    server.faults.limit(30, on=method)
    with pytest.raises(NotYet) as caught:
        await outlet.edit(message, "Once upon", Controls.STOP)
    assert caught.value.after == 30
    await outlet.edit(message, "Once upon a time.", Controls.DONE)
    assert place.said == ["Once upon a time."]


async def test_the_last_words_of_a_stream_are_there_though_its_end_must_wait(place, server):
    outlet = place.outlet()
    message = await outlet.send("Once", "n", Controls.STOP)
    server.faults.limit(30, on="chat.stopStream")
    with pytest.raises(SlowDown) as caught:
        await outlet.edit(message, "Once upon a time.", Controls.DONE)
    assert (caught.value.after, caught.value.alone, place.said) == (30, True, ["Once upon a time."])
    await outlet.edit(message, "Once upon a time.", Controls.DONE)
    (told,) = server.said(place.channel)
    assert (told.text, told.streaming, "Why?" in told.buttons) == ("Once upon a time.", False, True)
    assert server.journal.of("chat.update") == []


async def test_what_was_turned_down_for_its_rate_is_not_looked_for_before_it_is_posted(place, server):
    outlet = place.outlet()
    server.faults.limit(1, on="chat.postMessage")
    with pytest.raises(SlowDown) as caught:
        await outlet.send("Once upon a time.", "n", Controls.DONE)
    assert not caught.value.alone
    await outlet.send("Once upon a time.", "n", Controls.DONE)
    assert [one.method for one in server.journal.all] == ["chat.postMessage"] * 2


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


async def test_of_our_messages_in_a_thread_the_one_that_is_being_streamed_is_the_one(place, server):
    """Complaint: duplicate replies."""
    whole = place.outlet()
    first = await whole.send("Before", nonce("s", 0), Controls.STOP)
    await whole.edit(first, "Before.", Controls.DONE)
    message = await place.outlet().send("Once", nonce("t", 0), Controls.STOP)
    next_life = place.outlet()
    assert await next_life.find(0, nonce("t", 0)) == message
    await next_life.edit(message, "Once upon a time.", Controls.DONE)
    assert place.said == ["Before.", "Once upon a time."]
    assert await place.outlet().find(0, nonce("t", 0)) == message, "by its metadata now"


async def test_of_streams_that_have_ended_or_are_two_nobody_can_tell_which_part_they_were(place, server):
    await place.outlet().send("Once", nonce("t", 0), Controls.STOP)
    await place.outlet().send("Twice", nonce("u", 0), Controls.STOP)
    with pytest.raises(MessageLost):
        await place.outlet().find(0, nonce("t", 0))
    server.rules.stream_life = 0.0
    with pytest.raises(MessageLost):
        await place.outlet().find(0, nonce("t", 0))


async def test_in_a_direct_message_that_was_replied_to_a_stream_may_be_the_answer_to_that(place, server):
    dm = server.dm(place.ada)
    asked = server.say(dm, place.ada, "Tell me.")
    outlet = lambda: Outlet(place.client, Destination(dm.id, asked.ts, asked.ts, None))  # noqa: E731
    message = await outlet().send("Once", nonce("t", 0), Controls.STOP)
    assert await outlet().find(0, nonce("t", 0)) == message
    server.say(dm, place.ada, "And more.", thread=asked)
    with pytest.raises(MessageLost):
        await outlet().find(0, nonce("t", 0))


async def test_what_another_bot_says_in_the_thread_is_not_taken_for_ours(place, server):
    """Complaint: duplicate replies: of an answer that is there once, nobody could tell any more."""
    robot = server.person("robot", bot=True)
    server.join(place.channel, robot)
    server.other_app(place.channel, robot, "The build has failed.", place.asked)
    ours = {"bot": server.me.bot_id}
    assert await place.outlet(**ours).find(0, nonce("t", 0)) is None
    message = await place.outlet(**ours).send("Once", nonce("t", 0), Controls.STOP)
    assert await place.outlet(**ours).find(0, nonce("t", 0)) == message


async def test_a_stream_whose_beginning_nobody_heard_of_is_gone_on_with(place, server):
    server.faults.cut(on="chat.startStream", after=True)
    sent = await show(pieces("Once ", "upon"), place.outlet(), "t", talks.STYLE, Pace(ManualClock(), 0.0))
    assert (len(sent), place.said) == (1, ["Once upon"])


async def test_words_that_may_have_been_streamed_are_not_streamed_again(place, server):
    outlet = place.outlet()
    message = await outlet.send("Once", "n", Controls.STOP)
    server.faults.cut(on="chat.appendStream", after=True)
    await outlet.edit(message, "Once upon", Controls.STOP)
    await outlet.edit(message, "Once upon a time.", Controls.DONE)
    assert place.said == ["Once upon a time."]


async def test_once_the_stream_is_left_its_end_is_not_asked_for_with_each_update(place, server):
    outlet = place.outlet()
    message = await outlet.send("Once", "n", Controls.STOP)
    place.clock.time = ROLL_OVER + 1
    for words in ("Once upon", "Once upon a", "Once upon a time"):
        await outlet.edit(message, words, Controls.STOP)
    assert (len(server.journal.of("chat.stopStream")), len(server.journal.of("chat.update"))) == (1, 2)


async def test_a_message_that_slack_does_not_let_be_updated_is_taken_back_and_said_anew(place, server):
    server.rules.stream_life = 0.0
    server.faults.fail(200, error="block_mismatch", on="chat.update")
    sent = await show(pieces("Once ", "upon ", "a time."), place.outlet(), "t", talks.STYLE, Pace(ManualClock(), 0.0))
    assert (len(sent), place.said) == (1, ["Once upon a time."])


async def test_a_message_whose_blocks_slack_does_not_take_is_said_in_plain_text(place, server):
    server.faults.fail(200, error="invalid_blocks", on="chat.postMessage")
    server.faults.fail(200, error="msg_blocks_too_long", on="chat.update")
    outlet = place.outlet(thread=False)
    message = await outlet.send("**Once**", "n", Controls.STOP)
    assert (place.said, server.said(place.channel)[0].blocks) == (["Once"], [])
    await outlet.edit(message, "**Once** upon", Controls.DONE)
    assert (place.said, server.said(place.channel)[0].blocks) == (["Once upon"], [])


async def test_what_is_being_streamed_is_taken_back_all_the_same(place, server):
    message = await place.outlet().send("Once", "n", Controls.STOP)
    await place.outlet().delete(message)
    assert place.said == []


async def test_a_channel_that_takes_no_streams_is_not_asked_each_time(place, server):
    server.faults.fail(200, error="channel_type_not_supported", on="chat.startStream", times=9)
    rates = Rates(starts=Starts(place.clock))
    for _ in range(3):
        await place.outlet(rates=rates).send("Once", "n", Controls.STOP)
    assert len(server.journal.of("chat.startStream")) == 1
    place.clock.time = CLOSED + 1
    await place.outlet(rates=rates).send("Once", "n", Controls.STOP)
    assert len(server.journal.of("chat.startStream")) == 2


@pytest.mark.parametrize("controls", [Controls.STOP, Controls.DONE])
async def test_a_stream_that_somebody_has_stopped_is_written_to_no_more(place, server, controls):
    told: list[str] = []
    await place.client.agents_sessions_setStatus(
        channel_id=place.channel.id, thread_ts=place.asked.ts, status="processing"
    )
    outlet = place.outlet(stopped=lambda: told.append("stopped"))
    message = await outlet.send("Once", "n", Controls.STOP)
    server.stop(place.asked, place.ada)
    with pytest.raises(DeliveryRefused):
        await outlet.edit(message, "Once upon", controls)
    assert (told, place.said) == (["stopped"], ["Once"])


async def test_in_a_direct_message_a_stream_names_no_reader(place, server):
    dm = server.dm(place.ada)
    asked = server.say(dm, place.ada, "Tell me.")
    await Outlet(place.client, Destination(dm.id, asked.ts, asked.ts, None)).send("Once", "n", Controls.STOP)
    body = server.journal.of("chat.startStream")[0].body
    assert {"recipient_user_id", "recipient_team_id"} & set(body) == set()


# What Slack documents for the calls of a reply: https://docs.slack.dev/reference/methods/chat.startStream and the like.
START = """access_denied accesslimited account_inactive channel_not_found channel_type_not_supported deprecated_endpoint
ekm_access_denied enterprise_is_restricted invalid_arg_name invalid_blocks invalid_chunks is_archived is_bot
message_limit_exceeded messages_tab_disabled method_deprecated missing_recipient_team_id missing_recipient_user_id
missing_scope msg_blocks_too_long msg_blocks_too_many no_permission no_text not_allowed_token_type not_authed
not_in_channel not_subscribed_to_message_stream_stopped org_login_required restricted_action
restricted_action_non_threadable_channel restricted_action_read_only_channel restricted_action_thread_locked
restricted_action_thread_only_channel team_not_found token_expired token_revoked two_factor_setup_required
unknown_method user_not_found invalid_thread_ts""".split()
POSTED_INSTEAD = frozenset(
    """channel_type_not_supported deprecated_endpoint enterprise_is_restricted invalid_blocks invalid_chunks is_bot
    method_deprecated missing_recipient_team_id missing_recipient_user_id missing_scope msg_blocks_too_long
    msg_blocks_too_many no_text not_allowed_token_type not_subscribed_to_message_stream_stopped team_not_found
    unknown_method user_not_found invalid_thread_ts""".split()
)
PASSING = ["fatal_error", "internal_error", "service_unavailable", "request_timeout", "messaging_processing_failed"]


@pytest.mark.parametrize("error", START)
async def test_what_a_refused_stream_is_taken_for(place, server, error):
    server.faults.fail(200, error=error, on="chat.startStream")
    if error in POSTED_INSTEAD:
        await place.outlet().send("Once", "n", Controls.STOP)
        assert place.said == ["Once"]
    else:
        with pytest.raises(DeliveryRefused):
            await place.outlet().send("Once", "n", Controls.STOP)


@pytest.mark.parametrize("error", sorted(REFUSED - {"cant_delete_message"}))
async def test_what_is_refused_for_good_is_not_tried_again(place, server, error):
    server.faults.fail(200, error=error, on="chat.postMessage", times=9)
    with pytest.raises(DeliveryRefused):
        await place.outlet(thread=False).send("Once", "n", Controls.STOP)
    assert len(server.journal.of("chat.postMessage")) == 1


@pytest.mark.parametrize("error", sorted(LOST))
async def test_a_message_that_takes_nothing_more_is_said_anew(place, server, error):
    outlet = place.outlet(thread=False)
    message = await outlet.send("Once", "n", Controls.STOP)
    server.faults.fail(200, error=error, on="chat.update")
    with pytest.raises(MessageLost):
        await outlet.edit(message, "Once upon", Controls.STOP)
    assert place.said == []


@pytest.mark.parametrize("method", ["chat.startStream", "chat.appendStream", "chat.stopStream", "chat.update"])
@pytest.mark.parametrize("error", [*PASSING, "a_new_one", ""])
async def test_what_passes_is_tried_again_and_nothing_is_there_twice(place, server, method, error):
    server.faults.fail(503 if not error else 200, error=error, on=method)
    words, outlet = [f"word{number} " for number in range(5)], place.outlet(thread=method != "chat.update")
    await show(pieces(*words), outlet, "t", talks.STYLE, Pace(ManualClock(), 0.0))
    assert place.said == ["".join(words).strip()]


@pytest.mark.parametrize("error", ["message_not_in_streaming_state", "streaming_mode_mismatch", "invalid_chunks"])
@pytest.mark.parametrize("method", ["chat.appendStream", "chat.stopStream"])
async def test_a_stream_that_takes_nothing_more_is_gone_on_with_by_updates(place, server, method, error):
    outlet = place.outlet()
    message = await outlet.send("Once", "n", Controls.STOP)
    server.faults.fail(200, error=error, on=method)
    await outlet.edit(message, "Once upon", Controls.STOP)
    await outlet.edit(message, "Once upon a time.", Controls.DONE)
    assert place.said == ["Once upon a time."]


@pytest.mark.parametrize("error", ["ratelimited", "rate_limited"])
async def test_where_slack_asks_to_wait_without_saying_how_long_it_is_a_moment(place, server, error):
    server.faults.fail(200, error=error, on="chat.postMessage")
    with pytest.raises(SlowDown) as caught:
        await place.outlet(thread=False).send("Once", "n")
    assert caught.value.after == PAUSE


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


async def test_a_stream_of_which_nobody_heard_is_found_again_however_often_that_takes(place, server):
    """Complaint: duplicate replies."""
    outlet = place.outlet()
    server.faults.cut(on="chat.startStream", after=True)
    server.faults.cut(times=2, on="chat.update", after=True)
    for _ in range(3):
        with pytest.raises(DeliveryError):
            await outlet.send("Rex!", "n", Controls.DONE if server.said(place.channel) else Controls.STOP)
    await outlet.send("Rex!", "n", Controls.DONE)
    assert place.said == ["Rex!"]
