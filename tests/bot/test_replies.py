"""One visible reply to each message, also where two hold it for theirs."""

import pytest

from bot.conversation import Asked
from bot.delivery.parts import Limit
from bot.delivery.stream import Style
from bot.limits import Allowance, Limits
from bot.metrics import Metrics
from bot.replies import Replies
from tests.fakes import ManualClock, Postbox


@pytest.fixture
def outlet() -> Postbox:
    return Postbox(ManualClock())


async def test_an_answer_that_is_finished_meanwhile_is_not_taken_back(talk, memory, client, outlet):
    """As when Discord delivers a question twice, or two processes take up what a third left."""
    bot = talk("Rex.")
    replies = Replies(bot.engine, Style(Limit(2000)), Limits(client, memory.keys, Allowance()), Metrics())
    incoming = bot.incoming("Who is my dog?")
    await replies.give(Asked(incoming, None), outlet, "general")
    receipts = (await bot.engine.inbox.told(incoming.scope, incoming.id)).receipts
    assert [one.message for one in receipts] == ["m1"]
    await replies.give(Asked(incoming, None, already=receipts), outlet, "general")
    assert outlet.messages == {"m1": "Rex."}


async def test_an_answer_that_another_process_is_making_is_not_told_to_be_shown(talk, memory, client, outlet):
    """Who was frozen for so long that another took its message up: if that one is killed, a third must find it."""
    thawed, other = talk(), talk()
    replies = Replies(thawed.engine, Style(Limit(2000)), Limits(client, memory.keys, Allowance()), Metrics())
    incoming = thawed.incoming("Who is my dog?")
    await other.engine.inbox.take_in(incoming)
    assert await replies.give(Asked(incoming, None, taken=True), outlet, "general") is None
    assert await thawed.engine.inbox.owing(incoming.scope.tenant)
    assert outlet.messages == {}
