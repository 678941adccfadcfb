"""The bench at tiny sizes: that it measures everything, that both sides do the same work, that nothing is left."""

from dataclasses import replace
from statistics import median

import pytest

from bot.bench import replay, report
from bot.bench.corpus import HERE, Corpus, Drawn
from bot.bench.filling import chunks, fill
from bot.bench.run import Plan, run
from bot.bench.timing import Times
from bot.bench.whole_turn import OURS, RAW
from bot.cli.shared import counting
from bot.models.openai_tokens import TiktokenTokenizer
from memory.keys import Keys
from memory.memory import Memory
from memory.records import Which
from memory.scope import Operator
from memory.views import IndexOptions
from memory.words import stems


async def test_a_run_measures_everything_and_leaves_nothing(client, redis_url, keys, capsys):
    plan = Plan(sizes=(20, 60), compare=200, rounds=3)
    found = await run(client, redis_url, keys.namespace, IndexOptions(), plan, Drawn(Corpus()), counting)

    assert sorted(found.growth.times) == [
        *(("conversation", 20), ("conversation", 60)),
        ("conversation, with embedder", 60),
        *(("tenant", 20), ("tenant", 60)),
    ]
    assert list(found.compared.times)[:3] == [OURS, RAW, "redisvl SemanticMessageHistory"]
    assert all(len(times.rounds) == 3 for times in found.compared.times.values())
    assert found.growth.bytes > 1000

    assert [key async for key in client.scan_iter(match=f"{keys.namespace}*")] == []
    assert [name for name in await client.execute_command("FT._LIST") if name.startswith(keys.namespace.encode())] == []

    as_json = report.as_json(found)
    assert as_json["growth"].keys() == {"conversation", "tenant"}
    assert as_json["whole_turn"]["ours_to_raw"] > 0
    report.show(found)
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines) <= 100


async def test_what_is_sent_again_does_the_same_work_on_a_twin(client, keys):
    corpus = Corpus()
    drawn, ours, twin = Drawn(corpus), Keys(f"{keys.namespace}:ours"), Keys(f"{keys.namespace}:twin")
    recorder = replay.Recorder(client)
    memory = await Memory.open(recorder, drawn, keys=ours)
    same = await Memory.open(client, drawn, keys=twin)
    noted = recorder.taken()
    assert noted  # a memory that talked past the recorder would be compared with nothing

    await fill(memory, corpus, 0, 30, lambda step: None)
    filling = replay.renamed(recorder.taken(), ours.namespace, twin.namespace)
    await replay.replay(client, filling)
    heard = await memory.hear(HERE, corpus.turn(100, HERE), k=10, window=20)
    again = replay.renamed(recorder.taken(), ours.namespace, twin.namespace)
    replies = await replay.replay(client, again)

    searched = [reply for command, reply in zip(again, replies, strict=True) if command[0] == "FT.SEARCH"]
    assert searched
    assert all(reply[0] > 0 for reply in searched)

    async def lines(memory):
        return [one.line() async for one in memory.export(Operator(HERE.tenant), Which(), vectors=True)]

    assert len(heard.recalled) == 10
    assert len(heard.recent) == 20
    assert len(await lines(same)) == 31
    assert await lines(same) == await lines(memory)


def test_the_commonest_word_is_in_one_of_twenty_turns_and_most_are_rare():
    corpus = Corpus()
    turns = [set(corpus.turn(number).text.split()) for number in range(2000)]
    assert 80 <= sum("able" in turn for turn in turns) <= 140
    assert 8_000 <= len(set.union(*turns)) <= 14_000


def test_the_median_turn_has_thirty_five_tokens():
    tokenizer = TiktokenTokenizer.for_model("gpt-4.1")
    corpus = Corpus()
    assert median(tokenizer.count(corpus.turn(number).text) for number in range(100)) == pytest.approx(35, abs=1)


def test_turns_are_the_same_every_time_and_questions_have_three_to_eight_stems():
    corpus, again = Corpus(), Corpus()
    assert corpus.turn(1234) == again.turn(1234)
    assert corpus.turn(1234).conversation == "c1"
    assert corpus.turn(1234, replace(HERE, conversation="x")).conversation == "x"
    assert {len(stems(corpus.question(number))) for number in range(200)} == {3, 4, 5, 6, 7, 8}


def test_a_range_is_cut_at_multiples():
    assert list(chunks(5, 25, 10)) == [(5, 10), (10, 20), (20, 25)]


def test_percentiles_are_those_of_the_rounds():
    times = Times(tuple(float(number) for number in range(1, 102)))
    assert (times.p50, times.p95) == (51.0, pytest.approx(96.0))
