"""Turns in files: JSONL, a turn a line, from memory and into it without loss.

What is brought in should be read once before anything is written, so that a fault is found first; it is taken up again
where it stopped.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis.asyncio

from memory import conversations, turns
from memory.batch import Batch
from memory.conversations import Conversation
from memory.errors import ScopeError, TransferError
from memory.index import Generation
from memory.keys import Keys
from memory.pending import WAITING
from memory.records import Role, Status, Turn
from memory.scope import Audience, Scope, conversation_tag
from memory.selection import Place
from memory.views import indexable, vector_field

if TYPE_CHECKING:
    from memory.memory import Memory

LATEST = 253_402_214_400_000  # milliseconds; the end of the year 9999, less a day for time zones
BATCH = 64  # turns embedded and written together


@dataclass(frozen=True, slots=True)
class Brought:
    """What an import did. known: turns that were there already."""

    new: int = 0
    known: int = 0


@dataclass(frozen=True, slots=True)
class Exported:
    """A turn as it travels: with who can read its conversation, and its vector where that was wanted.

    vector: as the index holds it; embedder: what made it. awaits: it awaits a summary. rating: what the person for whom
    it is exported thinks of it, "good" or "bad"; it does not travel back in.
    """

    turn: Turn
    conversation: Conversation
    vector: bytes | None = None
    embedder: str | None = None
    awaits: bool = False
    rating: str | None = None

    def scope(self, tenant: str, person: str) -> Scope:
        """Return the scope of its conversation in this tenant, for whoever brings it in."""
        known = self.conversation
        return Scope(tenant, self.turn.conversation, person, known.audience, known.parent, known.open_to_parent)

    def line(self) -> str:
        """Return it as a line of JSON, in the form that `read_jsonl` reads."""
        turn, known = self.turn, self.conversation
        found: dict[str, Any] = {
            "id": turn.id,
            "conversation": turn.conversation,
            "person": turn.person,
            "author": turn.author,
            "role": turn.role,
            "text": turn.text,
            "sent_at": _iso(turn.sent_at),
            "audience": known.audience.value,
        }
        if turn.status is not Status.WHOLE:
            found["status"] = turn.status.value
        if turn.to is not None:
            found["to"] = turn.to
        if turn.covers:
            found["covers"] = turn.covers
        if self.awaits:
            found["awaits_summary"] = True
        if self.rating is not None:
            found["rating"] = self.rating
        if known.parent is not None:
            found |= {"parent": known.parent, "open_to_parent": known.open_to_parent}
        if self.vector is not None:
            found |= {"embedder": self.embedder, "vector": b64encode(self.vector).decode()}
        return json.dumps(found, ensure_ascii=False)


async def exported(
    client: "redis.asyncio.Redis",
    keys: Keys,
    tenant: str,
    page: Sequence[Place],
    generation: Generation,
    vectors: bool,
    rater: Scope | None = None,
) -> list[Exported]:
    """Return the turns at some places, those deleted meanwhile left out. rater: whose ratings go with them."""
    mine = keys.tenant(tenant)
    batch = Batch(client)
    rating = [turns.rating_of(rater)] if rater is not None else []
    fields = [*turns.FIELDS, *rating, *([vector_field(generation.number)] if vectors else [])]
    rooms = {
        name: conversations.known(batch, keys, tenant, conversation_tag(tenant, name))
        for name in dict.fromkeys(place.conversation for place in page)
    }
    rows = [batch.ask("HMGET", mine.turn(place.digest), *fields, read=tuple) for place in page]
    waits = [
        batch.ask("ZSCORE", mine.pending(conversation_tag(tenant, place.conversation)), place.place, read=bool)
        for place in page
    ]
    await batch.send()
    found = []
    for row, awaits in ((row.value, one.value) for row, one in zip(rows, waits, strict=True)):
        if row[0] is not None:
            turn = turns.parse(row[: len(turns.FIELDS)])
            room = rooms[turn.conversation].value or Conversation(Audience.PRIVATE)
            vector = row[-1] if vectors else None
            rated = turns.text(row[len(turns.FIELDS)]) if rating and row[len(turns.FIELDS)] is not None else None
            found.append(Exported(turn, room, vector, vector and str(generation.made), awaits, rated))
    return found


async def bring_in(
    memory: "Memory", found: Iterable[Exported], scope_of: Callable[[Exported], Scope], progress: Callable[[int], None]
) -> Brought:
    """Remember turns in their order; those that are known already stay as they are and are not embedded again.

    Vectors are taken over where they come from the embedder in use and the index takes them. progress is told how many
    turns have been looked at since the last call.
    """
    new = seen = 0
    made = memory.generation.made

    def embedded(one: Exported) -> bool:
        vector = one.vector if one.embedder == str(made) else None
        return vector is not None and indexable(vector, made.dim, made.dtype)

    for scope, said in groupby(found, key=scope_of):
        while batch := list(islice(said, BATCH)):
            known = await memory.known(scope, [one.turn.id for one in batch])
            missing = [one for one, there in zip(batch, known, strict=True) if not there]
            for (with_vectors, awaits), some in groupby(missing, key=lambda one: (embedded(one), one.awaits)):
                part = list(some)
                vectors = [one.vector for one in part] if with_vectors else None
                due = WAITING if awaits else None
                new += sum(await memory.remember(scope, [one.turn for one in part], vectors=vectors, due=due))
            seen += len(batch)
            progress(len(batch))
    return Brought(new, seen - new)


def read_jsonl(path: Path) -> Iterator[Exported]:
    """Yield the turns of a JSONL file: id, conversation, author, role, text, sent_at (ISO 8601 or milliseconds).

    Optional: person (the author's id; default: the author), to (the person an answer is for), covers (the ids of the
    turns that a summary is made of), awaits_summary, status, audience (default public), parent, open_to_parent, vector
    and embedder.
    Raises TransferError naming file and line.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield parsed(line, f"{path}, line {number}")
    except OSError as error:
        raise TransferError(f"{path} cannot be read: {error.strerror}") from error


def parsed(line: bytes, where: str) -> Exported:
    """Read one line of such a file; `where` names it in the TransferError that is raised where it is no turn."""
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
    missing = [name for name in ("id", "conversation", "sent_at") if str(found.get(name, "")).strip() == ""]
    missing += [name for name in ("author", "text") if found.get(name) is None]  # they may be empty
    if missing:
        raise TransferError(f"{where}: {', '.join(missing)} missing")
    turn = Turn(
        id=_text(found, "id", where),
        conversation=_text(found, "conversation", where),
        person=_text(found, "person" if found.get("person") else "author", where),
        author=_text(found, "author", where),
        role=_role(found.get("role", "user"), where),
        text=_text(found, "text", where),
        sent_at=_milliseconds(found["sent_at"], where),
        status=_status(found.get("status", "whole"), where),
        to=_text(found, "to", where) if found.get("to") else None,
        covers=_covers(found.get("covers"), where),
    )
    parent = _text(found, "parent", where) if found.get("parent") else None
    audience = _audience(found.get("audience", "public"), where)
    room = Conversation(audience, parent, bool(parent) and found.get("open_to_parent") is True)
    embedder = _text(found, "embedder", where) if found.get("embedder") else None
    awaits = found.get("awaits_summary") is True
    one = Exported(turn, room, _vector(found.get("vector"), where), embedder, awaits)
    try:
        one.scope("anybody's", "anybody")
    except ScopeError as error:
        raise TransferError(f"{where}: {error}") from error
    return one


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
    if value in ("user", "assistant", "system", "summary"):
        return value
    raise TransferError(f"{where}: role must be user, assistant, system or summary")


def _covers(value: object, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise TransferError(f"{where}: covers must be a list of ids")
    return tuple(_text({"covers": one}, "covers", where) for one in value)


def _status(value: object, where: str) -> Status:
    try:
        return Status(str(value))
    except ValueError as error:
        raise TransferError(f"{where}: status must be one of {', '.join(Status)}") from error


def _audience(value: object, where: str) -> Audience:
    try:
        return Audience(str(value))
    except ValueError as error:
        raise TransferError(f"{where}: audience must be one of {', '.join(Audience)}") from error


def _vector(value: object, where: str) -> bytes | None:
    if value is None:
        return None
    try:
        return b64decode(str(value), validate=True)
    except ValueError as error:
        raise TransferError(f"{where}: vector must be base64") from error


def _iso(sent_at: int) -> str:
    """Return milliseconds as ISO 8601: worked out in whole numbers, so that it comes back the same."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=sent_at)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


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
