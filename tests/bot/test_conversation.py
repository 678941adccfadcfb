"""What is asked in one channel: what is edited, withdrawn or heard twice while it waits, and answers that break."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import pytest

from bot.conversation import Asked, Conversation, Conversations
from bot.delivery.parts import DISCORD
from bot.delivery.stream import Style
from bot.limits import Allowance, Limits
from bot.metrics import Metrics
from bot.records import Answered
from bot.replies import Replies
from tests.conftest import Talk
from tests.fakes import ManualClock, Postbox
from tests.waiting import until, until_it


class Channel:
    """A conversation whose answers are what the engine says; broken: what an answer meets before that."""

    def __init__(self, bot: Talk, burst: float) -> None:
        self.bot = bot
        self.asked: list[str] = []
        self.over = False
        self.broken: Exception | None = None
        self.held: asyncio.Event | None = None  # what an answer waits for before it begins
        self.going_on = Conversation(bot.engine, self._answer, self._end, burst)

    def says(self, text: str, id: str = "m1") -> Asked:
        asked = Asked(self.bot.incoming(text, id=id), None)
        assert self.going_on.take(asked)
        return asked

    async def taken_in(self, id: str) -> None:
        """Wait until a message is written down, and not in the queue any more: its burst has begun."""
        await until_it(lambda: self.state(id))
        await until(lambda: not len(self.going_on))

    async def state(self, id: str) -> str:
        return (await self.bot.engine.inbox.told(self.bot.scope, id)).state

    async def ended(self) -> None:
        await until(lambda: self.over)

    async def _answer(self, asked: Asked) -> None:
        self.asked.append(asked.incoming.text)
        if self.broken is not None:
            raise self.broken
        if self.held is not None:
            await self.held.wait()
        async for _ in self.bot.engine.reply(asked.incoming, shown=False):
            pass
        await self.bot.engine.inbox.done(asked.incoming)

    def _end(self) -> None:
        self.over = True


@pytest.fixture
async def channel(talk: Callable[..., Talk]):
    made = []

    def make(*script: object, burst: float = 0.4) -> Channel:
        made.append(Channel(talk(*script), burst))
        return made[-1]

    yield make
    for one in made:
        await one.going_on.stop()


async def test_what_is_deleted_before_its_burst_is_over_is_neither_answered_nor_remembered(channel):
    here = channel("never said")
    here.says("My PIN is 4711")
    await here.taken_in("m1")
    await here.going_on.withdraw({"m1"})
    await here.ended()
    assert (here.asked, await here.bot.memory.recent(here.bot.scope)) == ([], ())
    assert (await here.state("m1"), await here.bot.engine.inbox.owing(here.bot.scope.tenant)) == ("sent", False)


async def test_what_is_edited_before_its_burst_is_over_is_answered_as_it_says_now(channel):
    here = channel("Rex.")
    here.says("What is my cat called?")
    await here.taken_in("m1")
    assert here.going_on.reword("m1", "What is my dog called?")
    await here.ended()
    assert here.asked == ["What is my dog called?"]


async def test_the_rest_of_a_burst_is_answered_where_its_first_message_is_deleted(channel):
    here = channel("Fine.")
    for number, text in enumerate(("one", "two", "three"), 1):
        here.says(text, f"m{number}")
    await here.taken_in("m3")
    await here.going_on.withdraw({"m1"})
    await here.ended()
    assert here.asked == ["two\nthree"]
    assert [await here.state(one) for one in ("m1", "m2", "m3")] == ["sent", "sent", "sent"]


async def test_what_is_heard_twice_is_answered_once(channel):
    here = channel("Rex.")
    here.says("What is my dog called?")
    here.says("What is my dog called?")
    await here.ended()
    assert here.asked == ["What is my dog called?"]
    assert [turn.text for turn in await here.bot.memory.recent(here.bot.scope)] == ["What is my dog called?", "Rex."]


async def test_an_edit_that_says_the_same_does_not_begin_the_answer_anew(channel):
    goes_on = asyncio.Event()
    here = channel(["Re", goes_on, "x."], burst=0)
    here.says("What is my dog called?")
    await until(lambda: here.bot.model.prompts)
    assert here.going_on.reword("m1", "What is my dog called?")
    goes_on.set()
    await here.ended()
    assert here.asked == ["What is my dog called?"]


async def test_an_answer_that_breaks_is_given_up_and_the_next_is_answered(channel):
    here = channel("Rex.", burst=0)
    here.broken = ConnectionError("away")
    here.says("What is my dog called?")
    await here.ended()
    assert not await here.bot.engine.inbox.owing(here.bot.scope.tenant)
    assert await here.state("m1") == "sent"


async def test_a_burst_that_is_not_over_is_left_to_the_next_process(channel):
    here = channel("Rex.", burst=30)
    here.says("What is my dog called?")
    await here.taken_in("m1")
    await here.going_on.stop()
    assert [one.id for one in await here.bot.engine.inbox.unfinished(here.bot.scope.tenant)] == ["m1"]


async def test_a_burst_in_a_channel_that_is_gone_is_given_up(channel):
    here = channel("Rex.", burst=30)
    here.says("What is my dog called?")
    await here.taken_in("m1")
    await here.going_on.stop(gone=True)
    assert not await here.bot.engine.inbox.owing(here.bot.scope.tenant)


async def test_answering_anew_forgets_the_answer_and_leaves_the_disk_to_upkeep(talk, client, keys):
    bot = talk("Rex.")
    await bot.say("Who is my dog?", id="m1")
    await bot.engine.reopen(bot.incoming("Who is my dog?", id="m1"))
    assert [turn.text for turn in await bot.memory.recent(bot.scope)] == ["Who is my dog?"]
    assert await client.exists(keys.unclean)


async def test_what_is_edited_by_somebody_who_has_paused_is_forgotten(talk):
    bot = talk("Noted.")
    await bot.say("My dog is called Rex", id="m1")
    await bot.memory.pause(bot.scope)
    assert not await bot.engine.edited(bot.incoming("My PIN is 4711", id="m1"))
    assert await bot.memory.recent(bot.scope) == ()


async def test_an_answer_that_does_not_end_before_its_process_is_given_by_the_next(talk, client, keys):
    """Complaint: replies lost on restart."""
    bot, following = talk(["Re", asyncio.Event()]), talk()
    replies = Replies(bot.engine, Style(DISCORD), Limits(client, keys, Allowance()), Metrics())
    box = Postbox(ManualClock())
    going_on = Conversation(bot.engine, lambda asked: replies.give(asked, box, "main"), lambda: None, burst=0)
    going_on.take(Asked(bot.incoming("What is my dog called?", id="m1"), None))
    await until(lambda: box.shown == ["Re"])
    await going_on.stop()
    assert box.shown == ["Re"]
    [left] = await following.engine.inbox.unfinished(bot.scope.tenant)
    assert len(await following.engine.inbox.take_in(left)) == 1  # the message that it will edit
    assert [turn.role for turn in await bot.memory.recent(bot.scope)] == ["user"]


async def test_a_question_behind_an_answer_that_is_only_to_be_shown_is_answered_itself(channel, talk):
    """Complaint: replies lost on restart: the answer that was remembered says nothing to the second question."""
    earlier = talk("Rex.")
    first = earlier.incoming("What is my dog called?", id="m1")
    async with aclosing(earlier.engine.reply(first, shown=False)) as events:
        async for event in events:
            if isinstance(event, Answered):
                break
    await earlier.engine.inbox.leave(first)
    here = channel("Bello.")
    here.says("What is my dog called?", "m1")
    here.says("And the other one?", "m2")
    await here.ended()
    assert here.asked == ["What is my dog called?", "And the other one?"]
    said = [turn.text for turn in await here.bot.memory.recent(here.bot.scope)]
    assert said == ["What is my dog called?", "Rex.", "And the other one?", "Bello."]


@pytest.mark.parametrize("how", ["stop_answering", "quiet"])
async def test_what_is_stopped_before_its_answer_begins_is_not_answered_by_the_next_process(channel, how):
    here = channel(burst=0)
    here.held = asyncio.Event()
    asked = here.says("What is my dog called?")
    await until(lambda: here.asked)
    await getattr(here.going_on, how)()
    await here.ended()
    assert (await here.state("m1"), asked.incoming in here.bot.engine.inbox.leases) == ("sent", False)
    assert not await here.bot.engine.inbox.owing(here.bot.scope.tenant)


async def test_what_is_stopped_while_it_is_about_to_be_answered_anew_is_not(channel):
    here = channel(["Re", asyncio.Event()], "Bello.", burst=0)
    here.says("What is my dog called?")
    await until(lambda: here.bot.model.prompts)
    assert here.going_on.reword("m1", "What is my other dog called?")
    assert await here.going_on.stop_answering()
    await here.ended()
    assert here.asked == ["What is my dog called?"]
    assert not await here.bot.engine.inbox.owing(here.bot.scope.tenant)


async def test_the_answer_to_what_waits_is_stopped_and_the_one_before_it_goes_on(channel):
    goes_on = asyncio.Event()
    here = channel(["Re", goes_on, "x."], burst=0)
    here.says("What is my dog called?", "m1")
    await until(lambda: here.bot.model.prompts)
    here.says("And my cat?", "m2")
    await until_it(lambda: here.state("m2"))
    assert await here.going_on.stop_answering("m2")
    goes_on.set()
    await here.ended()
    assert here.asked == ["What is my dog called?"]
    assert [await here.state(one) for one in ("m1", "m2")] == ["sent", "sent"]


async def test_the_rest_of_a_burst_is_answered_where_its_first_message_is_deleted_while_it_is_answered(channel):
    here = channel(["Re", asyncio.Event()], "Fine.")
    for number, text in enumerate(("one", "two", "three"), 1):
        here.says(text, f"m{number}")
    await until(lambda: here.bot.model.prompts)
    await here.going_on.withdraw({"m1"})
    await here.ended()
    assert here.asked == ["one\ntwo\nthree", "two\nthree"]
    assert [await here.state(one) for one in ("m1", "m2", "m3")] == ["sent", "sent", "sent"]


async def test_what_comes_while_the_process_ends_is_left_to_the_next(talk):
    bot = talk()
    going_on = Conversations(bot.engine, burst=0)
    await going_on.drain(1.0)

    async def never(*_: object) -> None:
        raise AssertionError

    asked = Asked(bot.incoming("What is my dog called?", id="m1"), None)
    assert going_on.take("main", asked, never, never)
    await until_it(lambda: bot.engine.inbox.unfinished(bot.scope.tenant))
    assert len(going_on) == 0
