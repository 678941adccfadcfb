"""An unmodified discord.py talks with the server: messages, files, threads, DMs."""

import io

import discord
import pytest

from tests.discordlike.conftest import Client, online, refused
from tests.discordlike.records import MEMBERS, Can

POST = "POST", "/channels/{channel}/messages"
PATCH = "PATCH", "/channels/{channel}/messages/{message}"


async def test_a_message_is_sent_edited_and_deleted_as_people_see_it(server, place):
    question = server.say(place.channel, place.ada, "why?")
    sent = await place.here.send("Beca", reference=place.here.get_partial_message(question.id))
    edited = await sent.edit(content="Because")
    (seen,) = server.said(place.channel)
    assert [version.text for version in seen.history] == ["Beca", "Because"]
    assert (seen.text, seen.reply_to, seen.mentions) == ("Because", question.id, [place.ada.id])
    assert (edited.content, edited.edited_at is not None) == ("Because", True)
    await sent.delete()
    assert place.channel.texts == ["why?"]
    assert seen.deleted


async def test_the_bot_hears_its_own_messages_too(server, place):
    await place.here.send("echo")
    await server.until(lambda: [one for one in place.client.of("message") if one.author == place.client.user])


async def test_a_nonce_makes_a_repeated_send_the_same_message(server, place):
    first = await place.here.send("once", nonce="turn-1-part-1")
    again = await place.here.send("once", nonce="turn-1-part-1")
    other = await place.here.send("once", nonce="turn-1-part-2")
    assert first.id == again.id != other.id
    assert place.channel.texts == ["once", "once"]
    assert place.client.of("message")[0].nonce == "turn-1-part-1"


async def test_files_go_up_and_come_down_until_their_address_expires(server, place):
    sent = await place.here.send("see", file=discord.File(io.BytesIO(b"# Title"), "answer.md"))
    (seen,) = place.channel.messages
    assert [(one.filename, one.data) for one in seen.attachments] == [("answer.md", b"# Title")]
    assert await sent.attachments[0].read() == b"# Title"
    await sent.edit(attachments=[*sent.attachments, discord.File(io.BytesIO(b"2"), "second.txt")])
    assert [one.filename for one in seen.attachments] == ["answer.md", "second.txt"]
    await sent.edit(attachments=[])
    assert seen.attachments == []
    server.rules.attachment_life = -1
    late = await place.here.send(file=discord.File(io.BytesIO(b"3"), "third.txt"))
    with pytest.raises(discord.NotFound):
        await late.attachments[0].read()


async def test_history_pages_as_discord_does(server, place):
    said = [server.say(place.channel, place.ada, str(count)) for count in range(250)]
    everything = [message.content async for message in place.here.history(limit=None, oldest_first=True)]
    assert everything == [str(count) for count in range(250)]
    before = [message.content async for message in place.here.history(limit=2, before=discord.Object(said[100].id))]
    around = [message.content async for message in place.here.history(limit=3, around=discord.Object(said[9].id))]
    assert (before, around) == (["99", "98"], ["10", "9", "8"])
    assert (await place.here.fetch_message(said[7].id)).content == "7"


async def test_allowed_mentions_decide_who_is_reached_on_edits_too(server, place):
    server.permit(place.guild, place.guild.everyone, MEMBERS | Can.MENTION_EVERYONE)
    role = server.role(place.guild, "readers")
    text = f"@everyone {role.mention} {place.ada.mention}"
    quiet = discord.AllowedMentions.none()
    silent = await place.here.send(text, allowed_mentions=quiet)
    await silent.edit(content=text, allowed_mentions=quiet)
    assert server.broadcasts() == []
    loud = await place.here.send(text, allowed_mentions=quiet)
    await loud.edit(content=text)
    await loud.edit(content="calm", allowed_mentions=quiet)
    assert [message.id for message in server.broadcasts()] == [loud.id]
    assert place.channel.messages[1].mentions == []


async def test_moderators_delete_in_bulk(server, place):
    said = [server.say(place.channel, place.ada, str(count)) for count in range(3)]
    partial = [place.here.get_partial_message(message.id) for message in said[:2]]
    assert await refused(place.here.delete_messages(partial)) == (403, 50013)
    server.permit(place.guild, place.guild.everyone, MEMBERS | Can.MANAGE_MESSAGES)
    await place.here.delete_messages(partial)
    assert place.channel.texts == ["2"]


async def test_the_bot_starts_threads_and_talks_in_them(server, place):
    question = server.say(place.channel, place.ada, "let us talk")
    thread = await place.here.get_partial_message(question.id).create_thread(name="talk")
    await thread.send("here I am")
    private = await place.here.create_thread(name="secret", type=discord.ChannelType.private_thread)
    await private.send("only us")
    public = await place.here.create_thread(name="open", type=discord.ChannelType.public_thread)
    assert [server.world.channels[one.id].texts for one in (thread, private, public)] == [
        ["", "here I am"],
        ["only us"],
        [],
    ]
    starter, _ = [message async for message in thread.history(oldest_first=True)]
    assert (thread.id, starter.type) == (question.id, discord.MessageType.thread_starter_message)
    assert starter.reference.resolved.content == "let us talk"
    await thread.edit(archived=True, name="done")
    assert (server.world.channels[thread.id].archived, server.world.channels[thread.id].name) == (True, "done")
    assert await refused(place.here.get_partial_message(question.id).create_thread(name="again")) == (400, 160004)
    server.say(server.world.channels[thread.id], place.ada, "one more thing")
    await server.until(lambda: "one more thing" in place.client.heard)
    assert not server.world.channels[thread.id].archived


async def test_a_private_thread_is_the_bots_once_it_is_added(server, place):
    thread = server.thread(place.channel, "hush", place.ada, private=True)
    server.say(thread, place.ada, "without you")
    assert await refused(place.client.fetch_channel(thread.id)) == (403, 50001)
    server.enter(thread, server.me)
    server.say(thread, place.ada, "welcome")
    await server.until(lambda: place.client.heard)
    assert place.client.heard == ["welcome"]
    assert place.client.of("message")[-1].channel.is_private()


async def test_a_mention_in_a_private_thread_brings_the_bot_there(server, place):
    thread = server.thread(place.channel, "hush", place.ada, private=True)
    server.say(thread, place.ada, f"{server.me.mention} come")
    await server.until(lambda: place.client.heard)
    assert {one.id for one in place.client.of("thread_join")} == {thread.id}
    await place.client.of("message")[0].channel.send("here")
    await place.client.of("message")[0].channel.leave()
    assert thread.texts == [f"{server.me.mention} come", "here"]
    assert server.me.id not in thread.people


async def test_webhooks_and_other_bots_are_told_from_people(server, place):
    server.say(place.channel, place.ada, "through a webhook", webhook=True)
    other = server.person("other", bot=True)
    server.join(place.guild, other)
    server.say(place.channel, other, "beep")
    server.say(place.channel, place.ada, "", type=7)
    await server.until(lambda: len(place.client.heard) == 3)
    hook, bot, joined = place.client.of("message")
    assert (hook.webhook_id is not None, bot.author.bot, joined.is_system()) == (True, True, True)


async def test_the_bot_writes_to_people_first_and_hears_them(server, place):
    user = await place.client.fetch_user(place.ada.id)
    await user.send("hello, Ada")
    server.say(server.dm(place.ada), place.ada, "hello, bot")
    await server.until(lambda: place.client.heard)
    assert server.dm(place.ada).texts == ["hello, Ada", "hello, bot"]
    message = place.client.of("message")[-1]
    assert (message.guild, message.channel.type) == (None, discord.ChannelType.private)


async def test_a_group_of_people_never_tells_the_bot_anything(server, place):
    bob = server.person("bob")
    group = server.group_dm(place.ada, bob)
    server.say(group, bob, "among us")
    server.say(place.channel, place.ada, "to all")
    await server.until(lambda: place.client.heard)
    assert place.client.heard == ["to all"]
    assert await refused(place.client.fetch_channel(group.id)) == (403, 50001)


async def test_reactions_come_and_go(server, place):
    message = server.say(place.channel, place.ada, "nice")
    await place.here.get_partial_message(message.id).add_reaction("👍")
    server.react(message, place.ada, "👍")
    assert message.reactions == {"👍": [server.me.id, place.ada.id]}
    await place.here.get_partial_message(message.id).remove_reaction("👍", place.client.user)
    await server.until(lambda: place.client.of("raw_reaction_remove"))
    assert message.reactions == {"👍": [place.ada.id]}
    assert [event.user_id for event in place.client.of("raw_reaction_add")] == [server.me.id, place.ada.id]


async def test_a_previews_update_is_no_edit(server, place):
    message = server.say(place.channel, place.ada, "see http://127.0.0.1/")
    server.unfurl(message)
    await server.until(lambda: place.client.of("raw_message_edit"))
    update = place.client.of("raw_message_edit")[0].message
    assert (update.content, update.edited_at, len(update.embeds)) == ("see http://127.0.0.1/", None, 1)


async def test_members_are_found_by_name_over_the_gateway_and_by_id_over_rest(server):
    ada, bob = server.person("ada"), server.person("bob")
    guild = server.guild("Library", ada, bob)
    client = await online(server, Client(discord.Intents.default()))
    seen = client.get_guild(guild.id)
    assert [member.id for member in seen.members] == [server.me.id]
    assert [member.name for member in await seen.query_members("ad")] == ["ada"]
    assert (await seen.fetch_member(bob.id)).name == "bob"
    assert await refused(seen.fetch_member(1)) == (404, 10013)
    assert [role.name for role in await seen.fetch_roles()] == ["@everyone"]
    await client.end()
