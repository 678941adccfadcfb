"""Where one part of the Slack app meets another: who stops what, what is told again, and whom a slow call holds up."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest

from bot.attachments import IMAGE_BYTES
from bot.errors import DeliveryError
from bot.lesson import Said
from bot.notes import Notes
from bot.platforms.slack.audience import scope
from bot.platforms.slack.missed import NOTE, Missed
from bot.platforms.slack.past import past
from bot.platforms.slack.workspaces import Workspaces
from memory import connect
from memory.keys import Keys
from memory.memory import Memory
from memory.scope import Audience, Scope
from memory.server import EmbeddedServer
from tests.fakes import ToyEmbedder
from tests.platforms.in_process.inside import Inside, inside
from tests.slacklike.deliveries import Delivery
from tests.slacklike.records import Guest, Message
from tests.slacklike.server import SlackLike
from tests.waiting import until, until_it


def told(server: SlackLike, message: Message) -> list[Delivery]:
    return [one for one in server.deliveries.of("message") if one.body["event"].get("ts") == message.ts]


async def acknowledged(server: SlackLike, message: Message) -> None:
    """Wait until the app has said that it knows of a message."""

    await server.until(lambda: told(server, message) and all(one.acked.is_set() for one in told(server, message)))


async def test_slacks_stop_in_the_thread_of_a_question_that_waits_lets_the_one_before_it_go_on(app, office, server):
    goes_on = asyncio.Event()
    app.model.script = [["Once ", goes_on, "upon a time."]]
    server.say(office.dm, office.ada, "A story, please.")
    await server.until(lambda: server.said(office.dm))
    second = server.say(office.dm, office.ada, "And a song.")
    await acknowledged(server, second)
    await server.until(lambda: server.session(second).status == "processing")
    server.stop(second, office.ada)
    await server.until(lambda: all(one.acked.is_set() for one in server.deliveries.of("agent_session_stopped")))
    goes_on.set()
    await app.final(office.dm, "Once upon a time.")
    await app.at_rest()
    assert len(app.model.prompts) == 1


async def test_who_did_not_ask_cannot_stop_an_answer_by_a_message_either(app, office, server):
    goes_on = asyncio.Event()
    app.model.script = [["Once ", goes_on, "upon a time."]]
    asked = app.ask(office.general, office.ada, "A story, please.")
    await server.until(lambda: server.said(office.general))
    server.say(office.general, office.bob, "!stop", thread=asked)
    await server.until(lambda: [one for one in server.ephemerals(office.bob) if "Only whoever asked" in one.shown])
    goes_on.set()
    await app.final(office.general, "Once upon a time.")


async def test_who_is_too_fast_holds_up_nobody_though_slack_takes_no_word_of_it(app, office, server):
    app.model.script = ["Yes."] * 12
    for number in range(10):
        app.ask(office.general, office.ada, f"Question {number}?")
    held = server.faults.hold(on="chat.postEphemeral")
    app.ask(office.general, office.ada, "And one more?")
    await asyncio.wait_for(held.reached.wait(), 20)
    asked = app.ask(office.general, office.bob, "May I?")
    await server.until(lambda: [one for one in server.said(office.general) if one.thread_ts == asked.ts])


async def test_what_is_said_in_a_thread_of_the_bots_while_memory_is_away_is_sent_again(server, office, tmp_path):
    """Without memory nobody can tell whose thread it is."""
    away = EmbeddedServer(tmp_path / "redis")
    await away.start()
    client = connect.client(away.url)
    memory = await Memory.open(client, ToyEmbedder(), keys=Keys("test"))
    async with inside(client, memory, server) as app:
        app.model.script = ["Rex.", "Here.", "Bello."]
        asked = app.ask(office.general, office.ada, "Who is my dog?")
        await app.final(office.general, "Rex.")
        await app.at_rest()
        await away.stop()
        named = app.ask(office.general, office.bob, "Are you there?", thread=asked)
        await server.until(lambda: [one for one in server.said(office.general) if one.text.startswith("Here.")])
        more = server.say(office.general, office.ada, "And my other dog?", thread=asked)
        await server.until(
            lambda: [
                one for one in told(server, more) if one.acked.is_set() or (one.attempts and one.attempts[0].failure)
            ]
        )
        await away.start()
        await acknowledged(server, named)
        server.deliveries.retry_now()
        await server.until(lambda: [one for one in server.said(office.general) if one.text.startswith("Bello.")])
    await connect.close(client)
    await away.stop()


async def test_what_is_sent_again_is_not_answered_where_an_answer_stands_that_nobody_has_written_down(
    app, office, server, client, keys
):
    """So it is where another process has answered while memory was away."""
    app.model.script = ["Rex!", "Rex, again!"]
    asked = app.ask(office.general, office.ada, "Who is my dog?")
    await app.final(office.general, "Rex!")

    async def sent_again() -> list[str]:
        await app.at_rest()
        async for key in client.scan_iter(match=keys.tenant(f"slack:{server.home.id}").of("event") + "*"):
            await client.delete(key)
        app.wake()
        for one in server.deliveries.about(asked):
            await app.deliver(one, replace(one.attempts[0], number=1))
        await app.at_rest()
        return [one.text for one in server.said(office.general)]

    assert await sent_again() == ["Rex!"]
    server.delete(server.said(office.general)[0])
    assert await sent_again() == ["Rex, again!"]


async def test_in_the_thread_of_a_direct_message_why_tells_of_the_answer_to_it(app, office, server):
    app.model.script = ["Rex!"]
    asked = server.say(office.dm, office.ada, "What is my dog called?")
    await app.final(office.dm, "Rex!")
    await app.at_rest()
    server.say(office.dm, office.ada, "!why", thread=asked)
    await server.until(lambda: len(server.said(office.dm)) == 2)
    assert server.said(office.dm)[1].shown.startswith("Nothing was recalled for the last answer")


async def test_word_of_leaving_that_comes_late_stops_no_answer(app, office, server):
    goes_on = asyncio.Event()
    app.model.script = [["Once ", goes_on, "upon a time."]]
    server.say(office.dm, office.ada, "A story, please.")
    await server.until(lambda: server.said(office.dm))
    await app.app._floor.rooms.purging.here(server.home.id)
    (asked,) = server.deliveries.of("message")[:1]
    event = {"type": "app_uninstalled"}
    body = {**asked.body, "event": event, "event_id": "Ev0LATE", "event_time": int(time.time()) - 60}
    late = server.deliveries.send(asked.kind, body)
    await asyncio.wait_for(late.acked.wait(), 20)
    assert app.app._floor.rooms.workspaces.teams() == [server.home.id]
    goes_on.set()
    await app.final(office.dm, "Once upon a time.")


async def test_a_guest_who_says_to_look_at_a_channel_is_told_nothing_of_it(app, office, server):
    guest = server.person("guest", guest=Guest.MULTI)
    server.say(office.general, office.bob, "The coffee machine is broken.")
    dm = server.dm(guest)
    server.open_dm(guest, looking_at=office.general)
    await server.until(lambda: (server.home.id, guest.id) in app.app._floor.screens._looking)
    app.model.script = ["Nothing."]
    server.say(dm, guest, "What is broken here?")
    await app.final(dm, "Nothing.")
    assert "coffee" not in app.model.last_prompt


async def test_where_the_first_of_two_questions_is_deleted_while_they_are_answered_the_other_is_answered_itself(
    client, memory, server, office
):
    async with inside(client, memory, server, burst=0.3) as app:
        app.model.script = [["Both ", asyncio.Event()], "Bello.", "Bella."]
        first = server.say(office.dm, office.ada, "What is my dog called?")
        second = server.say(office.dm, office.ada, "And the other one?")
        await server.until(lambda: server.said(office.dm))
        server.delete(first)
        answer = await app.final(office.dm, "Bello.")
        await app.at_rest()
        here = Scope(f"slack:{server.home.id}", office.dm.id, office.ada.id, Audience.DIRECT)
        said = [turn.text for turn in await memory.recent(here)]
        assert (answer.thread_ts, said) == (second.ts, ["And the other one?", "Bello."])
        server.shortcut(second, office.ada, "forget_this")
        await until_it(lambda: _forgotten(memory, here))


async def _forgotten(memory: Memory, here: Scope) -> bool:
    return not await memory.recent(here)


# What was said while nobody listened


def late(app: Inside, memory: Memory, heard: list[str]) -> Missed:
    async def hears(workspace: object, message: dict[str, object]) -> None:
        heard.append(str(message["text"]))

    return Missed(Notes(memory), app.app.readers, hears, beat=0.05)  # type: ignore[arg-type]


async def here() -> str:
    """Return what is wrong with the line."""
    return ""


async def was_here(app: Inside, memory: Memory, seconds: float, *talked: tuple[str, str]) -> None:
    note = json.dumps({"at": time.time() - seconds, "talked": talked})
    await Notes(memory).write(NOTE, app.home.team, note)


@pytest.mark.parametrize("error", ["internal_error", "ratelimited"])
async def test_where_slack_cannot_tell_what_was_said_it_is_asked_again(app, office, server, memory, error):
    heard: list[str] = []
    await was_here(app, memory, 600, (office.dm.id, ""))
    server.rules.events = frozenset()
    server.say(office.dm, office.ada, "Are you there?")
    server.faults.fail(200, times=2, on="conversations.history", error=error)
    looking = asyncio.create_task(late(app, memory, heard).run(app.home, here))
    try:
        await until(lambda: heard)
    finally:
        looking.cancel()
    assert heard == ["Are you there?"]


async def test_a_channel_that_is_gone_is_looked_into_once(app, office, server, memory):
    await was_here(app, memory, 600, ("C0GONE", ""), (office.dm.id, ""))
    missed = late(app, memory, [])
    looking = asyncio.create_task(missed.run(app.home, here))
    try:
        await until_it(lambda: _noted(app, memory))
    finally:
        looking.cancel()
    assert len([one for one in server.journal.of("conversations.history") if one.body["channel"] == "C0GONE"]) == 1


async def _noted(app: Inside, memory: Memory) -> bool:
    note = json.loads(await Notes(memory).read(NOTE, app.home.team))
    return bool(note["at"] > time.time() - 5)


async def test_the_thread_in_which_a_direct_message_is_answered_is_looked_into_too(app, office, server):
    app.model.script = ["Rex!"]
    asked = server.say(office.dm, office.ada, "What is my dog called?")
    await app.final(office.dm, "Rex!")
    assert (office.dm.id, asked.ts) in app.app.missed._talked


async def test_a_past_whose_people_slack_cannot_tell_now_is_learned_later(client, memory, server, office):
    server.say(office.general, office.bob, "The meeting is at noon.")
    async with inside(client, memory, server) as app:
        server.faults.fail(200, times=1, on="users.info", error="internal_error")
        with pytest.raises(DeliveryError):
            [one async for one in past(app.home, office.general.id, "Lorebot", None)]
        [*_, said] = [one async for one in past(app.home, office.general.id, "Lorebot", None)]
    assert said.turn is not None
    assert said.turn.author == "bob"


async def test_what_a_process_left_of_a_channels_past_is_learned_by_the_next(client, memory, server, office):
    async with inside(client, memory, server) as app:
        listening = app.app._floor.service.listening
        here = scope(server.home.id, await app.home.people.channel(office.general.id), app.home.me)
        await listening.channels.set(here, remembers=True)
        server.rules.events = frozenset()
        server.say(office.general, office.bob, "The meeting is at noon.")

        async def never(after: str | None) -> AsyncIterator[Said]:
            await asyncio.Event().wait()
            yield Said("1", 1, None)

        await listening.learning.begin(lambda: here, never)
    async with inside(client, memory, server) as app:
        app.app.resume()
        await until_it(lambda: memory.recent(here))
        assert [turn.text for turn in await memory.recent(here)] == ["The meeting is at noon."]


# Tokens


@pytest.mark.parametrize(
    "address",
    [
        "https://files.notslack.com/x.txt",
        "https://slack.com.example.org/x.txt",
        "http://files.slack.com/x.txt",
        "https://files.slack.com@example.org/x.txt",
    ],
)
async def test_the_bots_token_is_sent_with_files_of_slacks_alone(app, address):
    """Whoever makes an app may share a file that lies where they like."""
    async with aiohttp.ClientSession() as session:

        async def token(home: object) -> str:
            raise LookupError

        file = Workspaces(token, session).file(app.home, {"name": "x.txt", "url_private": address, "size": 1})
        with pytest.raises(DeliveryError, match="not Slack's"):
            await file.load()


async def test_a_file_that_is_larger_than_slack_says_is_not_read_to_its_end(app, server):
    file = server.world.file("long.txt", b"a" * (IMAGE_BYTES + 1), server.person("ada"))
    address = f"{server.world.address}/files-pri/{file.id}/long.txt"
    told = {"name": "long.txt", "size": 10, "url_private": address}
    async with aiohttp.ClientSession() as session:

        async def token(home: object) -> str:
            raise LookupError

        with pytest.raises(DeliveryError, match="larger"):
            await Workspaces(token, session, server.url).file(app.home, told).load()
