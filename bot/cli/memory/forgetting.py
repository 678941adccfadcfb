"""lorebot memory forget."""

import json
from collections.abc import Sequence
from dataclasses import replace

import click

from bot import settings
from bot.cli.memory.managed import Managed, agreed, chosen, conditions, managing, tenancy
from bot.cli.shared import as_json, asynchronous, counting
from bot.commands import choice
from bot.commands import memory as verbs
from bot.commands.lines import told
from bot.platforms.screens import clean
from memory.records import Which
from memory.selection import Place


@click.command()
@click.argument("turns", nargs=-1, metavar="[ID...]")
@chosen
@click.option("--search", metavar="WORDS", help="The ten turns that memory finds for WORDS.")
@click.option("--all", "all_", is_flag=True, help="Everything.")
@tenancy
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@asynchronous
async def forget(
    turns: tuple[str, ...],
    search: str | None,
    all_: bool,
    tenant: str | None,
    user: str | None,
    yes: bool,
    json_: bool,
    **given: str | None,
) -> None:
    """Forget turns for good, with what was answered to them and all that came of them, on the disk too.

    Shows what would go and asks first. Turns that meet every condition given are forgotten.

    \b
    Example:
      lorebot memory forget --person bob
      lorebot memory forget --conversation work --since 2026-05-01 --until 2026-06-01
      lorebot memory forget --search "my bank account"
    """
    config = settings.load(user=user)
    if not (turns or search or all_ or any(given.values())):
        raise click.UsageError("say what to forget: an ID, --person, --conversation, --since, --until, --search, --all")
    if search is not None and tenant is not None:
        raise click.UsageError("--search finds turns of your own memory, not of --tenant; name them by ID or the like")
    async with managing(config, tenant) as managed:
        which = await _named(managed, conditions(config, **given), turns, search)
        places = await managed.memory.find(managed.operator, which)
        if places and not yes:
            await _ask(managed, places)
        with counting("forgetting", len(places)) as step:
            done = await managed.memory.forget(managed.operator, places, progress=step)
    print(json.dumps({"forgotten": done.turns, "trouble": done.trouble}) if json_ else verbs.outcome(done))


async def _named(managed: Managed, which: Which, turns: Sequence[str], search: str | None) -> Which:
    """Narrow the conditions down to turns that were named or that a search finds."""
    here = managed.here
    named = [await choice.turn(here, one, managed.operator) for one in turns]
    if search is not None:
        named += [
            (one.turn.conversation, one.turn.id) for one in await here.memory.recall(here.scope, search, anyway=True)
        ]
    return replace(which, turns=tuple(named)) if turns or search is not None else which


async def _ask(managed: Managed, places: Sequence[Place]) -> None:
    """Show what would be forgotten and ask."""
    some = await managed.memory.read(managed.operator, places[: verbs.PREVIEWED])
    for turn in some:
        click.echo(clean(f"- {told(turn, managed.here.timezone)}"), err=True)
    if len(places) > len(some):
        click.echo(f"- … and {len(places) - len(some):,} more", err=True)
    agreed(f"Forget {verbs.with_answers(len(places))}, for good?")
