"""lorebot memory export, import."""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import click

from bot import files, settings
from bot.cli.memory.managed import chosen, conditions, managing, tenancy
from bot.cli.shared import as_json, asynchronous, counting
from bot.commands import memory as verbs
from bot.ingest import locomo
from memory import transfer
from memory.conversations import Conversation
from memory.scope import Audience
from memory.transfer import Exported


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), default="-")
@chosen
@tenancy
@click.option("--vectors", is_flag=True, help="Vectors too: they need not be made again with the same embedder.")
@click.option("--force", is_flag=True, help="Replace FILE where it exists.")
@asynchronous
async def export(
    file: Path, tenant: str | None, user: str | None, vectors: bool, force: bool, **given: str | None
) -> None:
    """Write turns to FILE, or to standard output: JSONL, a turn a line, which `lorebot memory import` reads.

    \b
    Example:
      lorebot memory export everything.jsonl
      lorebot memory export --person bob > bob.jsonl
    """
    config = settings.load(user=user)
    written = nullcontext(sys.stdout) if str(file) == "-" else files.fresh(file, replace=force)
    async with managing(config, tenant) as managed:
        which = conditions(config, **given)
        total = len(await managed.memory.find(managed.operator, which))
        with written as out, counting("exporting", total) as step:
            async for one in managed.memory.export(managed.operator, which, vectors=vectors):
                out.write(one.line() + "\n")
                step(1)
    click.echo(f"{verbs.counted(total)} exported.", err=True)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@tenancy
@as_json
@asynchronous
async def import_(file: Path, tenant: str | None, user: str | None, json_: bool) -> None:
    """Remember the turns of FILE: JSONL, a LoCoMo file, or JSONL from standard input as `-`.

    A JSONL line is an object with id, conversation, author, role, text and sent_at (ISO 8601 or milliseconds). The
    file is checked before anything is written; an import that was interrupted goes on when it is run again.

    \b
    Example:
      lorebot memory import chat.jsonl
      echo '{"id": "1", "conversation": "main", "author": "ada", "role": "user",
             "text": "I moved to Kyoto.", "sent_at": "2024-05-01T09:30:00Z"}' > one.jsonl
    """
    config = settings.load(user=user)
    with _given(file) as readable:
        total = sum(1 for _ in _read(readable))
        async with managing(config, tenant) as managed:
            with counting("importing", total) as step:
                done = await managed.memory.bring_in(_read(readable), managed.scope_of, progress=step)
    if json_:
        print(json.dumps({"new": done.new, "known": done.known}))
    else:
        print(f"{done.new:,} turns remembered, {done.known:,} were known already.")


@contextmanager
def _given(file: Path) -> Iterator[Path]:
    """Return the file; standard input is kept in one, as it is read twice."""
    if str(file) != "-":
        yield file
        return
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as kept:
        shutil.copyfileobj(sys.stdin.buffer, kept)
        kept.flush()
        yield Path(kept.name)


def _read(file: Path) -> Iterable[Exported]:
    if locomo.looks_like(file):
        return (
            Exported(turn, Conversation(Audience.PUBLIC))
            for conversation in locomo.read(file)
            for turn in conversation.turns
        )
    return transfer.read_jsonl(file)
