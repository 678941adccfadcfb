"""What the bot does unasked in a channel is switched on for a channel and its threads, in every process."""

import asyncio

import pytest

from bot.channels import Channel, Channels
from bot.errors import SettingsError
from bot.settings import Settings, load
from memory.memory import Memory
from memory.scope import Audience, Scope
from tests.waiting import until

GENERAL = Scope("discord:1", "10", "bot", Audience.PUBLIC)
THREAD = Scope("discord:1", "11", "bot", Audience.PUBLIC, parent="10", open_to_parent=True)
ELSEWHERE = Scope("discord:2", "10", "bot", Audience.PUBLIC)


async def test_everything_is_off_until_it_is_switched_on(memory: Memory):
    channels = Channels(memory)
    await channels.watch(["discord:1"])
    assert channels.of(GENERAL) == await channels.get(GENERAL) == Channel()
    assert await channels.set(GENERAL, remembers=True) == Channel(remembers=True)
    assert await channels.set(GENERAL, joins=True) == Channel(joins=True, remembers=True)
    assert await channels.set(GENERAL, remembers=False) == channels.of(GENERAL) == Channel(joins=True)


async def test_a_thread_does_what_its_channel_does_and_no_other_tenant_does(memory: Memory):
    channels = Channels(memory)
    await channels.watch(["discord:1", "discord:2"])
    await channels.set(THREAD, remembers=True)
    assert channels.of(THREAD) == channels.of(GENERAL) == Channel(remembers=True)
    assert channels.of(ELSEWHERE) == await channels.get(ELSEWHERE) == Channel()


async def test_another_process_sees_what_was_changed(memory: Memory):
    ours, theirs = Channels(memory), Channels(memory)
    await ours.watch(["discord:1"])
    following = asyncio.create_task(ours.follow())
    await theirs.set(GENERAL, joins=True)
    await until(lambda: ours.of(GENERAL).joins)
    await theirs.forget("discord:1", "10")
    await until(lambda: not ours.of(GENERAL).joins)
    following.cancel()


async def test_many_tenants_are_read_together(memory: Memory, client):
    await Channels(memory).set(Scope("discord:77", "10", "bot", Audience.PUBLIC), joins=True)
    channels = Channels(memory)
    before = (await client.info("stats"))["total_commands_processed"]
    await asyncio.gather(*(channels.watch([f"discord:{number}"]) for number in range(200)))
    assert (await client.info("stats"))["total_commands_processed"] - before < 220
    assert channels.of(Scope("discord:77", "10", "bot", Audience.PUBLIC)).joins


async def test_a_channel_that_is_gone_leaves_nothing(memory: Memory, client, keys):
    channels = Channels(memory)
    await channels.set(GENERAL, joins=True, remembers=True)
    await channels.forget("discord:1", "10")
    assert await client.exists(keys.tenant("discord:1").channels) == 0


def test_channels_to_join_are_ids_with_commas(monkeypatch):
    assert Settings(discord_join="12, 13").discord_join == frozenset({12, 13})
    assert Settings().discord_join == frozenset()
    with pytest.raises(SettingsError, match="LOREBOT_DISCORD_JOIN: ids of channels"):
        load(discord_join="general")
