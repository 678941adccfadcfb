"""lorebot memory: import, list and search what is remembered."""

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import click

from bot import commands, observe, settings, wiring
from bot.cli.recall import command as recall
from bot.cli.shared import as_json, asynchronous, counting, show, starting, turn_json, whose
from bot.ingest import locomo
from bot.platforms import terminal
from memory import transfer
from memory.conversations import Conversation
from memory.scope import Audience
from memory.transfer import Exported


@click.group()
def command() -> None:
    """Import, list and search what is remembered.

    \b
    Example:
      lorebot memory import chat.jsonl
      lorebot memory list
    """


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--user", metavar="NAME", help="Whose memory; default: your login name.")
@as_json
@asynchronous
async def import_(file: Path, user: str | None, json_: bool) -> None:
    """Remember the turns of FILE: JSONL, or a LoCoMo file.

    A JSONL line is an object with id, conversation, author, role, text and sent_at (ISO 8601 or milliseconds). The
    file is checked before anything is written; an import that was interrupted goes on when it is run again.

    \b
    Example:
      lorebot memory import chat.jsonl
      echo '{"id": "1", "conversation": "main", "author": "ada", "role": "user",
             "text": "I moved to Kyoto.", "sent_at": "2024-05-01T09:30:00Z"}' > one.jsonl
    """
    config = settings.load(user=user)
    observe.configure(config.log_level)
    found = _read(file)
    async with AsyncExitStack() as stack:
        with starting() as progress:
            memory = await stack.enter_async_context(wiring.opened_memory(config, progress))
        with counting("importing", len(found)) as step:
            done = await transfer.bring_in(
                memory, found, lambda one: terminal.scope(config.user, one.turn.conversation), step
            )
    if json_:
        print(json.dumps({"new": done.new, "known": done.known}))
    else:
        print(f"{done.new:,} turns remembered, {done.known:,} were known already.")


@command.command("list")
@whose
@click.option("-n", "count", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many turns.")
@as_json
@asynchronous
async def list_(user: str | None, conversation: str | None, count: int, json_: bool) -> None:
    """List the latest turns, the newest last; with --conversation, those of that conversation alone.

    \b
    Example:
      lorebot memory list -n 50
    """
    config = settings.load(user=user, conversation=conversation)
    observe.configure(config.log_level)
    narrow = conversation is not None or config.recall_from == "conversation"
    here = terminal.scope(config.user, config.conversation, narrow=narrow)
    with starting() as progress:
        async with wiring.opened_memory(config, progress) as memory:
            listing = await memory.latest(here, count)
    turns = listing.turns[::-1]
    if json_:
        print(json.dumps([turn_json(turn) for turn in turns], ensure_ascii=False))
    else:
        show(commands.told(turn, config.timezone) for turn in turns)


command.add_command(recall, "search")


def _read(file: Path) -> Sequence[Exported]:
    if locomo.looks_like(file):
        return [
            Exported(turn, Conversation(turn.conversation, Audience.PUBLIC))
            for conversation in locomo.read(file)
            for turn in conversation.turns
        ]
    return list(transfer.read_jsonl(file))
