"""Replies shown while they are made: first words at once, edits at a pace, and the end in any case."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.delivery.mentions import quiet_on_slack
from bot.delivery.pace import Pace, Paces
from bot.delivery.parts import Limit
from bot.delivery.receipts import Receipt
from bot.delivery.split import split
from bot.delivery.stream import ANEW, SORRY, TRIES, Controls, Style, _Reply, nonce, show
from bot.errors import DeliveryError, DeliveryRefused, MessageLost, ModelBusy, NotYet, SlowDown
from tests.fakes import ManualClock, Postbox

PLAIN = Style(Limit(2000))
SMALL = Style(Limit(100))
LONG = " ".join(f"word{number}" for number in range(50))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def pace(clock: ManualClock) -> Pace:
    return Pace(clock, 1.0)


class Model:
    """Says a piece every so many seconds; an error among the pieces is raised."""

    def __init__(self, clock: ManualClock, *pieces: str | Exception, every: float = 0.3) -> None:
        self.said: list[str] = []
        self._clock = clock
        self._pieces = pieces
        self._every = every

    async def __aiter__(self) -> AsyncIterator[str]:
        for piece in self._pieces:
            await self._clock.sleep(self._every)
            if isinstance(piece, Exception):
                raise piece
            self.said.append(piece)
            yield piece


async def test_the_first_words_are_shown_at_once_and_edits_keep_their_distance(clock, pace):
    outlet = Postbox(clock)
    words = [f"{number} " for number in range(12)]
    assert await show(aiter(Model(clock, *words)), outlet, "t", PLAIN, pace) == ["m1"]
    assert [(round(at, 3), kind) for at, kind, _ in outlet.calls] == [
        *[(0.3, "send"), (1.3, "edit"), (2.3, "edit"), (3.3, "edit"), (4.3, "edit")]
    ]
    assert outlet.calls[0][2] == "0"
    assert outlet.calls[1][2] == "0 1 2 3", "the newest text wins"
    assert outlet.shown == ["".join(words).strip()]


async def test_the_end_of_an_answer_that_was_never_edited_is_shown_at_once(clock, pace):
    outlet = Postbox(clock)
    await show(aiter(Model(clock, "one ", "two ", "three")), outlet, "t", PLAIN, pace)
    assert [(round(at, 3), kind, text) for at, kind, text in outlet.calls] == [
        (0.3, "send", "one"),
        (0.9, "edit", "one two three"),
    ]


async def test_the_messages_of_an_answer_that_is_there_all_at_once_keep_their_distance(clock, pace):
    outlet = Postbox(clock)
    await show(aiter(Model(clock, LONG)), outlet, "t", SMALL, pace)
    times = [round(at, 3) for at, _, _ in outlet.calls]
    assert times == [0.3, 0.3, 1.3, 2.3]


async def test_thinking_is_shown_at_once_until_there_are_words(clock, pace):
    outlet = Postbox(clock)
    await show(aiter(Model(clock, "Paris.", every=5)), outlet, "t", Style(Limit(2000), thinking="…"), pace)
    assert outlet.calls == [(0.0, "send", "…"), (5.0, "edit", "Paris.")]


async def test_half_a_character_is_shown_as_a_question_mark(clock, pace):
    outlet = Postbox(clock)
    await show(aiter(Model(clock, "Rex \ud83d", "!")), outlet, "t", PLAIN, pace)
    assert outlet.shown == ["Rex ?!"]


async def test_nothing_said_leaves_nothing(clock, pace):
    outlet = Postbox(clock)
    assert await show(aiter(Model(clock)), outlet, "t", Style(Limit(2000), thinking="…"), pace) == []
    assert outlet.shown == []
    silent = Postbox(clock)
    assert await show(aiter(Model(clock, " \n")), silent, "t", PLAIN, pace) == []
    assert silent.calls == []


async def test_one_call_at_a_time_however_slow(clock, pace):
    outlet = Postbox(clock, takes=2.5)
    await show(aiter(Model(clock, *LONG.split(" "))), outlet, "t", SMALL, pace)
    assert outlet.most_busy == 1
    assert "".join(outlet.shown) == LONG.replace(" ", "")


async def test_a_long_reply_goes_on_in_the_next_message(clock, pace):
    outlet = Postbox(clock)
    sent = await show(aiter(Model(clock, *LONG.split(" "))), outlet, "t", SMALL, pace)
    text = LONG.replace(" ", "")
    assert outlet.shown == [part.shown for part in split(text, SMALL.limit)]
    assert sent == list(outlet.messages)
    times = [at for at, _, _ in outlet.calls]
    assert all(later - earlier > 0.999 for earlier, later in pairwise(times))


async def test_beyond_so_many_messages_the_rest_is_a_file(clock, pace):
    outlet = Postbox(clock)
    style = Style(Limit(100), parts=2)
    text = "```py\n" + "x = 1\n" * 60 + "```"
    sent = await show(aiter(Model(clock, *text)), outlet, "t", style, pace)
    first, second, last = outlet.shown
    assert [first, second] == [part.shown for part in split(text, style.limit)][:2]
    assert last == style.beyond
    assert outlet.files["answer.md"].startswith("```py\nx = 1\n")
    assert (first + second + outlet.files["answer.md"]).count("x = 1\n") == 60
    assert sent == list(outlet.messages)


async def test_a_rate_limit_delays_but_never_silences(clock, pace):
    outlet = Postbox(clock, None, SlowDown("slow down", after=7.5), SlowDown("slow down", after=2))
    words = [f"{number} " for number in range(30)]
    await show(aiter(Model(clock, *words)), outlet, "t", PLAIN, pace)
    assert [round(at, 3) for at, _, _ in outlet.calls[:4]] == [0.3, 1.3, 8.8, 10.8]
    assert outlet.shown == ["".join(words).strip()]


async def test_what_is_better_shown_later_waits_for_its_time_or_for_the_end(clock, pace):
    outlet = Postbox(clock, NotYet("many answer", after=5.0), NotYet("many answer", after=60.0))
    words = [f"{number} " for number in range(70)]
    await show(aiter(Model(clock, *words)), outlet, "t", PLAIN, pace)
    assert [(round(at, 3), kind) for at, kind, _ in outlet.calls] == [(0.3, "send"), (5.3, "send"), (21.0, "send")]
    assert outlet.shown == ["".join(words).strip()]


async def test_however_often_it_is_better_shown_later_it_is_shown_in_the_end(clock, pace):
    outlet = Postbox(clock, *[NotYet("many answer", after=1.0) for _ in range(40)])
    words = [f"{number} " for number in range(200)]
    await show(aiter(Model(clock, *words)), outlet, "t", PLAIN, pace)
    assert outlet.shown == ["".join(words).strip()]


async def test_a_limit_that_is_not_the_channels_holds_up_one_reply_alone_and_its_end_too(clock):
    pace, slow, other = Pace(clock), Postbox(clock, SlowDown("slow down", after=30.0, alone=True)), Postbox(clock)
    shows = [show(aiter(Model(clock, "Paris")), one, "t", PLAIN, pace) for one in (slow, other)]
    await asyncio.gather(*shows)
    assert [round(at, 3) for at, _, _ in slow.calls] == [0.3, 30.3]
    assert [round(at, 3) for at, _, _ in other.calls] == [0.3]


async def test_the_end_is_shown_though_the_last_edit_failed(clock, pace):
    outlet = Postbox(clock, None, DeliveryError("network"), DeliveryError("network"))
    await show(aiter(Model(clock, "Paris", " it is.")), outlet, "t", PLAIN, pace)
    assert [kind for _, kind, _ in outlet.calls] == ["send", "edit", "edit", "edit"]
    assert outlet.shown == ["Paris it is."]


async def test_a_send_whose_answer_got_lost_is_not_seen_twice(clock, pace):
    outlet = Postbox(clock, (DeliveryError("timeout"),))
    await show(aiter(Model(clock, "Paris")), outlet, "t", PLAIN, pace)
    assert [kind for _, kind, _ in outlet.calls] == ["send", "send"]
    assert outlet.messages == {"m1": "Paris"}


async def test_a_message_deleted_meanwhile_is_sent_anew(clock, pace):
    outlet = Postbox(clock, None, MessageLost("deleted"))
    assert await show(aiter(Model(clock, "Paris", " it is.")), outlet, "t", PLAIN, pace) == ["m2"]
    assert outlet.messages["m2"] == "Paris it is."


async def test_who_deletes_it_again_and_again_gets_it_no_more(clock, pace):
    outlet = Postbox(clock, *[None, MessageLost("deleted")] * 5)
    with pytest.raises(MessageLost):
        await show(aiter(Model(clock, *"abcdefghijklmnop")), outlet, "t", PLAIN, pace)
    assert [kind for _, kind, _ in outlet.calls] == ["send", "edit"] * 3


async def test_where_the_bot_may_not_write_the_answer_is_read_to_its_end(clock, pace):
    outlet = Postbox(clock, DeliveryRefused("no permission"))
    model = Model(clock, "a", "b", "c")
    with pytest.raises(DeliveryRefused):
        await show(aiter(model), outlet, "t", PLAIN, pace)
    assert model.said == ["a", "b", "c"]
    assert len(outlet.calls) == 1


async def test_it_is_not_tried_for_ever(clock, pace):
    outlet = Postbox(clock, *[DeliveryError("network")] * 100)
    with pytest.raises(DeliveryError):
        await show(aiter(Model(clock, "a")), outlet, "t", PLAIN, pace)
    assert len(outlet.calls) == TRIES + 1


async def test_stop_leaves_what_was_said_with_a_mark(clock, pace):
    outlet = Postbox(clock)
    showing = asyncio.create_task(
        show(aiter(Model(clock, *["```\ncode\n"] + ["more\n"] * 90)), outlet, "t", PLAIN, pace)
    )
    while len(outlet.calls) < 3:
        await asyncio.sleep(0)
    showing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await showing
    (left,) = outlet.shown
    assert left.startswith("```\ncode\nmore\n")
    assert left.endswith("more\n```\n\n*(stopped)*")


async def test_stop_before_a_word_leaves_only_the_mark_or_nothing(clock, pace):
    for mark, left in [("*(stopped)*", ["*(stopped)*"]), ("", []), (None, ["…"])]:
        outlet = Postbox(clock)
        style = Style(Limit(2000), thinking="…", stopped=mark)
        showing = asyncio.create_task(show(aiter(Model(clock, "late", every=99)), outlet, "t", style, pace))
        while not outlet.calls:
            await asyncio.sleep(0)
        showing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await showing
        assert outlet.shown == left


async def test_stopping_again_does_not_lose_the_end(clock, pace):
    outlet = Postbox(clock, takes=1.0)
    showing = asyncio.create_task(show(aiter(Model(clock, *"abcdefgh", every=0.4)), outlet, "t", PLAIN, pace))
    while not outlet.calls:
        await asyncio.sleep(0)
    while not showing.done():
        showing.cancel()
        await asyncio.sleep(0)
    assert showing.cancelled()
    assert outlet.shown[0].endswith("*(stopped)*")


async def test_stop_may_mean_to_write_nothing_more(clock, pace):
    outlet = Postbox(clock)
    style = Style(Limit(2000), stopped=None)
    showing = asyncio.create_task(show(aiter(Model(clock, *"abcdefghijklmnop")), outlet, "t", style, pace))
    while len(outlet.calls) < 2:
        await asyncio.sleep(0)
    before = list(outlet.calls)
    showing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await showing
    assert outlet.calls == before


FAILS = st.sampled_from(
    [None, DeliveryError("lost"), SlowDown("wait", after=3.0), (DeliveryError("its answer was lost"),)]
)


@given(fails=st.lists(FAILS, max_size=TRIES), stopped_at=st.none() | st.floats(0, 12))
@settings(max_examples=60, deadline=None)
def test_the_end_is_delivered_once_whatever_fails_on_the_way(fails, stopped_at):
    async def shown() -> tuple[str, list[str]]:
        clock = ManualClock()
        outlet = Postbox(clock, *fails, takes=0.2)
        model = Model(clock, *(f"word{number} " for number in range(40)))
        showing = asyncio.create_task(show(aiter(model), outlet, "t", SMALL, Pace(clock, 1.0)))
        if stopped_at is not None:
            await clock.sleep(stopped_at)
            showing.cancel()
        await asyncio.wait([showing])
        mark = "\n\n*(stopped)*" if showing.cancelled() and len(model.said) < 40 else ""
        said = "".join(model.said)
        return (said + mark if said else mark.strip()), outlet.shown

    text, messages = asyncio.run(shown())
    assert messages == [part.shown for part in split(text, SMALL.limit)]


async def test_a_model_that_breaks_leaves_a_calm_sentence_with_the_turn(clock, pace):
    outlet = Postbox(clock)
    with pytest.raises(ModelBusy):
        await show(aiter(Model(clock, "Par", ModelBusy("429 from key sk-1"))), outlet, "t7", PLAIN, pace)
    assert outlet.shown == [f"Par\n\n{ModelBusy.calm} (turn t7)"]
    other = Postbox(clock)
    with pytest.raises(KeyError):
        await show(aiter(Model(clock, KeyError("secret"))), other, "t8", PLAIN, pace)
    assert other.shown == [f"{SORRY} (turn t8)"]


async def test_all_replies_of_a_channel_share_its_timer(clock):
    paces = Paces(clock, 1.0)
    outlet = Postbox(clock)
    here, other = paces.of("c1"), paces.of("c2")
    assert here is paces.of("c1")
    assert here is not other
    words = [f"{number} " for number in range(9)]
    await asyncio.gather(*(show(aiter(Model(clock, *words)), outlet, turn, PLAIN, here) for turn in ("t1", "t2")))
    edits = [at for at, kind, _ in outlet.calls if kind == "edit"]
    assert all(later - earlier > 0.999 for earlier, later in pairwise(edits))
    assert outlet.shown == ["".join(words).strip()] * 2


async def test_after_a_restart_what_was_sent_is_edited_and_what_is_too_much_taken_back(clock, pace):
    outlet = Postbox(clock)
    before = await show(aiter(Model(clock, LONG)), outlet, "t", SMALL, pace)
    assert len(before) > 1
    already = [Receipt(message) for message in before]
    assert await show(aiter(Model(clock, "Short.")), outlet, "t", SMALL, pace, already) == ["m1"]
    assert outlet.messages == {"m1": "Short."}


async def test_after_a_restart_that_knows_nothing_the_nonce_finds_the_message(clock, pace):
    outlet = Postbox(clock)
    await show(aiter(Model(clock, "Paris")), outlet, "t", PLAIN, pace)
    assert await show(aiter(Model(clock, "Paris, again")), outlet, "t", PLAIN, pace) == ["m1"]
    assert outlet.messages == {"m1": "Paris, again"}


async def test_after_a_restart_the_file_is_sent_anew(clock, pace):
    outlet = Postbox(clock)
    style = Style(Limit(100), parts=1)
    before = await show(aiter(Model(clock, LONG)), outlet, "t", style, pace)
    already = [Receipt(message) for message in before]
    after = await show(aiter(Model(clock, LONG + " and more")), outlet, "t", style, pace, already)
    assert after == ["m1", "m3"] == list(outlet.messages)
    assert outlet.files["answer.md"].endswith("and more")


class Killed(BaseException):
    """Nothing in delivery catches it."""


class Kept:
    """Receipts as they would be found after a crash; dies before the n-th is written."""

    def __init__(self, dies: int = 99) -> None:
        self.parts: dict[int, Receipt] = {}
        self._left = dies

    async def sending(self, part: int, anew: int) -> None:
        self._write(part, Receipt("", anew, time.time_ns() // 1_000_000))

    async def sent(self, part: int, anew: int, message: str) -> None:
        self._write(part, Receipt(message, anew))

    def _write(self, part: int, receipt: Receipt) -> None:
        self._left -= 1
        if self._left < 0:
            raise Killed
        self.parts[part] = receipt

    def found(self, age: float = 0.0) -> list[Receipt]:
        """Return them as they are so many seconds later."""
        return [replace(one, at=one.at and one.at - int(age * 1000)) for one in self.parts.values()]


async def test_what_stands_where_is_written_down_before_and_after_each_send(clock, pace):
    kept = Kept()
    sent = await show(aiter(Model(clock, LONG)), Postbox(clock), "t", SMALL, pace, receipts=kept)
    assert [one.message for one in kept.parts.values()] == sent


@pytest.mark.parametrize("age", [0.0, 3600.0], ids=["lately", "long ago"])
@pytest.mark.parametrize("dies", range(10))
async def test_whoever_goes_on_after_a_crash_shows_every_part_once(clock, pace, dies, age):
    outlet, kept = Postbox(clock), Kept(dies)
    with contextlib.suppress(Killed):
        reply = _Reply(outlet, "t", SMALL, pace, (), kept)
        reply.add(LONG)
        reply.end()
        await reply.write()
    await show(aiter(Model(clock, LONG)), outlet, "t", SMALL, pace, kept.found(age), Kept())
    assert " ".join(outlet.shown) == LONG


async def test_a_part_that_may_be_there_already_is_sent_again_and_so_marked(clock, pace):
    outlet = Postbox(clock)
    await outlet.send("Paris", nonce("t", 0))
    outlet.blind = True
    already = [Receipt("", 0, at=1)]
    await show(aiter(Model(clock, "Paris")), outlet, "t", PLAIN, pace, already)
    assert outlet.shown == ["Paris", f"Paris\n\n{PLAIN.twice}"]


async def test_only_the_last_message_has_controls_and_at_the_end_others(clock, pace):
    outlet = Postbox(clock)
    style = Style(Limit(100), controls=True)
    showing = asyncio.create_task(show(aiter(Model(clock, *LONG.split(" "))), outlet, "t", style, pace))
    while len(outlet.messages) < 2:
        await asyncio.sleep(0)
    assert list(outlet.controls.values()) == [Controls.NONE, Controls.STOP]
    await showing
    assert list(outlet.controls.values()) == [Controls.NONE] * (len(outlet.messages) - 1) + [Controls.DONE]


async def test_a_reply_that_is_to_be_made_anew_is_left_as_it_is(clock, pace):
    outlet = Postbox(clock)
    showing = asyncio.create_task(show(aiter(Model(clock, *"abcdefgh", every=0.4)), outlet, "t", PLAIN, pace))
    while not outlet.calls:
        await asyncio.sleep(0)
    showing.cancel(ANEW)
    with pytest.raises(asyncio.CancelledError):
        await showing
    assert PLAIN.stopped not in outlet.shown[0]


async def test_mentions_are_made_quiet_though_they_come_in_pieces(clock, pace):
    outlet = Postbox(clock)
    style = Style(Limit(2000), quiet=quiet_on_slack)
    await show(aiter(Model(clock, "Hey <!chan", "nel> all")), outlet, "t", style, pace)
    assert not any("<!channel" in text for _, _, text in outlet.calls)


def test_a_nonce_is_the_same_every_time_and_fits_discord():
    assert nonce("turn", 1) == nonce("turn", 1)
    assert len({nonce("turn", 1), nonce("turn", 2), nonce("turn", 1, 1), nonce("turn1", 1), nonce("turn", 11)}) == 5
    assert len(nonce("t" * 100, 10)) == 24
