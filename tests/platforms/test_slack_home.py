"""The App Home as Slack takes it, whatever is remembered, and whose memory it shows."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.web.async_client import AsyncWebClient

from bot.platforms.slack import blocks
from bot.platforms.slack.audience import scope
from bot.platforms.slack.blocks import Page, Row
from bot.platforms.slack.home import SHOWN, Home, Look
from bot.platforms.slack.people import Channel, People
from bot.platforms.slack.tenants import Served
from bot.platforms.slack.workspaces import Workspace
from tests.slacklike.forms import check_view
from tests.slacklike.rules import Rules
from tests.slacklike.server import SlackLike

texts = st.text(max_size=4000)
rows = st.builds(Row, texts, st.text(max_size=80), texts, st.just("<#C1>"), st.integers(0, 2**32), st.just("https://x"))
pages = st.builds(
    Page,
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.text(max_size=200),
    st.booleans(),
    st.lists(rows, max_size=SHOWN).map(tuple),
)


@given(pages, st.booleans())
def test_every_page_is_one_that_slack_takes(page, more):
    look = Look(page.search, page.skipped)
    view = blocks.page(page, look.kept(), more=more)
    check_view(view, Rules(), kind="home")
    assert Look.of(view) == look


@pytest.mark.parametrize("kept", [None, "", "[]", "{", '{"a": 1}', '["x", "y", "z"]'])
def test_a_page_that_keeps_nothing_readable_is_the_first(kept):
    assert Look.of({"private_metadata": kept}) == Look()


@pytest.fixture
async def workspace():
    async with SlackLike() as server:
        client = AsyncWebClient(server.bot_token, base_url=server.url)
        home = Served(server.home.id)
        people = People(client, home)
        yield server, Workspace(home, server.me.id, "B1", "https://x/", client, client, people)


async def test_somebody_sees_what_they_said_anywhere_also_where_recall_is_narrow_and_nobody_elses(
    memory, workspace, say
):
    server, acme = workspace
    ada, bob = server.person("ada"), server.person("bob")
    for at, kind in enumerate(("public", "private", "direct", "group")):
        here = scope(server.home.id, Channel(f"C{at}", kind), ada.id, narrow=True)
        turns = [say(f"Ada in {kind}.", person=ada.id, conversation=f"C{at}")]
        await memory.remember(here, [*turns, say(f"Bob in {kind}.", person=bob.id, conversation=f"C{at}")])
    home = Home(memory)
    await home.show(acme, ada.id)
    shown = server.home_view(ada).shown
    assert [kind for kind in ("public", "private", "direct", "group") if f"Ada in {kind}." not in shown] == []
    assert "Bob in" not in shown
    await home.forget(acme, ada.id, json.dumps(["C1", "t4"]), Look())
    await home.show(acme, bob.id)
    assert "Bob in private." in server.home_view(bob).shown, "nobody forgets what is somebody else's"


async def test_another_workspace_shows_nothing_of_it(memory, workspace, say):
    server, acme = workspace
    ada = server.person("ada")
    here = scope(server.home.id, Channel("C1", "public"), ada.id)
    await memory.remember(here, [say("Hello.", person=ada.id, conversation="C1")])
    await Home(memory).show(replace(acme, home=Served("T0OTHER")), ada.id)
    assert "Nothing is remembered of you yet" in server.home_view(ada).shown
