"""The bench of Discord at tiny sizes: that it measures everything."""

import pytest

from tests.bench import alone, on_discord, report, rounds, stopping
from tests.bench.report import Load, Report


@pytest.mark.soak
async def test_a_run_measures_everything(capsys):
    async with on_discord.staged(8, guilds=1, rate=on_discord.RAISED) as stage:
        await alone.filled(stage, 50)
        await stage.start()
        load = Load(3, "raised", await rounds.played(stage, 3, 1))
        stops = [await stopping.stopped(stage, way, 2) for way in stage.stops]
        added = await alone.added(stage, 50, 2)
        found = Report("discord", stage.kind, [load], rounds.times(load.rounds, "signs"), stops, added)

    as_json = report.as_json(found)
    (told,) = as_json["loads"]
    assert (told["answered"], told["refused"], told["requests_an_answer"]) == ("3/3", 0, 4.0)
    assert told["p50"] > rounds.MODEL
    assert told["sign_p95"] < told["p50"]
    assert told["peak_mb"] >= max(told["rss_mb"].values()) > 0 < told["cpu_ms_an_answer"]["bot"]
    assert as_json["recalled"] > 0
    assert all(one["p95"] >= one["p50"] > 0 for one in as_json["alone"].values())
    assert all(one.left.p95 < 500 for one in stops)

    report.show(found)
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 100
