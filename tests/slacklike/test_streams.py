"""Streamed replies, the sessions of agents, and the Stop button."""

import pytest

from tests.slacklike.conftest import refused


@pytest.fixture
async def asked(server, place):
    return server.say(place.channel, place.ada, f"{server.me.mention} tell me")


async def start(bot, place, asked, **more):
    who = {"recipient_user_id": place.ada.id, "recipient_team_id": place.ada.team.id}
    answer = await bot.client.chat_startStream(channel=place.channel.id, thread_ts=asked.ts, **who, **more)
    return {"channel": place.channel.id, "ts": answer["ts"]}


async def test_a_stream_grows_and_ends_with_blocks(server, bot, place, asked):
    where = await start(bot, place, asked, markdown_text="One ")
    (reply,) = server.said(place.channel)
    assert (reply.streaming, reply.thread_ts) == (True, asked.ts)
    await bot.client.chat_appendStream(**where, markdown_text="two ")
    button = {"type": "button", "action_id": "why", "text": {"type": "plain_text", "text": "Why"}}
    blocks = [{"type": "actions", "elements": [button]}]
    await bot.client.chat_stopStream(**where, markdown_text="three", blocks=blocks)
    assert (reply.streaming, reply.text, list(reply.buttons)) == (False, "One two three", ["Why"])
    assert [version.text for version in reply.history] == ["One ", "One two ", "One two three\nWhy"]
    assert await refused(bot.client.chat_appendStream(**where, markdown_text="x")) == "message_not_in_streaming_state"
    await bot.client.chat_update(**where, text="edited", blocks=[])
    assert reply.shown == "edited"


async def test_the_sdks_own_helper_streams_in_chunks(server, bot, place, asked):
    streamer = await bot.client.chat_stream(
        channel=place.channel.id,
        thread_ts=asked.ts,
        recipient_user_id=place.ada.id,
        recipient_team_id=place.ada.team.id,
        buffer_size=4,
    )
    await streamer.append(markdown_text="Hello ")
    await streamer.append(markdown_text="world")
    await streamer.stop(session_status="active")
    assert [one.shown for one in await server.replied(place.channel)] == ["Hello world"]
    assert server.session(asked).status == "active"


async def test_a_stream_needs_its_thread_and_in_channels_its_reader(server, bot, place, asked):
    stream = {"channel": place.channel.id, "thread_ts": asked.ts, "markdown_text": "x"}
    assert await refused(bot.client.chat_startStream(**stream)) == "missing_recipient_user_id"
    stream["recipient_user_id"] = place.ada.id
    assert await refused(bot.client.chat_startStream(**stream)) == "missing_recipient_team_id"
    assert await refused(bot.client.api_call("chat.startStream", json={"channel": place.dm.id})) == "invalid_arguments"
    said = server.say(place.dm, place.ada, "hello")
    await bot.client.chat_startStream(channel=place.dm.id, thread_ts=said.ts)
    assert len(server.said(place.dm)) == 1


async def test_a_stream_expires_though_it_is_in_use(server, bot, place, asked):
    where = await start(bot, place, asked, markdown_text="One")
    assert await refused(bot.client.chat_update(**where, text="x")) == "streaming_state_conflict"
    server.rules.stream_life = 0.0
    assert await refused(bot.client.chat_appendStream(**where, markdown_text="x")) == "message_not_in_streaming_state"
    assert await refused(bot.client.chat_stopStream(**where)) == "message_not_in_streaming_state"
    (reply,) = server.said(place.channel)
    assert (reply.streaming, reply.stream.state) == (False, "expired")
    await bot.client.chat_update(**where, text="One, and the rest")
    assert reply.shown == "One, and the rest"


async def test_what_is_being_streamed_cannot_be_deleted_and_says_so_in_its_thread(server, bot, place, asked):
    async def state() -> str:
        found = await bot.client.conversations_replies(channel=place.channel.id, ts=asked.ts)
        return found["messages"][-1]["streaming_state"]

    where = await start(bot, place, asked, markdown_text="One")
    assert await refused(bot.client.chat_delete(**where)) == "cant_delete_message"
    assert await state() == "in_progress"
    await bot.client.chat_stopStream(**where)
    assert await state() == "completed"
    await bot.client.chat_delete(**where)
    assert server.said(place.channel) == []


async def test_the_end_of_a_stream_sets_the_session_to_rest_unless_it_says_otherwise(server, bot, place, asked):
    await bot.client.agents_sessions_setStatus(channel_id=place.channel.id, thread_ts=asked.ts, status="processing")
    first = await start(bot, place, asked, markdown_text="One")
    await bot.client.chat_stopStream(**first, session_status="processing")
    assert server.session(asked).status == "processing"
    second = await start(bot, place, asked, markdown_text="Two")
    await bot.client.chat_stopStream(**second)
    assert server.session(asked).status == "active"


async def test_an_app_that_is_no_agent_has_no_sessions(server, bot, place, asked):
    server.rules.agent = False
    where = {"channel_id": place.channel.id, "thread_ts": asked.ts}
    assert await refused(bot.client.agents_sessions_setStatus(**where, status="processing")) == "feature_disabled"
    assert await refused(bot.client.agents_sessions_rename(**where, title="A tale")) == "feature_disabled"
    await bot.client.assistant_threads_setStatus(**where, status="is thinking")
    assert server.session(asked).status == "is thinking"


async def test_a_thread_goes_on_though_its_first_message_is_deleted(server, bot, place, asked):
    await bot.client.chat_postMessage(channel=place.channel.id, thread_ts=asked.ts, text="One")
    server.delete(asked)
    await start(bot, place, asked, markdown_text="Two")
    found = (await bot.client.conversations_replies(channel=place.channel.id, ts=asked.ts))["messages"]
    assert [(one.get("subtype"), one["text"]) for one in found] == [
        ("tombstone", "This message was deleted."), (None, "One"), (None, "Two"),
    ]  # fmt: skip


async def test_a_stream_keeps_to_the_form_it_began_with(server, bot, place, asked):
    where = await start(bot, place, asked, markdown_text="One")
    chunks = [{"type": "markdown_text", "text": "two"}]
    assert await refused(bot.client.chat_appendStream(**where, chunks=chunks)) == "streaming_mode_mismatch"
    assert await refused(bot.client.chat_appendStream(**where, markdown_text="x" * 12_001)) == "msg_too_long"


async def test_a_call_that_is_split_over_two_pieces_rings(server, bot, place, asked):
    where = await start(bot, place, asked, markdown_text="<!chan")
    assert server.broadcasts() == []
    await bot.client.chat_appendStream(**where, markdown_text="nel>")
    assert server.broadcasts() == server.said(place.channel)


async def test_stop_ends_the_streams_and_tells_the_app(server, bot, place, asked):
    await bot.connect()
    session = {"channel_id": place.channel.id, "thread_ts": asked.ts}
    with pytest.raises(LookupError):
        server.stop(asked, place.ada)
    title = {"title": "A tale", "initiator_user_id": place.ada.id}
    await bot.client.agents_sessions_setStatus(**session, status="processing", **title)
    where = await start(bot, place, asked, markdown_text="Once")
    assert server.stop(asked, place.ada) == [where["ts"]]
    await server.until(lambda: bot.of("agent_session_stopped"))
    event = bot.of("agent_session_stopped")[0]
    assert (event["thread_ts"], event["user"], event["streaming_message_ts"]) == (asked.ts, place.ada.id, [where["ts"]])
    assert await refused(bot.client.chat_appendStream(**where, markdown_text="x")) == "stopped_by_user"
    assert await refused(bot.client.chat_stopStream(**where, markdown_text="x")) == "stopped_by_user"
    assert server.session(asked).status == "processing"
    await bot.client.chat_stopStream(**where, session_status="active")
    await bot.client.agents_sessions_rename(**session, title="A short tale")
    shown = server.session(asked)
    assert [version.text for version in shown.history] == ["processing", "active"]
    assert (shown.title, shown.initiator, server.said(place.channel)[0].text) == ("A short tale", place.ada.id, "Once")


async def test_without_the_subscription_there_is_a_warning_instead_of_a_button(server, bot, place, asked):
    server.rules.events = frozenset({"app_mention"})
    where = {"channel_id": place.channel.id, "thread_ts": asked.ts}
    answer = await bot.client.agents_sessions_setStatus(**where, status="processing")
    assert answer["warning"] == "missing_agent_session_stopped_event_subscription"
    assert await refused(bot.client.agents_sessions_setStatus(**where, status="thinking")) == "invalid_arguments"


async def test_prompts_are_suggested_above_a_conversation(server, bot, place):
    prompts = [{"title": "Hi", "message": "Say hi"}]
    await bot.client.assistant_threads_setSuggestedPrompts(channel_id=place.dm.id, prompts=prompts)
    assert server.prompts(place.dm) == prompts
    five = bot.client.assistant_threads_setSuggestedPrompts(channel_id=place.dm.id, prompts=prompts * 5)
    assert await refused(five) == "invalid_arguments"


async def test_the_older_assistant_view_is_served(server, bot, place):
    await bot.connect()
    thread = server.open_assistant(place.ada, looking_at=place.channel)
    server.look_beside(place.ada, thread, place.channel)
    await server.until(lambda: bot.of("assistant_thread_context_changed"))
    started = bot.of("assistant_thread_started")[0]["assistant_thread"]
    assert (started["thread_ts"], started["context"]["channel_id"]) == (thread.ts, place.channel.id)
    where = {"channel_id": place.dm.id, "thread_ts": thread.ts}
    await bot.client.assistant_threads_setTitle(**where, title="Cats")
    await bot.client.assistant_threads_setStatus(**where, status="is thinking")
    assert (server.session(thread).status, server.session(thread).title) == ("is thinking", "Cats")
    await bot.client.chat_postMessage(channel=place.dm.id, thread_ts=thread.ts, text="Here")
    assert server.session(thread).status == ""
