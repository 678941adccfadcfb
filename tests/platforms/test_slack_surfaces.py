"""What people do in Slack: commands, shortcuts, buttons, dialogs and the App Home, over one unmodified `lorebot slack`.

The app has the scopes, commands and events of its manifest, and no others.
"""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from bot.commands import table
from bot.commands.base import At
from bot.platforms.slack import manifest, uses
from bot.platforms.slack.slashes import ABOUT, FORGET, slash
from tests.platforms.slack_online import Office, Online, online
from tests.slacklike.records import Guest

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACME = "acme-"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slack():
    async with online() as app:
        rules, made = app.server.rules, manifest.made(manifest.Shape())
        own = {one["command"] for one in made["features"]["slash_commands"]}
        named = {slash(one, ACME) for one in table.offered(At.CHAT)}
        rules.commands = frozenset(own | named | {"/acme-dance"})
        rules.events = frozenset(uses.subscribed())
        app.server.world.install.scopes = frozenset(uses.scopes())
        app.server.ratelimits.on = False  # nobody does in an hour what these tests do in a minute
        app.home.settings |= {"LOREBOT_PERSON_PER_MINUTE": "0", "LOREBOT_TENANT_PER_MINUTE": "0"}
        await app.start()
        yield app


@pytest_asyncio.fixture(loop_scope="module")
async def app(slack: Online) -> Online:
    await slack.afresh()
    slack.server.rules.response_uses, slack.server.rules.trigger_life = 5, 3.0
    return slack


async def told(app: Online, person, text: str, since: int = 0):
    """Wait until somebody alone is told something; return the message."""
    found = lambda: [one for one in app.server.ephemerals(person)[since:] if text in one.shown]  # noqa: E731
    try:
        await app.server.until(found, 10)
    except TimeoutError:
        raise AssertionError(([one.shown for one in app.server.ephemerals(person)], app.logged[-2000:])) from None
    return found()[-1]


async def sees(app: Online, channel, person, text: str):
    """Wait until somebody sees a message in a channel that says something."""
    found = lambda: [one for one in app.server.seen(channel, person) if text in one.shown]  # noqa: E731
    try:
        await app.server.until(found, 10)
    except TimeoutError:
        raise AssertionError((app.server.seen(channel, person), app.logged[-2000:])) from None
    return found()[-1]


async def answered(app: Online, channel, person, text: str, answer: str = "Rex!"):
    """Let somebody ask; return the question, and the answer once it has its buttons."""
    question = app.ask(channel, person, text)
    found = lambda: [one for one in app.server.thread(question) if one.text == answer and "Why?" in one.buttons]  # noqa: E731
    await app.server.until(found)
    return question, found()[-1]


async def at_home(app: Online, person, text: str):
    """Wait until somebody's Home says something; return it."""
    try:
        await app.server.until(lambda: (view := app.server.home_view(person)) and text in view.shown, 10)
    except TimeoutError:
        view = app.server.home_view(person)
        raise AssertionError((view and view.shown, app.logged[-2000:])) from None
    return app.server.home_view(person)


# Commands

SAID = {
    "ask": "say what to ask: `{}ask QUESTION`",
    "lookup": "nothing to look things up in",
    "why": "There is no answer yet to explain",
    "memory": "`{}memory forget NUMBER",
    "new": "A fresh start",
    "channel": "Only who manages this place may do that.",
    "usage": "tokens today",
    "status": "memory answers in",
    "privacy": "`{}memory export` gives it to you",
    "help": "- `{}ask QUESTION`",
}


async def test_every_command_answers_by_slash_and_names_commands_as_they_are_called_there(app, office):
    offered = {one.name for one in table.offered(At.CHAT)}
    assert offered - set(SAID) == {"chat", "persona", "model"}, "which have tests of their own"
    for prefix in ("", ACME):
        for name, said in SAID.items():
            typed = slash(next(one for one in table.TABLE if one.name == name), prefix)
            app.server.slash(office.general, office.bob, typed)
            shown = said.format(f"/{prefix}")
            await sees(app, office.general, office.bob, shown)
    helps = [one.shown for one in app.server.ephemerals(office.bob) if "ask QUESTION`: an answer" in one.shown]
    assert "`/lorebot-status`" in helps[0], "what is Slack's own command is called otherwise"
    assert "`/acme-status`" in helps[-1]


async def test_every_command_answers_by_exclamation_mark_in_threads_and_direct_messages(app, office):
    asked, _ = await answered(app, office.general, office.bob, "My dog is called Rex.")
    dm = app.server.dm(office.bob)
    app.server.say(dm, office.bob, "Hello.")
    await app.final(dm, "Rex!")
    for name, said in (SAID | {"why": "ecalled for the last answer"}).items():
        for channel, thread in ((office.general, asked), (dm, None)):
            app.server.say(channel, office.bob, f"!{name}", thread=thread)
            shown = await sees(app, channel, office.bob, said.format("!"))
            assert shown.thread_ts == (asked.ts if thread else "")
    others = [one.shown for one in app.server.seen(office.general, office.ada)]
    assert [one for one in others if "memory forget" in one or "tokens today" in one] == [], "they are for one person"
    chats = len(app.openai.chats)
    app.server.say(office.general, office.bob, "!dance", thread=asked)
    await app.server.until(lambda: len(app.openai.chats) == chats + 1)


async def test_a_command_that_there_is_not_is_said_to_be_none(app, office):
    app.server.slash(office.general, office.bob, "/acme-dance")
    await told(app, office.bob, "There is no command `/acme-dance`")
    app.server.slash(office.general, office.bob, "/memory", "dance")
    await told(app, office.bob, "`/memory forget NUMBER")
    app.server.slash(office.general, office.bob, "/memory", "forget nothing")
    await told(app, office.bob, "there is no turn nothing")
    app.server.slash(office.general, office.bob, "/channel", "joins on")
    await told(app, office.bob, "Only who manages this place")


async def test_chat_opens_a_thread_in_which_nobody_needs_to_mention_the_bot(app, office):
    app.server.slash(office.general, office.bob, "/chat", "my dog")
    answer = await app.final(office.general, "Rex!")
    opened = next(one for one in app.server.said(office.general) if "opens a chat: my dog" in one.shown)
    assert answer.thread_ts == opened.ts
    app.server.slash(office.lounge, office.bob, "/chat")
    await sees(app, office.lounge, office.ada, "Every message in this thread is for me")
    opened = next(one for one in app.server.said(office.lounge) if "opens a chat." in one.shown)
    app.server.say(office.lounge, office.ada, "Who is there?", thread=opened)
    await app.final(office.lounge, "Rex!")


async def test_what_a_person_takes_along_comes_in_their_direct_messages(app, office):
    _, answer = await answered(app, office.general, office.bob, "My dog is called Rex.")
    app.server.press(answer, office.bob, "👎")
    await told(app, office.bob, "Thank you")
    app.server.press(answer, office.bob, "👍")
    await app.server.until(lambda: len([one for one in app.server.ephemerals(office.bob) if "Thank" in one.shown]) == 2)
    app.server.slash(office.general, office.bob, "/memory", "export")
    await told(app, office.bob, "direct messages")
    dm = app.server.dm(office.bob)
    await app.server.until(lambda: [one for one in app.server.said(dm) if one.files])
    lines = [json.loads(line) for line in app.server.said(dm)[-1].files[0].data.decode().splitlines()]
    assert [(one["text"], one.get("rating")) for one in lines] == [("My dog is called Rex.", None), ("Rex!", "good")]
    assert not any(one.files for one in app.server.said(office.general))


async def test_what_is_to_be_forgotten_is_confirmed_once_by_whoever_wished_it(app, office):
    await answered(app, office.general, office.bob, "My dog is called Rex.")
    app.server.slash(office.general, office.bob, "/memory", "forget all")
    question = await told(app, office.bob, "Forget for good?")
    with pytest.raises(LookupError):
        app.server.press(question, office.ada, "Yes")
    app.server.press(question, office.bob, "Yes")
    await told(app, office.bob, "2 turns forgotten.")
    assert question.deleted, "nobody presses it twice"
    app.server.slash(office.general, office.bob, "/memory", "list")
    await told(app, office.bob, "Nothing is remembered here yet.")


async def test_where_the_answering_address_is_used_up_messages_for_one_person_take_its_place(app, office):
    app.server.rules.response_uses = 0
    app.server.slash(office.general, office.bob, "/lorebot-status")
    shown = await told(app, office.bob, "memory answers in")
    assert app.server.journal.all[-1].method == "chat.postEphemeral"
    assert shown.channel is office.general


async def test_in_a_channel_that_the_bot_is_not_in_it_says_how_to_invite_it(app, office):
    for private in (False, True):
        outside = app.server.channel(f"outside{private}", office.bob, private=private, app=False)
        app.server.slash(outside, office.bob, "/ask", "Who is my dog?")
        await sees(app, outside, office.bob, "/invite @Lorebot")
        app.server.slash(outside, office.bob, "/chat")
        note = app.server.say(outside, office.bob, "The meeting is at noon in Kyoto.")
        app.server.shortcut(note, office.bob, ABOUT.id)
        await app.server.until(lambda: app.server.modal(office.bob))
        app.server.submit(office.bob, text="Where is it?")
        await app.server.until(
            lambda place=outside: sum("/invite" in one.shown for one in app.server.seen(place, office.bob)) == 3
        )
        app.server.slash(outside, office.bob, "/memory", "list")
        await sees(app, outside, office.bob, "Nothing is remembered")


async def test_a_channel_is_joined_remembered_and_learned_by_command(app, office):
    app.server.say(office.general, office.bob, "The meeting is at noon in Kyoto.")
    app.server.slash(office.general, office.ada, "/memory", "learn-channel")
    await told(app, office.ada, "`/channel remembers on`")
    app.server.slash(office.general, office.ada, "/acme-channel", "remembers on")
    await told(app, office.ada, "remember everything")
    await sees(app, office.general, office.bob, "`/acme-memory pause` keeps out what you say")
    app.server.slash(office.general, office.ada, "/memory", "learn-channel")
    await sees(app, office.general, office.bob, "I have learned what was said here")
    await answered(app, office.lounge, office.ada, "Where is the meeting?")
    assert "noon in Kyoto" in app.openai.prompts[-1]
    app.server.slash(office.lounge, office.ada, "/channel", "joins on")
    await told(app, office.ada, "answer unasked")
    app.openai.answer = lambda prompt: "Here I am."
    app.server.say(office.lounge, office.bob, "Is anybody here?")
    await app.final(office.lounge, "Here I am.")
    app.server.slash(app.server.dm(office.ada), office.ada, "/channel", "joins on")
    await sees(app, app.server.dm(office.ada), office.ada, "That can be said in a channel")


# Dialogs


async def test_a_persona_is_written_in_a_dialog_and_lifted_by_an_empty_one(app, office):
    app.server.slash(office.general, office.bob, "/persona")
    await told(app, office.bob, "Only who manages this place")
    assert app.server.modal(office.bob) is None
    app.server.slash(office.general, office.ada, "/persona")
    await app.server.until(lambda: app.server.modal(office.ada))
    app.server.submit(office.ada, text="You are a pirate.")
    await told(app, office.ada, "So I will be")
    await answered(app, office.general, office.ada, "Who are you?")
    assert "You are a pirate." in app.openai.prompts[-1]
    app.server.slash(office.general, office.ada, "/persona")
    await app.server.until(lambda: app.server.modal(office.ada))
    assert "You are a pirate." in json.dumps(app.server.modal(office.ada).data)
    app.server.submit(office.ada, text=None)
    await told(app, office.ada, "as I am everywhere")
    await answered(app, office.lounge, office.ada, "Who are you now?")
    assert "You are a pirate." not in app.openai.prompts[-1]


async def test_who_manages_no_more_is_told_so_in_the_dialog(app, office):
    app.server.slash(office.general, office.ada, "/persona")
    await app.server.until(lambda: app.server.modal(office.ada))
    view = app.server.modal(office.ada)
    app.server.views.stack(office.bob).append(view)
    view.person = office.bob
    app.server.submit(office.bob, text="You are a pirate.")
    await app.server.until(lambda: view.errors)
    assert view.errors == {"text": "Only who manages this place may do that."}


async def test_a_model_that_is_not_known_is_refused_in_the_dialog_and_one_that_is_answers(app, office):
    app.server.slash(office.general, office.ada, "/model")
    await app.server.until(lambda: app.server.modal(office.ada))
    view = app.server.modal(office.ada)
    app.server.submit(office.ada, text="gpt")
    await app.server.until(lambda: view.errors)
    assert "there is no model" in view.errors["text"]
    ran = await app.home.run("llm", "create", "gpt", "--shared", "-p", "chat.model=other", "-p",
                             f"base_url={app.openai.address}/v1")  # fmt: skip
    assert ran.code == 0, ran.err
    app.server.submit(office.ada, text="gpt")
    await told(app, office.ada, "So I will be")
    await answered(app, office.general, office.ada, "Who are you?")
    assert app.openai.chats[-1]["model"] == "other"
    app.server.slash(office.general, office.ada, "/model", "none")
    await told(app, office.ada, "answers here from now on")


async def test_a_persona_that_is_too_long_is_refused_where_it_is_typed(app, office):
    app.server.slash(office.general, office.ada, "/persona", "x" * 4001)
    await told(app, office.ada, "4000")
    app.server.slash(office.general, office.ada, "/persona", "y" * 3500)
    await told(app, office.ada, "So I will be")
    app.server.slash(office.general, office.ada, "/persona")
    await told(app, office.ada, "y" * 3500)
    app.server.slash(office.general, office.ada, "/persona", "none")
    await told(app, office.ada, "as I am everywhere")


async def test_a_dialog_that_came_too_late_is_said_to_have(app, office):
    app.server.rules.trigger_life = 0.0
    app.server.slash(office.general, office.ada, "/persona")
    await told(app, office.ada, "please do it again")
    note = app.server.say(office.general, office.bob, "The meeting is at noon.")
    app.server.shortcut(note, office.bob, ABOUT.id)
    await told(app, office.bob, "please do it again")


# Shortcuts and buttons


async def test_ask_about_this_answers_in_front_of_everybody_where_it_was_asked(app, office):
    note = app.server.say(
        office.general, office.bob, f'{office.ada.mention}: at noon in Kyoto, "quoted"\n' + "x" * 3900
    )
    app.server.shortcut(note, office.ada, ABOUT.id)
    await app.server.until(lambda: app.server.modal(office.ada))
    app.server.submit(office.ada, text="Where is it?")
    await app.final(office.general, "Rex!")
    assert "noon in Kyoto" in app.openai.prompts[-1]
    asks = next(one for one in app.server.said(office.general) if "asks: Where is it?" in one.shown)
    assert [one.text for one in app.server.thread(asks)] == ["Rex!"]
    reply = app.server.say(office.general, office.bob, "The party is in Lima.", thread=note)
    app.server.shortcut(reply, office.ada, ABOUT.id)
    await app.server.until(lambda: app.server.modal(office.ada))
    app.server.submit(office.ada, text="Where is the party?")
    await app.server.until(lambda: [one for one in app.server.thread(note) if one.text == "Rex!"])
    assert "party is in Lima" in app.openai.prompts[-1]
    dm = app.server.dm(office.ada)
    said = app.server.say(dm, office.ada, "The wedding is in Oslo.")
    await app.final(dm, "Rex!")
    app.openai.answer = lambda prompt: "In Oslo."
    app.server.shortcut(said, office.ada, ABOUT.id)
    await app.server.until(lambda: app.server.modal(office.ada))
    app.server.submit(office.ada, text="Where is the wedding?")
    await app.final(dm, "In Oslo.")


async def test_forget_this_forgets_ones_own_and_as_an_admin_any(app, office):
    question, answer = await answered(app, office.general, office.bob, "My dog is called Rex.")
    carl = app.server.person("carl")
    app.server.join(office.general, carl)
    for message in (question, answer):
        since = len(app.server.ephemerals(carl))
        app.server.shortcut(message, carl, FORGET.id)
        await told(app, carl, "nothing of yours", since)
    app.server.shortcut(answer, office.bob, FORGET.id)
    await told(app, office.bob, "Forgotten.")
    app.server.slash(office.general, office.bob, "/memory", "list")
    listed = await told(app, office.bob, "The last 1 of 1")
    assert ("called Rex" in listed.shown, "Rex!" in listed.shown) == (True, False)
    app.server.shortcut(question, office.ada, FORGET.id)
    await told(app, office.ada, "Forgotten.")
    app.server.slash(office.general, office.bob, "/memory", "list")
    await told(app, office.bob, "Nothing is remembered here yet.")


async def test_why_shows_each_person_only_what_they_may_know(app, office):
    closed = app.server.channel("closed", office.bob, private=True)
    await answered(app, closed, office.bob, "The PIN of the safe is 4711.")
    await answered(app, office.general, office.bob, "The safe stands in Kyoto.")
    _, answer = await answered(app, office.lounge, office.bob, "Where does the safe stand?")
    app.server.press(answer, office.bob, "Why?")
    known = await told(app, office.bob, "stands in Kyoto")
    assert re.search(r"archives/C\w+/p\d+", known.shown)
    assert known.thread_ts == answer.thread_ts
    assert "4711" not in known.shown
    guest = app.server.person("guest", guest=Guest.MULTI)
    app.server.join(office.lounge, guest)
    app.server.press(answer, guest, "Why?")
    seen = await told(app, guest, "ecalled")
    assert "Kyoto" not in seen.shown, "a guest does not read the other channel"


async def test_only_who_asked_or_an_admin_stops_and_regenerates(app, office):
    _, answer = await answered(app, office.general, office.bob, "Who is my dog?")
    carl = app.server.person("carl")
    app.server.join(office.general, carl)
    app.openai.answer = lambda prompt: "Bello!"
    app.server.press(answer, carl, "Regenerate")
    await told(app, carl, "Only whoever asked")
    app.server.press(answer, office.ada, "Regenerate")
    await app.server.until(lambda: answer.text == "Bello!" and "Why?" in answer.buttons)
    assert len(app.server.said(office.general)) == 1
    app.server.slash(office.general, office.bob, "/memory", "list")
    listed = await told(app, office.bob, "The last 2 of 2")
    assert ("Bello!" in listed.shown, "Rex!" in listed.shown) == (True, False)


async def test_in_a_group_direct_message_it_is_mentioned_or_spoken_to_in_its_threads(app, office):
    group = app.server.group_dm(office.ada, office.bob)
    chats = len(app.openai.chats)
    app.server.say(group, office.ada, "Hello Bob.")
    asked = app.ask(group, office.ada, "My PIN is 4711.")
    await app.final(group, "Rex!")
    assert len(app.openai.chats) == chats + 1
    app.openai.answer = lambda prompt: "Again!"
    app.server.say(group, office.bob, "and again?", thread=asked)
    await app.final(group, "Again!")
    await answered(app, office.general, office.ada, "What is my PIN?", "Again!")
    assert "4711" not in app.openai.prompts[-1], "a group's talk is theirs"


# The App Home


async def facts(app: Online, office: Office, count: int) -> None:
    """Let Bob say so many things, a second apart, each in a thread of its own."""
    now = datetime.now(UTC)
    for number in range(count):
        at = now - timedelta(seconds=count - number)
        app.ask(office.general, office.bob, f"Fact number {number}.", at=at)
    done = lambda: [one for one in app.server.said(office.general) if "Why?" in one.buttons]  # noqa: E731
    await app.server.until(lambda: len(done()) == count)


async def tell(app: Online, person, text: str) -> None:
    """Let somebody say something in their direct messages, and wait until that is answered."""
    dm = app.server.dm(person)
    app.server.say(dm, person, text)
    await app.server.until(lambda: any("Why?" in one.buttons for one in app.server.said(dm)))


async def test_the_home_of_somebody_new_says_that_nothing_is_remembered(app, office):
    app.server.open_home(office.bob)
    view = await at_home(app, office.bob, "Nothing is remembered of you yet")
    assert "Forget everything" not in view.buttons
    assert "what you said in public channels may be used" in view.shown


async def test_the_home_shows_page_by_page_what_is_remembered_and_where_it_was_said(app, office):
    await facts(app, office, 6)
    await tell(app, office.bob, "Fact number 6.")
    app.server.open_home(office.bob)
    view = await at_home(app, office.bob, "14 turns")
    assert ("Fact number 6." in view.shown, "Fact number 0." in view.shown) == (True, False), view.shown
    assert ("Older" in view.buttons, "Newer" in view.buttons) == (True, False)
    app.server.press(view, office.bob, "Older")
    view = await at_home(app, office.bob, "Fact number 0.")
    assert ("Older" in view.buttons, "Newer" in view.buttons) == (False, True)
    assert f"<#{office.general.id}>" in view.shown
    assert f"archives/{office.general.id}/p" in view.shown
    assert "direct message" in view.shown
    app.server.press(view, office.bob, "Newer")
    view = await at_home(app, office.bob, "Fact number 6.")
    app.server.press(view, office.bob, "lore_search", "number 3")
    view = await at_home(app, office.bob, "1 turn with these words.")
    assert "Fact number 3." in view.shown
    app.server.press(view, office.bob, "Show all again")
    view = await at_home(app, office.bob, "Fact number 6.")
    app.server.press(view, office.bob, "lore_search", "zebra")
    await at_home(app, office.bob, "Nothing of yours has these words.")


async def test_what_is_forgotten_on_a_later_page_leaves_one_there(app, office):
    await facts(app, office, 5)
    await tell(app, office.bob, "Hello.")
    app.server.open_home(office.bob)
    app.server.press(await at_home(app, office.bob, "12 turns"), office.bob, "Older")
    await app.server.until(lambda: "Newer" in app.server.home_view(office.bob).buttons)
    view = app.server.home_view(office.bob)
    while "Newer" in view.buttons:  # two turns stand on the later page, and a question takes its answer with it
        before = view.hash
        app.server.press(view, office.bob, "Forget")
        await app.server.until(lambda before=before: app.server.home_view(office.bob).hash != before)
    assert "10 turns" in view.shown
    assert "Older" not in view.buttons


async def test_everything_is_forgotten_from_the_home_once_that_is_confirmed(app, office):
    await answered(app, office.general, office.bob, "My dog is called Rex.")
    await answered(app, office.lounge, office.ada, "My cat is called Tom.")
    app.server.open_home(office.bob)
    view = await at_home(app, office.bob, "2 turns")
    app.server.press(view, office.bob, "Forget everything")
    await app.server.until(lambda: app.server.modal(office.bob))
    app.server.close_modal(office.bob)
    app.server.press(view, office.bob, "Forget everything")
    await app.server.until(lambda: app.server.modal(office.bob))
    app.server.submit(office.bob)
    await at_home(app, office.bob, "Nothing is remembered of you yet")
    app.server.open_home(office.ada)
    await at_home(app, office.ada, "My cat is called Tom.")


async def test_who_pauses_on_the_home_is_answered_and_not_remembered(app, office):
    app.server.open_home(office.bob)
    app.server.press(await at_home(app, office.bob, "Nothing"), office.bob, "Don't remember me")
    await at_home(app, office.bob, "nothing you say is remembered")
    await answered(app, office.general, office.bob, "My PIN is 4711.")
    app.server.open_home(office.bob)
    app.server.press(
        await at_home(app, office.bob, "Nothing is remembered of you yet"), office.bob, "Remember me again"
    )
    await app.server.until(lambda: "Don't remember me" in app.server.home_view(office.bob).buttons)
    await answered(app, office.general, office.bob, "My dog is called Rex.")
    app.server.open_home(office.bob)
    view = await at_home(app, office.bob, "My dog is called Rex.")
    assert "4711" not in view.shown


async def test_all_of_it_is_sent_from_the_home_and_where_there_is_nothing_that_is_said(app, office):
    dm = app.server.dm(office.bob)
    await answered(app, office.general, office.bob, "My dog is called Rex.")
    app.server.open_home(office.bob)
    app.server.press(await at_home(app, office.bob, "2 turns"), office.bob, "Send me all of it")
    await app.server.until(lambda: [one for one in app.server.said(dm) if one.files])
    assert b"My dog is called Rex." in app.server.said(dm)[-1].files[0].data


async def test_the_home_of_a_guest_shows_what_they_said(app, office):
    guest = app.server.person("guest", guest=Guest.SINGLE)
    app.server.join(office.lounge, guest)
    await answered(app, office.lounge, guest, "My dog is called Rex.")
    await answered(app, office.general, office.ada, "My cat is called Tom.")
    app.server.open_home(guest)
    view = await at_home(app, guest, "My dog is called Rex.")
    assert "Tom" not in view.shown


async def test_a_very_long_turn_fits_on_the_home(app, office):
    app.openai.answer = lambda prompt: "word " * 2000
    app.ask(office.general, office.bob, "Tell me a story. " + "x" * 3500)
    await app.server.until(lambda: any("Why?" in one.buttons for one in app.server.said(office.general)))
    app.server.open_home(office.bob)
    view = await at_home(app, office.bob, "2 turns")
    assert "…" in view.shown


# The older assistant view


async def test_in_the_assistant_view_prompts_are_suggested_and_questions_answered(app, office):
    app.server.rules.events, app.server.rules.agent = frozenset(uses.subscribed(assistant=True)), False
    app.openai.let_go = asyncio.Event()
    thread = app.server.open_assistant(office.bob, office.general)
    await app.server.until(lambda: app.server.session(thread).prompts)
    assert len(app.server.session(thread).prompts) == 4
    app.server.look_beside(office.bob, thread, office.lounge)
    app.server.say(thread.channel, office.bob, "Who is my dog?", thread=thread)
    await app.server.until(lambda: app.server.session(thread).status == "is thinking…")
    app.openai.let_go.set()
    app.openai.let_go = None
    await app.server.until(lambda: [one for one in app.server.thread(thread) if one.text == "Rex!"])
    await app.server.until(lambda: app.server.session(thread).status == "")
    assert app.server.session(thread).title == "Who is my dog?"
    app.server.rules.events, app.server.rules.agent = frozenset(uses.subscribed()), True


# Restarts


async def test_after_a_restart_buttons_work_and_what_waited_for_a_yes_is_said_to_be_over(app, office):
    _, answer = await answered(app, office.general, office.bob, "My dog is called Rex.")
    app.server.slash(office.general, office.bob, "/memory", "forget all")
    question = await told(app, office.bob, "Forget for good?")
    await app.kill()
    await app.start()
    app.server.press(question, office.bob, "Yes")
    await told(app, office.bob, "That was too long ago")
    app.server.press(answer, office.bob, "Why?")
    await told(app, office.bob, "ecalled for the last answer")
    app.openai.answer = lambda prompt: "Bello!"
    app.server.press(answer, office.bob, "Regenerate")
    await app.server.until(lambda: answer.text == "Bello!" and "Why?" in answer.buttons)
