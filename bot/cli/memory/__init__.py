"""lorebot memory: all that can be done with what is remembered."""

import click

from bot.cli.memory import forgetting, keeping, listing, travelling
from bot.cli.recall import command as search


@click.group()
def command() -> None:
    """List, search, show, forget, export and import what is remembered, and say how long it is kept.

    \b
    Example:
      lorebot memory list
      lorebot memory forget --person bob --since 7d
      lorebot memory export backup.jsonl
    """


command.add_command(listing.list_)
command.add_command(search, "search")
command.add_command(listing.show_)
command.add_command(forgetting.forget)
command.add_command(travelling.export)
command.add_command(travelling.import_)
command.add_command(keeping.pause)
command.add_command(keeping.resume)
command.add_command(keeping.retain)
command.add_command(keeping.reembed)
