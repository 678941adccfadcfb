"""What Discord refuses or breaks, in the words of delivery."""

import pytest

from bot.delivery.stream import nonce
from bot.errors import DeliveryError
from bot.platforms.discord.outlet import Outlet
from tests.discordlike.conftest import Client, online, pointed_at
from tests.discordlike.server import DiscordLike


@pytest.fixture
async def place():
    """A channel as a bare client sees it."""
    async with DiscordLike() as server:
        with pointed_at(server):
            client = Client()
            channel = server.channel(server.guild("Library", server.person("ada")), "general")
            await online(server, client)
            yield server, channel, client.get_channel(channel.id)
            await client.end()


@pytest.mark.parametrize("after", [False, True])
async def test_a_connection_that_is_cut_is_tried_again_and_nothing_stands_there_twice(place, after):
    server, channel, here = place
    server.faults.cut(on="POST *", after=after)
    outlet = Outlet(here)
    with pytest.raises(DeliveryError, match="can't be reached"):
        await outlet.send("Rex!", nonce("t", 0))
    sent = await outlet.send("Rex!", nonce("t", 0))
    assert [(str(one.id), one.text) for one in server.said(channel)] == [(sent, "Rex!")]


async def test_an_edit_whose_connection_is_cut_is_tried_again(place):
    server, channel, here = place
    outlet = Outlet(here)
    sent = await outlet.send("Re", nonce("t", 0))
    server.faults.cut(on="PATCH *")
    with pytest.raises(DeliveryError, match="can't be reached"):
        await outlet.edit(sent, "Rex!")
    await outlet.edit(sent, "Rex!")
    assert [one.text for one in server.said(channel)] == ["Rex!"]
