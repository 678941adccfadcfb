"""LongMemEval files: questions, each with a haystack of chat sessions of its own (Wu et al., 2024, ICLR 2025)."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.ingest.cases import Case, Place, Question
from bot.models.tokens import readable
from memory.conversations import Conversation
from memory.errors import TransferError
from memory.records import Turn
from memory.scope import Audience
from memory.transfer import Exported

USER = "user"
_ROLES = ("user", "assistant")
_ABSTENTION = "_abs"  # how the ids of questions end that nothing in the haystack answers
_WEEKDAY = re.compile(r"\([^)]*\)")
_OPEN = Conversation(Audience.PUBLIC)


def read(path: Path) -> list[Case]:
    """Return a case a question: its haystack's sessions are conversations that everyone in its tenant can read.

    Relevant are the turns marked `has_answer`, of either side, and the sessions in `answer_session_ids`. Abstention
    questions are left out, as the authors do, and so are those without evidence in their haystack. The file is read
    whole: reckon with four times its size. Raises TransferError naming the file and the item.
    """
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise TransferError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise TransferError(f"{path} is not a LongMemEval file ({type(error).__name__}: {error})") from error
    if not isinstance(found, list):
        raise TransferError(f"{path} is not a LongMemEval file: a JSON list of questions is wanted")
    cases = [_case(one, f"{path}, question {number}") for number, one in enumerate(found, 1)]
    return [case for case in cases if case is not None and case.questions]


def _case(found: Any, where: str) -> Case | None:
    try:
        name = _text(found["question_id"], "question_id")
        if name.endswith(_ABSTENTION):
            return None
        said, evidence = _haystack(found)
        asked = Question(
            text=_text(found["question"], "question"),
            relevant=evidence,
            conversation=name,
            category=_text(found["question_type"], "question_type"),
            person=USER,
            author=USER,
            asked_at=_moment(found["question_date"]),
            sessions=_sessions(found["answer_session_ids"], said),
        )
    except KeyError as error:
        raise TransferError(f"{where}: {error} missing") from error
    except (ValueError, TypeError) as error:
        raise TransferError(f"{where}: not in LongMemEval's form ({error})") from error
    return Case(f"longmemeval:{name}", said, (asked,) if asked.relevant or asked.sessions else ())


def _haystack(found: dict[str, Any]) -> tuple[tuple[Exported, ...], tuple[Place, ...]]:
    """Return the turns, session by session, and where those stand that hold the answer."""
    dates = [_moment(date) for date in found["haystack_dates"]]
    sessions = list(zip(dates, found["haystack_session_ids"], found["haystack_sessions"], strict=True))
    numbers: Counter[str] = Counter()
    turns: list[tuple[Turn, bool]] = []
    for began, name, session in sorted(sessions, key=lambda one: one[0]):  # some released files are not in order
        turns.extend(_turns(_text(name, "a session id"), began, session, numbers))
    evidence = tuple((turn.conversation, turn.id) for turn, holds in turns if holds)
    return tuple(Exported(turn, _OPEN) for turn, _ in turns), evidence


def _turns(name: str, began: int, session: list[Any], numbers: Counter[str]) -> Iterator[tuple[Turn, bool]]:
    """Yield a session's turns and whether each holds the answer; a session that comes again goes on with its ids."""
    for place, said in enumerate(session):
        role = said["role"]
        if role not in _ROLES:
            raise ValueError(f"a role must be one of {', '.join(_ROLES)}; got {role!r}")
        numbers[name] += 1
        turn = Turn(
            id=f"{name}_{numbers[name]}",
            conversation=name,
            person=role,
            author=role,
            role=role,
            text=readable(_content(said["content"])),
            sent_at=began + place * 1000,  # only sessions have a time; a second a turn keeps their order
            to=USER if role == "assistant" else None,
        )
        yield turn, said.get("has_answer") is True


def _sessions(named: list[Any], said: tuple[Exported, ...]) -> tuple[str, ...]:
    if not isinstance(named, list):
        raise ValueError(f"answer_session_ids must be a list; got {named!r}")
    known = {one.turn.conversation for one in said}
    return tuple(dict.fromkeys(name for name in map(str, named) if name in known))


def _content(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"content must be text; got {value!r}")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{what} must be text, and not empty; got {value!r}")
    return readable(value)


def _moment(text: str) -> int:
    """Return milliseconds for '2023/05/20 (Sat) 02:21'; the weekday is left to itself, whatever its language."""
    bare = " ".join(_WEEKDAY.sub(" ", text).split())
    return round(datetime.strptime(bare, "%Y/%m/%d %H:%M").replace(tzinfo=UTC).timestamp() * 1000)
