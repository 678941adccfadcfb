"""What the app writes: what people read, what is refused, who is called, files, limits and faults."""

import asyncio
import time

import aiohttp
import pytest
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler

from tests.slacklike.conftest import refused

METADATA = {"event_type": "turn", "event_payload": {"turn": "t1"}}


def markdown(text):
    return [{"type": "markdown", "text": text}]


async def test_people_read_the_blocks_and_the_app_finds_its_metadata(server, bot, place):
    sent = await bot.client.chat_postMessage(
        channel=place.channel.id, text="plain", blocks=markdown("**bold**"), metadata=METADATA, unfurl_links=False
    )
    (message,) = server.said(place.channel)
    assert (message.shown, message.text, message.metadata) == ("**bold**", "plain", METADATA)
    assert (message.unfurl_links, message.unfurl_media) == (False, True)
    assert (sent["message"]["bot_id"], sent["ts"]) == (server.me.bot_id, message.ts)
    plain = await bot.client.conversations_history(channel=place.channel.id)
    whole = await bot.client.conversations_history(channel=place.channel.id, include_all_metadata=True)
    assert ("metadata" in plain["messages"][0], whole["messages"][0]["metadata"]) == (False, METADATA)
    await bot.client.chat_update(channel=place.channel.id, ts=sent["ts"], text="new", blocks=[])
    assert message.shown == "new"
    assert [version.text for version in message.history] == ["**bold**", "new"]


async def test_escaped_text_is_read_as_it_was_meant(server, bot, place):
    await bot.client.chat_postMessage(channel=place.channel.id, text="a &lt; b &amp; c")
    assert place.channel.texts == ["a < b & c"]


@pytest.mark.parametrize(
    ("error", "call"),
    [
        ("no_text", {"text": ""}),
        ("invalid_blocks", {"blocks": markdown("x" * 12_001)}),
        ("msg_blocks_too_long", {"blocks": [*markdown("x" * 7_000), *markdown("y" * 7_000)]}),
        ("invalid_blocks", {"blocks": [{"type": "divider"}] * 51}),
        ("invalid_blocks", {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]}),
        ("msg_too_long", {"markdown_text": "x" * 12_001}),
        ("markdown_text_conflict", {"markdown_text": "x", "text": "x"}),
        ("invalid_metadata_format", {"text": "x", "metadata": {"event_type": "turn"}}),
        ("thread_not_found", {"text": "x", "thread_ts": "1.000001"}),
        ("invalid_thread_ts", {"text": "x", "thread_ts": ""}),
        ("channel_not_found", {"text": "x", "channel": "C404"}),
    ],
)
async def test_what_slack_would_not_post_is_refused(server, bot, place, error, call):
    assert await refused(bot.client.api_call("chat.postMessage", json={"channel": place.channel.id, **call})) == error
    assert server.said(place.channel) == []
    assert [asked.error for asked in server.journal.refused()] == [error]


async def test_long_texts_are_cut_and_long_updates_refused(server, bot, place):
    sent = await bot.client.chat_postMessage(channel=place.channel.id, text="x" * 40_001)
    assert sent["warning"] == "message_truncated"
    assert len(place.channel.messages[0].text) == 40_000
    update = bot.client.chat_update(channel=place.channel.id, ts=sent["ts"], text="x" * 4_001)
    assert await refused(update) == "msg_too_long"


async def test_only_its_own_messages_the_app_may_change(server, bot, place):
    said = server.say(place.channel, place.ada, "mine")
    where = {"channel": place.channel.id, "ts": said.ts}
    assert await refused(bot.client.chat_update(**where, text="ours")) == "cant_update_message"
    assert await refused(bot.client.chat_delete(**where)) == "cant_delete_message"
    assert await refused(bot.client.chat_delete(channel=place.channel.id, ts="1.0")) == "message_not_found"


async def test_an_archived_channel_takes_nothing(server, bot, place):
    server.archive(place.channel, place.ada)
    assert await refused(bot.client.chat_postMessage(channel=place.channel.id, text="x")) == "is_archived"


async def test_an_ephemeral_message_is_seen_by_one(server, bot, place):
    await bot.client.chat_postEphemeral(channel=place.channel.id, user=place.ada.id, text="for you")
    assert [one.shown for one in server.ephemerals(place.ada)] == ["for you"]
    assert [one.shown for one in server.seen(place.channel, place.ada)] == ["for you"]
    assert server.seen(place.channel, place.ben) == server.said(place.channel) == []


@pytest.mark.parametrize("call", ["<!channel>", "<!here|here>", "<!EVERYONE>", "<!subteam^S123>", "`<!channel>`"])
async def test_whom_a_message_calls_is_seen_wherever_it_is(server, bot, place, call):
    where = {"channel": place.channel.id}
    sent = await bot.client.chat_postMessage(**where, text="&lt;!channel&gt; @channel")
    assert server.broadcasts() == []
    await bot.client.chat_postEphemeral(**where, user=place.ada.id, text=call)
    assert server.broadcasts() == []
    await bot.client.chat_update(**where, ts=sent["ts"], text=call)
    await bot.client.chat_postMessage(**where, text="x", blocks=markdown(call))
    section = [{"type": "section", "text": {"type": "mrkdwn", "text": call}}]
    await bot.client.chat_postMessage(**where, text="x", blocks=section)
    await bot.client.chat_postMessage(**where, text="x", attachments=[{"text": call}])
    harmless = [{"type": "section", "text": {"type": "plain_text", "text": call}}]
    await bot.client.chat_postMessage(**where, text="x", blocks=harmless)
    await bot.client.chat_delete(**where, ts=sent["ts"])
    assert len(server.broadcasts()) == 4
    await bot.client.chat_postMessage(**where, text="@here", link_names=True)
    called = {"type": "rich_text_section", "elements": [{"type": "broadcast", "range": "channel"}]}
    await bot.client.chat_postMessage(**where, text="x", blocks=[{"type": "rich_text", "elements": [called]}])
    assert len(server.broadcasts()) == 6


async def test_files_go_up_and_down_with_a_token(server, bot, place, http):
    asked = server.say(place.channel, place.ada, "read this", files=[("notes.txt", b"one two")])
    (file,) = asked.files
    info = (await bot.client.files_info(file=file.id))["file"]
    headers = {"Authorization": f"Bearer {server.bot_token}"}
    async with http.get(info["url_private_download"], headers=headers) as response:
        assert (await response.read(), response.content_type) == (b"one two", "text/plain")
    async with http.get(info["url_private"]) as response:
        assert (response.status, response.content_type) == (200, "text/html")
    await bot.client.files_upload_v2(
        channel=place.channel.id, thread_ts=asked.ts, filename="reply.md", content="# Long", initial_comment="rest"
    )
    (sent,) = server.thread(asked)
    assert [(one.name, one.data) for one in sent.files] == [("reply.md", b"# Long")]
    assert (sent.text, sent.subtype, sent.author) == ("rest", "file_share", server.me)


async def test_reactions_are_added_once(server, bot, place):
    asked = server.say(place.channel, place.ada, "nice")
    react = {"channel": place.channel.id, "timestamp": asked.ts, "name": "eyes"}
    await bot.client.reactions_add(**react)
    assert await refused(bot.client.reactions_add(**react)) == "already_reacted"
    assert asked.reactions == {"eyes": [server.me.id]}


async def test_more_than_the_limit_is_429_with_the_seconds_to_wait(server, bot, place, http):
    server.ratelimits.on = True
    server.ratelimits.limits["chat.postMessage"] = (1, 1.0)
    other = server.channel("other", place.ada)
    await bot.client.chat_postMessage(channel=place.channel.id, text="one")
    await bot.client.chat_postMessage(channel=other.id, text="another channel is another matter")
    headers = {"Authorization": f"Bearer {server.bot_token}"}
    call = {"channel": place.channel.id, "text": "two"}
    async with http.post(f"{server.url}chat.postMessage", data=call, headers=headers) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "1")
        assert await response.json() == {"ok": False, "error": "ratelimited"}
    bot.client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=2))
    await bot.client.chat_postMessage(channel=place.channel.id, text="three")
    assert place.channel.texts == ["one", "three"]
    assert server.journal.gaps("chat.postMessage", place.channel.id)[-1] > 0.5


async def test_a_cut_after_the_post_makes_the_sdk_post_twice(server, bot, place):
    server.faults.cut(on="chat.postMessage", after=True)
    await bot.client.chat_postMessage(channel=place.channel.id, text="once")
    assert place.channel.texts == ["once", "once"]
    assert [asked.status for asked in server.journal.of("chat.postMessage")] == [0, 200]


async def test_a_connection_that_is_cut_again_and_again_is_an_error(server, bot, place):
    server.faults.cut(times=2, on="chat.postMessage")
    with pytest.raises(aiohttp.ClientError):
        await bot.client.chat_postMessage(channel=place.channel.id, text="cut")
    assert place.channel.texts == []


async def test_faults_befall_one_method_or_one_channel(server, bot, place):
    other = server.channel("other", place.ada)
    server.faults.fail(500, on=f"chat.postMessage {place.channel.id}")
    await bot.client.chat_postMessage(channel=other.id, text="fine")
    with pytest.raises(Exception, match="500"):
        await bot.client.chat_postMessage(channel=place.channel.id, text="lost")
    server.faults.fail(200, error="fatal_error", on="chat.*")
    assert await refused(bot.client.chat_postMessage(channel=place.channel.id, text="lost")) == "fatal_error"
    server.faults.limit(3, on="chat.postMessage")
    assert await refused(bot.client.chat_postMessage(channel=place.channel.id, text="lost")) == "ratelimited"
    server.faults.delay(0.1, times=1, on="auth.test")
    started = time.monotonic()
    await bot.client.auth_test()
    assert time.monotonic() - started >= 0.1
    held = server.faults.hold(on="chat.postMessage")
    posting = asyncio.create_task(bot.client.chat_postMessage(channel=place.channel.id, text="held"))
    await held.reached.wait()
    assert place.channel.texts == []
    held.let_go.set()
    await posting
    assert place.channel.texts == ["held"]


async def test_tokens_are_looked_at(server, bot, http):
    async def answer(token, method="auth.test", **how):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with http.post(f"{server.url}{method}", headers=headers, **how) as response:
            assert response.status == 200
            return await response.json()

    assert (await answer(""))["error"] == "not_authed"
    assert (await answer("xoxb-wrong"))["error"] == "invalid_auth"
    assert (await answer(server.app.token))["error"] == "not_allowed_token_type"
    assert (await answer(server.bot_token, "apps.connections.open"))["error"] == "not_allowed_token_type"
    assert (await answer(server.bot_token, "chat.sing"))["error"] == "unknown_method"
    assert [asked.method for asked in server.journal.unknown()] == ["chat.sing"]
    who = await answer(server.bot_token, data=b"{}", params={}, skip_auto_headers=None)
    assert (who["user_id"], who["bot_id"], who["team_id"]) == (server.me.id, server.me.bot_id, server.home.id)
    assert (await answer(server.bot_token, json={}))["warning"] == "missing_charset"


async def test_a_scope_that_was_not_granted_is_missing(server, bot, place):
    server.world.install.scopes = frozenset({"chat:write"})
    assert await refused(bot.client.conversations_history(channel=place.channel.id)) == "missing_scope"
    await bot.client.chat_postMessage(channel=place.channel.id, text="allowed")
