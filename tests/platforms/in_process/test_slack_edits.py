"""What is edited and deleted in Slack, before it is answered, meanwhile and afterwards; and what is said by nobody."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from bot.records import Incoming
from memory.memory import Memory
from memory.scope import Scope
from tests.platforms.in_process.conftest import Office
from tests.platforms.in_process.inside import Inside, inside
from tests.slacklike.records import Message
from tests.slacklike.server import SlackLike


@pytest.fixture
async def slow(client: redis.asyncio.Redis, memory: Memory, server: SlackLike) -> AsyncIterator[Inside]:
    """The app, which waits a moment for what comes behind a message."""
    async with inside(client, memory, server, burst=0.3) as app:
        yield app


async def remembered(app: Inside, here: Scope, *texts: str) -> None:
    """Wait until just that is remembered of a conversation."""
    async with asyncio.timeout(20):
        while [turn.text for turn in await app.memory.recent(here)] != list(texts):
            await asyncio.sleep(0.02)


async def test_an_edit_that_comes_before_its_message_is_what_is_answered(app, office, server):
    app.model.script = ["Bello!"]
    ts, ask = server.world.ids.ts(), f"{server.me.mention} Who is "
    office.general.keep(Message(ts, office.general, office.ada, f"{ask}Bello?"))
    said = {"type": "message", "user": office.ada.id, "ts": ts, "text": f"{ask}Rex?"}
    edited = said | {"text": f"{ask}Bello?"}
    office.event(subtype="message_changed", message=edited, previous_message=said)
    late = said | {"channel": office.general.id}
    await server.until(lambda: app.app._messages._arrivals.latest(server.home.id, late) != late)
    office.event(**said)
    await app.final(office.general, "Bello!")
    assert "Who is Bello?" in app.model.last_prompt


async def test_a_message_whose_deletion_came_first_is_not_answered(app, office, server):
    ts = server.world.ids.ts()
    office.event(subtype="message_deleted", deleted_ts=ts, previous_message={})
    office.event(user=office.ada.id, ts=ts, text=f"{server.me.mention} Who is Rex?")
    app.model.script = ["Yes."]
    app.ask(office.general, office.ada, "Are you there?")
    await app.final(office.general, "Yes.")
    assert len(app.model.prompts) == 1


async def test_a_mention_that_is_added_later_is_no_question_as_on_discord(app, office, server):
    said = server.say(office.general, office.ada, "Who is Rex?")
    server.edit(said, f"{server.me.mention} Who is Rex?")
    app.model.script = ["Yes."]
    app.ask(office.general, office.ada, "Are you there?")
    await app.final(office.general, "Yes.")
    assert len(app.model.prompts) == 1


async def test_a_mention_that_is_taken_out_does_not_stop_the_answer(app, office, server):
    let = asyncio.Event()
    app.model.script = [["A ", let, "dog."]]
    said = app.ask(office.general, office.ada, "Who is Rex?")
    await server.until(lambda: server.said(office.general))
    server.edit(said, "Who is Rex?")
    server.edit(said, "Who is Rex?")
    let.set()
    await app.final(office.general, "A dog.")
    assert len(app.model.prompts) == 1


async def test_a_preview_a_reaction_and_our_own_edits_are_no_edits(app, office, server, memory):
    app.model.script = ["A dog.", "Yes."]
    said = app.ask(office.general, office.ada, "Who is Rex? https://rex.example")
    answer = await app.final(office.general, "A dog.")
    server.unfurl(said)
    server.react(said, office.bob, "eyes")
    await app.home.client.chat_update(channel=office.general.id, ts=answer.ts, text="A cat.", blocks=[])
    app.ask(office.general, office.ada, "Are you there?")
    await app.final(office.general, "Yes.")
    assert len(app.model.prompts) == 2
    await remembered(app, office.thread(said), "Who is Rex? https://rex.example", "A dog.")


async def test_an_edited_question_is_remembered_as_it_says_now_with_its_files(app, office, server):
    app.model.script = ["A dog."]
    said = app.ask(office.general, office.ada, "Who is Rex?", files=[("pets.txt", b"Rex: a dog")])
    await app.final(office.general, "A dog.")
    await app.at_rest()
    (before, _) = [turn.text for turn in await app.memory.recent(office.thread(said))]
    server.edit(said, f"{server.me.mention} Who was Rex?")
    await remembered(app, office.thread(said), before.replace("is", "was", 1), "A dog.")
    assert "pets.txt" in before


async def test_a_message_of_a_burst_is_edited_within_what_was_said_together(slow, office, server):
    slow.model.script = ["Rex!"]
    server.say(office.dm, office.ada, "My dog")
    second = server.say(office.dm, office.ada, "is called Rex.")
    await slow.final(office.dm, "Rex!")
    await slow.at_rest()
    server.edit(second, "is called Bello.")
    await remembered(slow, office.direct, "My dog\nis called Bello.", "Rex!")


async def test_a_message_of_a_burst_is_edited_while_it_is_answered(slow, office, server):
    slow.model.script = [["Re", asyncio.Event()], "Bello!"]
    server.say(office.dm, office.ada, "My dog")
    second = server.say(office.dm, office.ada, "is called Rex.")
    await server.until(lambda: server.said(office.dm))
    server.edit(second, "is called Bello.")
    await slow.final(office.dm, "Bello!")
    assert [one.text for one in server.said(office.dm)] == ["Bello!"]
    await remembered(slow, office.direct, "My dog\nis called Bello.", "Bello!")


async def test_a_message_of_a_burst_is_deleted_while_it_is_answered_and_the_rest_answered_and_remembered(
    slow, office, server
):
    slow.model.script = [["Re", asyncio.Event()], "Which dog?"]
    server.say(office.dm, office.ada, "My dog")
    second = server.say(office.dm, office.ada, "is called Rex.")
    await server.until(lambda: server.said(office.dm))
    server.delete(second)
    await slow.final(office.dm, "Which dog?")
    await remembered(slow, office.direct, "My dog", "Which dog?")


async def test_a_question_deleted_after_it_was_answered_is_forgotten_and_its_answer_stands(app, office, server):
    app.model.script = ["Rex!"]
    said = server.say(office.dm, office.ada, "What is my dog called?")
    await app.final(office.dm, "Rex!")
    await app.at_rest()
    server.delete(said)  # a tombstone stays, for it has a reply
    await remembered(app, office.direct)
    assert [one.text for one in server.said(office.dm)] == ["Rex!"]


async def test_where_the_first_message_of_a_thread_is_gone_the_thread_goes_on_without_it(app, office, server):
    app.model.script = ["Call the porter.", "The porter."]
    root = server.say(office.general, office.bob, "The coffee machine is broken.")
    asked = app.ask(office.general, office.ada, "What can we do?", thread=root)
    await app.final(office.general, "Call the porter.")
    server.delete(root)
    server.say(office.general, office.ada, "Whom?", thread=asked)
    await app.final(office.general, "The porter.")
    assert "coffee" not in app.model.last_prompt
    assert "What can we do?" in app.model.last_prompt


@pytest.mark.parametrize(
    ("how", "answered"),
    [
        ({}, True),
        ({"subtype": "thread_broadcast"}, True),
        ({"subtype": "me_message"}, True),
        ({"subtype": "bot_message", "bot_id": "B0"}, False),
        ({"bot_id": "B0"}, False),
        ({"subtype": "channel_topic"}, False),
        ({"subtype": "channel_name"}, False),
        ({"subtype": "channel_join"}, False),
        ({"subtype": "pinned_item"}, False),
        ({"subtype": "reminder_add"}, False),
        ({"subtype": "message_replied"}, False),
        ({"subtype": "file_comment"}, False),
        ({"subtype": "assistant_app_thread"}, False),
        ({"subtype": "huddle_thread"}, False),
    ],
    ids=str,
)
async def test_which_kinds_of_messages_are_questions(app, office, server, how, answered):
    app.model.script = ["Here.", "There."]
    said = server.say(office.general, office.ada, "Look.")
    ts = server.world.ids.ts()
    office.general.keep(Message(ts, office.general, office.ada, "", thread_ts=said.ts))
    office.event(user=office.ada.id, ts=ts, thread_ts=said.ts, text=f"{server.me.mention} Who is Rex?", **how)
    app.ask(office.general, office.ada, "Are you there?")
    await server.until(lambda: len(server.said(office.general)) == 1 + answered)
    await app.at_rest()
    assert len(app.model.prompts) == 1 + answered


def left(office: Office, said: Message) -> Incoming:
    """Return a question that an earlier process has left."""
    return Incoming(said.ts, office.thread(said), "ada", "Who is Rex?", int(float(said.ts) * 1000))


async def test_what_an_earlier_process_left_is_answered_though_slack_asks_to_wait(app, office, server):
    """Complaint: replies lost on restart."""
    said = server.say(office.general, office.ada, "Who is Rex?")
    server.faults.limit(60, on="conversations.replies", times=9)
    app.model.script = ["A dog."]
    await app.app.talks.take_up(left(office, said))
    await app.final(office.general, "A dog.")
    assert "Who is Rex?" in app.model.last_prompt


@pytest.mark.parametrize("error", ["internal_error", "fatal_error", "", "cut"])
async def test_what_slack_cannot_tell_now_is_looked_for_again(app, office, server, error):
    said = server.say(office.general, office.ada, "Who is Rex?")
    if error == "cut":
        server.faults.cut(on="conversations.replies", times=9)
    else:
        server.faults.fail(200 if error else 503, error=error, on="conversations.replies")
    await app.app.talks.take_up(left(office, said))
    assert len(app.app.talks) == 0
    server.faults.clear()
    app.model.script = ["A dog."]
    await app.app.talks.take_up(left(office, said))
    await app.final(office.general, "A dog.")


async def test_what_is_deleted_meanwhile_or_out_of_reach_is_not_answered(app, office, server):
    said = server.say(office.general, office.ada, "Who is Rex?")
    server.say(office.general, office.bob, f"{office.ada.mention} a dog.", thread=said)
    server.delete(said)
    await app.app.talks.take_up(left(office, said))
    other = server.say(office.general, office.ada, "Who is Bello?")
    server.kick(office.general)
    await app.app.talks.take_up(left(office, other))
    assert (len(app.app.talks), app.model.prompts) == (0, [])
