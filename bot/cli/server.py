"""lorebot server: the embedded Redis."""

import json
from dataclasses import asdict

import click

from bot import settings, wiring
from bot.cli.shared import as_json, asynchronous


@click.group()
def command() -> None:
    """Look at the embedded Redis, or stop it. It starts by itself, and leaves 10 minutes after its last user.

    \b
    Example:
      lorebot server status
      lorebot server stop
    """


@command.command()
@as_json
@asynchronous
async def status(json_: bool) -> None:
    """Tell whether it runs, and where it keeps its data.

    \b
    Example:
      lorebot server status --json
    """
    found = asdict(await wiring.embedded_server(settings.load()).status())
    if json_:
        print(json.dumps(found, default=str))
        return
    for name, value in found.items():
        print(f"{name}: {value}")


@command.command()
@asynchronous
async def stop() -> None:
    """Save everything and stop it.

    \b
    Example:
      lorebot server stop
    """
    stopped = await wiring.embedded_server(settings.load()).stop()
    print("The embedded Redis has stopped." if stopped else "The embedded Redis was not running.")
