"""Which turns are meant: words such as `person bob since 7d`, numbers of the last list, or names of turns."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from bot.commands.base import Here, Named
from bot.commands.lines import named
from bot.commands.moments import moment
from bot.errors import CommandError
from memory.records import Which
from memory.scope import Operator, Scope

SEARCHED = 10  # turns that a search means, at most
NAMED = 50  # turns that are named one by one; each is looked for by itself
SLASHES = 5  # of a name; each may be where the conversation ends and the id begins
USAGE = "NUMBER… | person NAME | conversation NAME | since WHEN | until WHEN | search WORDS | all"
_KEYWORDS = ("person", "conversation", "since", "until", "search", "all")


async def chosen(here: Here, words: str) -> Which:
    """Return the turns that the words mean; those of other people only where the person may manage them.

    Raises CommandError where they mean none.
    """
    said = _said(words.split())
    if not said:
        raise CommandError(f"say which turns: {USAGE}")
    now = datetime.now(UTC)
    which = Which(
        turns=await _turns(here, said),
        person=said.get("person"),
        conversation=said.get("conversation"),
        since=moment(said["since"], here.timezone, now) if "since" in said else None,
        until=moment(said["until"], here.timezone, now) if "until" in said else None,
    )
    if here.owner:
        return which
    if which.person not in (None, here.scope.person):
        raise CommandError("you can manage only what you said yourself, and the answers to it")
    return Which(which.turns, here.scope.person, which.conversation, which.since, which.until)


def _said(words: Sequence[str]) -> dict[str, str]:
    """Return what follows each keyword, up to the next; `search` takes all the rest."""
    said: dict[str, str] = {}
    keyword = ""
    for word in words:
        if word in _KEYWORDS and keyword != "search":
            keyword = word
            said[keyword] = ""
        else:
            said[keyword] = f"{said.get(keyword, '')} {word}".strip()
    for name, value in said.items():
        if name in _KEYWORDS[:-1] and not value:
            raise CommandError(f"say what follows `{name}`: {USAGE}")
        if name == "all" and value:
            raise CommandError(f"`all` stands alone, without {value!r}")
    return said


async def _turns(here: Here, said: Mapping[str, str]) -> tuple[Named, ...] | None:
    if "search" in said:
        recalled = await here.memory.recall(here.scope, said["search"], SEARCHED, anyway=True)
        return named(one.turn for one in recalled)
    if "" not in said:
        return None
    words = said[""].split()
    if len(words) > NAMED:
        raise CommandError(f"name {NAMED} turns at most; `since`, `search` and `all` mean more")
    return tuple([await turn(here, word) for word in words])


async def turn(here: Here, word: str, whose: Scope | Operator | None = None) -> Named:
    """Return the turn that a word names: its number in the last list, its id here, or CONVERSATION/ID.

    whose: among whose turns it is; default: whose are managed here. Raises CommandError where there is none.
    """
    short = len(word) <= len(str(len(here.listed)))  # Python reads no number of more than 4,300 digits
    if short and word.isdecimal() and 1 <= int(word) <= len(here.listed):
        return here.listed[int(word) - 1]
    names = [(here.scope.conversation, word)]
    names += [(word[:at], word[at + 1 :]) for at, char in enumerate(word) if char == "/"][:SLASHES]
    for name in names:
        if await here.memory.find(whose or here.whose, Which(turns=(name,))):
            return name
    raise CommandError(f"there is no turn {word}; `list` and `search` number what they show")
