"""What was measured: as tables, as JSON."""

import os
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from bot.bench.timing import Times
from tests.bench.alone import Added
from tests.bench.rounds import MODEL, Round, times


@dataclass(frozen=True, slots=True)
class Load:
    """So many conversations at once, round after round. rate: requests a second that Discord allows."""

    conversations: int
    rate: int
    rounds: list[Round]


@dataclass(frozen=True, slots=True)
class Report:
    """One run; times in milliseconds."""

    loads: list[Load]
    signs: Times
    stops: Times
    added: Added


def show(report: Report) -> None:
    console = Console(width=100)
    table = Table("conversations", title=f"asked at once, the model takes {MODEL:g} s", title_justify="left")
    for column in ("calls/s", "answered", "p50 s", "p95 s", "typing p95 s", "calls", "refused", "CPU ms"):
        table.add_column(column, justify="right")
    for load in report.loads:
        one = _load(load)
        table.add_row(
            *(str(one[name]) for name in ("conversations", "rate", "answered", "p50", "p95", "typing_p95")),
            *(str(one[name]) for name in ("requests_an_answer", "refused", "cpu_ms_an_answer")),
        )
    console.print(table)
    for load in report.loads:
        memory = ", ".join(f"{number}: {round.rss:.0f}" for number, round in _some(load.rounds))
        console.print(
            f"{load.conversations} at {load.rate}/s: MB after round {memory}; {load.rounds[-1].peak:.0f} at most"
        )
        requests = [f"{number:.2f} {what}" for what, number in sorted(_load(load)["requests"].items())]
        console.print("  calls an answer: " + "\n                   ".join(requests))
    alone = Table("one question at a time", title_justify="left")
    for column in ("times", "p50 ms", "p95 ms"):
        alone.add_column(column, justify="right")
    for what, found in _alone(report).items():
        alone.add_row(what, str(len(found.rounds)), f"{found.p50:.0f}", f"{found.p95:.0f}")
    console.print(alone)
    console.print(f"{report.added.recalled:.1f} turns recalled an answer; {_machine()}")


def as_json(report: Report) -> dict[str, Any]:
    """Return everything as JSON holds it; the load in seconds, the rest in milliseconds."""
    return {
        "machine": _machine(),
        "model_seconds": MODEL,
        "loads": [_load(load) for load in report.loads],
        "alone": {what: {"p50": round(of.p50, 1), "p95": round(of.p95, 1)} for what, of in _alone(report).items()},
        "turns": report.added.turns,
        "recalled": round(report.added.recalled, 1),
    }


def _alone(report: Report) -> dict[str, Times]:
    turns = f"{report.added.turns:,} turns in memory"
    return {
        "question to typing": report.signs,
        f"recalling, {turns}": report.added.memory,
        f"question to the model less the wait for a burst, {turns}": report.added.before,
        "Stop to the model's server losing its client": report.stops,
    }


def _load(load: Load) -> dict[str, Any]:
    rounds = load.rounds
    asked = sum(round.asked for round in rounds)
    answers, signs = times(rounds), times(rounds, "signs")
    requests = {what for round in rounds for what in round.requests}
    return {
        "conversations": load.conversations,
        "rate": load.rate,
        "rounds": len(rounds),
        "answered": f"{len(answers.rounds)}/{asked}",
        "p50": round(answers.p50 / 1000, 2),
        "p95": round(answers.p95 / 1000, 2),
        "typing_p50": round(signs.p50 / 1000, 2),
        "typing_p95": round(signs.p95 / 1000, 2),
        "requests": {what: round(sum(one.requests[what] for one in rounds) / asked, 2) for what in requests},
        "requests_an_answer": round(sum(sum(one.requests.values()) for one in rounds) / asked, 1),
        "refused": sum(one.refused for one in rounds),
        "cpu_ms_an_answer": round(1000 * sum(one.cpu for one in rounds) / asked),
        "rss_mb": {number: round(one.rss) for number, one in _some(rounds)},
        "peak_mb": round(rounds[-1].peak),
    }


def _some(rounds: list[Round]) -> list[tuple[int, Round]]:
    """Return the first round, that in the middle and the last, with their numbers."""
    numbers = sorted({1, (len(rounds) + 1) // 2, len(rounds)})
    return [(number, rounds[number - 1]) for number in numbers]


def _machine() -> str:
    return f"bot, Redis, Discord, model and people on {os.cpu_count()} cores"
