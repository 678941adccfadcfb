"""Questions of one's own: JSONL, turns as `lorebot memory export` writes them and questions about them."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.ingest.cases import READER, Case, Place, Question
from memory.errors import TransferError
from memory.transfer import LATEST, Exported, parsed


@dataclass(slots=True)
class _Lines:
    """What a file holds: turns in their order, and questions with where each stands."""

    said: list[Exported] = field(default_factory=list)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    places: dict[Place, str] = field(default_factory=dict)  # of the turns, and where each stands in the file
    rooms: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # an id's conversations


def read(path: Path) -> list[Case]:
    """Return the file's turns and questions, as one case.

    A line with a `question` is one: relevant (the turns that answer it: each an id, or [conversation, id] where the id
    is in several; [] where nothing should be recalled), and optional: conversation (where it is asked; default: that of
    the first turn; one that no turn is in is a new public one), person and author (who asks: id and name), category,
    asked_at (ISO 8601 or milliseconds). Anything else is kept out of the way. Every other line is a turn. Questions may
    stand before their turns; all are asked when all has been said. Raises TransferError naming file and line.
    """
    lines = _Lines()
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    _take(lines, line, f"{path}, line {number}")
    except OSError as error:
        raise TransferError(f"{path} cannot be read: {error.strerror}") from error
    if not lines.said:
        raise TransferError(f"{path} holds no turn; put in what `lorebot memory export` writes")
    if not lines.asked:
        raise TransferError(f'{path} holds no question; a line is wanted such as {{"question": "...", "relevant": []}}')
    questions = tuple(_question(found, lines, where) for where, found in lines.asked)
    return [Case("questions", tuple(lines.said), questions)]


def _take(lines: _Lines, line: bytes, where: str) -> None:
    found = _loaded(line)
    if isinstance(found, dict) and "question" in found:
        if "text" in found:
            raise TransferError(f"{where}: either a turn (text) or a question, not both")
        lines.asked.append((where, found))
        return
    one = parsed(line, where)
    place = (one.turn.conversation, one.turn.id)
    if place in lines.places:
        raise TransferError(
            f"{where}: the turn {one.turn.id} of {one.turn.conversation} is there already: {lines.places[place]}"
        )
    lines.places[place] = where
    lines.rooms[one.turn.id].append(one.turn.conversation)
    lines.said.append(one)


def _loaded(line: bytes) -> Any:
    """Return the line's JSON, or nothing: what is wrong with it, the reader of turns tells."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _question(found: Mapping[str, Any], lines: _Lines, where: str) -> Question:
    relevant = found.get("relevant")
    if not isinstance(relevant, list):
        raise TransferError(f"{where}: relevant must be a list of turn ids; [] where nothing should be recalled")
    person = _text(found, "person", READER, where)
    return Question(
        text=_text(found, "question", "", where),
        relevant=tuple(dict.fromkeys(_place(one, lines, where) for one in relevant)),
        conversation=_text(found, "conversation", lines.said[0].turn.conversation, where),
        category=_text(found, "category", "uncategorised", where),
        person=person,
        author=_text(found, "author", person, where),
        asked_at=_moment(found.get("asked_at"), where),
    )


def _place(named: Any, lines: _Lines, where: str) -> Place:
    if isinstance(named, list) and len(named) == 2 and all(_is_id(part) for part in named):
        place = (str(named[0]), str(named[1]))
        if place not in lines.places:
            raise TransferError(f"{where}: there is no turn {place[1]} in {place[0]}")
        return place
    if not _is_id(named):
        raise TransferError(f"{where}: relevant must hold turn ids, or [conversation, turn id]; got {named!r}")
    rooms = lines.rooms.get(str(named), [])
    if not rooms:
        raise TransferError(f"{where}: there is no turn {named}")
    if len(rooms) > 1:
        raise TransferError(f"{where}: {named} is a turn of {' and of '.join(rooms)}; write [conversation, turn id]")
    return rooms[0], str(named)


def _is_id(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _text(found: Mapping[str, Any], name: str, default: str, where: str) -> str:
    value = found.get(name)
    if value is None:
        value = default
    if not _is_id(value) or not str(value).strip():
        raise TransferError(f"{where}: {name} must be text, and not empty")
    if any("\ud800" <= char <= "\udfff" for char in str(value)):
        raise TransferError(f"{where}: {name} holds a lone surrogate, which is no character")
    return str(value)


def _moment(value: Any, where: str) -> int | None:
    """Return milliseconds since 1970; a time without an offset is UTC."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LATEST):
        return value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            pass
        else:
            found = round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
            if 0 <= found < LATEST:
                return found
    raise TransferError(f"{where}: asked_at must be ISO 8601 (2023-05-08T13:56:00Z) or milliseconds, from 1970 to 9999")
