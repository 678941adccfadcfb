"""The bench of Slack at tiny sizes: that it measures everything."""

import itertools

import pytest

from tests.bench import acks, alone, on_slack, report, rounds, stopping
from tests.bench.report import Load, Report


@pytest.mark.soak
async def test_a_run_measures_everything(capsys):
    async with on_slack.staged(8, 8) as stage:
        await alone.filled(stage, 50)
        await stage.start()
        load = Load(3, "without limits", await rounds.played(stage, 3, 1))
        stops = [await stopping.stopped(stage, way, 2) for way in stage.stops]
        acked = (await acks.acked(stage, 20, 5),)
        added = await alone.added(stage, 50, 2)
        found = Report("slack", stage.kind, [load], rounds.times(load.rounds, "signs"), stops, added, acked)

    as_json = report.as_json(found)
    (told,), (events,) = as_json["loads"], as_json["acks"]
    assert (told["answered"], told["refused"]) == ("3/3", 0)
    assert told["p50"] > rounds.MODEL
    assert told["sign_p95"] < told["p50"]
    assert told["peak_mb"] >= max(told["rss_mb"].values()) > 0 < told["cpu_ms_an_answer"]["bot"]
    assert (events["lost"], events["told_again"]) == (0, 0)
    assert 96 <= events["events"] < 150, "with those of the bot's own messages"
    assert events["ack_ms"]["max"] >= events["ack_ms"]["p99"] >= events["ack_ms"]["p50"] > 0
    assert events["answered"].partition("/")[0] == events["answered"].partition("/")[2] > "0"
    assert {one.way for one in stops} == set(stage.stops)
    assert all(one["p95"] >= one["p50"] > 0 for one in as_json["alone"].values())
    assert all(one.left.p95 < 500 for one in stops)

    report.show(found)
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 100


async def test_what_happens_comes_in_its_shares_and_evenly():
    hundred = [what for what, _ in zip(acks.happenings(), range(100), strict=False)]
    assert [hundred.count(what) for what in ("plain", "mention", "edit", "delete", "join")] == [80, 10, 4, 3, 3]
    mentions = [at for at, what in enumerate(hundred) if what == "mention"]
    assert all(7 <= later - earlier <= 13 for earlier, later in itertools.pairwise(mentions))
