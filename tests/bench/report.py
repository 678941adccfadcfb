"""What was measured: as tables, as JSON."""

import os
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from bot.bench.timing import Times
from tests.bench.acks import Acks
from tests.bench.alone import Added
from tests.bench.machine import NOTHING, Shares
from tests.bench.rounds import MODEL, Round, times
from tests.bench.stopping import Stopped


@dataclass(frozen=True, slots=True)
class Load:
    """So many conversations at once, round after round. limits: of the platform's calls, in words."""

    conversations: int
    limits: str
    rounds: list[Round]


@dataclass(frozen=True, slots=True)
class Report:
    """One run; times in milliseconds. kind: of the first sign."""

    platform: str
    kind: str
    loads: list[Load]
    signs: Times
    stops: list[Stopped]
    added: Added
    acks: tuple[Acks, ...] = ()


def show(report: Report) -> None:
    console = Console(width=100)
    for load in report.loads:
        one = _load(load)
        console.print(
            f"{one['conversations']} asked at once, {one['limits']}: {one['answered']} answered, "
            f"p50 {one['p50']} s, p95 {one['p95']} s, {report.kind} p95 {one['sign_p95']} s, "
            f"{one['requests_an_answer']} calls an answer, {one['refused']} refused"
        )
        memory = ", ".join(f"{number}: {round.rss:.0f}" for number, round in _some(load.rounds))
        console.print(f"  CPU an answer: {_shared(load)}; MB after round {memory}; {load.rounds[-1].peak:.0f} at most")
        requests = [f"{number:.2f} {what}" for what, number in sorted(one["requests"].items())]
        console.print("  calls an answer: " + "\n                   ".join(requests))
    for acks in report.acks:
        _show_acks(console, acks)
    alone = Table("one at a time", title_justify="left")
    for column in ("times", "p50 ms", "p95 ms"):
        alone.add_column(column, justify="right")
    for what, found in _alone(report).items():
        alone.add_row(what, str(len(found.rounds)), f"{found.p50:.0f}", f"{found.p95:.0f}")
    console.print(alone)
    console.print(f"{report.added.recalled:.1f} turns recalled an answer; the model takes {MODEL:g} s; {_machine()}")


def _show_acks(console: Console, acks: Acks) -> None:
    console.print(
        f"{acks.rate:g} events a second by {acks.mode} for {acks.seconds:.0f} s: acknowledged in p50 "
        f"{acks.took.p50:.0f}, p99 {percentile(acks.took, 99):.0f}, at most {max(acks.took.rounds):.0f} ms; "
        f"{acks.late} told again, {acks.lost} lost"
    )
    console.print(
        f"  {acks.answered} of {acks.mentions} mentions answered, first sign p95 {acks.signs.p95:.0f} ms, whole p95 "
        f"{acks.answers.p95:.0f} ms; cores: {_cores(acks.shares)}; MB {acks.rss[0]:.0f} to {acks.rss[1]:.0f}"
    )


def as_json(report: Report) -> dict[str, Any]:
    """Return everything as JSON holds it; the load in seconds, the rest in milliseconds."""
    return {
        "platform": report.platform,
        "machine": _machine(),
        "model_seconds": MODEL,
        "loads": [_load(load) for load in report.loads],
        "acks": [_acks(acks) for acks in report.acks],
        "alone": {what: {"p50": round(of.p50, 1), "p95": round(of.p95, 1)} for what, of in _alone(report).items()},
        "turns": report.added.turns,
        "recalled": round(report.added.recalled, 1),
    }


def percentile(times: Times, percent: int) -> float:
    """Return a percentile of times, in milliseconds."""
    ordered = sorted(times.rounds)
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]


def _alone(report: Report) -> dict[str, Times]:
    turns = f"{report.added.turns:,} turns in memory"
    found = {
        f"question to {report.kind}": report.signs,
        f"recalling, {turns}": report.added.memory,
        f"question to the model less the wait for a burst, {turns}": report.added.before,
    }
    for one in report.stops:
        found[f"{one.way} to the model's server losing its client"] = one.left
        found[f"{one.way} to where people see it"] = one.seen
    return found


def _load(load: Load) -> dict[str, Any]:
    rounds = load.rounds
    asked = sum(round.asked for round in rounds)
    answers, signs = times(rounds), times(rounds, "signs")
    requests = {what for round in rounds for what in round.requests}
    return {
        "conversations": load.conversations,
        "limits": load.limits,
        "rounds": len(rounds),
        "answered": f"{len(answers.rounds)}/{asked}",
        "p50": round(answers.p50 / 1000, 2),
        "p95": round(answers.p95 / 1000, 2),
        "max": round(max(answers.rounds) / 1000, 2),
        "sign_p50": round(signs.p50 / 1000, 2),
        "sign_p95": round(signs.p95 / 1000, 2),
        "requests": {what: round(sum(one.requests[what] for one in rounds) / asked, 2) for what in requests},
        "requests_an_answer": round(sum(sum(one.requests.values()) for one in rounds) / asked, 1),
        "refused": sum(one.refused for one in rounds),
        "cpu_ms_an_answer": _per_answer(load),
        "rss_mb": {number: round(one.rss) for number, one in _some(rounds)},
        "peak_mb": round(rounds[-1].peak),
    }


def _acks(acks: Acks) -> dict[str, Any]:
    return {
        "mode": acks.mode,
        "events_a_second": acks.rate,
        "seconds": round(acks.seconds, 1),
        "events": acks.events,
        "ack_ms": {
            "p50": round(acks.took.p50, 1),
            "p99": round(percentile(acks.took, 99), 1),
            "max": round(max(acks.took.rounds), 1),
        },
        "told_again": acks.late,
        "lost": acks.lost,
        "answered": f"{acks.answered}/{acks.mentions}",
        "sign_p95_ms": round(acks.signs.p95),
        "answer_p95_ms": round(acks.answers.p95),
        "rss_mb": [round(one) for one in acks.rss],
        "cores": {
            "bot": round(acks.shares.bot, 2),
            "redis": round(acks.shares.redis, 2),
            "others": round(acks.shares.others, 2),
            "awaited": round(acks.shares.waited, 2),
        },
    }


def _per_answer(load: Load) -> dict[str, int]:
    shares = sum((one.shares for one in load.rounds), NOTHING).over(sum(one.asked for one in load.rounds))
    # awaited: for which the bot could have run, and others had the cores
    return {
        "bot": round(1000 * shares.bot),
        "redis": round(1000 * shares.redis),
        "others": round(1000 * shares.others),
        "awaited": round(1000 * shares.waited),
    }


def _shared(load: Load) -> str:
    return ", ".join(f"{who} {ms} ms" for who, ms in _per_answer(load).items())


def _cores(shares: Shares) -> str:
    return (
        f"bot {shares.bot:.2f} ({shares.waited:.2f} more awaited), Redis {shares.redis:.2f}, others {shares.others:.2f}"
    )


def _some(rounds: list[Round]) -> list[tuple[int, Round]]:
    """Return the first round, that in the middle and the last, with their numbers."""
    numbers = sorted({1, (len(rounds) + 1) // 2, len(rounds)})
    return [(number, rounds[number - 1]) for number in numbers]


def _machine() -> str:
    return f"bot, Redis, and the others (platform, model and people, one process) on {os.cpu_count()} cores"
