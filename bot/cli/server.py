"""lorebot server: the embedded Redis."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path

import click

from bot import settings, wiring
from bot.cli.shared import as_json, asynchronous, starting
from bot.errors import CommandError
from memory import backup as backups


@click.group()
def command() -> None:
    """Look at the embedded Redis, stop it, save it. It starts by itself, and leaves 10 minutes after its last user.

    \b
    Example:
      lorebot server status
      lorebot server stop
      lorebot server backup monday.rdb
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


@command.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@asynchronous
async def backup(file: Path) -> None:
    """Write all that the embedded Redis holds to FILE, while it is used. Delete old ones: they hold what is forgotten.

    \b
    Example:
      lorebot server backup monday.rdb
    """
    config = settings.load()
    if config.redis_url is not None:
        raise CommandError(
            "REDIS_URL is set, and only the embedded Redis can be saved so; save the one it names with "
            f'`redis-cli -u "$REDIS_URL" --rdb {file}`, or unset REDIS_URL'
        )
    server = wiring.embedded_server(config)
    if file.exists():
        raise CommandError(f"{file} exists already; name another file")
    with starting() as progress:
        try:
            await wiring.back_up(server, file, progress)
        except OSError as error:
            raise CommandError(f"{file} can't be written: {error.strerror}") from error
    print(f"{file} holds {file.stat().st_size:,} bytes.")


@command.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@asynchronous
async def restore(file: Path) -> None:
    """Let an empty data folder begin with what a backup FILE holds; forget again what was forgotten since.

    \b
    Example:
      LOREBOT_DATA_DIR=~/restored lorebot server restore monday.rdb
    """
    server = wiring.embedded_server(settings.load())
    try:
        await asyncio.to_thread(backups.restore, file.resolve(), server.folder)
    except OSError as error:
        raise CommandError(f"{error.filename or file}: {error.strerror}") from error
    print(f"{server.folder} holds what {file} holds. Its first start takes a while: everything is indexed again.")
