"""What the bot may do in Discord: it asks for what it uses, and stays silent where it may not write."""

import base64
import json
import re
import string
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import discord
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from bot.cli import group
from bot.platforms.discord import invite, tokens
from bot.platforms.discord.permissions import USES, all_used, may_answer, missing
from tests.discordlike.conftest import Client, online, pointed_at
from tests.discordlike.records import Can
from tests.discordlike.server import DiscordLike

DOCS = Path(__file__).parent.parent.parent / "docs" / "discord.md"
BOT = 1234567890123456789
TOKEN = f"{base64.b64encode(str(BOT).encode()).decode().rstrip('=')}.Gabcde.{'s' * 38}"


@pytest.fixture
async def place():
    """A guild with Ada in it, and a bare client's view of it."""
    async with DiscordLike() as server:
        with pointed_at(server):
            client = Client()
            ada = server.person("ada")
            guild = server.guild("Library", ada)
            channel = server.channel(guild, "general")
            await online(server, client)
            yield server, client, ada, channel
            await client.end()


@pytest.mark.parametrize(
    ("denied", "lacking"),
    [
        (Can(0), []),
        (Can.SEND_MESSAGES, ["Send Messages"]),
        (Can.READ_MESSAGE_HISTORY, ["Read Message History"]),
        (Can.VIEW_CHANNEL, ["View Channels"]),
        (Can.SEND_MESSAGES | Can.READ_MESSAGE_HISTORY, ["Send Messages", "Read Message History"]),
        (Can.SEND_MESSAGES_IN_THREADS | Can.ATTACH_FILES | Can.CREATE_PUBLIC_THREADS, []),
    ],
)
async def test_what_is_missing_in_a_channel_is_named(place, denied, lacking):
    server, client, ada, channel = place
    server.world.overwrite(channel, server.me, deny=denied)
    server.say(channel, ada, "hello")
    seen = client.get_channel(channel.id)
    me = seen.guild.me
    await server.until(lambda: Can(seen.permissions_for(me).value) & denied == Can(0))
    assert missing(seen, me) == lacking
    assert may_answer(seen, me) == (not lacking)


async def test_threads_have_a_permission_of_their_own_and_a_locked_one_takes_nothing(place):
    server, client, ada, channel = place
    thread = server.thread(channel, "a talk", ada)
    await server.until(lambda: client.get_channel(channel.id).get_thread(thread.id))
    seen = client.get_channel(channel.id).get_thread(thread.id)
    me = seen.guild.me
    server.world.overwrite(channel, server.me, deny=Can.SEND_MESSAGES)
    await server.until(lambda: not seen.parent.permissions_for(me).send_messages)
    assert missing(seen, me) == []
    server.world.overwrite(channel, server.me, deny=Can.SEND_MESSAGES_IN_THREADS)
    await server.until(lambda: not seen.permissions_for(me).send_messages_in_threads)
    assert missing(seen, me) == ["Send Messages in Threads"]
    server.world.overwrite(channel, server.me)
    thread.locked = True
    server.world.changed(thread)
    await server.until(lambda: seen.locked and seen.permissions_for(me).send_messages_in_threads)
    assert missing(seen, me) == ["Manage Threads"]


async def test_a_direct_message_takes_no_permission(place):
    server, client, ada, _ = place
    server.say(server.dm(ada), ada, "hello")
    await server.until(lambda: client.heard)
    dm = client.of("message")[-1].channel
    assert isinstance(dm, discord.DMChannel)
    assert may_answer(dm, client.user)


def test_every_permission_is_one_that_discord_knows():
    assert {use.flag for use in USES} <= set(discord.Permissions.VALID_FLAGS)
    assert sum(1 for _, granted in all_used() if granted) == len(USES)
    assert not all_used().administrator


def test_the_page_explains_every_permission_and_no_other():
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", DOCS.read_text().split("## Permissions")[1].split("\n## ")[0], re.M)
    assert rows[1:] == [(use.name, use.why) for use in USES]


def test_the_invite_asks_for_the_permissions_that_are_used():
    asked = parse_qs(urlsplit(invite.address(BOT)).query)
    assert asked == {
        "client_id": [str(BOT)],
        "scope": ["bot applications.commands"],
        "permissions": [str(all_used().value)],
    }


@pytest.mark.parametrize("environment", [{"DISCORD_BOT_TOKEN": TOKEN}, {"DISCORD_TOKEN": TOKEN}])
def test_the_invite_is_made_of_the_token_and_tells_nothing_else_of_it(environment):
    ran = CliRunner().invoke(group, ["discord-invite"], env=environment)
    assert (ran.exit_code, ran.output) == (0, f"{invite.address(BOT)}\n")
    ran = CliRunner().invoke(group, ["discord-invite", "--application-id", "77"], env=environment)
    assert ran.output == f"{invite.address(77)}\n"


def test_the_invite_for_machines_tells_what_each_permission_is_for():
    ran = CliRunner().invoke(group, ["discord-invite", "--application-id", "77", "--json"])
    assert json.loads(ran.output) == {
        "url": invite.address(77),
        "application_id": "77",
        "scopes": ["bot", "applications.commands"],
        "permissions": str(all_used().value),
        "uses": [{"permission": use.flag, "name": use.name, "why": use.why} for use in USES],
    }


async def test_without_a_token_the_invite_is_refused_in_one_sentence(home):
    ran = await home.run("discord-invite")
    assert (ran.code, ran.out, ran.err.count("\n")) == (78, "", 1)
    assert "give --application-id, or set DISCORD_BOT_TOKEN" in ran.err
    home.settings["DISCORD_BOT_TOKEN"] = "xoxb-secret"
    ran = await home.run("discord-invite")
    assert (ran.code, ran.out, ran.err.count("\n"), "secret" in ran.err) == (78, "", 1, False)
    assert "DISCORD_BOT_TOKEN is a Slack token" in ran.err


def test_the_forms_of_tokens_are_told_apart():
    assert tokens.fault(TOKEN) == ""
    assert tokens.fault("xapp-1") == "is a Slack token"
    assert "the word Bot" in tokens.fault(f"Bot {TOKEN}")
    assert "three parts" in tokens.fault("wrong")
    assert "no token has" in tokens.fault(f"{TOKEN}\nx")
    assert "a bot's id" in tokens.fault(f"!{TOKEN}")


@given(st.integers(min_value=1, max_value=2**63 - 1), st.text(string.ascii_letters + string.digits + "-_", min_size=1))
def test_the_id_comes_out_of_every_token(number, secret):
    first = base64.urlsafe_b64encode(str(number).encode()).decode().rstrip("=")
    assert tokens.bot_id(f"{first}.abc.{secret}") == number


@given(st.text())
def test_no_text_is_too_odd_to_be_looked_at_as_a_token(text):
    found = tokens.bot_id(text)
    assert found is None or tokens.bot_id(f"{text.partition('.')[0]}.a.b") == found
