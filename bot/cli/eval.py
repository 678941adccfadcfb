"""lorebot eval: how well memory finds what it should."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bot import observe, settings, wiring
from bot.cli.shared import Command, as_json, asynchronous, counting, starting
from bot.evaluate import compare as comparison
from bot.evaluate import learn as learning
from bot.evaluate import plot as pictures
from bot.evaluate import report as reports
from bot.evaluate import run as runs
from bot.evaluate.once import EmbedsOnce
from bot.ingest import cases as data
from bot.ingest import locomo as locomo_files
from bot.ingest import longmemeval as longmemeval_files
from bot.ingest import questions as question_files
from bot.ingest.cases import Case
from bot.models.openai_tokens import TiktokenTokenizer
from bot.platforms.screens import clean
from memory.errors import TransferError

SHOWN = ("recall@10", "ndcg@10", "mrr", "recall@1000t", "recall@5")  # the first four, where no more fit; --json has all
TOKENS_OF = "gpt-4o"  # its encoding is o200k_base, which comes along
WIDTH = 100  # columns that all of them take; so wide is a pipe, too


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall become of a run's figures."""

    file: Path
    out: Path | None
    plot: Path | None
    json: bool


@click.group()
def command() -> None:
    """Measure how well memory finds what it should.

    Every turn goes through the bot's own write path into a throw-away namespace, every question through its own
    recall. Printed are means with 95% intervals by the bootstrap: all questions that count are drawn again with
    replacement, 10,000 times, each question for itself. recall@1000t is recall within the first 1000 tokens of what
    was recalled (o200k_base), best first. --json has more metrics than the table.

    \b
    Example:
      lorebot eval locomo locomo10.json
      lorebot eval questions mine.jsonl --out before.jsonl
      lorebot eval compare before.jsonl after.jsonl
    """


def measured(command: Command) -> Command:
    """Add FILE and the options of every run."""
    for option in (
        click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Ask N questions, for a quick look."),
        as_json,
        click.option("--plot", type=_file(), help="Draw the figures here (.png, .svg or .pdf)."),
        click.option("--out", type=_file(), help="Write a JSON line a question here, for `lorebot eval compare`."),
        click.argument("file", type=_file()),
    ):
        command = option(command)
    return command


def _file() -> click.Path:
    return click.Path(path_type=Path, dir_okay=False)


@command.command()
@measured
@asynchronous
async def locomo(file: Path, out: Path | None, plot: Path | None, json_: bool, limit: int | None) -> None:
    """Bring each conversation of a LoCoMo FILE into a tenant of its own and ask every question that has evidence.

    The overall figures are those of categories 1 to 4, as the field reports them; their intervals are a bootstrap over
    all those questions. Turns are added one by one and timed. --limit takes the first N questions.

    \b
    Example:
      lorebot eval locomo locomo10.json --out questions.jsonl
      lorebot eval locomo locomo10.json --json | jq '.overall["recall@10"]'
    """
    cases = [locomo_files.case(one) for one in locomo_files.read(file)]
    await _measure(Wanted(file, out, plot, json_), data.first(cases, limit), timed=True)


@command.command()
@measured
@asynchronous
async def longmemeval(file: Path, out: Path | None, plot: Path | None, json_: bool, limit: int | None) -> None:
    """Ask each question of a LongMemEval FILE in a memory that holds its haystack and nothing else.

    Measured twice: by turns (those marked has_answer; questions without one are left out) and by sessions, ranked as
    the best of their turns. Abstention questions are left out, as the authors do. Both sides of a chat are remembered,
    as a bot does, where the authors search the user's turns alone. The intervals are a bootstrap over all questions.
    --limit takes N haystacks evenly spread over the file.

    \b
    Example:
      lorebot eval longmemeval longmemeval_s.json --limit 20
      lorebot eval longmemeval longmemeval_s.json --json | jq '.sessions.overall["recall@5"]'
    """
    cases = data.spread(longmemeval_files.read(file), limit)
    await _measure(Wanted(file, out, plot, json_), cases, apart=True)


@command.command()
@measured
@asynchronous
async def questions(file: Path, out: Path | None, plot: Path | None, json_: bool, limit: int | None) -> None:
    """Ask the questions of FILE about the turns of FILE: JSONL of your own.

    A line is a turn as `lorebot memory export` writes it, or a question with the ids of the turns that answer it.
    Optional: conversation (where it is asked), person and author (who asks), category, asked_at; an id that several
    conversations have is written ["conversation", "id"]. Where `relevant` is [], nothing should be recalled: how many
    turns were, is shown by itself. The intervals are a bootstrap over all questions. --limit takes the first N.

    \b
    Example:
      lorebot memory export mine.jsonl
      echo '{"question": "What is my dog called?", "relevant": ["01JD..."]}' >> mine.jsonl
      echo '{"question": "Good morning!", "relevant": []}' >> mine.jsonl
      lorebot eval questions mine.jsonl
    """
    await _measure(Wanted(file, out, plot, json_), data.first(question_files.read(file), limit))


@command.command()
@click.argument("a", type=_file())
@click.argument("b", type=_file())
@as_json
def compare(a: Path, b: Path, json_: bool) -> None:
    """Tell whether B is better than A, two --out files of the same data set, or whether it was luck.

    Paired bootstrap over the questions that both have asked and that count overall: all of them drawn again with
    replacement, 10,000 times. Shown are the means, B - A with its 95% interval, and the two-sided p.

    \b
    Example:
      lorebot eval locomo locomo10.json --out before.jsonl
      LOREBOT_HNSW_EF_RUNTIME=50 lorebot eval locomo locomo10.json --out after.jsonl
      lorebot eval compare before.jsonl after.jsonl
    """
    found = comparison.compare(comparison.read(a), comparison.read(b))
    if json_:
        print(json.dumps(found.json()))
        return
    _print_comparison(found)


@command.command()
@click.argument("files", type=_file(), nargs=-1, required=True)
@as_json
@asynchronous
async def learn(files: tuple[Path, ...], json_: bool) -> None:
    """Learn how much each signal of memory's ranking should count from FILES: LoCoMo, or JSONL of your own.

    Printed are the weights, for memory/rank.py, and what each file's questions gain by them: asked with the weights
    that all other conversations give, never with their own.

    \b
    Example:
      lorebot eval learn locomo10.json tests/data/*.jsonl
    """
    config = settings.load()
    observe.configure(config.log_level)
    cases = {f"{file.name}: {case.tenant}": case for file in files for case in _cases(file)}
    count = (await asyncio.to_thread(TiktokenTokenizer.for_model, TOKENS_OF)).count
    lessons: list[learning.Lesson] = []
    async with AsyncExitStack() as stack:
        with starting() as progress:
            another = await stack.enter_async_context(wiring.throwaway_memories(config, progress, EmbedsOnce))
        with counting("asking", runs.work(list(cases.values()))) as step:
            for name, case in cases.items():
                async with another() as memory:
                    done = await runs.run(memory, [case], count, step, ranked=learning.POOL)
                lessons += [learning.lesson(name, asked) for asked in done.asked if asked.turns.relevant]
    weights = learning.table(learning.fitted(lessons))
    fared = learning.held_out(lessons)
    by_file = {
        file.name: reports.figures([one for name, some in fared.items() if cases[name] in _cases(file) for one in some])
        for file in files
    }
    if json_:
        print(json.dumps({"weights": weights, "held_out": by_file}))
        return
    _print_weights(weights)
    for name, figures in by_file.items():
        _console().print(_table(f"{name}, held out", figures, _console()))


def _cases(file: Path) -> list[Case]:
    if locomo_files.looks_like(file):
        return [locomo_files.case(one) for one in locomo_files.read(file)]
    return question_files.read(file)


def _print_weights(weights: Mapping[str, float]) -> None:
    table = Table("signal", "weight", box=SIMPLE_HEAD, pad_edge=False)
    for name, weight in weights.items():
        table.add_row(name, f"{weight:+.3f}")
    _console().print(table)


async def _measure(wanted: Wanted, cases: Sequence[Case], *, timed: bool = False, apart: bool = False) -> None:
    config = settings.load()
    observe.configure(config.log_level)
    if not cases:
        raise TransferError(f"{wanted.file} holds no question that can be asked: none has evidence among its turns")
    _check(wanted)
    run = await _run(config, cases, timed=timed, apart=apart)
    report = reports.report(run)
    if wanted.out is not None:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in reports.rows(run))
        wanted.out.write_text("".join(lines), encoding="utf-8")
    if wanted.json:
        print(json.dumps(report))
    else:
        _print(report)
    if wanted.plot is not None:
        title = f"{wanted.file.name}: {len(run.asked):,} questions, {run.turns:,} turns, 95% intervals"
        pictures.draw(report, title, wanted.plot)


async def _run(config: settings.Settings, cases: Sequence[Case], *, timed: bool, apart: bool) -> runs.Run:
    count = (await asyncio.to_thread(TiktokenTokenizer.for_model, TOKENS_OF)).count
    async with AsyncExitStack() as stack:
        if apart:
            with starting() as progress:
                opening = wiring.throwaway_memories(config, progress, EmbedsOnce)
                another = await stack.enter_async_context(opening)
            with counting("evaluating", runs.work(cases)) as step:
                return await runs.run_apart(another, cases, count, step)
        with starting() as progress:
            memory = await stack.enter_async_context(wiring.throwaway_memory(config, progress))
        with counting("evaluating", runs.work(cases)) as step:
            return await runs.run(memory, cases, count, step, timed=timed)


def _check(wanted: Wanted) -> None:
    """Find out before the long run, not after it."""
    if wanted.plot is not None:
        if wanted.plot.suffix.lower() not in pictures.FORMATS:
            raise click.BadParameter(
                f"{wanted.plot} must end in one of {', '.join(pictures.FORMATS)}", param_hint="--plot"
            )
        pictures.ready()
    for name, file in (("--out", wanted.out), ("--plot", wanted.plot)):
        if file is None:
            continue
        if file.exists() and file.samefile(wanted.file):
            raise click.BadParameter(f"{file} is what is read; give another name", param_hint=name)
        try:
            file.open("ab").close()
        except OSError as error:
            raise click.BadParameter(f"{file} can't be written to: {error.strerror}", param_hint=name) from error


def _print(report: Mapping[str, Any]) -> None:
    console = _console()
    if "sessions" in report:
        console.print(_table("turns", report, console))
        console.print(_table("sessions", report["sessions"], console))
    else:
        console.print(_table("", report, console))
    if idle := report.get("small_talk"):
        asked, recalled = idle["questions"], idle["recalled"]
        console.print(f"small talk: {asked:,} asked, {recalled:g} turns recalled on average; none should be")
    for what, figures in report["latency_ms"].items():
        console.print(f"{what}: p50 {figures['p50']:.1f} ms, p95 {figures['p95']:.1f} ms a turn, embedding included")


def _table(what: str, report: Mapping[str, Any], console: Console) -> Table:
    shown = SHOWN if console.width >= WIDTH else SHOWN[:4]
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(what, overflow="fold")
    for name in ("n", *shown):
        table.add_column(name, justify="right", no_wrap=True)
    for category, scores in report["by_category"].items():
        table.add_row(escape(clean(category)), *_figures(scores, report["intervals_by_category"][category], shown))
    table.add_section()
    table.add_row("overall", *_figures(report["overall"], report["intervals"], shown))
    return table


def _figures(scores: Mapping[str, float], intervals: Mapping[str, Sequence[float]], shown: Sequence[str]) -> list[str]:
    """Return how many questions, and each mean with half the width of its interval."""
    if not intervals:
        return ["0", *("" for _ in shown)]
    half = {name: (intervals[name][1] - intervals[name][0]) / 2 for name in shown}
    return [str(scores["questions"]), *(f"{scores[name]:.3f} ±{half[name]:.2f}".replace("±0", "±") for name in shown)]


def _print_comparison(found: comparison.Comparison) -> None:
    console = _console()
    for what, metrics in (("turns" if found.sessions else "", found.metrics), ("sessions", found.sessions)):
        if metrics:
            console.print(_compared(what, metrics))
    aside = f", {found.aside} of them left out of the overall figures" if found.aside else ""
    console.print(
        f"{found.shared:,} questions are in both{aside}; only in A: {found.only_a:,}, only in B: {found.only_b:,}"
    )


def _compared(what: str, metrics: Mapping[str, comparison.Compared]) -> Table:
    table = Table(what, box=SIMPLE_HEAD, pad_edge=False)
    for name in ("n", "A", "B", "B - A", "95% interval", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, one in metrics.items():
        low, high = one.interval
        p = "<0.001" if one.p < 0.001 else f"{one.p:.3f}"
        around = f"{low:+.3f} to {high:+.3f}"
        table.add_row(
            escape(clean(name)), str(one.questions), f"{one.a:.3f}", f"{one.b:.3f}", f"{one.difference:+.3f}", around, p
        )
    return table


def _console() -> Console:
    """Return where tables go; a pipe is as wide as they are."""
    console = Console()
    return console if console.is_terminal else Console(width=max(WIDTH, console.width))
