"""What is asked in one channel: what is edited, withdrawn or heard twice while it waits, and answers that break."""

import asyncio
from collections.abc import Callable

import pytest

from bot.conversation import Asked, Conversation
from bot.delivery.parts import DISCORD
from bot.delivery.stream import Style
from bot.limits import Allowance, Limits
from bot.metrics import Metrics
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
