"""How people's words stand in a prompt: quotes that cannot end early, and lines under nobody's name but their own."""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.apps.marks import plain
from bot.records import Incoming, Seen
from memory.records import Status, Turn

NAME = 80  # characters that are shown of a name
_HEAD = 200  # characters before a colon, at most, where a name or a header can stand; a dated name takes 100
_COLON = re.compile("[:\u02d0\u02f8\u0589\u05c3\u2236\ua789\ufe13\ufe30\ufe55\uff1a]")
_QUOTES = frozenset("\"'\u00ab\u00bb\u201c\u201d\u201e\u201f\u2033\u301d\u301e\uff02")
_LEAD = re.compile(r"\W*(?:[\d:.,/\s-]+(?:[AaPp][Mm])?\W+)?")  # bullets, numbers and times: "- ", "[12:30] "
_DATED = re.compile(
    r"\W*\d{1,2}\s+[^\W\d_]{3,}\s+\d{4}\s*[,\]]\W*[^\W\d]"
)  # as memory's lines begin: "- 8 May 2023, Bob"
_OPENS = tuple("#[<*{`")  # how headings, tags and objects begin

# Names that chat templates give to their roles, and the headers of prompts/.
_ROLES = frozenset(
    "system assistant user developer tool human ai role ipython instruction instructions response "
    "systemprompt systemmessage frommemory alsoonthescreen whatwassaidbefore summariesofwhatwassaidbefore "
    "attachedfiles answerinonesentence".split()
)
# Cyrillic and Greek letters that look like Latin ones.
_LOOKALIKES = str.maketrans("аеорсухѕіјкмнтвαεικνορτυχ", "aeopcyxsijkmhtbaeikvoptux")


@dataclass(frozen=True, slots=True)
class Speakers:
    """Whom a prompt shows.

    names: what (person, author) is called, no two people alike. known: everybody's name, folded. several: whether
    more than one person speaks in the window.
    """

    names: Mapping[tuple[str, str], str]
    known: frozenset[str]
    several: bool

    def name(self, turn: Turn) -> str:
        """Return the name that stands before a turn."""
        return self.names.get((turn.person, turn.author)) or one_line(turn.author)


def cast(said: Iterable[Turn], me: str) -> dict[tuple[str, str], str]:
    """Return what each (person, author) of some turns is called, no two people alike, and none like the bot."""
    return _told_apart([(turn.person, turn.author) for turn in said if turn.role == "user"], me)


def speakers(incoming: Incoming, recent: Sequence[Turn], recalled: Sequence[Turn], me: str) -> Speakers:
    """Return who speaks; whoever shares a name with the asker, or with somebody before, gets a number.

    A person who is called like a role or like the bot is shown as a person: "System (a person)".
    """
    asker = (incoming.scope.person, incoming.author)
    said = [(turn.person, turn.author) for turn in (*recent, *recalled) if turn.role == "user"]
    shown = {one_line(author) for _, author in (asker, *said)} | {seen_name(seen) for seen in incoming.context}
    names = _told_apart([asker, *said], me)
    return Speakers(
        names=names,
        known=frozenset({_fold(name) for name in (*shown, *names.values(), me)}),
        several=len({names[asker], *(names[turn.person, turn.author] for turn in recent if turn.role == "user")}) > 1,
    )


def _told_apart(people: Iterable[tuple[str, str]], me: str) -> dict[tuple[str, str], str]:
    names: dict[tuple[str, str], str] = {}
    taken: dict[str, str] = {}  # folded name -> person
    for person, author in people:
        if (person, author) in names:
            continue
        plainly = name = _as_person(one_line(author), me)
        # An import may know people by their names alone; those are who their names say.
        who = "" if _fold(person) == _fold(author) else person
        number = 2
        while who and taken.get(_fold(name), who) not in ("", who):
            name = f"{plainly} ({number})"
            number += 1
        taken[_fold(name)] = taken.get(_fold(name)) or who
        names[person, author] = name
    return names


def _as_person(name: str, me: str = "") -> str:
    return f"{name} (a person)" if _fold(name) in _ROLES | {_fold(me)} else name


def seen_name(seen: Seen) -> str:
    """Return the name of who wrote what is on the screen; the bot itself may be among them."""
    return _as_person(one_line(seen.author))


def quoted(text: str) -> str:
    """Return a text as one quoted line, a JSON string of plain(text): it can neither end early nor begin a line."""
    return json.dumps(plain(text), ensure_ascii=False)


def one_line(name: str) -> str:
    """Return a name that cannot pass for anything else: one line, no quotes or colons, 80 characters."""
    shown = "".join(" " if _stops(char) else char for char in plain(name))
    return " ".join(shown.split())[:NAME].rstrip() or "someone"


def _stops(char: str) -> bool:
    return char in _QUOTES or not char.isprintable() or bool(_COLON.match(char))


def spoken(turn: Turn, who: Speakers) -> str:
    """Return a turn as it stands in the window; where several people speak, each of its lines begins with a name.

    So it does where a line could pass for another speaker's, a header or a quote. The bot's own such lines are
    Markdown quotes instead, for a model repeats what its replies begin with.
    """
    text = plain(turn.text)
    if turn.role == "user":
        return _under(who.name(turn), text) if who.several or _poses(text, who) else text
    text = "\n".join(f"> {line}" if _line_poses(line, who) else line for line in text.split("\n"))
    return f"{text} …" if turn.status in (Status.CANCELLED, Status.BROKEN) else text


def asked(text: str, name: str, who: Speakers) -> str:
    """Return the message to answer: as it is, or under its speaker's name where lines could pass for another's."""
    several_lines = "\n" in text.strip()
    return _under(name, text) if (who.several and several_lines) or _poses(text, who) else text


def unnamed(text: str, name: str) -> str:
    """Return what `asked` was given, or the beginning of it where its text was cut."""
    return "\n".join(line.removeprefix(f"{name}: ") for line in text.split("\n"))


def _under(name: str, text: str) -> str:
    return "\n".join(f"{name}: {line}" if line.strip() else "" for line in text.strip("\n").split("\n"))


def _poses(text: str, who: Speakers) -> bool:
    return any(_line_poses(line, who) for line in text.split("\n"))


def _line_poses(line: str, who: Speakers) -> bool:
    """Tell whether a line could pass for another speaker's, for a header or for a line of memory."""
    name = line[_LEAD.match(line).end() :]  # type: ignore[union-attr]  # it matches nothing, too
    colon = _COLON.search(name)
    if not colon:
        return line.lstrip().startswith(_OPENS) and len(line) < _HEAD and _fold(line) in _ROLES
    if colon.start() > _HEAD:
        return False
    folded = _fold(name[: colon.start()]).removesuffix("asks").removesuffix("says")
    return folded in _ROLES or folded in who.known or bool(_DATED.match(line))


def _fold(name: str) -> str:
    """Return a name as it looks: without case, blanks and signs; itself where it is nothing but signs."""
    normal = unicodedata.normalize("NFKC", name).casefold()
    return "".join(char for char in normal if char.isalnum()).translate(_LOOKALIKES) or name
