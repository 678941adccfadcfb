"""No query is built without a scope, whatever is asked and whoever asks."""

import re
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory import within
from memory.errors import RedisUnavailable, ScopeError
from memory.records import Turn, Which
from memory.scope import Audience, Operator, Scope

HEX = re.compile("[0-9a-f]{32}")
ids = st.text(min_size=1, max_size=30).filter(lambda text: text.strip() and text.isprintable())


@pytest.fixture
def asked(client, monkeypatch) -> list[tuple]:
    """Every search of the index that is sent."""
    sent: list[tuple] = []
    send = client.connection_pool.connection_class.send_packed_command

    async def noting(self, command, *args, **kwargs):
        packed = b"".join(command if isinstance(command, list) else [command])
        sent.extend(re.findall(rb"(?:FT\.SEARCH|FT\.AGGREGATE)\r\n\$\d+\r\n[^\r]+\r\n\$\d+\r\n([^\r]+)", packed))
        return await send(self, command, *args, **kwargs)

    monkeypatch.setattr(client.connection_pool.connection_class, "send_packed_command", noting)
    return sent


async def test_whatever_is_asked_is_asked_within_a_scope(memory, here, say, asked):
    operator = Operator(here.tenant)
    await memory.hear(here, say("I have a dog"), k=5, window=5)
    await memory.recall(here, "What is my dog called?")
    await memory.latest(here)
    for whose in (here, operator):
        await memory.find(whose, Which(person="ada", conversation="main", since=0, until=2**42))
        await memory.find(whose, Which(turns=(("main", "t1"),)))
        _ = [one async for one in memory.export(whose)]
        await memory.forget(whose, Which(person="ada"))
    assert len(asked) >= 13
    assert asked.count(b"*") == 1  # how many passages there are, and nothing of them
    for query in asked:
        if query == b"*":
            continue
        alone = query.decode()
        assert re.match(r"\(*@(reach|tenant_tag):\{\$", alone), alone
        for term in alone.split(")|("):  # each word of a search by itself
            assert "@reach:{$" in term or "@tenant_tag:{$" in term


async def test_what_stands_behind_a_long_run_of_closed_turns_is_still_found(memory, embedder, say):
    def scope(conversation: str, audience: Audience = Audience.PUBLIC) -> Scope:
        return Scope("discord:1", conversation, "ada", audience)

    def said(conversation: str, count: int, word: str = "dog") -> list[Turn]:
        return [say(f"a {word} number {number}", conversation=conversation) for number in range(count)]

    await memory.remember(scope("here"), said("here", 3))
    await memory.remember(scope("long"), said("long", 700, "cat"))
    await memory.remember(scope("other"), said("other", 40))
    await memory.remember(scope("here"), said("here", 3))
    await memory.remember(scope("other"), said("other", 40))
    await memory.moved(scope("long", Audience.PRIVATE))
    for away in (None, RedisUnavailable("so that words alone find")):
        embedder.error = away
        found = await memory.recall(scope("here"), "Any dog?", 1000)
        assert Counter(one.turn.conversation for one in found) == {"other": 80, "here": 6}
    for which in (Which(since=0), Which(person="ada")):
        assert len(await memory.find(scope("here", Audience.PUBLIC), which)) == 786
    guest = Scope("discord:1", "here", "guest", Audience.PUBLIC)
    assert len(await memory.find(guest, Which(since=0))) == 86


@given(ids, ids, ids, st.sampled_from(Audience), st.none() | ids, st.booleans(), st.booleans(), st.frozensets(ids))
@settings(suppress_health_check=list(HealthCheck), deadline=None)
def test_only_digests_reach_a_query(tenant, conversation, person, audience, parent, open_, outsiders, closed):
    if parent == conversation:
        return
    scope = Scope(tenant, conversation, person, audience, parent, open_ and parent is not None, outsiders)
    shut = frozenset(Scope(tenant, one, person, audience).conversation_tag for one in closed)
    for found in (within.reach(scope, shut), within.theirs(scope, shut), within.everything(Operator(tenant))):
        assert found.params
        assert all(HEX.fullmatch(value) for value in found.params.values())
        named = set(re.findall(r"\$(\w+)", found.clause))
        assert named - {"weight"} == set(found.params)
        assert not re.search(r"[^@\w:{}$|()=>\- ]", found.clause)


@pytest.mark.parametrize("tenant", ["", " ", None, "\ud800"])
def test_an_operator_of_nothing_is_an_error(tenant):
    with pytest.raises(ScopeError, match="tenant"):
        Operator(tenant)
