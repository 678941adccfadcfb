"""lorebot eval: how well memory finds what it should."""

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bot import observe, settings, wiring
from bot.cli.shared import as_json, asynchronous, counting, starting
from bot.evaluate import run as runs
from bot.ingest import locomo as files


@click.group()
def command() -> None:
    """Measure how well memory finds what it should.

    \b
    Example:
      lorebot eval locomo locomo10.json
    """


@command.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write a JSON line a question here.")
@as_json
@asynchronous
async def locomo(file: Path, out: Path | None, json_: bool) -> None:
    """Import each conversation of a LoCoMo FILE into a throw-away namespace and ask every question that has evidence.

    The overall figures are those of categories 1 to 4, as the field reports them.

    \b
    Example:
      lorebot eval locomo locomo10.json --out questions.jsonl
      lorebot eval locomo locomo10.json --json | jq '.overall["recall@10"]'
    """
    config = settings.load()
    observe.configure(config.log_level)
    conversations = files.read(file)
    if out is not None:
        _writable(out)
    async with AsyncExitStack() as stack:
        with starting() as progress:
            memory = await stack.enter_async_context(wiring.throwaway_memory(config, progress))
        with counting("evaluating", runs.work(conversations)) as step:
            done = await runs.run(memory, conversations, step)
    if out is not None:
        out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in done.rows()), encoding="utf-8")
    report = done.report()
    if json_:
        print(json.dumps(report))
    else:
        _print(report)


def _writable(out: Path) -> None:
    """Find out before the long run, not after it."""
    try:
        out.touch()
    except OSError as error:
        raise click.BadParameter(f"{out} can't be written to: {error.strerror}", param_hint="--out") from error


def _print(report: dict[str, Any]) -> None:
    names = ["questions", *runs.METRICS]
    table = Table("", *names)
    for category, scores in report["by_category"].items():
        table.add_row(category, *(_figure(scores[name]) for name in names))
    table.add_section()
    table.add_row("overall", *(_figure(report["overall"][name]) for name in names))
    console = Console()
    console.print(table)
    for what, figures in report["latency_ms"].items():
        console.print(f"{what}: p50 {figures['p50']:.1f} ms, p95 {figures['p95']:.1f} ms a turn, embedding included")


def _figure(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"
