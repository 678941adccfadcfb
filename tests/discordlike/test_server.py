"""An unmodified discord.py talks with the server: what it sees, and what reaches it."""

import asyncio

import aiohttp
import discord

from tests.discordlike.conftest import Client, online
from tests.discordlike.records import MEMBERS, Can
from tests.discordlike.rules import Rules
from tests.discordlike.server import DiscordLike


async def test_a_client_gets_ready_and_sees_guilds_roles_channels_and_threads(server, client):
    ada, bob = server.person("ada"), server.person("bob")
    guild = server.guild("Library", ada, bob)
    mods = server.role(guild, "mods", MEMBERS | Can.MANAGE_MESSAGES)
    general = server.channel(guild, "general")
    backroom = server.channel(guild, "backroom", hidden=[guild.everyone])
    thread = server.thread(general, "plans", ada)
    await online(server, client)
    seen = client.get_guild(guild.id)
    assert [channel.name for channel in seen.text_channels] == ["general", "backroom"]
    assert [thread.name for thread in seen.threads] == ["plans"]
    assert seen.get_role(mods.id).permissions.manage_messages
    assert seen.get_channel(general.id).permissions_for(seen.me).send_messages
    assert not seen.get_channel(backroom.id).permissions_for(seen.me).view_channel
    assert seen.get_thread(thread.id).parent.id == general.id
    assert (client.user.id, client.application.id) == (server.me.id, server.me.id)


async def test_what_people_say_edit_and_delete_reaches_the_client(server, client):
    ada = server.person("ada")
    general = server.channel(server.guild("Library", ada), "general")
    await online(server, client)
    first = server.say(general, ada, "hello")
    second = server.say(general, ada, f"{server.me.mention} look", reply_to=first, files=[("a.txt", b"text")])
    await server.until(lambda: len(client.heard) == 2)
    message = client.of("message")[1]
    assert message.mentions == [client.user]
    assert message.reference.resolved.content == "hello"
    assert message.author.display_name == "Ada"
    assert await message.attachments[0].read() == b"text"
    server.edit(second, "never mind")
    server.delete(first)
    server.delete(second, server.say(general, ada, "more"))
    await server.until(lambda: client.of("raw_bulk_message_delete"))
    assert [event.message.content for event in client.of("raw_message_edit")] == ["never mind"]
    assert [event.message_id for event in client.of("raw_message_delete")] == [first.id]
    assert second.id in client.of("raw_bulk_message_delete")[0].message_ids
    assert general.texts == []


async def test_without_the_intent_content_is_blank_except_where_the_bot_is_addressed(server):
    server.rules.privileged = 0
    ada = server.person("ada")
    general = server.channel(server.guild("Library", ada), "general")
    client = await online(server, Client(discord.Intents.default()))
    server.say(general, ada, "secret")
    asked = server.say(general, ada, f"{server.me.mention} hello")
    server.say(general, ada, "a reply", reply_to=asked)
    server.say(server.dm(ada), ada, "direct")
    await server.until(lambda: len(client.heard) == 4)
    assert client.heard == ["", f"{server.me.mention} hello", "", "direct"]
    assert client.of("message")[2].reference.resolved.content == f"{server.me.mention} hello"
    history = [message.content async for message in client.get_channel(general.id).history(limit=9)]
    assert history == ["", f"{server.me.mention} hello", ""]
    await client.end()


async def test_a_client_that_was_killed_comes_again_to_the_same_guilds_and_messages(server, client):
    ada = server.person("ada")
    general = server.channel(server.guild("Library", ada), "general")
    await online(server, client)
    await client.get_channel(general.id).send("I was here")
    await client.end()
    server.say(general, ada, "said while nobody listened")
    again = await online(server, Client())
    history = [message.content async for message in again.get_channel(general.id).history(limit=5)]
    assert history == ["said while nobody listened", "I was here"]
    assert again.heard == []
    await again.end()


async def test_what_changes_in_a_guild_reaches_the_client(server, client):
    ada = server.person("ada")
    guild = server.guild("Library", ada)
    general = server.channel(guild, "general")
    await online(server, client)
    mods = server.role(guild, "mods")
    server.overwrite(general, guild.everyone, deny=Can.VIEW_CHANNEL)
    server.permit(guild, mods, MEMBERS | Can.MANAGE_MESSAGES)
    server.dress(guild, server.me, mods)
    fresh = server.channel(guild, "fresh")
    thread = server.thread(fresh, "plans", ada)
    server.thread(fresh, "hush", ada, private=True)
    server.remove(thread)
    server.remove(fresh)
    server.outage(guild)
    server.outage(guild, over=True)
    server.leave(guild, server.me)
    await server.until(lambda: client.of("guild_remove"))
    names = [name for name, _ in client.events if name.startswith(("guild_", "thread_"))]
    assert names[1:] == [
        "guild_role_create",
        "guild_channel_update",
        "guild_role_update",
        "guild_channel_create",
        "thread_create",
        "thread_delete",
        "guild_channel_delete",
        "guild_unavailable",
        "guild_available",
        "guild_remove",
    ]
    assert [one.id for one in client.of("thread_create")] == [thread.id]


async def test_a_guild_the_bot_joins_is_told_from_one_that_is_back(server, client):
    old = server.guild("Library")
    await online(server, client)
    new = server.guild("Theatre")
    server.outage(old)
    server.outage(old, over=True)
    await server.until(lambda: len(client.of("guild_available")) == 2)
    assert [guild.id for guild in client.of("guild_join")] == [new.id]


async def test_shards_get_their_own_guilds_and_the_first_one_the_dms(server):
    server.rules.shards_required = 2
    ada = server.person("ada")
    guilds = [server.guild(f"guild {count}", ada) for count in range(4)]
    channels = [server.channel(guild, "general") for guild in guilds]

    class Sharded(discord.AutoShardedClient):
        def __init__(self) -> None:
            super().__init__(intents=discord.Intents.all(), guild_ready_timeout=0.05)
            self.heard: list[tuple[int, str]] = []

        async def before_identify_hook(self, shard_id, *, initial=False) -> None:
            pass

        async def on_message(self, message: discord.Message) -> None:
            self.heard.append((message.guild.shard_id if message.guild else -1, message.content))

    client = Sharded()
    task = asyncio.create_task(client.start(server.token))
    await server.connected(2)
    for count, channel in enumerate(channels):
        server.say(channel, ada, f"in {count}")
    server.say(server.dm(ada), ada, "direct")
    await server.until(lambda: len(client.heard) == 5)
    expected = [((guild.id >> 22) % 2, f"in {count}") for count, guild in enumerate(guilds)]
    assert sorted(client.heard) == sorted([*expected, (-1, "direct")])
    await client.close()
    await asyncio.wait_for(task, 10)


async def test_a_server_with_rules_of_its_own_tells_them():
    async with DiscordLike(Rules(heartbeat_interval=1.5)) as server, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(server.gateway_address)
        assert await socket.receive_json() == {"op": 10, "d": {"heartbeat_interval": 1500}}
