"""What a small Slack says to all that the app calls, as far as the app reads it.

Where ours and npm's emulate disagree, DIFFER says what Slack's own documents say, docs.slack.dev/reference/methods.
"""

from dataclasses import dataclass

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

PART = {"event_type": "lorebot_part", "event_payload": {"nonce": "n1", "asked": "1.1"}}
VIEW = {"type": "home", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}]}
MODAL = {"type": "modal", "title": {"type": "plain_text", "text": "Hello"}, "blocks": VIEW["blocks"]}

DIFFER = {
    "post where it is not": "not_in_channel: chat:write is for channels that it is in",
    "history where it is not": "not_in_channel, for a bot's token",
    "posted by": "a bot's messages have its bot_id",
    "replies of nothing": "thread_not_found",
    "whisper to nobody": "user_not_in_channel is the one that chat.postEphemeral has",
    "updated without blocks": "those that it had stay, unless an empty list is given",
    "parent's thread": "a parent with replies has its own time stamp as thread_ts",
    "that one alone": "oldest and latest bound what is returned",
    "after it": "oldest bounds what is returned",
    "with a wrong token": "invalid_auth",
}


@dataclass(frozen=True)
class Asked:
    """A Slack, with a channel that the app is in and one that it is not. person: is in both; theirs: a message."""

    client: AsyncWebClient
    person: str
    channel: str
    outside: str
    theirs: str


async def told(asking, *fields):
    """Return what an answer says in fields, or the name of an error."""
    try:
        answer = (await asking).data
    except SlackApiError as error:
        return error.response["error"]
    return {field: type(found).__name__ if (found := _at(answer, field)) is not None else None for field in fields}


def _at(answer, field):
    for name in field.split("."):
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer


async def opinions(one: Asked) -> dict[str, object]:
    """Return what a Slack says to all that the app calls, as far as the app reads it."""
    client, channel, outside, person = one.client, one.channel, one.outside, one.person
    found: dict[str, object] = {
        "who": await told(client.auth_test(), "user_id", "bot_id", "team_id", "url"),
        "person": await told(client.users_info(user=person), "user.id", "user.profile.display_name", "user.is_bot"),
        "nobody": await told(client.users_info(user="U0NOBODY")),
        "place": await told(client.conversations_info(channel=channel), "channel.id", "channel.name", "channel.is_im"),
        "nowhere": await told(client.conversations_info(channel="C0NOWHERE")),
        "members": await told(
            client.conversations_members(channel=channel), "members", "response_metadata.next_cursor"
        ),
        "post where it is not": await told(client.chat_postMessage(channel=outside, text="x")),
        "history where it is not": await told(client.conversations_history(channel=outside)),
        "post nowhere": await told(client.chat_postMessage(channel="C0NOWHERE", text="x")),
        "post nothing": await told(client.chat_postMessage(channel=channel, blocks=[], text="")),
        "direct": await told(client.chat_postMessage(channel=person, text="x"), "channel", "ts"),
        "whisper": await told(client.chat_postEphemeral(channel=channel, user=person, text="x"), "message_ts"),
        "whisper to nobody": await told(client.chat_postEphemeral(channel=channel, user="U0NOBODY", text="x")),
        "update nothing": await told(client.chat_update(channel=channel, ts="1.1", text="x")),
        "update theirs": await told(client.chat_update(channel=channel, ts=one.theirs, text="x")),
        "delete nothing": await told(client.chat_delete(channel=channel, ts="1.1")),
        "delete theirs": await told(client.chat_delete(channel=channel, ts=one.theirs)),
        "replies of nothing": await told(client.conversations_replies(channel=channel, ts="1.1")),
        "home": await told(
            client.views_publish(user_id=person, view=VIEW), "view.id", "view.hash", "view.root_view_id"
        ),
        "dialog without a trigger": await told(client.views_open(trigger_id="1.1.x", view=MODAL)),
        "with a wrong token": await told(AsyncWebClient("xoxb-1-wrong", base_url=client.base_url).auth_test()),
    }
    return found | await _talked(client, channel)


async def _talked(client: AsyncWebClient, channel: str) -> dict[str, object]:
    """Post, update, look back, upload and delete; return what is seen."""
    blocks = [{"type": "markdown", "text": "hello"}]
    first = await client.chat_postMessage(channel=channel, text="hello", blocks=blocks, metadata=PART)
    second = await client.chat_postMessage(channel=channel, text="inside", thread_ts=first["ts"])
    updated = await client.chat_update(channel=channel, ts=first["ts"], text="hello again", metadata=PART)
    history = await client.conversations_history(channel=channel, include_all_metadata=True, limit=3)
    parent, reply = (await client.conversations_replies(channel=channel, ts=first["ts"], include_all_metadata=True))[
        "messages"
    ]
    one = await client.conversations_history(channel=channel, latest=first["ts"], oldest=first["ts"], inclusive=True)
    after = await client.conversations_history(channel=channel, oldest=first["ts"])
    upload = await told(client.files_upload_v2(channel=channel, filename="a.md", content="hello"), "files")
    deleted = await told(client.chat_delete(channel=channel, ts=second["ts"]), "ts")
    newest = history["messages"][0]
    return {
        "posted": (
            first["channel"] == channel,
            type(first["ts"]).__name__,
            second["message"]["thread_ts"] == first["ts"],
        ),
        "posted by": "bot_id" in newest,
        "updated": (updated["text"], updated["message"]["metadata"] == PART),
        "updated without blocks": bool(updated["message"].get("blocks")),
        "newest first": (newest["ts"] == first["ts"], newest["text"], newest["metadata"] == PART),
        "thread": (parent["ts"] == first["ts"], reply["text"], reply["thread_ts"] == first["ts"]),
        "parent's thread": parent.get("thread_ts") == first["ts"],
        "that one alone": [message["ts"] == first["ts"] for message in one["messages"]],
        "after it": [message["text"] for message in after["messages"]],
        "upload": upload,
        "deleted": deleted,
    }
