"""Who is answered at all: what is allowed, what is denied, and that denying wins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import settings
from bot.admission import Kind, Listed, admitted, parse
from bot.errors import SettingsError
from memory.scope import Audience, Scope

ADA = Scope("discord:1", "20", "300", Audience.PUBLIC)
THREAD = Scope("discord:1", "21", "300", Audience.PUBLIC, parent="20", open_to_parent=True)
DIRECT = Scope("discord:@me", "22", "300", Audience.DIRECT)

IDS = st.sampled_from("1 2 20 21 22 300 301 4000 discord:1 discord:@me".split())
ENTRIES = st.frozensets(st.builds(Listed, st.sampled_from(Kind), IDS))
SCOPES = st.sampled_from([ADA, THREAD, DIRECT])
ROLES = st.frozensets(st.sampled_from(["4000", "4001"]))


def test_without_lists_everybody_is_answered():
    assert admitted(ADA, parse(""), parse(" , "))
    assert admitted(DIRECT, frozenset(), frozenset())


@pytest.mark.parametrize(
    "listed", ["1", "discord:1", "guild:1", "workspace:1", "20", "channel:20", "300", "person:300"]
)
def test_what_is_listed_is_known_by_its_id_and_its_kind(listed):
    assert admitted(ADA, parse(listed), parse(""))
    assert not admitted(ADA, parse(""), parse(listed))


@pytest.mark.parametrize("listed", ["2", "slack:1", "discord:2", "channel:1", "person:20", "guild:300", "role:1"])
def test_what_is_listed_as_something_else_is_not_meant(listed):
    assert not admitted(ADA, parse(listed), parse(""))
    assert admitted(ADA, parse(""), parse(listed))


def test_kinds_that_are_allowed_hold_together_and_ids_of_one_kind_are_alternatives():
    guild_and_people = parse("discord:1, person:300, person:301")
    assert admitted(ADA, guild_and_people, parse(""))
    assert not admitted(Scope("discord:1", "20", "302", Audience.PUBLIC), guild_and_people, parse(""))
    assert not admitted(Scope("discord:2", "20", "300", Audience.PUBLIC), guild_and_people, parse(""))


def test_a_thread_counts_as_its_channel_too():
    assert admitted(THREAD, parse("channel:20"), parse(""))
    assert not admitted(THREAD, parse(""), parse("channel:20"))


def test_direct_messages_are_a_guild_of_their_own():
    assert not admitted(DIRECT, parse("discord:1"), parse(""))
    assert admitted(DIRECT, parse("discord:1, discord:@me"), parse(""))
    assert not admitted(DIRECT, parse(""), parse("discord:@me"))


def test_a_role_is_what_the_person_has():
    assert admitted(ADA, parse("role:4000"), parse(""), roles=["4000"])
    assert not admitted(ADA, parse("role:4000"), parse(""), roles=["4001"])
    assert not admitted(ADA, parse(""), parse("role:4000"), roles=["4000", "4001"])


@given(SCOPES, ENTRIES, ENTRIES, ROLES)
def test_denying_wins_whatever_is_allowed(scope, allow, deny, roles):
    if not admitted(scope, frozenset(), deny, roles):
        assert not admitted(scope, allow, deny, roles)
    assert not admitted(scope, allow, deny | {Listed(Kind.PERSON, scope.person)}, roles)
    assert not admitted(scope, allow | deny, {*deny, Listed(Kind.TENANT, scope.tenant)}, roles)


@given(SCOPES, ENTRIES, ENTRIES, ROLES, st.builds(Listed, st.sampled_from(Kind), IDS))
def test_denying_more_never_admits_anybody(scope, allow, deny, roles, more):
    assert admitted(scope, allow, deny, roles) >= admitted(scope, allow, deny | {more}, roles)


@pytest.mark.parametrize("wrong", ["1, irc:2", "1, guild:!", "1, two words", "1, role:2:3"])
def test_an_entry_that_names_nobody_is_told_by_its_place_and_not_quoted(wrong, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOREBOT_DENY", wrong)
    with pytest.raises(SettingsError, match="LOREBOT_DENY: entry 2 names nobody") as caught:
        settings.load()
    assert wrong.partition(", ")[2] not in str(caught.value)


def test_lists_are_read_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOREBOT_ALLOW", "discord:1, slack:T1,person:300")
    assert settings.load().allow == {
        Listed(Kind.TENANT, "discord:1"),
        Listed(Kind.TENANT, "slack:T1"),
        Listed(Kind.PERSON, "300"),
    }
