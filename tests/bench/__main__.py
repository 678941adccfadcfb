"""`python -m tests.bench`: how the unmodified `lorebot discord` and `lorebot slack` bear load."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import click

from bot.platforms.discord.throttle import ALLOWED
from tests.bench import acks, alone, on_discord, on_slack, rounds, stopping
from tests.bench.report import Load, Report, as_json, show
from tests.bench.stage import Stage, note

CHANNELS = 20  # in which single questions are asked in turn: close behind each other they would be one burst
PEOPLE = 50  # who ask in a workspace whose limits Slack holds, so that who they are can be asked within them
LONG = 300.0  # seconds for the answers that Slack's limits let through


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything. sizes: conversations at once, ascending; events: a second; seconds: of them."""

    sizes: tuple[int, ...]
    rounds: int
    turns: int
    questions: int
    stops: int
    events: int
    seconds: int


@click.command()
@click.option("--platform", type=click.Choice(["discord", "slack"]), default="discord", show_default=True)
@click.option("--conversations", default="25,50,200", show_default=True, help="How many people ask at once.")
@click.option("--rounds", "rounds_", default=10, show_default=True, help="How often the most of them ask.")
@click.option("--turns", default=100_000, show_default=True, help="Turns in memory when recalling is timed.")
@click.option("--questions", default=200, show_default=True, type=click.IntRange(min=2), help="Asked one at a time.")
@click.option("--stops", default=20, show_default=True, type=click.IntRange(min=2), help="Answers stopped in each way.")
@click.option("--events", default=100, show_default=True, help="That Slack sends in a second.")
@click.option("--seconds", default=60, show_default=True, help="For which it does.")
@click.option("--json", "json_", type=click.Path(path_type=Path), help="Write the figures to a file, too.")
def main(platform: str, conversations: str, rounds_: int, json_: Path | None, **amounts: int) -> None:
    """Start the bot between a small platform and a model server on loopback, and measure it.

    \b
    - conversations at once: from the question to the answer's last edit, with the limits that the platform holds,
      and with none; memory; calls an answer
    - the first sign, one question at a time, where the model begins after 3 s
    - what recalling takes with many turns in memory
    - from Stop until the model's server has lost its client, and until people see it
    - Slack alone: how soon events are acknowledged, by Socket Mode and over HTTP

    Redis, and one process with the platform, the model and people, share this machine; everyone's CPU time is told.
    Linux; about ten minutes.

    \b
    Example:
      make bench-slack ARGS='--conversations 100 --rounds 3 --turns 1000 --json slack.json'
    """
    plan = Plan(tuple(sorted({int(size) for size in conversations.split(",")})), rounds_, **amounts)
    found = asyncio.run(_on_slack(plan) if platform == "slack" else _on_discord(plan))
    show(found)
    if json_:
        json_.write_text(json.dumps(as_json(found), indent=2) + "\n")


async def _on_discord(plan: Plan) -> Report:
    """Return all figures; each kind of them by a bot of its own."""
    raised, allowed = f"{on_discord.RAISED} calls a second", f"{ALLOWED} calls a second"
    most = plan.sizes[-1]
    loads = [
        await _load(on_discord.staged(size, rate=on_discord.RAISED), size, raised, plan.rounds if size == most else 2)
        for size in plan.sizes
    ]
    loads.append(await _load(on_discord.staged(most), most, allowed, 1))
    return await _with_loads(plan, loads, lambda: on_discord.staged(CHANNELS, guilds=1))


async def _on_slack(plan: Plan) -> Report:
    """Return all figures; each kind of them by a bot of its own."""
    most = plan.sizes[-1]
    loads = [
        await _load(
            on_slack.staged(size, size, pool=size), size, "without Slack's limits", plan.rounds if size == most else 2
        )
        for size in plan.sizes
    ]
    held = on_slack.staged(CHANNELS, PEOPLE, limits=True, pool=most)
    loads.append(await _load(held, most, "with Slack's limits", 1, LONG))
    found = [await _acked(plan, http=http) for http in (False, True)]
    return await _with_loads(plan, loads, lambda: on_slack.staged(CHANNELS, CHANNELS), tuple(found))


async def _with_loads(
    plan: Plan,
    loads: list[Load],
    staged: Callable[[], AbstractAsyncContextManager[Stage]],
    acked: tuple[acks.Acks, ...] = (),
) -> Report:
    """Return the figures of single questions, too."""
    async with staged() as stage:
        await stage.start()
        note(f"the first sign of {plan.questions} answers")
        signs = await alone.signs(stage, plan.questions)
    stops = []
    for way in stage.stops:  # each by a new bot: what Slack takes in a minute would be used up
        async with staged() as stage:
            await stage.start()
            note(f"stopping {plan.stops} answers by {way}")
            stops.append(await stopping.stopped(stage, way, plan.stops))
    async with staged() as stage:
        note(f"filling memory with {plan.turns:,} turns")
        await alone.filled(stage, plan.turns)
        await stage.start()
        note(f"recalling for {plan.questions} questions")
        added = await alone.added(stage, plan.turns, plan.questions)
        platform = stage.tenant.partition(":")[0]
        return Report(platform, stage.kind, loads, signs, stops, added, acked)


async def _load(
    staged: AbstractAsyncContextManager[Stage], conversations: int, limits: str, times: int, patience: float = 60.0
) -> Load:
    note(f"{conversations} conversations at once, {limits}")
    async with staged as stage:
        await stage.start()
        return Load(conversations, limits, await rounds.played(stage, conversations, times, patience))


async def _acked(plan: Plan, *, http: bool) -> acks.Acks:
    note(f"{plan.events} events a second for {plan.seconds} s, {'over HTTP' if http else 'by Socket Mode'}")
    async with on_slack.staged(CHANNELS, PEOPLE, http=http, pool=100) as stage:
        await stage.start()
        return await acks.acked(stage, plan.events, plan.seconds)


if __name__ == "__main__":
    main()
