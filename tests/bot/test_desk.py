"""What people do with commands and buttons, on a platform that is a list of what they were shown."""

from dataclasses import replace

import pytest

from bot.admission import parse
from bot.channels import Channel
from bot.commands import table
from bot.commands.base import Switch
from bot.delivery.parts import DISCORD
from bot.desk import DENIED, NOT_ASKED, NOT_YOURS, NOTHING_TO_STOP, TOO_LATE, Desk
from bot.errors import CommandError
from bot.limits import Allowance, Limits
from bot.metrics import Metrics
from bot.notices import SORRY, Practices
from bot.places import Shown, Who
from bot.prompts import Prompts
from bot.service import Service
from bot.settings import Settings
from memory.errors import RedisUnavailable


class Somewhere:
    """A place that notes what is done there."""

    limit = DISCORD

    def __init__(self, scope, **who):
        self._who = Who(scope, "Ada", **who)
        self.shown: list[Shown] = []
        self.said: list[str] = []
        self.taken: list[str] = []
        self.settled = 0
        self.fails: Exception | None = None

    @property
    def texts(self):
        return [one.text for one in self.shown]

    def quiet(self, text):
        return text

    async def who(self):
        return self._who

    async def wait(self, *, openly):
        pass

    async def show(self, shown, *, openly=False):
        self.shown.append(shown)

    async def settle(self):
        self.settled += 1

    async def say(self, text):
        if self.fails is not None:
            raise self.fails
        self.said.append(text)
        return "m1"

    async def take(self, message, question, context):
        self.taken.append(question)
        return True

    async def take_again(self, incoming):
        self.taken.append(incoming.text)
        return True

    async def stop(self, message):
        return False

    async def open_thread(self, topic):
        return True

    async def switch(self, wanted: Switch):
        return Channel(bool(wanted.joins), bool(wanted.remembers))

    async def learn(self):
        return True


def command(name):
    return next(one for one in table.TABLE if one.name == name)


@pytest.fixture
def make(memory, client, talk):
    """Make a desk: make(deny=...)."""

    def make(engine=None, of=memory, **options):
        limits = Limits(client, memory.keys, Allowance(person_per_minute=3))
        parts = {"presets": None, "apps": None, "metrics": Metrics(), "listening": None}
        service = Service("Rex", "gpt", prompts=Prompts(), limits=limits, practices=Practices("Rex"), **parts)
        return Desk(engine or talk().engine, of, service, Settings(_env_file=None, **options))

    return make


@pytest.fixture
async def desk(make, memory, here, say):
    await memory.remember(here, [say("My dog is called Rex.")])
    return make()


async def test_a_yes_is_taken_once_and_its_buttons_are_taken_away(desk, memory, here):
    where = Somewhere(here)
    await desk.run(where, command("memory"), "forget all")
    await desk.confirmed(where, where.shown[-1].confirm, yes=True)
    assert (where.texts[-1], where.settled) == ("1 turn forgotten.", 1)
    await desk.confirmed(where, where.shown[-2].confirm, yes=True)
    assert where.texts[-1] == TOO_LATE


async def test_a_no_leaves_everything_as_it_is(desk, memory, here):
    where = Somewhere(here)
    await desk.run(where, command("memory"), "forget all")
    token = where.shown[-1].confirm
    await desk.confirmed(where, token, yes=False)
    await desk.confirmed(where, token, yes=True)
    assert where.texts[-2:] == ["Nothing was done.", TOO_LATE]
    assert len(await memory.recent(here)) == 1


async def test_nobody_says_yes_for_somebody_else(desk, memory, here):
    where, others = Somewhere(here), Somewhere(replace(here, person="bob"))
    await desk.run(where, command("memory"), "forget all")
    await desk.confirmed(others, where.shown[-1].confirm, yes=True)
    assert (others.texts, others.settled) == ([NOT_YOURS], 0)
    await desk.confirmed(where, where.shown[-1].confirm, yes=True)
    assert where.texts[-1] == "1 turn forgotten."


async def test_what_an_earlier_process_asked_is_said_to_be_too_long_ago(desk, make, here):
    where = Somewhere(here)
    await desk.run(where, command("memory"), "forget all")
    await make().confirmed(where, where.shown[-1].confirm, yes=True)
    assert where.texts[-1] == TOO_LATE


async def test_a_yes_that_fails_is_told_calmly(make, memory, here, say):
    class Broken:
        def __getattr__(self, name):
            return getattr(memory, name)

        async def forget(self, *rest):
            raise RedisUnavailable("no server at redis://secret")

    await memory.remember(here, [say("My dog is called Rex.")])
    desk, where = make(of=Broken()), Somewhere(here)
    await desk.run(where, command("memory"), "forget all")
    await desk.confirmed(where, where.shown[-1].confirm, yes=True)
    assert where.texts[-1].startswith(SORRY.partition("{}")[0])
    assert "secret" not in where.texts[-1]


async def test_who_asks_too_much_is_told_so_and_nothing_is_asked(desk, here):
    where = Somewhere(here)
    for number in range(4):
        await desk.run(where, command("ask"), f"question {number}")
    assert (where.taken, len(where.said)) == (["question 0", "question 1", "question 2"], 3)
    assert where.texts[0].startswith("That is faster than I can answer you.")
    await desk.regenerate(where, "t1", "ada")
    assert len(where.taken) == 3, "making an answer anew counts too"


async def test_who_is_denied_is_not_answered_by_command_either(make, here):
    where = Somewhere(here)
    await make(deny=parse("person:ada")).run(where, command("ask"), "hello?")
    assert (where.taken, where.texts) == ([], [DENIED])


async def test_what_cannot_be_done_here_is_said_with_its_remedy(desk, here):
    where = Somewhere(here)
    where.fails = CommandError("invite me first")
    await desk.run(where, command("ask"), "hello?")
    assert (where.taken, where.texts) == ([], ["Invite me first."])


async def test_only_who_asked_or_a_moderator_stops_an_answer_or_has_it_made_anew(desk, here):
    bob = Somewhere(replace(here, person="bob"))
    await desk.stop(bob, "t1", "ada")
    await desk.regenerate(bob, "t1", "ada")
    assert (bob.texts, bob.taken) == ([NOT_YOURS, NOT_YOURS], [])
    moderator = Somewhere(replace(here, person="bob"), moderator=True)
    await desk.stop(moderator, "t1", "ada")
    await desk.regenerate(moderator, "t1", "ada")
    assert (moderator.texts, moderator.taken) == ([NOTHING_TO_STOP], ["My dog is called Rex."])
    await desk.regenerate(moderator, "t99", "ada")
    assert moderator.texts[-1] == NOT_ASKED


async def test_the_numbers_of_a_channels_list_hold_in_its_threads(desk, here):
    where = Somewhere(here)
    await desk.run(where, command("memory"), "list")
    thread = Somewhere(replace(here, conversation="main:1", parent="main", open_to_parent=True))
    await desk.run(thread, command("memory"), "show 1")
    assert "My dog is called Rex." in thread.texts[-1]


async def test_texts_name_commands_as_they_are_called_where_they_are_given(desk, here):
    where = Somewhere(here, slash="!{}".format)
    for line in ("", "search", "retain", "pause"):
        await desk.run(where, command("memory"), line)
    await desk.run(where, command("help"), "")
    await desk.run(where, command("privacy"), "")
    assert [text for text in where.texts if "`/" in text or "`!memory" not in text] == []


async def test_what_is_too_long_for_a_few_messages_becomes_a_file(make, here, say, memory):
    await memory.remember(here, [say("word " * 1000) for _ in range(3)])
    where = Somewhere(here)
    await make().run(where, command("memory"), "show all")
    (shown,) = where.shown
    assert shown.file is not None
    assert shown.file.text.count("word") == 3000


async def test_an_answer_that_is_not_remembered_is_not_said_to_be_kept(desk, here):
    where = Somewhere(here)
    await desk.rate(where, "t99", good=True)
    assert where.texts == ["Thank you. That answer is not remembered."]
