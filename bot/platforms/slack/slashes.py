"""What the shared commands are called in Slack: slash commands, and entries in a message's menu."""

from dataclasses import dataclass

from bot.commands import table
from bot.commands.base import At, Command, Slash

OURS = "lorebot-"  # stands before what would be Slack's own command

# https://slack.com/help/articles/201259356: a manifest that offers one of these is refused.
SLACKS_OWN = frozenset(
    "active apps archive away call collapse dm dnd expand feed feedback help invite join kick leave me msg mute open "
    "prefs pro remind remove rename search shortcuts shrug star status topic unarchive who".split()
)


@dataclass(frozen=True, slots=True)
class Shortcut:
    """An entry in a message's menu. id: what Slack sends when it is chosen."""

    id: str
    name: str
    summary: str


ABOUT = Shortcut("ask_about_this", "Ask about this", "Have the bot answer this message")
FORGET = Shortcut("forget_this", "Forget this", "Have the bot forget this message and the answer to it")
SHORTCUTS = (ABOUT, FORGET)


def slash(command: Command, prefix: str = "") -> str:
    """Return what people type for a command. prefix: stands before all of them, such as "acme-"."""
    return f"/{prefix or (OURS if command.name in SLACKS_OWN else '')}{command.name}"


def prefix(typed: str) -> str:
    """Return what stands before all commands, as a slash command that was typed tells it; "" for nothing."""
    name, command = typed.removeprefix("/"), meant(typed)
    before = "" if command is None else name.removesuffix(command.name)
    return "" if before == OURS and command is not None and command.name in SLACKS_OWN else before


def called(prefix: str = "") -> Slash:
    """Return what people type for each command, by its name. prefix: stands before all of them."""
    commands = {one.name: slash(one, prefix) for one in table.offered(At.CHAT)}
    return lambda name: commands.get(name, f"/{name}")


def meant(typed: str) -> Command | None:
    """Return the command that people mean by a slash command, with whatever prefix; None where there is none."""
    name = typed.removeprefix("/")
    return next((one for one in table.offered(At.CHAT) if name == one.name or name.endswith(f"-{one.name}")), None)


def command(name: str) -> Command:
    """Return a command by its name."""
    return next(one for one in table.offered(At.CHAT) if one.name == name)


def usage(command: Command) -> str:
    """Return how a command is used in a chat, "" where it takes nothing."""
    verbs = dict.fromkeys(verb.name for verb in command.verbs if At.CHAT in verb.at)
    return " | ".join(verbs) or command.usage
