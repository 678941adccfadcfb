"""One answer, timed and counted; its log lines carry its turn."""

import asyncio
import contextlib
import io
import json
import logging
import re

import pytest
import structlog

from bot import observe, stopwatch
from bot.errors import DeliveryRefused, ReplyBroken
from bot.metrics import Metrics
from bot.records import Answered, Tokens
from memory.records import Status


@pytest.fixture
def logged():
    """Log everything as the bot does, and return the lines."""
    before, handlers, level = structlog.get_config(), logging.root.handlers[:], logging.root.level
    with contextlib.redirect_stderr(io.StringIO()) as written:
        observe.configure("DEBUG", re.compile(r"(key=)\w+"))
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    structlog.configure(**before)
    logging.basicConfig(level=level, handlers=handlers, force=True)


def answered(status: Status = Status.WHOLE) -> Answered:
    return Answered("Rex!", "t1", "model", (), (), Tokens(300, 40, 6000), status)


def outcomes(metrics: Metrics) -> set[str]:
    return set(re.findall(r'lorebot_messages_total\{outcome="(\w+)",platform="slack"\} 1.0', metrics.page().decode()))


async def test_every_line_of_an_answer_carries_its_turn_and_the_last_tells_what_it_took(logged):
    metrics, log = Metrics(), structlog.get_logger()
    with stopwatch.answering(metrics, "slack", "t1", channel="C1") as watch:
        log.info("mine")
        logging.getLogger("library").warning("its own")
        await asyncio.create_task(noticing())
        with stopwatch.recalling():
            await asyncio.sleep(0)
        watch.shown()
        first = watch.first_sign
        watch.shown()
        watch.answered(answered())
    log.info("afterwards")
    *inside, after = logged()
    assert [line["event"] for line in inside] == ["mine", "its own", "in a task", "turn over"]
    assert {(line["turn"], line["platform"], line["channel"]) for line in inside} == {("t1", "slack", "C1")}
    over = inside[-1]
    assert (over["outcome"], over["prompt_tokens"], over["completion_tokens"], over["recalled"]) == (
        "answered",
        300,
        40,
        0,
    )
    assert watch.first_sign == first <= watch.seconds
    assert 0 < watch.memory < watch.seconds
    assert "turn" not in after
    assert outcomes(metrics) == {"answered"}


async def noticing() -> None:
    structlog.get_logger().info("in a task")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (asyncio.CancelledError(), "stopped"),
        (DeliveryRefused("no"), "undelivered"),
        (ReplyBroken("it broke"), "failed"),
        (RuntimeError("a fault"), "failed"),
    ],
)
def test_an_answer_that_breaks_is_counted_as_what_broke_it(error, outcome):
    metrics = Metrics()
    with pytest.raises(type(error)), stopwatch.answering(metrics, "slack", "t1"):
        raise error
    assert outcomes(metrics) == {outcome}


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (None, "repeated"),
        (answered(), "answered"),
        (answered(Status.CUT), "cut"),
        (answered(Status.CANCELLED), "stopped"),
        (answered(Status.BROKEN), "failed"),
    ],
)
def test_an_answer_that_ends_is_counted_as_what_it_is(end, outcome):
    metrics = Metrics()
    with stopwatch.answering(metrics, "slack", "t1") as watch:
        if end is not None:
            watch.answered(end)
    assert outcomes(metrics) == {outcome}


def test_recalling_outside_of_an_answer_is_nobodys():
    with stopwatch.recalling():
        pass


def test_what_libraries_say_at_debug_is_not_logged_and_secrets_are_left_out(logged):
    library = logging.getLogger("library.that.says.all")
    library.setLevel(logging.DEBUG)
    library.debug("payload: %s", "my PIN is 4711")
    library.warning("GET /x?key=%s failed", "hunter2")
    try:
        raise ValueError("key=hunter2")
    except ValueError:
        structlog.get_logger().exception("mine", told="key=hunter2")
    library.setLevel(logging.NOTSET)
    warning, error = logged()
    assert warning["event"] == "GET /x?key=... failed"
    assert (error["told"], "ValueError: key=..." in error["exception"]) == ("key=...", True)
