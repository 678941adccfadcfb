"""The table of commands: their names, options and words."""

from bot.commands import memory
from bot.commands.base import Command, Here, Said
from bot.commands.lines import found, named, numbered
from bot.errors import CommandError


async def run(line: str, here: Here) -> Said:
    """Carry out a line that begins with `/`."""
    name, _, rest = line.strip().removeprefix("/").partition(" ")
    command = next((one for one in TABLE if one.name == name), None)
    if command is None:
        return Said(f"There is no command `/{name}`. `/help` lists them.")
    try:
        return await command.run(here, rest.strip())
    except CommandError as error:
        return Said(f"{error}.")


async def why(here: Here, rest: str) -> Said:
    """Show what was recalled for the last answer, and each signal's score."""
    if here.last is None:
        return Said("There is no answer yet to explain.")
    if not here.last.recalled:
        return Said(f"Nothing was recalled for the last answer; it saw {len(here.last.recent)} turns of the window.")
    lines = numbered(found(one, here.timezone) for one in here.last.recalled)
    listed = named(one.turn for one in here.last.recalled)
    return Said(f"Recalled for the last answer, best first:\n\n{lines}", listed=listed)


async def new(here: Here, rest: str) -> Said:
    """Begin anew: the window is emptied, memory is kept."""
    await here.memory.begin_anew(here.scope)
    return Said("A fresh start. What was said before is still remembered.")


async def user(here: Here, rest: str) -> Said:
    """Tell or change who is speaking."""
    if not rest:
        return Said(f"You are {here.scope.person}. `/user NAME` changes that.")
    return Said(f"You are {rest} now.", user=rest)


async def conversation(here: Here, rest: str) -> Said:
    """Tell or change the conversation."""
    if not rest:
        return Said(f"This is the conversation {here.scope.conversation}. `/conversation NAME` opens another.")
    return Said(f"This is the conversation {rest} now.", conversation=rest)


async def help_(here: Here, rest: str) -> Said:
    """List the commands."""
    table = [(f"{one.name} {one.usage}".strip(), one.summary) for one in TABLE if one.name != "memory"]
    verbs = [(f"memory {verb.name} {verb.usage}".strip(), verb.summary) for verb in memory.VERBS]
    return Said("\n".join(f"- `/{usage}`: {summary}" for usage, summary in [*table, *verbs]))


async def leave(here: Here, rest: str) -> Said:
    """Leave."""
    return Said(leave=True)


TABLE = (
    Command("why", "", "what was recalled for the last answer, and why", why),
    Command("memory", " | ".join(verb.name for verb in memory.VERBS), "what is remembered", memory.run),
    Command("new", "", "a fresh start; memory is kept", new),
    Command("user", "[NAME]", "who is speaking; everyone has a memory of their own", user, terminal=True),
    Command("conversation", "[NAME]", "the conversation; each has a window of its own", conversation, terminal=True),
    Command("help", "", "this list", help_),
    Command("quit", "", "leave (or Ctrl-D)", leave, terminal=True),
)
