"""What is seen beside a question in Slack, and what becomes of it when that is edited or deleted."""

import asyncio
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.platforms.slack.intake import Heard
from bot.platforms.slack.screen import SEEN, line
from bot.platforms.slack.screens import FRESH, Screens
from bot.platforms.slack.tenants import Served
from bot.platforms.slack.workspaces import Workspace
from bot.records import Seen
from memory.memory import Memory
from memory.scope import Audience, Scope
from tests.platforms.in_process import conftest
from tests.platforms.in_process.inside import Inside
from tests.slacklike.server import SlackLike


class Office(conftest.Office):
    """With a channel in which something was said before the app came."""

    def __init__(self, server: SlackLike) -> None:
        super().__init__(server)
        me = self.general.members.pop(server.me.id)
        self.before = server.say(self.general, self.bob, "The coffee machine is broken.")
        self.general.members[me.id] = me


@pytest.fixture
async def office(server: SlackLike) -> Office:
    return Office(server)


async def test_what_was_said_before_the_app_came_is_seen_and_slack_is_asked_for_it_once(app, office, server):
    app.model.script = ["Call the porter.", "Since nine."]
    app.ask(office.general, office.ada, "What can we do?")
    await app.final(office.general, "Call the porter.")
    assert 'bob: "The coffee machine is broken."' in app.seen
    app.ask(office.general, office.bob, "Since when?")
    await app.final(office.general, "Since nine.")
    assert app.seen.count("The coffee machine is broken.") == 1
    assert len(server.journal.of("conversations.history")) == 1


async def test_of_a_thread_that_others_began_the_first_message_is_seen_and_the_channel_is_not(app, office, server):
    server.say(office.general, office.ada, "It is, since nine.", thread=office.before)
    server.say(office.general, office.ada, "Who has seen my mug?")
    app.model.script = ["Call the porter."]
    app.ask(office.general, office.ada, "What can we do?", thread=office.before)
    await app.final(office.general, "Call the porter.")
    assert app.seen.index("The coffee machine is broken.") < app.seen.index("It is, since nine.")
    assert "mug" not in app.seen


async def test_names_and_files_are_told_as_people_see_them_and_what_bots_say_too(app, office, server):
    server.say(office.general, office.bob, f"{office.ada.mention} look", files=[("plan.pdf", b"%PDF")])
    weather = server.person("weather", bot=True)
    office.general.members[weather.id] = weather
    server.other_app(office.general, weather, "Rain at noon.")
    app.model.script = ["I see."]
    app.ask(office.general, office.ada, "What does he mean?")
    await app.final(office.general, "I see.")
    assert "@ada look" in app.seen
    assert "plan.pdf" in app.seen
    assert 'weather: "Rain at noon."' in app.seen


async def test_edits_and_deletions_on_the_screen_are_seen(app, office, server):
    wrong = server.say(office.general, office.bob, "The meeting is at two.")
    gone = server.say(office.general, office.bob, "My password is 4711.")
    app.model.script = ["At two.", "At three."]
    app.ask(office.general, office.ada, "When is it?")
    await app.final(office.general, "At two.")
    server.edit(wrong, "The meeting is at three.")
    server.delete(gone)
    app.ask(office.general, office.ada, "And now?")
    await app.final(office.general, "At three.")
    assert ("at two" in app.seen, "at three" in app.seen, "4711" in app.seen) == (False, True, False)


async def test_what_the_bot_said_there_stands_on_the_screen_as_its_own(app, office, server):
    app.model.script = ["Call the porter.", "The porter."]
    first = app.ask(office.general, office.ada, "What can we do?")
    await app.final(office.general, "Call the porter.")
    await app.at_rest()
    line_ = [seen for seen in await _around(app, office, first.ts) if seen.text == "Call the porter."]
    assert line_ == [Seen("Lorebot", "Call the porter.", f"{first.ts}.reply")]
    app.ask(office.general, office.bob, "Whom?", thread=first)
    await app.final(office.general, "The porter.")
    assert app.model.last_prompt.count("Call the porter.") == 1, "once, though it is remembered and seen"


async def test_who_paused_being_remembered_is_seen_all_the_same_as_on_discord(app, office, server, memory):
    here = Scope(f"slack:{server.home.id}", office.general.id, office.bob.id, Audience.PUBLIC)
    await memory.pause(here)
    server.say(office.general, office.bob, "The lift is broken too.")
    app.model.script = ["I see."]
    app.ask(office.general, office.ada, "What does he say?")
    await app.final(office.general, "I see.")
    assert 'bob: "The lift is broken too."' in app.seen


async def _around(app: Inside, office: Office, thread: str) -> tuple[Seen, ...]:
    here = Scope(f"slack:{app.home.team}", f"{office.general.id}:{thread}", office.ada.id, Audience.PUBLIC)
    asked = Heard("9999999999.000000", office.general.id, office.ada.id, "?", thread)
    return await app.app._floor.screens.around(app.home, asked, here)


async def test_while_slack_asks_to_wait_what_was_heard_is_shown_and_nobody_waits(app, office, server):
    server.faults.limit(60, on="conversations.history", times=9)
    server.say(office.general, office.bob, "The lift is broken too.")
    app.model.script = ["Oh.", "Oh no."]
    app.ask(office.general, office.ada, "What is it?")
    await app.final(office.general, "Oh.")
    assert ("coffee" in app.seen, "The lift is broken too." in app.seen) == (False, True)
    app.ask(office.general, office.ada, "And now?")
    await app.final(office.general, "Oh no.")
    assert len(server.journal.of("conversations.history")) == 1


async def test_where_slack_does_not_tell_memory_has_what_is_remembered_of_the_channel(app, office, server, memory):
    here = office.channel
    await app.app._floor.service.listening.channels.set(here, remembers=True)
    said = server.say(office.general, office.bob, "The lift is broken too.")
    await _until_remembered(memory, here, said.ts)
    server.faults.fail(200, error="missing_scope", on="conversations.history", times=9)
    screens = Screens(memory, "Lorebot")  # that of a process which has heard nothing
    asked = Heard("9999999999.000000", office.general.id, office.ada.id, "?")
    assert await screens.around(app.home, asked, here) == (Seen("bob", "The lift is broken too.", said.ts),)
    screens.hear(app.home, server.world.shown(said) | {"channel": office.general.id})
    assert await screens.around(app.home, asked, here) == (Seen("bob", "The lift is broken too.", said.ts),)


async def _until_remembered(memory: Memory, here: Scope, turn: str) -> None:
    async with asyncio.timeout(20):
        while await memory.get(here, turn) is None:
            await asyncio.sleep(0.05)


async def test_an_app_of_many_workspaces_gets_little_and_makes_the_best_of_it(app, office, server):
    server.ratelimits.on = server.rules.distributed = True
    for number in range(30):
        server.say(office.general, office.bob, f"Line {number}.", at=None)
    other = server.channel("other", office.ada, office.bob)
    app.model.script = ["One.", "Two."]
    app.ask(office.general, office.ada, "Hm?")
    await app.final(office.general, "One.")
    assert ["Line 29." in app.seen, "Line 10." in app.seen, "Line 9." in app.seen] == [True, True, False]
    app.ask(other, office.ada, "Hm?")
    await app.final(other, "Two.")


class Clock:
    time = 0.0

    def __call__(self) -> float:
        return self.time


async def test_slack_is_asked_again_after_a_while_for_another_process_may_hear_what_this_one_does_not(
    app, office, server, memory
):
    clock = Clock()
    screens = Screens(memory, "Lorebot", clock)
    serial = count()

    async def seen() -> list[str]:
        asked = Heard(f"99999999{next(serial):02}.000000", office.general.id, office.ada.id, "?")
        return [one.text for one in await screens.around(app.home, asked, office.channel)]

    assert await seen() == ["The coffee machine is broken."]
    unheard = server.say(office.general, office.bob, "Said to another process.")
    assert await seen() == ["The coffee machine is broken."]
    clock.time = FRESH + 1
    assert await seen() == ["The coffee machine is broken.", "Said to another process."]
    server.delete(unheard)
    clock.time *= 2
    assert await seen() == ["The coffee machine is broken."]


def test_the_first_message_of_a_thread_stays_on_its_screen_however_long_it_gets(workspace, memory):
    screens = Screens(memory, "Lorebot")
    for number in range(SEEN * 2):
        thread = {"thread_ts": "10.0"} if number else {}
        said = {"ts": f"{number + 10}.0", "channel": "C1", "user": "U1", "text": str(number + 1)}
        screens.hear(workspace, said | thread | {"subtype": "thread_broadcast" if number == 5 else None})
    thread = [one.text for one in screens._screen(("T1", "C1", "10.0")).before("99.0")]
    assert thread[-1] == str(SEEN * 2)
    assert [one.text for one in screens._screen(("T1", "C1", None)).before("99.0")] == ["1", "6"]


@pytest.fixture
def workspace() -> Workspace:
    return Workspace(Served("T1"), "U9", "B9", "", None, None, None, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ({"user": "U1", "text": "hello"}, ("U1", "", "hello", "1.0")),
        ({"user": "U1", "text": "waves", "subtype": "me_message"}, ("U1", "", "waves", "1.0")),
        ({"user": "U1", "files": [{"name": "a.txt"}]}, ("U1", "", "(attached: a.txt)", "1.0")),
        ({"bot_id": "B1", "username": "CI", "subtype": "bot_message", "text": "red"}, ("", "CI", "red", "1.0")),
        ({"bot_id": "B1", "attachments": [{"fallback": "A build"}]}, ("", "a bot", "A build", "1.0")),
        (
            {"bot_id": "B1", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x"}}]},
            ("", "a bot", "x", "1.0"),
        ),
        ({"bot_id": "B9", "user": "U9", "text": "Yes."}, ("", "Lorebot", "Yes.", "1.0")),
        ({"user": "U1", "subtype": "channel_join", "text": "has joined"}, None),
        ({"user": "U1", "subtype": "channel_topic", "text": "set the topic"}, None),
        ({"user": "USLACKBOT", "subtype": "tombstone", "text": "This message was deleted."}, None),
        ({"bot_id": "B9", "text": "for you alone", "is_ephemeral": True}, None),
        ({"user": "U1", "text": ""}, None),
    ],
)
def test_what_stands_on_a_screen(workspace, message, shown):
    found = line({"ts": "1.0", **message}, workspace, "Lorebot")
    assert (found and (found.person, found.name, found.text, found.turn)) == shown


async def test_somebody_who_looks_at_a_public_channel_beside_the_agent_may_ask_about_it(app, office, server):
    dm = server.dm(office.ada)
    server.open_dm(office.ada, looking_at=office.general)
    app.model.script = ["The coffee machine.", "Nothing.", "Nothing either."]
    server.say(dm, office.ada, "What is broken here?")
    await app.final(dm, "The coffee machine.")
    assert 'bob in #general: "The coffee machine is broken."' in app.seen
    closed = server.channel("closed", office.ada, office.bob, private=True)
    server.say(closed, office.bob, "We sell on Friday.")
    server.look_at(office.ada, closed)
    await server.until(lambda: app.app._floor.screens._looking[server.home.id, office.ada.id] == closed.id)
    server.say(dm, office.ada, "What is said here?")
    await app.final(dm, "Nothing.")
    assert "Friday" not in app.model.last_prompt, "what is said in a private channel surfaces nowhere else"
    server.look_at(office.ada, None)
    await server.until(lambda: not app.app._floor.screens._looking)
    server.say(dm, office.ada, "And now?")
    await app.final(dm, "Nothing either.")
    assert "in #general" not in app.seen


@given(
    st.lists(st.tuples(st.integers(1, 30), st.sampled_from(["heard", "changed", "gone"])), max_size=40),
    st.sets(st.integers(1, 30), max_size=10),
    st.integers(1, 31),
)
def test_whatever_is_heard_and_told_each_message_is_shown_once_in_order_and_as_slack_has_it(events, told, asked):
    workspace = Workspace(Served("T1"), "U9", "B9", "", None, None, None, None)  # type: ignore[arg-type]
    screens = Screens(None, "Lorebot")  # type: ignore[arg-type]
    say = lambda number, text: {"ts": f"{number + 10}.0", "channel": "C1", "user": "U1", "text": text}  # noqa: E731
    for number, what in events:
        if what == "heard":
            screens.hear(workspace, say(number, "as heard"))
        elif what == "changed":
            screens.change(workspace, "C1", say(number, "as changed"))
        else:
            screens.drop("T1", "C1", f"{number + 10}.0")
    screen, before = screens._screen(("T1", "C1", None)), f"{asked + 10}.0"
    found = [one for number in told if number < asked if (one := line(say(number, "as told"), workspace, "Lorebot"))]
    screen.renew(found, before, whole=True)
    shown = screen.before(before)
    assert [one.ts for one in shown] == sorted({one.ts for one in shown})
    if found:
        first = min(one.ts for one in found)
        assert [one for one in shown if one.ts >= first] == sorted(found, key=lambda one: one.ts)[-SEEN:]
