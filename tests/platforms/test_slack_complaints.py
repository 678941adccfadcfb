"""What users of such bots complain about most, one promise a test: the unmodified `lorebot slack`, on real sockets.

Some are kept elsewhere too: however often the app is killed, no reply is lost or doubled (7 and 11,
test_slack_kill.py), and one visible reply comes of every way of delivery (5, 6, 7 and 11, test_slack_connections.py).
"""

import asyncio
import json
import re
import signal
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bot.budget import PER_MESSAGE, PER_PROMPT
from bot.models.openai_tokens import TiktokenTokenizer
from tests.platforms.slack_online import Office, Online, online
from tests.slacklike.blocks import walk
from tests.slacklike.records import Channel, Message

pytestmark = pytest.mark.asyncio(loop_scope="module")

PING = 2.0  # seconds between signs of life on the socket; all its limits are so many of it
RETRIES = (0.0, 1.0, 3.0, 10.0)  # seconds; Slack's are at once, after a minute and after five


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slack() -> AsyncIterator[Online]:
    async with online() as app:
        app.home.settings |= {
            "LOREBOT_EMBEDDER": "openai",
            "LOREBOT_PERSON_PER_MINUTE": "0",
            "LOREBOT_TENANT_PER_MINUTE": "0",
            "LOREBOT_SLACK_PING": str(PING),
        }
        app.server.rules.retries = RETRIES
        await app.start()
        yield app


@pytest_asyncio.fixture(loop_scope="module")
async def app(slack: Online) -> Online:
    await slack.afresh()
    slack.server.rules.stream_life = 300.0
    slack.server.ratelimits.on = True
    return slack


async def replied(app: Online, channel: Channel, person, text: str) -> Message:
    """Ask something, and wait for the whole answer; return the question."""
    direct = channel.type == "im"
    question = app.server.say(channel, person, text) if direct else app.ask(channel, person, text)
    answers = lambda: [one for one in app.server.said(channel) if one.thread_ts in ("", question.ts)]  # noqa: E731
    await app.server.until(lambda: any("Why?" in one.buttons and one.ts > question.ts for one in answers()))
    return question


def unstreamed(app: Online) -> None:
    """Let Slack stream nothing, so that answers are posted and updated."""
    app.server.faults.fail(200, times=100, error="channel_type_not_supported", on="chat.startStream")


def sending(app: Online, how: str) -> tuple[str, ...]:
    """Return the calls by which answers are streamed, or posted; then Slack streams nothing."""
    if how == "streamed":
        return ("chat.startStream", "chat.stopStream", "chat.postMessage", "chat.update")
    unstreamed(app)
    return ("chat.postMessage", "chat.update")


async def test_8_an_answer_outlives_its_stream(app, office):
    """Slack ends a stream after about five minutes, here after one second.

    First of all, for only so many answers a minute are streamed.
    """
    app.server.rules.stream_life = 1.0
    sentences = [f"Sentence {number} tells of Rex." for number in range(40)]
    app.openai.answer, app.openai.pieces, app.openai.pause = lambda prompt: " ".join(sentences), 20, 0.2
    question = app.ask(office.general, office.ada, "Tell me a story.")
    streamed = lambda: [one for one in app.server.talk.posted if one.thread_ts == question.ts and one.by_app]  # noqa: E731
    await app.server.until(lambda: streamed() and streamed()[0].streaming)
    await app.server.until(lambda: app.replies(question) == [" ".join(sentences)])
    errors = [one.error for one in app.server.journal.of("chat.appendStream") if one.error]
    assert "message_not_in_streaming_state" in errors
    assert len(streamed()) == 1


async def test_1_another_users_memories_do_not_show_up_in_my_answers(app, office):
    closed = app.server.channel("closed", office.ada, private=True)
    places = (app.server.dm(office.ada), closed)
    said = (replied(app, place, office.ada, f"My PIN is 471{number}.") for number, place in enumerate(places))
    await asyncio.gather(*said)
    before = len(app.openai.prompts)
    places = (app.server.dm(office.bob), office.general)
    await asyncio.gather(*(replied(app, place, office.bob, "What is Ada's PIN?") for place in places))
    assert len(app.openai.prompts) == before + 2
    assert [prompt for prompt in app.openai.prompts[before:] if "471" in prompt] == []


async def test_2_private_memories_do_not_surface_in_a_public_channel(app, office):
    closed = app.server.channel("closed", office.ada, private=True)
    places = (app.server.dm(office.ada), closed, app.server.group_dm(office.ada, office.bob))
    said = (replied(app, place, office.ada, f"My PIN is 471{number}.") for number, place in enumerate(places))
    await asyncio.gather(*said)
    await replied(app, office.general, office.ada, "What is my PIN?")
    assert "471" not in app.openai.prompts[-1]
    await replied(app, closed, office.ada, "What is my PIN?")
    assert "4711" in app.openai.prompts[-1]


async def test_2_what_was_public_is_private_as_soon_as_its_channel_is_made_private(app, office):
    await replied(app, office.general, office.ada, "The party is in Kyoto.")
    await replied(app, office.lounge, office.bob, "Where is the party?")
    assert "Kyoto" in app.openai.prompts[-1]
    app.server.make_private(office.general, office.ada)
    hall = app.server.channel("hall", office.bob)
    await replied(app, hall, office.bob, "Where is the party?")
    assert "Kyoto" not in app.openai.prompts[-1]


async def test_3_a_long_reply_is_neither_cut_nor_dropped(app, office):
    """Slack takes 12,000 characters of Markdown a message."""
    sentences = [f"Sentence {number} tells of Rex and his bone." for number in range(600)]
    app.openai.answer = lambda prompt: " ".join(sentences)
    question = app.ask(office.general, office.ada, "Tell me all.")
    await app.server.until(lambda: any(one.endswith(sentences[-1]) for one in app.replies(question)))
    await app.server.until(lambda: not app.server.journal.unknown())
    told = app.replies(question)
    assert all(len(one) <= 12_000 for one in told)
    assert " ".join(" ".join(told).split()) == " ".join(sentences)


async def test_4_a_code_block_that_is_split_stays_one_in_every_message(app, office):
    lines = [f"    print('line {number} of the code')" for number in range(700)]
    app.openai.answer = lambda prompt: "Here:\n```python\n" + "\n".join(lines) + "\n```\nDone."
    question = app.ask(office.general, office.ada, "Show me.")
    await app.server.until(lambda: any(one.rstrip().endswith("Done.") for one in app.replies(question)))
    told = app.replies(question)
    blocks = [re.findall(r"^```python\n(.*?)\n```$", text, re.DOTALL | re.MULTILINE) for text in told]
    assert [len(found) for found in blocks] == [1] * len(told)
    assert len(told) > 1
    assert "\n".join(found for (found,) in blocks).split("\n") == lines


async def test_5_after_slack_asks_it_to_come_again_and_lets_it_in_only_later_the_app_is_not_deaf(app, office):
    opened = app.server.socket_mode.count("open")
    app.server.faults.fail(500, times=2, on="apps.connections.open", error="internal_error")
    app.server.socket_mode.refresh()
    meanwhile = app.ask(office.general, office.ada, "Are you deaf?")
    await app.server.until(lambda: app.server.socket_mode.count("open") > opened and app.server.socket_mode.ready)
    then = app.ask(office.general, office.bob, "And now?")
    await app.server.until(lambda: app.replies(then))
    app.server.deliveries.retry_now()
    await app.server.until(lambda: app.replies(meanwhile))
    assert (len(app.replies(meanwhile)), len(app.replies(then))) == (1, 1)


@pytest.mark.parametrize(
    "pongs",
    [pytest.param(False, id="nothing comes"), pytest.param(True, id="only pongs come", marks=pytest.mark.soak)],
)
async def test_6_a_slack_socket_that_is_silently_dead_is_left_for_another(app, office, pongs):
    opened = app.server.socket_mode.count("open")
    app.server.socket_mode.silence(pongs=pongs)
    lost = app.ask(office.general, office.ada, "Are you there?")
    await app.server.until(lambda: app.server.socket_mode.count("open") > opened, 40 * PING)
    await app.server.until(lambda: len(app.server.socket_mode.open) == len(app.server.socket_mode.ready) == 1)
    app.server.deliveries.retry_now()
    await app.server.until(lambda: app.replies(lost))
    then = await replied(app, office.general, office.ada, "And now?")
    assert (app.replies(lost), app.replies(then)) == (["Rex!"], ["Rex!"])


@pytest.mark.parametrize("how", ["streamed", "posted"])
async def test_7_a_reply_whose_sending_was_not_confirmed_is_there_once(app, office, how):
    for method in sending(app, how):
        app.server.faults.cut(on=method, after=True)
    place = office.general if how == "streamed" else app.server.dm(office.ada)
    question = await replied(app, place, office.ada, "Who is Rex?")
    then = await replied(app, office.lounge, office.bob, "And now?")
    assert (app.replies(question), app.replies(then)) == (["Rex!"], ["Rex!"])


async def test_7_a_question_that_slack_delivers_twice_is_answered_once(app, office):
    question = await replied(app, office.general, office.ada, "Who is my dog?")
    asked = len(app.openai.chats)
    told = app.server.deliveries.about(question)
    assert {one.name for one in told} == {"app_mention", "message"}
    for one in told:
        app.server.deliveries.again(one)
    await replied(app, office.general, office.bob, "And mine?")
    assert (app.replies(question), len(app.openai.chats)) == (["Rex!"], asked + 1)


async def test_9_an_answer_can_be_stopped(app, office):
    """Slack's buttons stand below whole messages; while one is being streamed, `!stop` is said."""
    app.openai.let_go, app.openai.first = asyncio.Event(), "It was "
    asked = app.ask(office.general, office.ada, "Tell me a story.")
    await app.server.until(lambda: app.openai.busy and app.server.said(office.general))
    began = time.monotonic()
    app.server.say(office.general, office.ada, "!stop", thread=asked)
    await app.server.until(lambda: app.openai.busy == 0)
    assert time.monotonic() - began < 2  # half a second on a machine that does nothing else
    (answer,) = await app.server.replied(office.general)
    await app.server.until(lambda: "(stopped)" in answer.text)
    dm = app.server.dm(office.bob)
    unstreamed(app)
    app.server.say(dm, office.bob, "Tell me a story.")
    await app.server.until(lambda: app.openai.busy and app.server.said(dm) and "Stop" in app.server.said(dm)[0].buttons)
    app.server.press(app.server.said(dm)[0], office.bob, "Stop")
    await app.server.until(lambda: app.openai.busy == 0)
    app.openai.let_go, app.openai.first = None, ""
    await app.server.until(lambda: "Regenerate" in app.server.said(dm)[0].buttons)
    app.server.press(app.server.said(dm)[0], office.bob, "Regenerate")
    await app.final(dm, "Rex!")
    assert len(app.server.said(dm)) == 1


# What would call somebody, whole and in halves; what may hide it; what is around it.
CALLS = [
    *["<!channel>", "<!here>", "<!here|here>", "<!everyone>", "<!group>", "<!CHANNEL>", "<!Here|@here>"],
    *["<!subteam^S042>", "<!subteam^S042|@devs>", "@channel", "@here", "@everyone", "<@U0000000A1>", "<@W1|ada>"],
    *["&lt;!channel&gt;", "&amp;lt;!channel&amp;gt;", "\\<!channel>", "<\u200b!channel>", "<!chan\u200bnel>"],
    *[
        "<https://example.org|<!channel>>",
        "[<!channel>](https://example.org)",
        "[call](<!channel>)",
        "![<!here>](a.png)",
    ],
    *["`<!channel>`", "```\n<!channel>\n```", "```<!here>```", "> <!everyone>", "# <!channel>", "**<!chan**nel>"],
    *["<!chan", "nel>", "<", "!", "here>", "<!sub", "team^S042>", "<!every", "one>", "<@", "U0000000A1>"],
]
AROUND = [
    " ",
    "\n",
    "\n\n",
    "a",
    "`",
    "```\n",
    "\n```\n",
    "*",
    "_",
    "|",
    "\u2060",
    "\ufeff",
    "\u202e",
    "é",
    "word " * 30,
]
PIECES = st.lists(st.sampled_from([*CALLS, *CALLS, *AROUND]), min_size=1, max_size=8)
RINGS = re.compile(r"<!(?:channel|here|everyone|group|subteam\^)|<@[UW]\w", re.IGNORECASE)


# An example takes seconds, so that a failing one is not made smaller.
ON_SOCKETS = {"deadline": None, "suppress_health_check": list(HealthCheck), "phases": [Phase.generate]}
READ = ("text", "markdown_text", "title", "status", "message", "label", "filename", "initial_comment")


def called(app: Online) -> list[str]:
    """Return what the app has written anywhere that would call somebody, as Slack was given it."""
    written = []
    for one in app.server.journal.all:
        if one.method.startswith(("chat.", "views.", "assistant.", "agents.", "files.")):
            shown = [item for item in walk([one.body]) if item.get("type") != "plain_text"]  # which calls nobody
            written += [text for item in shown for name, text in item.items() if isinstance(text, str) and name in READ]
    written += [one.text for one in app.server.talk.posted if one.by_app]
    written += [version.text for one in app.server.talk.posted if one.by_app for version in one.history]
    return [text for text in written if RINGS.search(text)]


@settings(max_examples=2, **ON_SOCKETS)
@given(answers=st.lists(PIECES, min_size=12, max_size=12))
async def test_10_the_model_calls_nobody_however_its_pieces_come(slack, answers):
    """In streams, in updates, in posts and in the plain texts beside them."""
    await slack.afresh()
    app, office = slack, Office(slack.server)
    app.server.ratelimits.on = False
    app.openai.answer = lambda prompt: [*answers[int(re.findall(r"call (\d+)", prompt)[-1])], " The end."]
    app.openai.delay, app.openai.pause = 0.01, 0.3  # with a delay, each is answered by its own prompt
    rooms = [app.server.channel(f"room-{number}", office.ada) for number in range(len(answers) - 4)]
    rooms += [app.server.dm(app.server.person(f"eve-{number}")) for number in range(4)]
    asked = []
    for number, room in enumerate(rooms):
        person = next(one for one in room.members.values() if one is not app.server.me)
        text = f"call {number}"
        asked.append(app.server.say(room, person, text) if room.type == "im" else app.ask(room, person, text))
    for one in asked:
        await app.server.until(lambda one=one: any("Why?" in told.buttons for told in app.server.said(one.channel)), 40)
    assert app.server.broadcasts() == []
    assert called(app) == []


@settings(max_examples=2, **ON_SOCKETS)
@given(said=st.lists(PIECES.map("".join), min_size=3, max_size=3))
async def test_10_nobody_is_called_by_what_people_put_into_commands_titles_and_homes(slack, said):
    await slack.afresh()
    app = slack
    app.server.ratelimits.on = False
    app.openai.answer, app.openai.delay, app.openai.pause, app.openai.pieces = lambda prompt: "Rex!", 0.0, 0.0, 2
    office = Office(app.server)

    async def tried(text: str, name: str) -> None:
        person = app.server.person(name, admin=True)
        room, dm = app.server.channel(f"room-{person.id}", person), app.server.dm(person)
        first = app.server.say(dm, person, "hello")
        app.server.say(dm, person, text, thread=first)  # becomes a session's title
        given = [(f"/{one}", text) for one in ("ask", "chat", "persona", "model")]
        given += [("/memory", f"{one} {text}") for one in ("search", "list", "forget")]
        done = [app.server.slash(room, person, *one) for one in given]
        asked = await replied(app, room, person, text or "-")
        app.server.say(room, person, f"!memory search {text}", thread=asked)
        app.server.press(next(one for one in app.server.said(room) if "Why?" in one.buttons), person, "Why?")
        app.server.open_home(person)
        await app.server.until(lambda: all(one.answered for one in done))
        await app.server.until(lambda: app.server.home_view(person) and len(app.server.ephemerals(person)) > 4)

    await asyncio.gather(*(tried(text, name) for text in said for name in ("ada", "<!channel>")))
    await replied(app, office.general, office.ada, "And now?")
    app.server.slash(office.general, office.ada, "/persona", "-")
    assert app.server.broadcasts() == []
    assert called(app) == []


async def test_11_a_restart_loses_no_reply(app, office):
    """Of three questions one is being answered when the app is told to end, one comes then, one while it is away."""
    app.openai.let_go = asyncio.Event()
    chats = len(app.openai.chats)
    under_way = app.ask(office.general, office.ada, "Who is my dog?")
    await app.server.until(lambda: len(app.openai.chats) == chats + 1)
    app.process.send_signal(signal.SIGTERM)
    then = app.ask(office.lounge, office.ada, "And mine?")
    told = app.server.deliveries.about(then)
    await app.server.until(lambda: all(one.acked.is_set() for one in told))
    app.openai.let_go.set()
    assert await asyncio.wait_for(app.process.wait(), 40) == 0
    assert app.replies(under_way) == ["Rex!"]
    meanwhile = app.ask(office.general, office.bob, "And mine?")
    app.openai.let_go = None
    await app.start()
    app.server.deliveries.retry_now()
    await app.server.until(lambda: app.replies(meanwhile) and app.replies(then), 40)
    await replied(app, office.lounge, office.bob, "And now?")
    assert [app.replies(one) for one in (under_way, then, meanwhile)] == [["Rex!"]] * 3


async def test_11_what_a_killed_app_was_asked_is_answered_once_by_the_next(app, office):
    app.openai.let_go, app.openai.first = asyncio.Event(), "It was "
    asked = app.ask(office.general, office.ada, "Who is Rex?")
    await app.server.until(lambda: app.openai.busy and app.server.said(office.general))
    await app.kill()
    app.openai.let_go, app.openai.first = None, ""
    await app.start()
    await app.server.until(lambda: app.replies(asked) == ["Rex!"], 40)


async def test_12_an_edited_question_is_answered_anew_and_a_deleted_one_forgotten(app, office):
    app.openai.let_go = asyncio.Event()
    chats = len(app.openai.chats)
    asked = app.ask(office.general, office.ada, "Who is Rex?")
    await app.server.until(lambda: len(app.openai.chats) == chats + 1)
    app.server.edit(asked, f"{app.server.me.mention} Who is Bello?")
    await app.server.until(lambda: len(app.openai.chats) == chats + 2)
    assert "Who is Bello?" in app.openai.prompts[-1]
    app.server.delete(asked)
    await app.server.until(lambda: app.openai.busy == 0)
    app.openai.let_go = None
    await replied(app, office.lounge, office.ada, "Who did I ask about?")
    assert "Bello" not in app.openai.prompts[-1]
    assert [text for text in app.replies(asked) if "Rex!" in text] == []


async def test_12_what_was_edited_is_remembered_as_it_is_and_what_was_deleted_not_at_all(app, office):
    edited = await replied(app, office.general, office.ada, "The party is in Kyoto.")
    deleted = await replied(app, office.general, office.ada, "My PIN is 4711.")
    app.server.edit(edited, f"{app.server.me.mention} The party is in Paris.")
    app.server.delete(deleted)
    told = [one for one in app.server.deliveries.of("message") if one.body["event"]["channel"] == office.general.id]
    await app.server.until(lambda: all(one.acked.is_set() for one in told))
    await replied(app, office.lounge, office.bob, "Where is the party, and what is the PIN?")
    assert "Paris" in app.openai.prompts[-1]
    assert not re.search("Kyoto|4711", app.openai.prompts[-1])


async def test_13_people_see_search_take_along_and_forget_what_is_remembered_of_them(app, office):
    await replied(app, office.general, office.ada, "My dog is called Rex.")
    await replied(app, office.general, office.bob, "My cat is called Tom.")

    async def told(person, words: str) -> str:
        seen = len(app.server.ephemerals(person))
        app.server.slash(office.general, person, "/memory", words)
        await app.server.until(lambda: len(app.server.ephemerals(person)) > seen)
        return app.server.ephemerals(person)[-1].shown

    assert "My dog is called Rex." in await told(office.ada, "list")
    assert "My cat" in await told(office.bob, "search cat")
    assert "My cat" not in await told(office.ada, "search cat")
    app.server.slash(office.general, office.ada, "/memory", "export")
    files = lambda: [one for one in app.server.world.files.values() if one.name.endswith(".jsonl") and one.channels]  # noqa: E731
    await app.server.until(lambda: app.server.dm(office.ada).id in [place for one in files() for place in one.channels])
    lines = [json.loads(line) for line in files()[-1].data.decode().splitlines()]
    assert [line["text"] for line in lines] == ["My dog is called Rex.", "Rex!"]
    asked = await told(office.ada, "forget all")
    assert "My cat" not in asked
    app.server.press(app.server.ephemerals(office.ada)[-1], office.ada, "Yes")
    await app.server.until(lambda: any("forgotten" in one.shown for one in app.server.ephemerals(office.ada)))
    assert "Nothing is remembered" in await told(office.ada, "list")
    assert "My cat" in await told(office.bob, "list")


@pytest.mark.parametrize("how", ["streamed", "posted"])
async def test_14_a_rate_limit_does_not_turn_an_answer_into_silence(app, office, how):
    methods = sending(app, how)
    limits = [app.server.faults.limit(1, times=2, on=one) for one in methods]
    place = office.general if how == "streamed" else app.server.dm(office.ada)
    question = await replied(app, place, office.ada, "Who is Rex?")
    met = [method for method, limit in zip(methods, limits, strict=True) if limit.times < 2]
    assert met
    assert app.replies(question) == ["Rex!"]


async def test_15_memory_does_not_make_requests_grow_without_bound(app, office):
    """80 long questions and as many long answers, of which every one tells something that the next asks about."""
    tokenizer = await asyncio.to_thread(TiktokenTokenizer.for_model, "gpt")
    app.server.ratelimits.on = False
    rooms = [app.server.channel(f"hall-{number}", office.ada, office.bob) for number in range(8)]
    before = len(app.openai.chats)
    app.openai.answer = lambda prompt: "The dog is called Rex. " + f"It was like this {len(prompt)}. " * 60

    async def crowd(room: Channel) -> None:
        first = None
        for number in range(10):
            person = (office.ada, office.bob)[number % 2]
            text = f"What is dog {room.id}-{number} called? " + f"I saw {number} of {room.id}. " * 60
            said = app.ask(room, person, text, **({"thread": first} if first else {}))
            first = first or said
            await app.server.until(lambda asked=number: len(app.server.said(room)) >= asked - 2, 40)
        await app.server.until(lambda: len(app.server.said(room)) == 10, 40)

    await asyncio.gather(*(crowd(room) for room in rooms))
    chats = app.openai.chats[before:]
    assert len(chats) == 80
    costs = [[PER_MESSAGE + tokenizer.count(one["content"]) for one in chat["messages"]] for chat in chats]
    everything = sum(tokenizer.count(one.text) for room in rooms for one in room.messages)
    assert everything > 10 * 6000, "all of it would not fit"
    assert max(PER_PROMPT + sum(some) for some in costs) <= 6000
    assert max(map(len, costs)) <= 1 + 20 + 1
    assert max(sum(map(len, asked["input"])) for asked in app.openai.embeddings) < 100_000
