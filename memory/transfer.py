"""Turns from files into memory: JSONL, checked whole before anything is written, taken up again where it stopped."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from memory.errors import TransferError
from memory.memory import Memory
from memory.records import Role, Status, Turn
from memory.scope import Scope

LATEST = 253_402_214_400_000  # milliseconds; the end of the year 9999, less a day for time zones
BATCH = 64  # turns embedded and written together


@dataclass(frozen=True, slots=True)
class Brought:
    """What an import did. known: turns that were there already."""

    new: int = 0
    known: int = 0


async def bring_in(
    memory: Memory, turns: Iterable[Turn], scope_of: Callable[[Turn], Scope], progress: Callable[[int], None]
) -> Brought:
    """Remember turns in their order; those that are known already stay as they are and are not embedded again.

    progress is told how many turns have been looked at since the last call.
    """
    new = seen = 0
    for scope, said in groupby(turns, key=scope_of):
        while batch := list(islice(said, BATCH)):
            known = await memory.known(scope, [turn.id for turn in batch])
            missing = [turn for turn, there in zip(batch, known, strict=True) if not there]
            if missing:
                new += sum(await memory.remember(scope, missing))
            seen += len(batch)
            progress(len(batch))
    return Brought(new, seen - new)


def read_jsonl(path: Path) -> Iterator[Turn]:
    """Yield the turns of a JSONL file: id, conversation, author, role, text, sent_at (ISO 8601 or milliseconds).

    Optional: person (the author's id; default: the author) and status. Raises TransferError naming file and line.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _turn(line, f"{path}, line {number}")
    except OSError as error:
        raise TransferError(f"{path} cannot be read: {error.strerror}") from error


def _turn(line: bytes, where: str) -> Turn:
    try:
        found = json.loads(line)
    except UnicodeDecodeError as error:
        raise TransferError(f"{where}: not UTF-8; convert the file first (iconv -f latin1 -t utf-8)") from error
    except json.JSONDecodeError as error:
        raise TransferError(f"{where}: not JSON ({error.msg} at column {error.colno})") from error
    except (ValueError, RecursionError) as error:
        raise TransferError(f"{where}: JSON beyond all measure ({error})") from error
    if not isinstance(found, dict):
        raise TransferError(f"{where}: a JSON object is wanted, one turn a line")
    wanted = ("id", "conversation", "author", "text", "sent_at")
    missing = [name for name in wanted if not str(found.get(name) or "").strip() and found.get(name) != 0]
    if missing:
        raise TransferError(f"{where}: {', '.join(missing)} missing")
    return Turn(
        id=_text(found, "id", where),
        conversation=_text(found, "conversation", where),
        person=_text(found, "person" if found.get("person") else "author", where),
        author=_text(found, "author", where),
        role=_role(found.get("role", "user"), where),
        text=_text(found, "text", where),
        sent_at=_milliseconds(found["sent_at"], where),
        status=_status(found.get("status", "whole"), where),
    )


def _text(found: dict[str, Any], name: str, where: str) -> str:
    value = found[name]
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise TransferError(f"{where}: {name} must be text")
    try:
        str(value).encode("utf-8")
    except UnicodeEncodeError as error:
        raise TransferError(f"{where}: {name} holds a lone surrogate, which is no character") from error
    return str(value)


def _role(value: object, where: str) -> Role:
    if value in ("user", "assistant", "system"):
        return value
    raise TransferError(f"{where}: role must be user, assistant or system")


def _status(value: object, where: str) -> Status:
    try:
        return Status(str(value))
    except ValueError as error:
        raise TransferError(f"{where}: status must be one of {', '.join(Status)}") from error


def _milliseconds(value: object, where: str) -> int:
    """Return milliseconds since 1970; a time without an offset is UTC."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LATEST:
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
    raise TransferError(f"{where}: sent_at must be ISO 8601 (2023-05-08T13:56:00Z) or milliseconds, from 1970 to 9999")
