"""Long conversations are summarised: every message is in the prompt's window or in a summary, whatever goes wrong."""

import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot.apps.chat import ChatApp, ChatOptions
from bot.apps.history import History
from bot.errors import MessageTooLong, ModelUnavailable, SettingsError
from bot.prompts import Prompts
from bot.records import Incoming
from bot.summaries import Summaries, Summarizer, compose
from memory import tasks
from memory.errors import RedisUnavailable
from memory.keys import TenantKeys
from memory.memory import Memory
from memory.records import Context, Recalled, Turn, Which
from memory.scope import Audience, Scope
from tests.bot.test_poisoned_memory import ATTEMPTS
from tests.conftest import NOON
from tests.fakes import ScriptedModel, ToyEmbedder

WIDE = {"prompt_tokens": 100_000, "context_window": 200_000}


def summed(conversation: str) -> str:
    return Prompts().render("summary", conversation=conversation)


class Apps:
    """The apps that there are, by name, and who summarises for each."""

    def __init__(self, **apps: Summarizer) -> None:
        self.apps = apps

    async def summarizer(self, app: str) -> Summarizer | None:
        return self.apps.get(app)


def summarizer(history: History, *script: object, context_window: int = 100_000) -> Summarizer:
    return Summarizer(ScriptedModel(*script, context_window=context_window), history, summed)


def worker(memory: Memory, who: Summarizer) -> Summaries:
    return Summaries(memory, Apps(chat=who))


@pytest.fixture
def mine(memory: Memory, here: Scope) -> TenantKeys:
    return memory.keys.tenant(here.tenant)


async def until(true: Callable[[], Awaitable[object]]) -> None:
    """Wait until something holds; the test's timeout ends it where it never does."""
    while not await true():
        await asyncio.sleep(0.01)


async def asked(who: Summarizer) -> None:
    """Wait until the model has been asked for a summary."""
    while not who.model.prompts:
        await asyncio.sleep(0.01)


async def made(memory: Memory, scope: Scope) -> list[Turn]:
    found = (await memory.latest(replace(scope, narrow=True), 200)).turns
    return [turn for turn in found if turn.role == "summary"]


@pytest.mark.parametrize("lag", [1, 3, 50])
@pytest.mark.parametrize(
    "history",
    [
        *(History(4, 1, 2), History(2, 1, 6), History(7, 2, 1), History(5, 0, 0), History(1, 1, 3)),
        *(History(0, 1, 8), History(40, 1, 2)),
    ],
    ids=str,
)
async def test_each_message_is_in_the_window_or_in_a_summary(talk, memory, here, mine, history, lag):
    said = 14
    bot = talk(*(f"Answer {number}." for number in range(said)), history=history, **WIDE)
    summaries = worker(memory, summarizer(history, *(f"Summary {number}." for number in range(99))))
    for number in range(said):
        covered = {one for summary in await made(memory, here) for one in summary.covers}
        before = await memory.recent(here, 100)
        await bot.say(f"Message {number}.", id=f"m{number}")
        window = [message.content for message in bot.model.prompts[-1][1:-1]]
        assert set(window) <= {turn.text for turn in before}
        if history.summary_cnt:
            assert {turn.text for turn in before if turn.id not in covered} <= set(window)
        latest = [turn.text for turn in before][max(len(before) - history.msg_ctx_cnt, 0) :]
        assert window[len(window) - len(latest) :] == latest
        if number % lag == lag - 1:
            await summaries.serve(mine)
    if history.summary_cnt:
        await summaries.serve(mine)
        assert len(await made(memory, here)) == 2 * said // history.summary_cnt
        assert {len(one.covers) for one in await made(memory, here)} <= {history.summary_cnt}
    assert await memory.jobs.waiting() == []


async def test_without_a_history_nothing_awaits_a_summary(talk, memory, here, client):
    bot = talk("Nice.", "Really.")
    await bot.say("My dog is Rex")
    assert await memory.awaiting(here, 9) == ()
    found = [key async for key in client.scan_iter(match=f"{memory.keys.namespace}:*")]
    assert not any(b":pending:" in key or b":jobs:" in key for key in found)


async def test_the_summary_that_fits_is_shown_with_its_day_beside_what_is_recalled(talk, memory, here, mine):
    history = History(2, 1, 1)
    bot = talk("Woof.", "Ping.", "Nice.", "Rex.", history=history)
    summaries = worker(memory, summarizer(history, "Ada's dog is Rex.", "Ada plays the piano.", "More."))
    for text in ("My dog is called Rex", "I play the piano", "I drink tea"):
        await bot.say(text, sent_at=NOON)
    assert await summaries.serve(mine) == 3
    answered = await bot.say("What is my dog called?")
    shown = bot.model.prompts[-1][-1].content.split("\n\n")[0]
    assert re.fullmatch(r'Summaries of what was said before:\n- \d+ \w+ \d{4}: "Ada\'s dog is Rex."', shown)
    assert "summary" not in [one.turn.role for one in answered.recalled]
    assert "My dog is called Rex" in [one.turn.text for one in answered.recalled]


def recalled(text: str, score: float = 0.5, **changes: object) -> Recalled:
    turn = Turn("s", "main", "lorebot", "Lorebot", "summary", text, NOON, covers=("a",))
    return Recalled(replace(turn, **changes), score, {})


def composed(context: Context, history: History | None, prompts: Prompts, **options: object) -> ChatApp:
    app = ChatApp(
        None,  # type: ignore[arg-type]  # composing asks nothing of it
        ScriptedModel(context_window=8000),
        prompts,
        ChatOptions(**{"prompt_tokens": 4000, "reply_tokens": 500, "history": history, **options}),  # type: ignore[arg-type]
    )
    scope = Scope("local:ada", "main", "ada", Audience.PUBLIC)
    return app.compose(Incoming("m", scope, "Ada", "And what now?", NOON), context)


def test_a_prompt_of_one_s_own_places_the_history(tmp_path):
    (tmp_path / "chat.md").write_text('You are kind. History: """\n{{history}}\n"""')
    prompt = composed(Context((recalled("Rex is a dog."),)), History(), Prompts(tmp_path))
    assert prompt.messages[0].content == 'You are kind. History: """\n- 14 November 2023: "Rex is a dog."\n"""'
    assert prompt.messages[1].content == "And what now?"


@pytest.mark.parametrize("shown", [0, 1, 2])
def test_no_more_summaries_are_shown_than_wanted(shown):
    context = Context(tuple(recalled(f"Fact {number}.", id=str(number)) for number in range(3)))
    prompt = composed(context, History(20, shown, 10), Prompts())
    assert [one.turn.text for one in prompt.told] == ["Fact 0.", "Fact 1.", "Fact 2."][:shown]
    assert composed(context, None, Prompts()).told == ()
    assert prompt.recalled == ()


def test_messages_that_are_in_no_summary_come_before_summaries_and_recalled_ones():
    recent = tuple(Turn(f"t{n}", "main", "ada", "Ada", "user", "so many words " * 90, NOON + n) for n in range(10))
    there = (Recalled(replace(recent[0], id="x", text="word " * 1500), 0.9, {}), recalled("long " * 1500))
    prompt = composed(Context(there, recent), History(), Prompts())
    assert prompt.recent == recent
    assert (prompt.recalled, prompt.told) == ((), ())
    assert prompt.tokens <= 4000


@pytest.mark.parametrize("style", [None, "small"])
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_summary_stays_one_quote_whatever_it_says(attempt, style):
    small = style is not None
    text = ATTEMPTS[attempt][:2000]
    prompt = composed(Context((recalled(text),)), History(), Prompts(None, style), small=small)
    lines = prompt.messages[-1].content.split("\n")
    assert prompt.told
    assert lines.pop(0) == ("What was said before:" if small else "Summaries of what was said before:")
    quote = lines.pop(0).removeprefix("- 14 November 2023: ")
    assert isinstance(json.loads(quote), str)
    assert "\n".join(lines).strip() == (
        "Ada asks: And what now?\nAnswer in one sentence:" if small else "And what now?"
    )


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_what_is_said_is_quoted_to_who_summarises_it(attempt):
    text = ATTEMPTS[attempt][:2000]
    said = [
        Turn("1", "main", "1", "Ada", "user", text, NOON),
        Turn("2", "main", "lorebot", "Lorebot", "assistant", text, NOON),
        Turn("3", "main", "2", "Lorebot", "user", "I am you", NOON),
    ]
    conversation = (
        compose(summarizer(History()), said).content.split("Conversation:\n")[-1].removesuffix("\n\nSummary:")
    )
    ada, bot, eve = conversation.split("\n")
    for line, who in ((ada, "Ada"), (bot, "Lorebot"), (eve, "Lorebot (a person)")):
        assert isinstance(json.loads(line.removeprefix(f"- 14 November 2023, {who}: ")), str)


def test_messages_that_do_not_fit_are_cut_alike_to_be_summarised():
    said = [Turn(str(n), "main", "1", "Ada", "user", f"{n} " + "word " * 500, NOON) for n in range(10)]
    content = compose(summarizer(History(), context_window=2000), said).content
    assert [line.count("word") > 50 for line in content.split("\n") if line.startswith("- 14")] == [True] * 10
    with pytest.raises(MessageTooLong, match="lower summary_cnt"):
        compose(summarizer(History(), context_window=750), said)


@pytest.fixture
async def long(talk, memory: Memory, here: Scope) -> History:
    """A conversation of two messages that await their summary."""
    history = History(2, 1, 1)
    await talk("Woof.", history=history).say("My dog is called Rex")
    return history


async def test_a_worker_killed_before_it_writes_is_replaced(redis_url, memory, here, mine, long):
    memory.jobs.lease = 50
    dying = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bot.dying_worker", redis_url, memory.keys.namespace),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert dying.stdout
    assert await dying.stdout.readline() == b"asked\n"
    dying.kill()
    await dying.wait()
    assert await made(memory, here) == []
    assert len(await memory.recent(here, 1, pending=True)) == 2
    who = summarizer(long, "Ada has a dog.")
    other = worker(memory, who)

    async def done() -> int:
        return await other.serve(mine)

    await until(done)
    assert [one.text for one in await made(memory, here)] == ["Ada has a dog."]
    assert await memory.jobs.waiting() == []


async def test_another_process_goes_on_with_the_conversation(talk, memory, here, mine, long, client, keys):
    another = await Memory.open(client, ToyEmbedder(), keys=keys)
    assert await worker(another, summarizer(long, "Ada's dog is Rex.")).serve(mine) == 1
    bot = talk("Rex.", history=long)
    await bot.say("What is my dog called?")
    assert "Ada's dog is Rex." in bot.model.last_prompt


async def test_two_workers_make_one_summary(memory, here, mine, long, client, keys):
    another = await Memory.open(client, ToyEmbedder(), keys=keys)
    first, second = summarizer(long, "One."), summarizer(long, "Two.")
    done = await asyncio.gather(worker(memory, first).serve(mine), worker(another, second).serve(mine))
    assert sorted(done) == [0, 1]
    assert len(first.model.prompts) + len(second.model.prompts) == 1
    assert len(await made(memory, here)) == 1


async def test_a_worker_that_was_thought_dead_writes_no_second_summary(memory, here, mine, long, client, keys):
    go_on = asyncio.Event()
    who = summarizer(long, ["One.", go_on])
    slow = asyncio.create_task(worker(memory, who).serve(mine))
    await asked(who)
    another = await Memory.open(client, ToyEmbedder(), keys=keys)
    another.jobs.lease = 1
    other = worker(another, summarizer(long, "Two."))

    async def done() -> int:
        return await other.serve(mine)

    await until(done)
    go_on.set()
    assert await slow == 0
    assert [one.text for one in await made(memory, here)] == ["Two."]


async def test_a_model_that_fails_is_asked_again_after_a_pause(memory, here, mine, long):
    memory.jobs.lease = 200
    who = summarizer(long, ModelUnavailable("away"), ModelUnavailable("away"), "", "Ada has a dog.")
    summaries = worker(memory, who)
    assert await summaries.serve(mine) == 0
    assert await summaries.serve(mine) == 0
    assert len(who.model.prompts) == 1
    assert len(await memory.recent(here, 1, pending=True)) == 2

    async def done() -> int:
        return await summaries.serve(mine)

    await until(done)
    assert len(who.model.prompts) == 4
    assert [one.text for one in await made(memory, here)] == ["Ada has a dog."]


async def test_the_pauses_grow(memory, mine, long):
    memory.jobs.lease = 200
    who = summarizer(long, *[ModelUnavailable("away")] * 3)
    summaries, loop = worker(memory, who), asyncio.get_running_loop()
    began: list[float] = []

    async def thrice() -> bool:
        now = loop.time()
        await summaries.serve(mine)
        if len(who.model.prompts) > len(began):
            began.append(now)
        return len(began) == 3

    await until(thrice)
    assert loop.time() - began[0] >= 0.6
    assert loop.time() - began[1] >= 0.4


async def test_what_fails_again_and_again_is_given_up_until_the_conversation_goes_on(
    talk, memory, here, mine, long, client
):
    memory.jobs.lease = 1
    who = summarizer(long, *[ModelUnavailable("away")] * 5, "Ada has a dog.", "And more.")
    summaries = worker(memory, who)

    async def given_up() -> bool:
        await summaries.serve(mine)
        return not await memory.jobs.waiting()

    await until(given_up)
    assert len(who.model.prompts) == 5
    assert await client.xlen(mine.dead_jobs) == 1
    assert b"ada" not in b"".join(
        part for _, fields in await client.xrange(mine.dead_jobs) for part in fields.values()
    ).replace(here.tenant.encode(), b"")
    await talk("Sure.", history=long).say("Still there?")
    assert await summaries.serve(mine) == 2


async def test_a_worker_is_woken_by_its_own_process_and_finds_what_others_left(talk, memory, here, long):
    who = summarizer(long, "Ada has a dog.", "Ada asks.")
    running = asyncio.create_task(Summaries(memory, Apps(chat=who), every=3600).run())

    async def first() -> bool:
        return len(await made(memory, here)) == 1

    async def second() -> bool:
        return len(await made(memory, here)) == 2

    await until(first)
    await talk("Sure.", history=long).say("Still there?")
    await until(second)
    await tasks.ended(running)


async def test_the_jobs_of_an_app_that_is_gone_are_dropped(memory, mine, long):
    assert await Summaries(memory, Apps()).serve(mine) == 0
    assert await memory.jobs.waiting() == []


async def test_a_job_that_another_version_wrote_is_dropped(memory, here, mine, say):
    from memory.pending import Due

    await memory.remember(here, [say("one")], due=Due(1, "{}"))
    assert await worker(memory, summarizer(History(1))).serve(mine) == 0
    assert await memory.jobs.waiting() == []


async def test_what_is_edited_while_it_is_summarised_is_summarised_anew(memory, here, mine, long):
    go_on = asyncio.Event()
    who = summarizer(long, ["Rex.", go_on], "Max.")
    doing = asyncio.create_task(worker(memory, who).serve(mine))
    await asked(who)
    first, _ = await memory.awaiting(here, 2)
    assert await memory.edit(here, first.id, "My dog is called Max")
    go_on.set()
    assert await doing == 1
    assert [one.text for one in await made(memory, here)] == ["Max."]
    assert "called Max" in who.model.last_prompt


async def test_what_is_forgotten_is_in_no_summary_and_in_no_queue(talk, memory, here, mine, long, client):
    await worker(memory, summarizer(long, "Ada's dog is Rex.")).serve(mine)
    bot = talk("Hm.", "Hm.", history=long)
    await memory.forget(here, Which(person="ada"))
    await bot.say("What is my dog called?")
    assert "Rex" not in bot.model.last_prompt
    assert len(await memory.awaiting(here, 9)) == 2
    await memory.forget(here, Which(person="ada"))
    left = [key async for key in client.scan_iter(match=f"{memory.keys.namespace}:*{{{mine.digest}}}*")]
    assert not [key for key in left if any(kind in key for kind in (b":jobs:", b":queued:", b":pending:", b":summar"))]


async def test_a_summary_of_a_private_conversation_is_shown_there_alone(talk, memory, here, mine, long):
    private = Scope(here.tenant, "diary", "ada", Audience.PRIVATE)
    bot = talk("Woof.", "Hm.", "Hm.", history=replace(long, summary_ctx_cnt=2))
    await bot.say("My puppy is Xantippe", scope=private)
    who = summarizer(long, "Ada's dog is Rex.", "Ada's puppy is Xantippe.")
    assert await worker(memory, who).serve(mine) == 2
    (summary,) = await made(memory, private)
    assert summary.covers == tuple(turn.id for turn in await memory.recent(private))
    await bot.say("What is my puppy, the dog, called?")
    assert "Xantippe" not in bot.model.last_prompt
    await bot.say("What is my puppy, the dog, called?", scope=private)
    assert "Ada's puppy is Xantippe." in bot.model.last_prompt


async def test_a_paused_person_is_not_summarised(talk, memory, here, mine):
    history = History(1, 1, 1)
    await memory.pause(here)
    await talk("Woof.", history=history).say("My dog is called Rex")
    assert await memory.jobs.waiting() == []
    assert await memory.awaiting(here, 9) == ()


async def test_what_was_said_while_memory_was_away_awaits_its_summary_too(talk, memory, here):
    bot = talk("Woof.", history=History(9, 1, 1))
    backlog = bot.engine.backlog
    backlog.went(RedisUnavailable("away"))
    await bot.say("My dog is called Rex")
    assert await backlog.caught_up(now=True)
    assert [turn.text for turn in await memory.awaiting(here, 9)] == ["My dog is called Rex", "Woof."]


@pytest.mark.parametrize("numbers", [(-1, 1, 1), (1, -1, 1), (1, 1, -1), (10_000, 1, 1)])
def test_numbers_that_make_no_sense_are_refused(numbers):
    with pytest.raises(SettingsError, match="must be from 0 to"):
        History(*numbers)
