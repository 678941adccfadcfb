"""LoCoMo files: very long conversations with questions about them (Maharana et al., 2024, ACL)."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.ingest import cases
from bot.ingest.cases import Case
from memory.conversations import Conversation as Room
from memory.errors import TransferError
from memory.records import Turn
from memory.scope import Audience
from memory.transfer import Exported

CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}
ADVERSARIAL = 5  # its questions name the wrong speaker; the field leaves it out of the overall figures

_EVIDENCE = re.compile(r"D:?(\d+):(\d+)")  # a few are malformed: "D8:6; D9:17", "D:11:26"


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a conversation. relevant: the ids of the turns that answer it."""

    text: str
    category: int
    relevant: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation with its questions; those without evidence among the turns are left out."""

    id: str
    turns: tuple[Turn, ...]
    questions: tuple[Question, ...]


def looks_like(path: Path) -> bool:
    """Tell whether a file may be a LoCoMo one: a JSON list, where turns would be a line each."""
    try:
        with path.open("rb") as file:
            return file.read(64).lstrip().startswith(b"[")
    except OSError as error:
        raise TransferError(f"{path} cannot be read: {error.strerror}") from error


def read(path: Path) -> list[Conversation]:
    """Return the file's conversations; raises TransferError where it is not a LoCoMo file."""
    try:
        found = json.loads(path.read_bytes())
        return [_conversation(one, number) for number, one in enumerate(found)]
    except OSError as error:
        raise TransferError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TransferError(f"{path} is not a LoCoMo file ({type(error).__name__}: {error})") from error


def case(conversation: Conversation) -> Case:
    """Return a conversation as it is measured with: in a tenant of its own, for everyone there to read."""
    room = Room(Audience.PUBLIC)
    questions = (
        cases.Question(
            text=one.text,
            relevant=tuple((conversation.id, turn) for turn in one.relevant),
            conversation=conversation.id,
            category=CATEGORIES.get(one.category, str(one.category)),
            number=one.category,
            aside=one.category == ADVERSARIAL,
        )
        for one in conversation.questions
    )
    said = tuple(Exported(turn, room) for turn in conversation.turns)
    return Case(f"locomo:{conversation.id}", said, tuple(questions))


def _conversation(found: dict[str, Any], number: int) -> Conversation:
    name = str(found.get("sample_id") or f"conversation-{number}")
    turns = tuple(_turns(found["conversation"], name))
    known = {turn.id for turn in turns}
    asked = (_question(one, known) for one in found.get("qa", ()))
    return Conversation(name, turns, tuple(one for one in asked if one.relevant))


def _turns(found: dict[str, Any], name: str) -> Iterator[Turn]:
    number = 1
    while (session := found.get(f"session_{number}")) is not None:
        began = _moment(found[f"session_{number}_date_time"])
        for place, turn in enumerate(session):
            yield Turn(
                id=turn["dia_id"],
                conversation=name,
                person=turn["speaker"],
                author=turn["speaker"],
                role="user",
                text=_text(turn),
                sent_at=began + place * 1000,  # only sessions have a time; a second a turn keeps their order
            )
        number += 1


def _text(turn: dict[str, Any]) -> str:
    caption = turn.get("blip_caption")
    return f"{turn['text']} [image: {caption}]" if caption else str(turn["text"])


def _moment(text: str) -> int:
    """Return milliseconds for '1:56 pm on 8 May, 2023'."""
    return round(datetime.strptime(text, "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC).timestamp() * 1000)


def _question(found: dict[str, Any], known: set[str]) -> Question:
    pairs = (match.groups() for one in found.get("evidence", ()) for match in _EVIDENCE.finditer(one))
    ids = dict.fromkeys(f"D{int(session)}:{int(turn)}" for session, turn in pairs)
    return Question(str(found["question"]), int(found["category"]), tuple(one for one in ids if one in known))
