"""The command `lorebot`: one file a noun, loaded when it is called."""

import importlib
import sys
from importlib.metadata import version

import click

from bot.errors import PlatformLost, Unconfigured
from bot.platforms.screens import clean
from bot.stuck import TRY_AGAIN
from memory.errors import LoreError

NOT_CONFIGURED = 78  # EX_CONFIG of sysexits.h: a supervisor need not try again

_NOUNS = {
    "repl": "Talk to the bot in this terminal.",
    "discord": "Be a bot in Discord servers.",
    "discord-invite": "Print the address that adds the bot to a Discord server.",
    "slack": "Be an app in Slack workspaces.",
    "slack-manifest": "Print the manifest of the Slack app.",
    "ask": "Ask one question and print the answer.",
    "recall": "Show what memory finds, without a model.",
    "memory": "Import, list and search what is remembered.",
    "llm": "Name models: create, list, show, remove.",
    "store": "Vector stores: create, add, get, rem, size, knn, search.",
    "app": "Apps of models: create, list, show, remove.",
    "run": "Run an app.",
    "resp": "Answer LLM.* commands of every Redis client.",
    "eval": "Measure how well memory finds what it should.",
    "doctor": "Check Redis, models, tokenizer and settings.",
    "server": "The embedded Redis: status, stop.",
    "weights": "Fetch the local models' weights.",
}


class _Lazy(click.Group):
    """Imports a command's file only when it is called, so that `lorebot --help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_NOUNS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _NOUNS:
            return None
        module = importlib.import_module(f"bot.cli.{name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_NOUNS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("lorebot"), prog_name="lorebot")
def group() -> None:
    """A chat bot that remembers.

    Without any settings it runs on an embedded Redis and small local models. Settings are environment variables or
    lines of .env; the README lists them.

    \b
    Example:
      lorebot repl
      lorebot ask "What did I tell you about my holiday?"
    """


def main() -> None:
    """Run the command line; errors are one sentence, exit codes 0, 1, 2, 75, 78, 130 and 128 + a signal's number."""
    try:
        group.main(prog_name="lorebot", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except LoreError as error:
        click.echo(f"lorebot: {clean(str(error))}", err=True)
        sys.exit(_code(error))
    except BrokenPipeError:  # whoever read our output has seen enough
        sys.stderr.close()
        sys.exit(0)


def _code(error: LoreError) -> int:
    if isinstance(error, Unconfigured):
        return NOT_CONFIGURED
    return TRY_AGAIN if isinstance(error, PlatformLost) else 1
