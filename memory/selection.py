"""Which turns meet some conditions, and where they stand: what listing, exporting and forgetting begin with."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass

import redis.asyncio

from memory import turns
from memory.batch import Argument, command
from memory.keys import Keys, tag
from memory.query import PATIENCE, parameters, values
from memory.records import Which
from memory.scope import conversation_tag
from memory.within import Within

PAGE = 1000  # places that one command returns


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a turn stands: in which conversation, when, and its place among those of the same millisecond."""

    conversation: str
    sent_at: int
    place: str

    @property
    def digest(self) -> str:
        """What names the turn within its tenant."""
        return self.place[16:]


async def select(client: "redis.asyncio.Redis", keys: Keys, tenant: str, within: Within, which: Which) -> list[Place]:
    """Return where the turns stand that meet the conditions, in the order of conversations and time."""
    clauses = [within.clause]
    params: dict[str, Argument] = {**within.params}
    if which.person is not None:
        clauses.append("@person_tag:{$person}")
        params["person"] = tag("person", tenant, which.person)
    if which.conversation is not None:
        clauses.append("@conversation_tag:{$conversation}")
        params["conversation"] = conversation_tag(tenant, which.conversation)
    if which.since is not None or which.until is not None:
        since = "-inf" if which.since is None else int(which.since)
        until = "inf" if which.until is None else f"({int(which.until)}"
        clauses.append(f"@sent_at:[{since} {until}]")
    asked = " ".join(f"({clause})" for clause in clauses)
    if which.turns is None:
        return sorted([place async for place in _all(client, keys, asked, params)])
    return sorted([place async for place in _among(client, keys, tenant, which.turns, asked, params)])


def pages(places: Sequence[Place]) -> Iterator[Sequence[Place]]:
    """Yield the places some at a time, as many as one command should be about."""
    return (places[start : start + PAGE] for start in range(0, len(places), PAGE))


async def _all(
    client: "redis.asyncio.Redis", keys: Keys, asked: str, params: Mapping[str, Argument]
) -> AsyncIterator[Place]:
    """Yield every place found, however many: a cursor, so that others are served in between."""
    rows, cursor = await command(
        client,
        *("FT.AGGREGATE", keys.index, asked, "LOAD", 3, "@conversation", "@sent_at", "@place", "TIMEOUT", PATIENCE),
        *("WITHCURSOR", "COUNT", PAGE),
        *parameters(params),
    )
    while True:
        for row in rows[1:]:
            if (place := _place(row)) is not None:
                yield place
        if not cursor:
            return
        rows, cursor = await command(client, "FT.CURSOR", "READ", keys.index, cursor, "COUNT", PAGE)


async def _among(
    client: "redis.asyncio.Redis",
    keys: Keys,
    tenant: str,
    named: Sequence[tuple[str, str]],
    asked: str,
    params: Mapping[str, Argument],
) -> AsyncIterator[Place]:
    """Yield the places of turns that are named one by one, as far as the query finds them."""
    mine = keys.tenant(tenant)
    wanted = [mine.turn(turns.turn_digest(tenant, *one)) for one in dict.fromkeys(named)]
    for start in range(0, len(wanted), PAGE):
        some: Sequence[Argument] = wanted[start : start + PAGE]
        reply = await command(
            client,
            *("FT.SEARCH", keys.index, asked, "INKEYS", len(some)),
            *some,
            *("RETURN", 3, "conversation", "sent_at", "place", "LIMIT", 0, len(some)),
            *parameters(params),
        )
        for flat in reply[2::2]:
            if (place := _place(flat)) is not None:
                yield place


def _place(flat: Sequence[bytes]) -> Place | None:
    """Read a place; None of a turn that has been deleted meanwhile."""
    found = values(flat)
    if b"place" not in found:
        return None
    return Place(found[b"conversation"].decode(), int(found[b"sent_at"]), found[b"place"].decode())
