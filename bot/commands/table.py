"""The table of commands: their names, options and words."""

from bot.commands import answers, memory, places
from bot.commands.base import At, Command, Here, Option, Said
from bot.commands.lines import found, named, numbered
from bot.errors import CommandError, ObjectError, PromptError


async def run(line: str, here: Here) -> Said:
    """Carry out a line that begins with `/`."""
    name, _, rest = line.strip().removeprefix("/").partition(" ")
    command = next((one for one in offered(here.at) if one.name == name), None)
    if command is None:
        return Said(f"There is no command `/{name}`. `{here.slash('help')}` lists them.")
    return await carried_out(command, here, rest.strip())


async def carried_out(command: Command, here: Here, words: str) -> Said:
    """Carry out a command with what follows it; what is wrong with that is said."""
    if command.manager and not here.manager:
        return Said("Only who manages this place may do that.")
    try:
        return await command.run(here, words)
    except (CommandError, ObjectError, PromptError) as error:
        return Said(f"{error}.")


def offered(at: At) -> list[Command]:
    """Return the commands of a place."""
    return [one for one in TABLE if at in one.at]


async def why(here: Here, rest: str) -> Said:
    """Show what was recalled for the last answer, and each signal's score."""
    if here.last is None:
        return Said("There is no answer yet to explain.")
    if not here.last.recalled:
        return Said(f"Nothing was recalled for the last answer; it saw {len(here.last.recent)} turns of the window.")
    lines = numbered(found(one, here.timezone, here.link) for one in here.last.recalled)
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
    table = [(f"{here.slash(one.name)} {one.usage}".strip(), one.summary) for one in offered(here.at) if not one.verbs]
    verbs = [
        (f"{here.slash(one.name)} {verb.name} {verb.usage}".strip(), verb.summary)
        for one in offered(here.at)
        for verb in one.verbs
        if here.at in verb.at
    ]
    return Said("\n".join(f"- `{usage}`: {summary}" for usage, summary in [*table, *verbs]))


async def leave(here: Here, rest: str) -> Said:
    """Leave."""
    return Said(leave=True)


TOPIC = Option("topic", "What it is about")
QUESTION = Option("question", "What you want to know", required=True)
APP = Option("app", "Which app looks it up; default: the first one", form="{}:")
ON_OFF = ("on", "off")
JOINS = Option("joins", "Whether I answer here unasked", choices=ON_OFF, form="joins {}")
REMEMBERS = Option(
    "remembers", "Whether I remember what is not said to me; this is announced", choices=ON_OFF, form="remembers {}"
)
NAME = Option("name", "The model's name; nothing lists them, `none` takes the usual one")
PERSONA = Option("text", "Who the bot is here; nothing shows it, `none` lifts it")

TABLE = (
    Command("ask", "QUESTION", "an answer that everybody here sees", answers.ask, At.CHAT, (QUESTION,), open=True),
    Command("chat", "[TOPIC]", "a thread of its own to talk in", answers.chat, At.CHAT, (TOPIC,), open=True),
    Command("lookup", "[APP:] QUESTION", "an answer from what a store knows", answers.lookup, At.CHAT, (APP, QUESTION)),
    Command("why", "", "what was recalled for the last answer, and why", why),
    Command(
        "memory",
        " | ".join(dict.fromkeys(verb.name for verb in memory.VERBS)),
        "what is remembered",
        memory.run,
        verbs=memory.VERBS,
    ),
    Command("new", "", "a fresh start; memory is kept", new, open=True),
    Command("persona", "[TEXT | none]", "who the bot is here", places.persona, At.CHAT, (PERSONA,), manager=True),
    Command("model", "[NAME | none]", "which model answers here", places.model, At.CHAT, (NAME,), manager=True),
    Command(
        "channel",
        "[joins | remembers on | off]",
        "what I do here unasked",
        places.channel,
        At.CHAT,
        (JOINS, REMEMBERS),
        manager=True,
    ),
    Command("usage", "", "what you have used today", places.usage, At.CHAT),
    Command("status", "", "how the bot is doing", places.status, At.CHAT),
    Command("privacy", "", "what is remembered, and how to see and end it", places.privacy, At.CHAT),
    Command("user", "[NAME]", "who is speaking; everyone has a memory of their own", user, At.TERMINAL),
    Command("conversation", "[NAME]", "the conversation; each has a window of its own", conversation, At.TERMINAL),
    Command("help", "", "this list", help_),
    Command("quit", "", "leave (or Ctrl-D)", leave, At.TERMINAL),
)
