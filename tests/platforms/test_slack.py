"""The unmodified `lorebot slack` in a process, between a small Slack, a small OpenAI and an embedded Redis."""

import asyncio
import json
import time
from contextlib import aclosing

import pytest

from memory import connect
from memory.keys import Keys
from tests.slacklike.records import Guest
from tests.waiting import until_it

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_mention_is_answered_in_its_thread_once_with_what_was_said_before(app, office):
    first = app.ask(office.general, office.ada, "My dog is called Rex.")
    answer = await app.final(office.general, "Rex!")
    assert answer.thread_ts == first.ts
    app.openai.answer = lambda prompt: "He is called Rex."
    app.ask(office.lounge, office.bob, "What is her dog called?")
    await app.final(office.lounge, "He is called Rex.")
    assert "My dog is called Rex." in app.openai.prompts[-1]
    assert len(app.server.said(office.general)) == 1, "app_mention and message are one"


async def test_in_its_thread_nobody_needs_to_mention_it_unless_they_speak_to_others(app, office):
    first = app.ask(office.general, office.ada, "My dog is called Rex.")
    await app.final(office.general, "Rex!")
    app.openai.answer = lambda prompt: "Again!"
    app.server.say(office.general, office.ada, "and again?", thread=first)
    await app.final(office.general, "Again!")
    chats = len(app.openai.chats)
    app.server.say(office.general, office.ada, f"{office.bob.mention} look", thread=first)
    app.server.say(office.general, office.ada, "hello everybody")
    app.openai.answer = lambda prompt: "Third!"
    app.server.say(office.general, office.bob, "and now?", thread=first)
    await app.final(office.general, "Third!")
    assert len(app.openai.chats) == chats + 1


async def test_a_direct_message_is_answered_and_surfaces_nowhere_else(app, office):
    dm = app.server.dm(office.ada)
    app.server.say(dm, office.ada, "My PIN is 4711.")
    await app.final(dm, "Rex!")
    closed = app.server.channel("closed", office.ada, private=True)
    app.ask(closed, office.ada, "My PIN is 4712.")
    await app.final(closed, "Rex!")
    app.ask(office.general, office.bob, "What is the PIN?")
    await app.final(office.general, "Rex!")
    assert "47" not in app.openai.prompts[-1]


async def test_where_a_guest_reads_along_nothing_from_elsewhere_is_recalled(app, office):
    app.ask(office.general, office.ada, "The party is in Kyoto.")
    await app.final(office.general, "Rex!")
    guest = app.server.person("guest", guest=Guest.MULTI)
    app.server.join(office.lounge, guest)
    app.openai.answer = lambda prompt: "No idea."
    app.ask(office.lounge, office.bob, "Where is the party?")
    await app.final(office.lounge, "No idea.")
    assert "Kyoto" not in app.openai.prompts[-1]


async def test_a_channel_made_private_is_closed_for_the_next_recall(app, office):
    app.ask(office.general, office.ada, "The wedding is in Osaka.")
    await app.final(office.general, "Rex!")
    app.server.make_private(office.general, office.ada)
    app.openai.answer = lambda prompt: "No idea."
    app.ask(office.lounge, office.bob, "Where is the wedding?")
    await app.final(office.lounge, "No idea.")
    assert "Osaka" not in app.openai.prompts[-1]


async def test_in_the_agent_view_a_direct_message_is_a_session_with_a_stop_of_slacks(app, office):
    app.openai.let_go, app.openai.first = asyncio.Event(), "It was "
    dm = app.server.dm(office.ada)
    app.server.open_dm(office.ada)
    await app.server.until(lambda: app.server.prompts(dm))
    first = app.server.say(dm, office.ada, "Please: a story.")
    await app.server.until(lambda: app.server.session(first).status == "processing", seconds=1)
    assert (app.server.session(first).title, app.server.session(first).initiator) == ("Please: a story.", office.ada.id)
    await app.server.until(lambda: app.server.said(dm))
    app.server.stop(first, office.ada)
    await app.server.until(lambda: app.openai.busy == 0)
    await app.server.until(lambda: app.server.session(first).status == "active")
    (told,) = app.server.said(dm)
    assert (told.text.startswith("It was"), told.thread_ts) == (True, first.ts)
    app.openai.let_go, app.openai.first = None, ""


async def test_commands_answer_whoever_gives_them_alone(app, office):
    app.ask(office.general, office.ada, "My dog is called Rex.")
    await app.final(office.general, "Rex!")
    app.server.slash(office.general, office.ada, "/memory", "list")
    await app.server.until(
        lambda: any("My dog is called Rex." in one.text for one in app.server.ephemerals(office.ada))
    )
    app.server.slash(office.general, office.bob, "/lorebot-status")
    await app.server.until(lambda: any("memory answers in" in one.text for one in app.server.ephemerals(office.bob)))
    app.server.slash(office.general, office.ada, "/ask", "Who is my dog?")
    await app.server.until(lambda: len([one for one in app.server.said(office.general) if one.text == "Rex!"]) == 2)


async def test_why_and_feedback_are_buttons_below_an_answer(app, office):
    app.ask(office.general, office.ada, "My dog is called Rex.")
    await app.final(office.general, "Rex!")
    app.openai.answer = lambda prompt: "He is called Rex."
    app.ask(office.lounge, office.bob, "What is her dog called?")
    answer = await app.final(office.lounge, "He is called Rex.")
    await app.server.until(lambda: "Why?" in answer.buttons)
    app.server.press(answer, office.bob, "Why?")
    await app.server.until(
        lambda: any("My dog is called Rex." in one.text for one in app.server.ephemerals(office.bob))
    )
    app.server.press(answer, office.bob, "👍")
    await app.server.until(lambda: any("Thank you" in one.text for one in app.server.ephemerals(office.bob)))


async def test_the_home_shows_and_forgets_ones_own_memory(app, office):
    app.ask(office.general, office.ada, "My dog is called Rex.")
    await app.final(office.general, "Rex!")
    app.server.open_home(office.ada)
    await app.server.until(lambda: app.server.home_view(office.ada))
    assert "My dog is called Rex." in app.server.home_view(office.ada).shown
    app.server.press(app.server.home_view(office.ada), office.ada, "Don't remember me")
    await app.server.until(lambda: "Remember me again" in app.server.home_view(office.ada).buttons)
    app.server.press(app.server.home_view(office.ada), office.ada, "Remember me again")


async def test_a_channel_that_was_made_private_while_the_app_was_away_is_closed_when_it_comes_back(app, office):
    app.ask(office.general, office.ada, "The funeral is in Lima.")
    await app.final(office.general, "Rex!")
    await app.kill()
    app.server.make_private(office.general, office.ada)
    await app.start()
    app.openai.answer = lambda prompt: "No idea."
    app.ask(office.lounge, office.bob, "Where is the funeral?")
    await app.final(office.lounge, "No idea.")
    assert "Lima" not in app.openai.prompts[-1]


async def test_what_was_asked_while_the_app_was_away_for_long_is_answered_once_by_the_next(app, office):
    """Complaint: replies lost on restart."""
    dm = app.server.dm(office.bob)
    first = app.ask(office.general, office.ada, "My dog is called Rex.")
    app.server.say(dm, office.bob, "Hello.")
    await app.final(office.general, "Rex!")
    await app.final(dm, "Rex!")
    note = Keys().note("slack-here", app.server.home.id)
    async with aclosing(connect.client(f"unix://{app.home.server.socket}")) as client:
        await until_it(lambda: _noted(client, note, dm.id, first.ts))
        await app.kill()
        long_ago = json.loads(await client.get(note)) | {"at": time.time() - 600}
        await client.set(note, json.dumps(long_ago))
        app.openai.answer = lambda prompt: "Late!"
        app.server.say(dm, office.bob, "Are you there?")
        app.server.say(office.general, office.ada, "and now?", thread=first)
        app.ask(office.general, office.bob, "And me?")
        app.server.say(office.general, office.bob, "nobody asked you")
        await app.start()
        await app.server.replied(dm, 2)
        await app.server.replied(office.general, 3)
        await until_it(lambda: _here(client, note))
    late = [one.text for one in (*app.server.said(dm), *app.server.said(office.general))]
    assert (late.count("Late!"), late.count("Rex!")) == (3, 2)


async def _here(client, note: str) -> bool:
    return json.loads(await client.get(note))["at"] > time.time() - 60


async def _noted(client, note: str, channel: str, thread: str) -> bool:
    talked = json.loads(await client.get(note) or "{}").get("talked", ())
    return {channel, thread} <= {id_ for one in talked for id_ in one}


async def test_without_tokens_or_with_swapped_ones_it_says_what_to_set_and_ends_with_78(app):
    before = dict(app.home.settings)
    try:
        del app.home.settings["SLACK_APP_TOKEN"]
        ran = await app.home.run("slack")
        assert (ran.code, "SLACK_APP_TOKEN is not set" in ran.err) == (78, True)
        app.home.settings |= {
            "SLACK_APP_TOKEN": before["SLACK_BOT_TOKEN"],
            "SLACK_BOT_TOKEN": before["SLACK_APP_TOKEN"],
        }
        ran = await app.home.run("slack")
        assert (ran.code, "swapped" in ran.err) == (78, True)
        app.home.settings |= before | {"SLACK_BOT_TOKEN": "xoxb-1-1-wrong"}
        ran = await app.home.run("slack")
        assert (ran.code, "refuses SLACK_BOT_TOKEN" in ran.err) == (78, True)
    finally:
        app.home.settings |= before
