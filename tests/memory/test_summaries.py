"""Summaries are turns that are made of turns: recalled as they are, and gone with any of them."""

import asyncio
import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ulid import ULID

from memory import connect, index, summaries
from memory.keys import Keys
from memory.memory import Memory
from memory.pending import Due
from memory.records import Forgotten, Turn, Which, answer_id
from memory.scope import Audience, Operator, Scope
from memory.transfer import read_jsonl
from tests.fakes import ToyEmbedder
from tests.memory.test_forgetting import holding

DUE = Due(3, "a job")


@pytest.fixture
def staff() -> Scope:
    return Scope("local:ada", "staff", "ada", Audience.PRIVATE)


async def told(memory: Memory, scope: Scope, say, *texts: str, due: Due | None = DUE) -> list[Turn]:
    said = [say(text, conversation=scope.conversation) for text in texts]
    await memory.remember(scope, said, due=due)
    return said


async def summarised(memory: Memory, scope: Scope, text: str, count: int = 3) -> bool:
    sources = await memory.awaiting(scope, count)
    return await memory.summarise(scope, sources, text, person="lorebot", author="Lorebot")


async def test_a_summary_is_recalled_and_stands_in_no_window(memory, here, say):
    said = await told(memory, here, say, "I have a dog", "He is called Rex", "He eats cake", "I play the piano")
    assert await memory.awaiting(here, 3) == tuple(said[:3])
    assert await summarised(memory, here, "Ada has a puppy, Rex.")
    assert await memory.awaiting(here, 9) == (said[3],)
    assert await memory.recent(here) == tuple(said)
    ids = ("t1", "t2", "t3")
    summary = Turn(summaries.summary_id(ids), "main", "lorebot", "Lorebot", "summary", "Ada has a puppy, Rex.",
                   said[2].sent_at, covers=ids)  # fmt: skip
    assert summary in [one.turn for one in await memory.recall(here, "Which pet has Ada?")]
    assert await memory.get(here, summary.id) == summary
    assert summary in (await memory.latest(here)).turns


async def test_summaries_take_no_turn_s_place_where_they_are_told_beside(memory, here, say):
    await told(memory, here, say, "I have a dog", "He is called Rex", "He eats cake", "My dog is a puppy")
    await summarised(memory, here, "Ada has a puppy, the dog Rex.")
    found = await memory.recall(here, "Which dog?", 2, told=1)
    assert [one.turn.role for one in found] == ["user", "user", "summary"]


async def test_the_window_shows_all_that_awaits_a_summary(memory, here, say):
    said = await told(memory, here, say, "one", "two", "three", "four", "five")
    assert await memory.recent(here, 2) == tuple(said[3:])
    assert await memory.recent(here, 2, pending=True) == tuple(said)
    await summarised(memory, here, "Ada counts.")
    assert await memory.recent(here, 1, pending=True) == tuple(said[3:])
    assert await memory.recent(here, 4, pending=True) == tuple(said[1:])


async def test_a_fresh_start_empties_that_window_too(memory, here, say):
    await told(memory, here, say, "one", "two")
    await memory.begin_anew(here)
    (last,) = await told(memory, here, say, "three")
    assert await memory.recent(here, 2, pending=True) == (last,)
    assert len(await memory.awaiting(here, 9)) == 3


async def test_a_summary_lends_its_words_to_no_turn(memory, here, say, client, keys):
    await told(memory, here, say, "one", "two", "three")
    await summarised(memory, here, "quinoa")
    await told(memory, here, say, "four")
    assert len(await holding(client, keys, "quinoa")) == 1


async def test_the_same_messages_are_summarised_once(memory, here, say):
    await told(memory, here, say, "one", "two", "three")
    sources = await memory.awaiting(here, 3)
    both = await asyncio.gather(
        *(memory.summarise(here, sources, text, person="lorebot", author="Lorebot") for text in ("this", "that"))
    )
    assert sorted(both) == [False, True]
    assert (await memory.latest(here)).total == 4


@pytest.mark.parametrize("how", ["forgotten", "edited"])
async def test_what_was_changed_meanwhile_is_not_summarised(memory, here, say, how):
    said = await told(memory, here, say, "one", "two", "three")
    sources = await memory.awaiting(here, 3)
    if how == "edited":
        await memory.edit(here, "t2", "two and a half")
    else:
        await memory.forget(here, Which(turns=(("main", "t2"),)))
    assert not await memory.summarise(here, sources, "One, two.", person="lorebot", author="Lorebot")
    left = await memory.awaiting(here, 9)
    assert [turn.id for turn in left] == [one.id for one in said if how == "edited" or one.id != "t2"]
    assert (await memory.latest(here)).total == len(left)


async def test_a_summary_is_forgotten_with_any_of_its_sources(memory, here, say, client, keys):
    said = await told(memory, here, say, "one", "my zebra", "three")
    await summarised(memory, here, "Quinoa, says Ada.")
    await memory.recall(here, "Quinoa, says Ada.")  # cached
    assert await memory.forget(here, Which(turns=(("main", "t2"),))) == Forgotten(2)
    assert await holding(client, keys, "quinoa", "zebra") == []
    cached = keys.tenant(here.tenant).embedding("toy", "Quinoa, says Ada.")
    assert await client.exists(cached) == 0
    assert await memory.awaiting(here, 9) == (said[0], said[2])
    assert await client.exists(keys.tenant(here.tenant).covered(here.conversation_tag)) == 0


async def test_a_summary_is_forgotten_with_an_answer_that_it_covers(memory, here, say, client, keys):
    asked = say("A question")
    answer = say("An answer", "Lorebot", id=answer_id(asked.id), role="assistant", to="ada")
    await memory.remember(here, [asked], due=DUE)
    await memory.remember(here, [answer, say("Thanks", "Bob")], due=DUE)
    assert await memory.awaiting(here, 9)
    sources = (await memory.awaiting(here, 9))[1:]
    assert await memory.summarise(here, sources, "quinoa", person="lorebot", author="Lorebot")
    assert (await memory.forget(here, Which(person="ada"))).turns == 3
    assert await holding(client, keys, "quinoa") == []
    assert [turn.text for turn in await memory.awaiting(here, 9)] == ["Thanks"]


async def test_an_edit_forgets_the_summary_and_its_sources_await_another(memory, here, say, client, keys):
    said = await told(memory, here, say, "one", "two", "three")
    await summarised(memory, here, "Quinoa, says Ada.")
    await memory.recall(here, "Quinoa, says Ada.")  # cached
    assert await memory.edit(here, "t2", "two and a half")
    assert await holding(client, keys, "quinoa") == []
    assert await client.exists(keys.tenant(here.tenant).embedding("toy", "Quinoa, says Ada.")) == 0
    assert await memory.awaiting(here, 9) == (said[0], replace(said[1], text="two and a half"), said[2])
    assert await summarised(memory, here, "Ada counts in halves.")


async def test_a_summary_that_is_forgotten_itself_leaves_its_sources_waiting(memory, here, say):
    said = await told(memory, here, say, "one", "two", "three")
    await summarised(memory, here, "Ada counts.")
    summary = await _only_summary(memory, here)
    assert await memory.forget(here, Which(turns=(("main", summary.id),))) == Forgotten(1)
    assert await memory.awaiting(here, 9) == tuple(said)


async def _only_summary(memory: Memory, scope: Scope) -> Turn:
    (found,) = [turn for turn in (await memory.latest(scope, 99)).turns if turn.role == "summary"]
    return found


async def test_a_summary_s_own_text_can_be_changed(memory, here, say):
    await told(memory, here, say, "one", "two", "three")
    await summarised(memory, here, "Ada counts.")
    summary = await _only_summary(memory, here)
    assert await memory.edit(here, summary.id, "Ada counts to three.")
    assert await _only_summary(memory, here) == replace(summary, text="Ada counts to three.")


async def test_what_is_too_old_is_forgotten_with_its_summary(memory, here, say, client, keys):
    await told(memory, here, say, "one", "two", "three")
    await summarised(memory, here, "quinoa")
    await memory.retain(here, 1)
    assert (await memory.upkeep()).expired == 4
    assert await holding(client, keys, "quinoa") == []
    left = [key async for key in client.scan_iter(match=f"{keys.namespace}:*")]
    mine = keys.tenant(here.tenant)
    assert mine.jobs.encode() not in left
    assert not any(key.startswith((mine.of("pending").encode(), mine.of("summaries").encode())) for key in left)


async def test_a_summary_is_recalled_where_its_sources_are(memory, here, staff, say):
    await told(memory, staff, say, "my dog", "a puppy", "he is Rex")
    await summarised(memory, staff, "A dog named Rex.")
    assert "summary" in [one.turn.role for one in await memory.recall(staff, "dog")]
    assert await memory.recall(here, "dog", anyway=True) == []


async def test_a_summary_is_closed_and_opened_with_its_conversation(memory, here, say):
    elsewhere = replace(here, conversation="another")
    await told(memory, here, say, "my dog", "a puppy", "he is Rex")
    await summarised(memory, here, "A dog named Rex.")
    private = replace(here, audience=Audience.PRIVATE)

    async def found(scope: Scope) -> bool:
        return "summary" in [one.turn.role for one in await memory.recall(scope, "dog")]

    assert await found(elsewhere)
    await memory.moved(private)
    assert not await found(elsewhere)
    assert await found(private)
    await memory.upkeep()
    assert not await found(elsewhere)
    await memory.moved(here)
    await memory.upkeep()
    assert await found(elsewhere)


async def test_a_stale_scope_does_not_open_a_summary(memory, here, say):
    elsewhere = replace(here, conversation="another")
    await told(memory, here, say, "my dog", "a puppy", "he is Rex")
    await memory.moved(replace(here, audience=Audience.PRIVATE))
    await memory.upkeep()
    assert await summarised(memory, here, "A dog named Rex.")
    assert await memory.recall(elsewhere, "dog", anyway=True) == []


async def test_a_paused_person_s_words_do_not_wait_for_a_summary(memory, here, say):
    await memory.pause(here)
    await memory.hear(here, say("hush"), k=5, window=5, due=DUE)
    assert await memory.awaiting(here, 9) == ()


async def test_a_job_is_queued_once_until_it_is_done(memory, here, say, keys):
    mine = keys.tenant(here.tenant)
    await told(memory, here, say, "one", "two")
    assert await memory.jobs.waiting() == []
    await told(memory, here, say, "three", "four")
    assert await memory.jobs.waiting() == [mine]
    assert await memory.jobs.rung(5) == [mine]
    job = await memory.jobs.take(mine, "me")
    assert job is not None
    assert (job.told, job.conversation, job.delivery) == ("a job", here.conversation_tag, 1)
    assert await memory.jobs.take(mine, "another") is None
    assert not await memory.jobs.finish(mine, job, 3)
    await summarised(memory, here, "Ada counts.")
    assert await memory.jobs.finish(mine, job, 3)
    assert await memory.jobs.waiting() == []
    await told(memory, here, say, "five", "six")
    assert await memory.jobs.waiting() == [mine]


async def test_an_export_takes_summaries_along_and_an_import_restores_the_relation(memory, here, say, client, tmp_path):
    await told(memory, here, say, "one", "two", "three", "four")
    await summarised(memory, here, "quinoa")
    summary = await _only_summary(memory, here)
    lines = [one.line() async for one in memory.export(here, vectors=True)]
    assert [json.loads(line).get("covers") for line in lines] == [*(None, None, None, ["t1", "t2", "t3"], None)]
    file = tmp_path / "turns.jsonl"
    file.write_text("\n".join(lines))
    keys = Keys(f"test-{ULID()}")
    other = await Memory.open(client, ToyEmbedder(), keys=keys)
    try:
        brought = await other.bring_in(list(read_jsonl(file)), lambda one: one.scope(here.tenant, "ada"))
        assert (brought.new, brought.known) == (5, 0)
        assert [turn.text for turn in await other.awaiting(here, 9)] == ["four"]
        assert await other.jobs.waiting() == []
        assert await _only_summary(other, here) == summary
        assert await other.forget(here, Which(turns=(("main", "t1"),))) == Forgotten(2)
        assert await holding(client, keys, "quinoa") == []
        assert [turn.text for turn in await other.awaiting(here, 9)] == ["two", "three", "four"]
    finally:
        await index.drop(client, keys)


async def test_a_summary_whose_sources_are_not_there_is_brought_in_as_it_is(memory, here, say):
    summary = say("Long ago.", "Lorebot", role="summary", covers=("x", "y"))
    assert await memory.remember(here, [summary]) == [True]
    assert await memory.remember(here, [summary]) == [False]
    assert await _only_summary(memory, here) == summary
    assert await memory.recent(here) == ()
    assert await memory.forget(Operator(here.tenant), Which()) == Forgotten(1)


steps = st.lists(
    st.tuples(st.sampled_from(("say", "say", "say", "summarise", "forget", "edit", "person")), st.integers(0, 50)),
    max_size=25,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.generate, Phase.shrink)
)
@given(steps)
def test_a_turn_waits_or_is_covered_and_no_summary_outlives_a_source(redis_url, steps):
    asyncio.run(_walk(redis_url, steps))


async def _walk(url: str, steps: list[tuple[str, int]]) -> None:
    client, keys = connect.client(url), Keys(f"test-{ULID()}")
    try:
        memory = await Memory.open(client, ToyEmbedder(), keys=keys)
        scopes = [
            Scope("discord:1", "general", "ada", Audience.PUBLIC),
            Scope("discord:1", "staff", "bob", Audience.PRIVATE),
        ]
        said: list[dict[str, str]] = [{}, {}]  # text by id, in the order of what was said
        made: list[dict[tuple[str, ...], str]] = [{}, {}]  # summaries by what they cover
        for number, (step, pick) in enumerate(steps):
            at = pick % 2
            scope, mine, over = scopes[at], said[at], made[at]
            some = list(mine)[pick % len(mine)] if mine else None
            gone: list[str] = []
            if step == "say":
                author = ("ada", "bob", "eve")[pick % 3]
                turn = Turn(f"t{number}", scope.conversation, author, author, "user", f"dog {number}", number)
                await memory.remember(scope, [turn], due=Due(2, "a job"))
                mine[turn.id] = author
            elif step == "summarise":
                covered = {one for covers in over for one in covers}
                wait = tuple(one for one in mine if one not in covered)[: 1 + pick % 4]
                sources = await memory.awaiting(scope, 1 + pick % 4)
                assert tuple(turn.id for turn in sources) == wait
                if sources:
                    assert await memory.summarise(scope, sources, f"dogs {number}", person="lorebot", author="Lorebot")
                    over[wait] = f"dogs {number}"
            elif step == "edit" and some:
                assert await memory.edit(scope, some, f"cat {number}")
                gone = [some]
            elif step == "forget" and some:
                await memory.forget(Operator("discord:1"), Which(turns=((scope.conversation, some),)))
                gone = [some]
                del mine[some]
            elif step == "person" and pick % 4 == 0:
                await memory.forget(Operator("discord:1"), Which(person="eve"))
                for there, here in zip(said, made, strict=True):
                    evil = {one for one, author in there.items() if author == "eve"}
                    for one in evil:
                        del there[one]
                    for covers in [covers for covers in here if evil & {*covers}]:
                        del here[covers]
            for covers in [covers for covers in over if {*gone} & {*covers}]:
                del over[covers]
            await _agree(memory, scopes, said, made)
    finally:
        await index.drop(client, keys)
        await client.aclose()


async def _agree(
    memory: Memory, scopes: list[Scope], said: list[dict[str, str]], made: list[dict[tuple[str, ...], str]]
) -> None:
    for scope, mine, over in zip(scopes, said, made, strict=True):
        covered = {one for covers in over for one in covers}
        assert {turn.id for turn in await memory.awaiting(scope, 99)} == mine.keys() - covered
        theirs = (await memory.latest(replace(scope, narrow=True), 99)).turns
        assert {turn.covers: turn.text for turn in theirs if turn.role == "summary"} == over
        recalled = [one.turn for one in await memory.recall(scope, "dog", 99)]
        readable = made if scope.conversation == "staff" else [over]
        assert {turn.text for turn in recalled if turn.role == "summary"} == {
            text for some in readable for text in some.values()
        }
