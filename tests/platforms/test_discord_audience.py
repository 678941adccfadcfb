"""Who can read a channel: only what nobody in the server is kept from is everybody's."""

from collections.abc import AsyncIterator
from types import SimpleNamespace

import discord
import pytest
from discord import PartialMessageable, PermissionOverwrite

from bot.platforms.discord.audience import DIRECT, scope
from memory.scope import Audience, Scope
from tests.discordlike.conftest import Client, Place, online, pointed_at
from tests.discordlike.records import Can
from tests.discordlike.server import DiscordLike
from tests.waiting import until


@pytest.fixture
async def server() -> AsyncIterator[DiscordLike]:
    async with DiscordLike() as server:
        yield server


@pytest.fixture
async def place(server):
    with pointed_at(server):
        client = Client()
        place = Place(server, client)
        await online(server, client)
        yield place
        await client.end()


@pytest.mark.parametrize("denied", [Can.VIEW_CHANNEL, Can.READ_MESSAGE_HISTORY])
async def test_a_channel_that_is_closed_to_one_person_is_not_everybodys(server, place, denied):
    assert scope(place.here, 1).audience is Audience.PUBLIC
    server.world.overwrite(place.channel, place.ada, deny=denied)
    await until(lambda: place.here.overwrites)
    assert scope(place.here, 1).audience is Audience.PRIVATE


async def test_what_people_may_not_write_they_read_all_the_same(server, place):
    server.world.overwrite(place.channel, place.ada, deny=Can.SEND_MESSAGES)
    await until(lambda: place.here.overwrites)
    assert scope(place.here, 1).audience is Audience.PUBLIC


async def test_the_chat_of_a_voice_channel_is_read_by_those_who_may_connect(place):
    everyone = place.here.guild.default_role
    everyone._permissions = discord.Permissions(view_channel=True, read_message_history=True, connect=True).value
    assert scope(voice(place.here.guild), 1).audience is Audience.PUBLIC
    closed = voice(place.here.guild, PermissionOverwrite(connect=False))
    assert scope(closed, 1).audience is Audience.PRIVATE


async def test_a_channel_that_is_not_known_belongs_to_its_server_and_is_nobody_elses():
    unknown = PartialMessageable(state=SimpleNamespace(), id=7, guild_id=5)
    assert scope(unknown, 1) == Scope("discord:5", "7", "1", Audience.PRIVATE)
    assert scope(PartialMessageable(state=SimpleNamespace(), id=7), 1) == Scope(DIRECT, "7", "1", Audience.PRIVATE)


def voice(guild: discord.Guild, *everyone: PermissionOverwrite) -> discord.VoiceChannel:
    """Make a voice channel of a guild."""
    overwrites = [
        {"id": str(guild.id), "type": 0, "allow": str(allow.value), "deny": str(deny.value)}
        for allow, deny in (one.pair() for one in everyone)
    ]
    data = {"id": "9", "type": 2, "name": "meeting", "position": 0, "bitrate": 64000, "user_limit": 0}
    return discord.VoiceChannel(state=guild._state, guild=guild, data={**data, "permission_overwrites": overwrites})
