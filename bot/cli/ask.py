"""lorebot ask: one question, one answer."""

import json
import sys
import time
from contextlib import AsyncExitStack, aclosing
from dataclasses import asdict
from typing import Any

import click
from ulid import ULID

from bot import observe, settings, wiring
from bot.cli.shared import as_json, asynchronous, piped, recalled_json, starting, turn_json, whose
from bot.models.base import Piece
from bot.platforms import signals, terminal
from bot.records import Answered, Incoming, Notice


@click.command()
@whose
@as_json
@click.argument("text", nargs=-1)
@asynchronous
async def command(user: str | None, conversation: str | None, json_: bool, text: tuple[str, ...]) -> None:
    """Ask one question and print the answer; what is piped in comes below the question.

    \b
    Example:
      lorebot ask "What did I tell you about my holiday?"
      cat notes.txt | lorebot ask "Summarise this"
      lorebot ask --json "Where do I live?" | jq .answer
    """
    config = settings.load(user=user, conversation=conversation)
    observe.configure(config.log_level)
    question = _question(" ".join(text))
    here = terminal.scope(config.user, config.conversation, narrow=config.recall_from == "conversation")
    now = time.time_ns() // 1_000_000
    incoming = Incoming(str(ULID()), here, here.person, question, now, config.timezone)
    answered: Answered | None = None
    async with AsyncExitStack() as stack:
        with starting() as progress:
            bot = await stack.enter_async_context(wiring.bot(config, progress))
        stack.enter_context(signals.ending())
        events = await stack.enter_async_context(aclosing(bot.engine.reply(incoming)))  # type: ignore[type-var]
        async for event in events:
            match event:
                case Piece(piece) if not json_:
                    print(terminal.clean(piece), end="", flush=True)
                case Notice(notice):
                    print(terminal.clean(notice), file=sys.stderr)
                case Answered():
                    answered = event
    if answered is not None:
        print(json.dumps(answer_json(answered), ensure_ascii=False) if json_ else "")


def answer_json(answered: Answered) -> dict[str, Any]:
    """Return an answer as --json prints it."""
    return {
        "answer": answered.answer,
        "turn_id": answered.turn_id,
        "model": answered.model,
        "recalled": [recalled_json(one) for one in answered.recalled],
        "recent": [turn_json(turn) for turn in answered.recent],
        "tokens": asdict(answered.tokens),
    }


def _question(text: str) -> str:
    """Return what is asked, with what is piped in below it."""
    question = piped(text)
    if not question:
        raise click.UsageError('nothing is asked; for example: lorebot ask "Where do I live?"')
    return question
