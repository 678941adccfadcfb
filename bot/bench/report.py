"""What was measured: as tables, as JSON, as a picture."""

import json
import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bot.bench.growth import CONVERSATION, TENANT, Growth
from bot.bench.timing import Times
from bot.bench.whole_turn import OURS, RAW, Compared

LIBRARIES = ("redis", "redisvl", "langchain-redis", "numpy")


@dataclass(frozen=True, slots=True)
class Report:
    """One run."""

    redis: str
    rounds: int
    compared: Compared
    growth: Growth


def show(report: Report) -> None:
    """Print the tables."""
    console = Console()
    turn = Table(
        "a whole turn: search, window, remember", title=f"{report.compared.turns:,} turns", title_justify="left"
    )
    for column in ("p50 ms", "p95 ms", "of ours"):
        turn.add_column(column, justify="right")
    for what, times in report.compared.times.items():
        turn.add_row(what, *_row(times), f"{report.compared.ratio(what):.2f}x")
    console.print(turn)
    console.print(
        f"we take {_to_raw(report):.2f}x of redis-py alone; the fastest library {_to_rivals(report):.2f}x of us\n"
    )
    if not any("langchain" in what for what in report.compared.times):
        console.print("langchain-redis is not installed here: `make bench` installs it")
    recall = Table("recall from", title="recall as memory grows", title_justify="left")
    for column in ("turns", "p50 ms", "p95 ms", "growth"):
        recall.add_column(column, justify="right")
    growth = report.growth
    for (reach, size), times in sorted(growth.times.items()):
        ratio = f"{growth.ratio(reach, size):.2f}x" if (reach, growth.sizes[0]) in growth.times else ""
        recall.add_row(reach, f"{size:,}", *_row(times), ratio)
    console.print(recall)
    console.print(f"{growth.bytes:,.0f} bytes of Redis' memory a turn (22 words, about 35 tokens)")
    console.print(f"medians and 95th percentiles of {report.rounds} rounds; {_machine(report)}")


def as_json(report: Report) -> dict[str, Any]:
    """Return everything as JSON holds it; times in milliseconds."""
    growth = report.growth
    return {
        "machine": _machine(report),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "rounds": report.rounds,
        "whole_turn": {
            "turns": report.compared.turns,
            "times": {what: _times(times) for what, times in report.compared.times.items()},
            "ours_to_raw": round(_to_raw(report), 3),
            "fastest_rival_to_ours": round(_to_rivals(report), 3),
        },
        "recall": [
            {"reach": reach, "turns": size, **_times(times)} for (reach, size), times in sorted(growth.times.items())
        ],
        "growth": {reach: round(growth.ratio(reach, growth.sizes[-1]), 3) for reach in (CONVERSATION, TENANT)},
        "bytes_a_turn": round(growth.bytes),
    }


def write(report: Report, file: Path) -> None:
    """Write the JSON."""
    file.write_text(json.dumps(as_json(report), indent=2) + "\n")


def check_plot() -> None:
    """Say what to install before an hour has been spent on measuring; raises UsageError."""
    try:
        import matplotlib  # noqa: F401  # an extra
    except ImportError:
        raise click.UsageError("--plot needs matplotlib: pip install 'lorebot[plot]'") from None


def plot(report: Report, file: Path) -> None:
    """Draw whole turns and growth, side by side."""
    from matplotlib.figure import Figure

    growth = report.growth
    figure = Figure(figsize=(11, 4), layout="constrained")
    bars, lines = figure.subplots(1, 2)
    names = [what.replace(": ", ":\n") for what in report.compared.times]
    bars.barh(names, [times.p95 for times in report.compared.times.values()], color="lightsteelblue", label="p95")
    bars.barh(names, [times.p50 for times in report.compared.times.values()], color="steelblue", label="p50")
    bars.invert_yaxis()
    bars.set(title=f"A whole turn, {report.compared.turns:,} turns", xlabel="milliseconds")
    bars.legend()
    for reach, colour in ((CONVERSATION, "steelblue"), (TENANT, "darkorange")):
        at = [growth.times[reach, size] for size in growth.sizes]
        lines.plot(growth.sizes, [times.p50 for times in at], "o-", color=colour, label=f"{reach}, p50")
        lines.plot(growth.sizes, [times.p95 for times in at], "o:", color=colour, label=f"{reach}, p95")
    lines.set(title="Recall as memory grows", xlabel="turns", xscale="log", ylabel="milliseconds", ylim=(0, None))
    lines.legend()
    figure.savefig(file, dpi=150)


def _to_raw(report: Report) -> float:
    return 1 / report.compared.ratio(RAW)


def _to_rivals(report: Report) -> float:
    return min(report.compared.ratio(what) for what in report.compared.times if what not in (OURS, RAW))


def _row(times: Times) -> tuple[str, str]:
    return f"{times.p50:.2f}", f"{times.p95:.2f}"


def _times(times: Times) -> dict[str, float]:
    return {"p50": round(times.p50, 3), "p95": round(times.p95, 3)}


def _machine(report: Report) -> str:
    return f"{report.redis}, Python {platform.python_version()}, {os.cpu_count()} cores"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
