"""lorebot memory list, show."""

import json

import click

from bot import settings
from bot.cli.memory.managed import managing
from bot.cli.shared import as_json, asynchronous, show, turn_json, whose
from bot.commands import choice
from bot.commands.lines import told
from bot.platforms.screens import clean
from bot.settings import Settings
from memory.records import Turn, Which


@click.command("list")
@whose
@click.option("-n", "count", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many turns.")
@click.option("--ids", is_flag=True, help="Show CONVERSATION/ID of each, for show and forget.")
@as_json
@asynchronous
async def list_(user: str | None, conversation: str | None, count: int, ids: bool, json_: bool) -> None:
    """List the latest turns, the newest last; with --conversation, those of that conversation alone.

    \b
    Example:
      lorebot memory list -n 50
    """
    config = settings.load(user=user, conversation=conversation)
    async with managing(config, narrow=conversation is not None) as managed:
        listing = await managed.memory.latest(managed.here.scope, count)
    turns = listing.turns[::-1]
    if json_:
        print(json.dumps([turn_json(turn) for turn in turns], ensure_ascii=False))
    else:
        show(_line(turn, config, ids) for turn in turns)


@click.command("show")
@click.argument("turns", nargs=-1, required=True, metavar="ID...")
@whose
@as_json
@asynchronous
async def show_(turns: tuple[str, ...], user: str | None, conversation: str | None, json_: bool) -> None:
    """Show turns whole: by their id in the conversation, or as CONVERSATION/ID.

    \b
    Example:
      lorebot memory list --ids
      lorebot memory show main/01M7YGTNFNA9C0HT0J0G1ECJG7
    """
    config = settings.load(user=user, conversation=conversation)
    async with managing(config) as managed:
        which = Which(turns=tuple([await choice.turn(managed.here, one) for one in turns]))
        found = [one async for one in managed.memory.export(managed.operator, which)]
    if json_:
        print(json.dumps([turn_json(one.turn) for one in found], ensure_ascii=False))
        return
    for one in found:
        for name, value in json.loads(one.line()).items():
            if name != "text":
                print(clean(f"{name}: {value}"))
        print(clean(f"\n{one.turn.text}\n"))


def _line(turn: Turn, config: Settings, ids: bool) -> str:
    return told(turn, config.timezone) + (f"  [{turn.conversation}/{turn.id}]" if ids else "")
