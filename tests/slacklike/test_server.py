"""An unmodified slack-bolt in Socket Mode hears what happens, and people see what it does."""

from datetime import UTC, datetime

import pytest

from tests.slacklike.conftest import refused
from tests.slacklike.records import Guest


async def test_a_mention_is_heard_twice_and_answered_in_its_thread(server, bot, place):
    @bot.app.event("app_mention")
    async def answer(event, say):
        await say(f"You said {event['text']}", thread_ts=event["ts"])

    await bot.connect()
    asked = server.say(place.channel, place.ada, f"{server.me.mention} hello")
    (reply,) = await server.replied(place.channel)
    assert (reply.shown, reply.thread_ts, reply.author) == (f"You said {asked.text}", asked.ts, server.me)
    assert server.thread(asked) == [reply]
    heard = [event for event in bot.events if event["ts"] == asked.ts]
    assert sorted(event["type"] for event in heard) == ["app_mention", "message"]
    assert len({one.event_id for one in server.deliveries.all}) == len(server.deliveries.all)


async def test_each_kind_of_conversation_says_which_it_is(server, bot, place):
    await bot.connect()
    private = server.channel("secret", place.ada, private=True)
    group = server.group_dm(place.ada, place.ben)
    for channel in (place.channel, private, group, place.dm):
        server.say(channel, place.ada, f"{server.me.mention} in {channel.type}")
    await server.until(lambda: len(bot.events) == 4 + 3)
    kinds = {event["channel"]: event["channel_type"] for event in bot.of("message")}
    assert kinds == {place.channel.id: "channel", private.id: "group", group.id: "mpim", place.dm.id: "im"}
    assert {event["channel"] for event in bot.of("app_mention")} == {place.channel.id, private.id, group.id}


async def test_the_app_hears_nothing_where_it_is_not(server, bot, place):
    await bot.connect()
    elsewhere = server.channel("elsewhere", place.ada, app=False)
    server.say(elsewhere, place.ada, f"{server.me.mention} are you there?")
    server.say(place.channel, place.ada, "here")
    await server.until(lambda: bot.heard)
    assert bot.heard == ["here"]
    assert await refused(bot.client.chat_postMessage(channel=elsewhere.id, text="hm")) == "not_in_channel"
    server.invite(elsewhere, place.ada)
    await server.until(lambda: bot.of("member_joined_channel"))
    joined = bot.of("member_joined_channel")[0]
    assert (joined["user"], joined["channel"], joined["inviter"]) == (server.me.id, elsewhere.id, place.ada.id)
    await bot.client.chat_postMessage(channel=elsewhere.id, text="I am now")
    assert [one.shown for one in server.said(elsewhere)] == ["I am now"]


async def test_edits_and_deletes_are_told_with_what_was_before(server, bot, place):
    await bot.connect()
    said = server.say(place.channel, place.ada, "teh cat")
    server.edit(said, "the cat")
    server.unfurl(said)
    server.delete(said)
    await server.until(lambda: bot.of("message_deleted"))
    changed, unfurled = bot.of("message_changed")
    assert (changed["previous_message"]["text"], changed["message"]["text"]) == ("teh cat", "the cat")
    assert changed["message"]["edited"]["user"] == place.ada.id
    assert unfurled["message"]["edited"] == changed["message"]["edited"]
    deleted = bot.of("message_deleted")[0]
    assert (deleted["deleted_ts"], deleted["previous_message"]["user"]) == (said.ts, place.ada.id)
    assert place.channel.texts == []


async def test_a_deleted_message_with_replies_leaves_a_tombstone(server, bot, place):
    await bot.connect()
    asked = server.say(place.channel, place.ada, "question")
    server.say(place.channel, place.ben, "reply", thread=asked)
    server.delete(asked)
    await server.until(lambda: bot.of("message_changed"))
    message = bot.of("message_changed")[0]["message"]
    assert (message["subtype"], message["ts"], message["user"]) == ("tombstone", asked.ts, "USLACKBOT")


async def test_what_the_app_does_itself_bolt_keeps_from_it(server, bot, place):
    await bot.connect()
    sent = await bot.client.chat_postMessage(channel=place.channel.id, text="one")
    await bot.client.chat_update(channel=place.channel.id, ts=sent["ts"], text="two")
    await bot.client.chat_delete(channel=place.channel.id, ts=sent["ts"])
    await server.until(lambda: server.deliveries.all and not server.deliveries.unacknowledged())
    assert [one.subtype for one in server.deliveries.of("message")] == ["", "message_changed", "message_deleted"]
    assert bot.events == []


async def test_a_channel_changes_and_the_app_is_told(server, bot, place):
    await bot.connect()
    partner = server.workspace("Partner")
    server.make_private(place.channel, place.ada)
    server.make_public(place.channel, place.ada)
    server.share(place.channel, partner)
    server.unshare(place.channel, partner)
    server.rename(place.channel, "hall")
    server.archive(place.channel, place.ada)
    server.unarchive(place.channel, place.ada)
    server.kick(place.channel)
    server.remove(place.channel, place.ada)
    await server.until(lambda: bot.of("channel_deleted"))
    told = {event.get("subtype") or event["type"] for event in bot.events}
    assert told == {
        "channel_convert_to_private",
        "channel_convert_to_public",
        "channel_shared",
        "channel_unshared",
        "channel_rename",
        "channel_archive",
        "channel_unarchive",
        "member_left_channel",
        "channel_left",
        "channel_deleted",
    }


async def test_guests_strangers_and_bots_are_told_apart(server, bot, place):
    partner = server.workspace("Partner", enterprise="E1")
    guest = server.person("gus", guest=Guest.SINGLE)
    stranger = server.person("sue", team=partner)
    robot = server.person("rob", bot=True)
    users = [(await bot.client.users_info(user=one.id))["user"] for one in (place.ada, guest, stranger, robot)]
    assert [user.get("is_restricted") for user in users] == [False, True, None, False]
    assert [user.get("is_ultra_restricted") for user in users] == [False, True, None, False]
    assert (users[2]["is_stranger"], users[2]["team_id"]) == (True, partner.id)
    assert users[3]["is_bot"]
    server.share(place.channel, partner)
    server.join(place.channel, stranger)
    assert not (await bot.client.users_info(user=stranger.id))["user"]["is_stranger"]
    channel = (await bot.client.conversations_info(channel=place.channel.id))["channel"]
    assert (channel["is_ext_shared"], channel["connected_team_ids"]) == (True, [partner.id])
    assert await refused(bot.client.users_info(user="U0")) == "user_not_found"


async def test_other_bots_are_heard_and_can_be_told_from_people(server, bot, place):
    await bot.connect()
    robot = server.person("rob", bot=True)
    server.join(place.channel, robot)
    server.other_app(place.channel, robot, "beep")
    await server.until(lambda: bot.heard)
    (event,) = [one for one in bot.of("message") if one["text"] == "beep"]
    assert (event["bot_id"], event["app_id"] == server.app.id, event["user"]) == (robot.bot_id, False, robot.id)
    named = await bot.client.bots_info(bot=robot.bot_id)
    assert (named["bot"]["user_id"], server.said(place.channel)) == (robot.id, [])


async def test_who_becomes_a_guest_is_told(server, bot, place):
    await bot.connect()
    server.become(place.ben, guest=Guest.MULTI)
    await server.until(lambda: bot.of("user_change"))
    assert bot.of("user_change")[0]["user"]["is_restricted"]


async def test_what_strangers_say_in_a_shared_channel_comes_with_their_team(server, bot, place):
    await bot.connect()
    partner = server.workspace("Partner")
    sue = server.person("sue", team=partner)
    server.share(place.channel, partner)
    server.join(place.channel, sue)
    server.say(place.channel, sue, "a file", files=[("notes.txt", b"secret")])
    await server.until(lambda: bot.of("file_share"))
    event, body = bot.of("file_share")[0], bot.bodies[-1]
    assert (event["team"], body["team_id"], body["is_ext_shared_channel"]) == (partner.id, server.home.id, True)
    assert event["files"] == [{"id": event["files"][0]["id"], "mode": "file_access", "file_access": "check_file_info"}]
    info = await bot.client.files_info(file=event["files"][0]["id"])
    assert info["file"]["name"] == "notes.txt"


async def test_history_comes_in_pages_and_threads_apart(server, bot, place):
    first = server.say(place.channel, place.ada, "first", at=datetime(2026, 1, 1, tzinfo=UTC))
    for number in range(4):
        server.say(place.channel, place.ada, f"reply {number}", thread=first)
    server.say(place.channel, place.ben, "last")
    page = await bot.client.conversations_history(channel=place.channel.id, limit=1)
    assert ([one["text"] for one in page["messages"]], page["has_more"]) == (["last"], True)
    cursor = page["response_metadata"]["next_cursor"]
    rest = await bot.client.conversations_history(channel=place.channel.id, limit=1, cursor=cursor)
    assert (rest["messages"][0]["text"], rest["messages"][0]["reply_count"], rest["has_more"]) == ("first", 4, False)
    thread = await bot.client.conversations_replies(channel=place.channel.id, ts=first.ts)
    assert [one["text"] for one in thread["messages"]] == ["first", *[f"reply {number}" for number in range(4)]]
    assert {one["parent_user_id"] for one in thread["messages"][1:]} == {place.ada.id}
    later = await bot.client.conversations_history(channel=place.channel.id, oldest=first.ts)
    assert [one["text"] for one in later["messages"]] == ["last"]


async def test_a_distributed_app_reads_little_history_and_seldom(server, bot, place):
    server.ratelimits.on = True
    server.rules.distributed = True
    for number in range(20):
        server.say(place.channel, place.ada, str(number))
    page = await bot.client.conversations_history(channel=place.channel.id, limit=100)
    assert len(page["messages"]) == 15
    assert await refused(bot.client.conversations_history(channel=place.channel.id)) == "ratelimited"
    assert await refused(bot.client.conversations_replies(channel=place.channel.id, ts="1")) == "thread_not_found"


async def test_conversations_are_listed_by_kind_and_opened(server, bot, place):
    server.channel("elsewhere", place.ada, app=False)
    server.channel("secret", place.ada, private=True, app=False)
    listed = await bot.client.conversations_list(types="public_channel,private_channel,im")
    assert [one.get("name") for one in listed["channels"]] == ["general", None, "elsewhere"]
    own = await bot.client.users_conversations(types="public_channel")
    assert [one["name"] for one in own["channels"]] == ["general"]
    opened = await bot.client.conversations_open(users=[place.ada.id])
    assert opened["channel"]["id"] == place.dm.id
    members = await bot.client.conversations_members(channel=place.channel.id)
    assert members["members"] == [place.ada.id, place.ben.id, server.me.id]
    joined = await bot.client.conversations_join(channel=listed["channels"][2]["id"])
    assert joined["channel"]["is_member"]


async def test_the_app_leaves_and_knows_where_it_was(server, bot, place):
    said = server.say(place.channel, place.ada, "goodbye")
    link = await bot.client.chat_getPermalink(channel=place.channel.id, message_ts=said.ts)
    point = said.ts.replace(".", "")
    assert link["permalink"] == f"https://library.slack.com/archives/{place.channel.id}/p{point}"
    assert (await bot.client.team_info())["team"]["id"] == server.home.id
    await bot.client.conversations_leave(channel=place.channel.id)
    assert await refused(bot.client.conversations_history(channel=place.channel.id)) == "not_in_channel"
    names = [one["name"] for one in (await bot.client.users_list())["members"]]
    assert {"ada", "ben", "lorebot"} <= set(names)


@pytest.mark.parametrize("tab", ["home", "messages"])
async def test_opening_the_app_and_looking_elsewhere_is_told(server, bot, place, tab):
    await bot.connect()
    await bot.client.views_publish(user_id=place.ada.id, view={"type": "home", "blocks": []})
    _ = server.open_home(place.ada) if tab == "home" else server.open_dm(place.ada, looking_at=place.channel)
    server.look_at(place.ada, place.channel)
    await server.until(lambda: bot.of("app_context_changed"))
    (opened,) = bot.of("app_home_opened")
    assert (opened["tab"], opened["user"], opened["channel"]) == (tab, place.ada.id, place.dm.id)
    assert ("view" in opened, "context" in opened) == ((True, False) if tab == "home" else (False, True))
    entity = bot.of("app_context_changed")[0]["context"]["entities"][0]
    assert (entity["type"], entity["value"]) == ("slack#/types/channel_id", place.channel.id)


async def test_what_the_app_does_not_subscribe_to_is_not_told(server, bot, place):
    server.rules.events = frozenset({"message.im"})
    await bot.connect()
    server.say(place.channel, place.ada, f"{server.me.mention} hello")
    server.say(place.dm, place.ada, "psst")
    await server.until(lambda: bot.heard)
    assert [event["text"] for event in bot.events] == ["psst"]
