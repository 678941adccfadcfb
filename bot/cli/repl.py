"""lorebot repl: a conversation in the terminal."""

import sys
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path

import click
import platformdirs
from rich.console import Console

from bot import observe, settings, wiring
from bot.cli.shared import asynchronous, starting, whose
from bot.platforms import terminal
from memory.scope import Scope


@click.command()
@whose
@asynchronous
async def command(user: str | None, conversation: str | None) -> None:
    """Talk to the bot in this terminal; from a pipe, a line is a turn.

    Everything said is remembered across restarts. /help lists the commands, Ctrl-C stops an answer, Ctrl-D leaves.

    \b
    Example:
      lorebot repl --user ada
      printf 'My dog is called Rex.\\nWhat is my dog called?\\n' | lorebot repl
    """
    config = settings.load(user=user, conversation=conversation)
    observe.configure(config.log_level)
    here = terminal.scope(config.user, config.conversation, narrow=config.recall_from == "conversation")
    interactive = terminal.on_terminal()
    screen: terminal.Screen = terminal.RichScreen(Console()) if interactive else terminal.PlainScreen()
    async with AsyncExitStack() as stack:
        with starting() as progress:
            bot = await stack.enter_async_context(wiring.bot(config, progress))
            greeting = await _greeting(bot, here)
        screen.note(greeting)
        talk = terminal.Terminal(bot.engine, bot.memory, screen, here, config.timezone)
        await talk.hold(terminal.typed(_history()) if interactive else terminal.piped())
    if talk.failed and not interactive:
        sys.exit(1)


async def _greeting(bot: wiring.Bot, here: Scope) -> str:
    """Say who answers and what is remembered; a demonstration says that it is one."""
    remembered = (await bot.memory.latest(here, count=1)).total
    lines = [
        f"Lorebot {version('lorebot')} · {here.person} · conversation {here.conversation} · "
        f"{remembered:,} turns remembered · answers by {bot.model.name}"
    ]
    if await bot.memory.paused(here):
        lines.append("Memory is paused: you are answered, and nothing you say is remembered. /memory resume ends that.")
    if bot.settings.chat_provider == "local":
        lines.append(
            "A small local model answers: a demonstration, not a mind. "
            "Set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of yours, to talk to a better one."
        )
    return "\n".join(lines)


def _history() -> Path:
    return Path(platformdirs.user_state_dir("lorebot")) / "history"
