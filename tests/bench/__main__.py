"""`python -m tests.bench`, or `make bench-discord`: how the unmodified `lorebot discord` bears load."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

import click

from bot.platforms.discord.throttle import ALLOWED
from tests.bench import alone, rounds, stopping
from tests.bench.report import Load, Report, as_json, show
from tests.bench.stage import RAISED, note, staged

CHANNELS = 20  # in which single questions are asked in turn: close behind each other they would be one burst


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything. sizes: conversations at once, ascending."""

    sizes: tuple[int, ...]
    rounds: int
    turns: int
    questions: int
    stops: int


@click.command()
@click.option("--conversations", default="25,50,200", show_default=True, help="How many people ask at once.")
@click.option("--rounds", "rounds_", default=10, show_default=True, help="How often the most of them ask.")
@click.option("--turns", default=100_000, show_default=True, help="Turns in memory when recalling is timed.")
@click.option("--questions", default=200, show_default=True, type=click.IntRange(min=2), help="Asked one at a time.")
@click.option("--stops", default=20, show_default=True, type=click.IntRange(min=2), help="Answers that are stopped.")
@click.option("--json", "json_", type=click.Path(path_type=Path), help="Write the figures to a file, too.")
def main(conversations: str, rounds_: int, turns: int, questions: int, stops: int, json_: Path | None) -> None:
    """Start `lorebot discord` between a small Discord and a model server on loopback, and measure it.

    \b
    - conversations at once, each in its channel: from the question to the answer's last edit, with the 50
      requests a second that Discord allows a bot, and with as many as it likes; memory; requests an answer
    - the first sign, one question at a time, where the model begins after 3 s
    - what recalling takes with many turns in memory
    - from the press of Stop until the model's server has lost its client

    All of it, Redis and those who ask share this machine; the bot's own CPU time is told. Linux; about eight minutes.

    \b
    Example:
      make bench-discord ARGS='--conversations 100 --rounds 3 --turns 1000 --json discord.json'
    """
    sizes = tuple(sorted({int(size) for size in conversations.split(",")}))
    found = asyncio.run(measured(Plan(sizes, rounds_, turns, questions, stops)))
    show(found)
    if json_:
        json_.write_text(json.dumps(as_json(found), indent=2) + "\n")


async def measured(plan: Plan) -> Report:
    """Return all figures; each kind of them by a bot of its own."""
    most = plan.sizes[-1]
    loads = [await _load(size, RAISED, 2) for size in plan.sizes[:-1]]
    loads.append(await _load(most, RAISED, plan.rounds))
    loads.append(await _load(most, ALLOWED, 1))
    async with staged(CHANNELS) as stage:
        await stage.online.start()
        note(f"the first sign of {plan.questions} answers")
        signs = await alone.signs(stage, plan.questions)
        note(f"stopping {plan.stops} answers")
        stops = await stopping.stopped(stage, plan.stops)
    async with staged(CHANNELS, guilds=1) as stage:
        note(f"filling memory with {plan.turns:,} turns")
        await alone.filled(stage, plan.turns)
        await stage.online.start()
        note(f"recalling for {plan.questions} questions")
        return Report(loads, signs, stops, await alone.added(stage, plan.turns, plan.questions))


async def _load(conversations: int, rate: int, times: int) -> Load:
    note(f"{conversations} conversations at once, {rate} requests a second")
    async with staged(conversations, rate=rate) as stage:
        await stage.online.start()
        return Load(conversations, rate, await rounds.played(stage, conversations, times))


if __name__ == "__main__":
    main()
