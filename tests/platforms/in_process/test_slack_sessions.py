"""The agent view: a direct message is a session, with a status, a title and Slack's own Stop; so is a thread."""

import asyncio

from tests.platforms.in_process.inside import Inside, inside
from tests.slacklike.records import Message
from tests.slacklike.server import SlackLike


def statuses(server: SlackLike, thread: Message) -> list[str]:
    return [one.text for one in server.session(thread).history]


async def at_work(app: Inside, thread: Message) -> None:
    await app.server.until(lambda: app.server.session(thread).status == "processing")


async def rested(app: Inside, thread: Message) -> None:
    await app.server.until(lambda: app.server.session(thread).status == "active")


async def begun(app: Inside, channel) -> Message:
    """Wait for the first words of an answer; return the message."""
    await app.server.until(lambda: app.server.said(channel))
    return app.server.said(channel)[-1]


async def test_a_direct_message_is_answered_in_its_thread_by_a_stream_and_its_session_has_a_title(app, office, server):
    app.model.script = ["Rex!"]
    asked = server.say(office.dm, office.ada, "What is my\ndog called?")
    told = await app.final(office.dm, "Rex!")
    await rested(app, asked)
    session = server.session(asked)
    assert (told.thread_ts, session.title, session.initiator) == (asked.ts, "What is my dog called?", office.ada.id)
    assert len(server.journal.of("chat.startStream")) == 1
    assert statuses(server, asked)[0] == "processing"


async def test_the_conversation_of_direct_messages_is_one_and_their_threads_hang_from_it(app, office, server, memory):
    app.model.script = ["Noted.", "Rex!", "Rex again!"]
    server.say(office.dm, office.ada, "My dog is called Rex.")
    await app.final(office.dm, "Noted.")
    second = server.say(office.dm, office.ada, "What is he called?")
    await app.final(office.dm, "Rex!")
    assert "My dog is called Rex." in app.model.last_prompt
    server.say(office.dm, office.ada, "And now?", thread=second)
    await app.final(office.dm, "Rex again!")
    await app.at_rest()
    said = [turn.text for turn in await memory.recent(office.direct)]
    assert said == ["My dog is called Rex.", "Noted.", "What is he called?", "Rex!"]


async def test_the_title_is_given_once(app, office, server):
    app.model.script = ["One.", "Two."]
    asked = app.ask(office.general, office.ada, "A question")
    await app.final(office.general, "One.")
    await rested(app, asked)
    server.say(office.general, office.ada, "Another", thread=asked)
    await app.final(office.general, "Two.")
    await rested(app, asked)
    told = [one.body.get("title") for one in server.journal.of("agents.sessions.setStatus")]
    assert [title for title in told if title] == ["A question"]
    assert statuses(server, asked).count("processing") >= 2


async def test_stop_in_slack_stops_the_model_and_nothing_more_is_written_to_the_stream(app, office, server):
    app.model.script = [["Once ", asyncio.Event(), "upon"]]
    asked = server.say(office.dm, office.ada, "A story, please.")
    answer = await begun(app, office.dm)
    await at_work(app, asked)
    server.stop(asked, office.ada)
    await app.at_rest()
    await rested(app, asked)
    assert (answer.text, app.model.cancelled) == ("Once", 1)


async def test_stop_in_slack_marks_an_answer_that_was_not_streamed(app, office, server):
    server.faults.fail(200, error="channel_type_not_supported", on="chat.startStream")
    app.model.script = [["Once ", asyncio.Event(), "upon"]]
    asked = app.ask(office.general, office.ada, "A story, please.")
    answer = await begun(app, office.general)
    await at_work(app, asked)
    server.stop(asked, office.ada)
    await app.at_rest()
    await rested(app, asked)
    assert (answer.text, "Regenerate" in answer.buttons) == ("Once\n\n(stopped)", True)
    assert app.model.cancelled == 1


async def test_a_session_can_be_stopped_before_anything_was_said_in_it(client, memory, server, office):
    async with inside(client, memory, server, burst=30.0) as app:
        asked = server.say(office.dm, office.ada, "A story, please.")
        await at_work(app, asked)
        server.stop(asked, office.ada)
        await rested(app, asked)
        assert (app.model.prompts, server.said(office.dm), len(app.app.talks)) == ([], [], 0)


async def test_a_stream_that_slack_has_stopped_is_noticed_though_the_event_is_lost(app, office, server):
    go_on = asyncio.Event()
    app.model.script = [["Once ", go_on, "upon ", asyncio.Event(), "a time"]]
    asked = server.say(office.dm, office.ada, "A story, please.")
    answer = await begun(app, office.dm)
    await at_work(app, asked)
    server.rules.events = frozenset({"message.im"})
    server.stop(asked, office.ada)
    go_on.set()
    await app.at_rest()
    assert (answer.text, app.model.cancelled) == ("Once", 1)


async def test_what_waits_in_a_thread_is_shown_as_worked_at_when_its_turn_comes(app, office, server):
    let = asyncio.Event()
    app.model.script = [["One", let, "."], "Two."]
    asked = app.ask(office.general, office.ada, "First")
    await begun(app, office.general)
    server.say(office.general, office.ada, "Second", thread=asked)
    await app.heard()
    let.set()
    await app.final(office.general, "Two.")
    await rested(app, asked)
    assert statuses(server, asked)[-1] == "active"
    assert statuses(server, asked).count("processing") == 2


async def test_an_answer_does_not_wait_for_its_status(app, office, server):
    held = server.faults.hold(on="agents.sessions.setStatus")
    app.model.script = ["Rex!"]
    server.say(office.dm, office.ada, "What is my dog called?")
    await app.final(office.dm, "Rex!")
    held.let_go.set()


async def test_an_app_from_before_the_agent_view_shows_the_older_status_and_is_asked_once(app, office, server):
    server.rules.agent = False
    root = server.open_assistant(office.ada)
    await server.until(lambda: server.session(root).prompts)
    let = asyncio.Event()
    app.model.script = [["Re", let, "x!"], "Again!"]
    server.say(office.dm, office.ada, "What is my dog called?", thread=root)
    await server.until(lambda: server.session(root).status == "is thinking…")
    await server.until(lambda: server.session(root).title == "What is my dog called?")
    let.set()
    await app.final(office.dm, "Rex!")
    server.say(office.dm, office.ada, "Again?", thread=root)
    await app.final(office.dm, "Again!")
    await server.until(lambda: server.session(root).status == "")
    assert len(server.journal.of("agents.sessions.setStatus")) == 1
    assert len(server.journal.of("assistant.threads.setTitle")) == 1


async def test_a_session_that_somebody_of_another_workspace_begins_has_a_status_too(app, office, server):
    server.faults.fail(200, error="user_not_found", on="agents.sessions.setStatus*")
    app.model.script = ["Rex!"]
    asked = app.ask(office.general, office.ada, "What is my dog called?")
    await app.final(office.general, "Rex!")
    await rested(app, asked)
    assert (server.session(asked).title, server.session(asked).initiator) == ("What is my dog called?", "")


async def test_where_slack_takes_no_more_sessions_now_the_older_status_is_the_first_sign(app, office, server):
    server.faults.limit(60, on="agents.sessions.setStatus*")
    let = asyncio.Event()
    app.model.script = [[let, "Rex!"], "Again!"]
    asked = app.ask(office.general, office.ada, "What is my dog called?")
    await server.until(lambda: server.session(asked).status == "is thinking…")
    let.set()
    await app.final(office.general, "Rex!")
    await server.until(lambda: server.session(asked).status == "")
    app.ask(office.general, office.ada, "Again?", thread=asked)
    await app.final(office.general, "Again!")
    await rested(app, asked)


async def test_the_buttons_below_the_answer_to_a_direct_message_find_it(app, office, server):
    app.model.script = ["Rex!", "Bello!"]
    server.say(office.dm, office.ada, "What is my dog called?")
    answer = await app.final(office.dm, "Rex!")
    await app.at_rest()
    server.press(answer, office.ada, "Regenerate")
    await app.final(office.dm, "Bello!")
    assert [one.text for one in server.said(office.dm)] == ["Bello!"]


async def test_a_stream_that_goes_over_into_a_second_message_leaves_the_session_at_work(app, office, server):
    let = asyncio.Event()
    app.model.script = [["word " * 3000, let, "end."]]
    asked = server.say(office.dm, office.ada, "Many words, please.")
    await server.until(lambda: len(server.said(office.dm)) == 2)
    assert server.session(asked).status == "processing"
    let.set()
    await rested(app, asked)
    assert "".join(one.shown for one in server.said(office.dm)).count("word") == 3000


async def test_in_a_group_direct_message_a_mention_is_answered_in_a_session_too(app, office, server):
    group = server.group_dm(office.ada, office.bob)
    app.model.script = ["Rex!"]
    server.say(group, office.bob, "Hello.")
    asked = app.ask(group, office.ada, "What is my dog called?")
    told = await app.final(group, "Rex!")
    await rested(app, asked)
    assert (told.thread_ts, server.session(asked).title) == (asked.ts, "What is my dog called?")
    assert server.journal.of("chat.startStream")[0].body["recipient_user_id"] == office.ada.id
