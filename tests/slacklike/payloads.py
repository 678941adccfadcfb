"""What is on the server as Slack's JSON, as one installation sees it."""

import time

from tests.slacklike.records import Channel, File, Guest, Json, Kind, Message, Person, Team, View

DAY = 86_400
SLACKBOT = "USLACKBOT"


def user(person: Person, *, seen_from: Team, stranger: bool = False) -> Json:
    """Return a user object; members of other workspaces look poorer."""
    data: Json = {
        "id": person.id,
        "team_id": person.team.id,
        "name": person.name,
        "deleted": person.deleted,
        "is_bot": bool(person.bot_id),
        "updated": int(time.time()),
        "profile": {
            "real_name": person.name.title(),
            "display_name": person.name,
            "team": person.team.id,
            **({"bot_id": person.bot_id} if person.bot_id else {}),
        },
    }
    if person.deleted:
        return data
    if person.team is not seen_from:
        return data | {"is_stranger": stranger, "tz": "Europe/London", "real_name": person.name.title()}
    return data | {
        "real_name": person.name.title(),
        "tz": "Europe/London",
        "tz_offset": 0,
        "is_admin": person.admin,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": person.guest != Guest.NO,
        "is_ultra_restricted": person.guest == Guest.SINGLE,
        "is_app_user": False,
    }


def team(one: Team) -> Json:
    data: Json = {"id": one.id, "name": one.name, "domain": one.domain, "url": f"https://{one.domain}.slack.com/"}
    if one.enterprise:
        data |= {"enterprise_id": one.enterprise, "enterprise_name": "Enterprise"}
    return data


def channel(one: Channel, me: Person) -> Json:
    """Return a conversation; a private one made today has an id that begins with C."""
    data: Json = {"id": one.id, "created": int(time.time()) - DAY, "is_archived": one.archived}
    data |= {"is_im": one.kind == Kind.IM, "is_org_shared": False, "context_team_id": me.team.id}
    if one.kind == Kind.IM:
        other = next(person for person in one.members.values() if person.id != me.id)
        return data | {"user": other.id, "is_user_deleted": other.deleted, "is_open": True}
    foreign = [connected.id for connected in one.shared_with]
    return data | {
        "name": one.name,
        "name_normalized": one.name,
        "is_channel": one.kind == Kind.PUBLIC,
        "is_group": one.kind == Kind.PRIVATE,
        "is_mpim": one.kind == Kind.MPIM,
        "is_private": one.kind != Kind.PUBLIC,
        "is_general": False,
        "is_shared": bool(foreign),
        "is_ext_shared": bool(foreign),
        "is_pending_ext_shared": False,
        "is_member": me.id in one.members,
        "shared_team_ids": [one.team.id, *foreign],
        "conversation_host_id": one.team.id,
        "connected_team_ids": foreign,
        "creator": one.creator.id if one.creator else "",
        "topic": {"value": "", "creator": "", "last_set": 0},
        "purpose": {"value": "", "creator": "", "last_set": 0},
    }


def message(one: Message, app_id: str, address: str, *, metadata: bool = True) -> Json:
    """Return a message as events and history have it."""
    if one.deleted:
        return tombstone(one)
    data: Json = {"type": "message", "user": one.author.id, "text": one.text, "ts": one.ts}
    data |= {"team": one.author.team.id}
    optional = {
        "subtype": one.subtype,
        "blocks": one.blocks or ([] if one.author.bot_id or not one.text else [rich_text(one.text)]),
        "attachments": one.attachments,
        "files": [in_message(item, one.channel, address) for item in one.files],
        "thread_ts": one.thread_ts,
        "metadata": one.metadata if metadata else None,
        "client_msg_id": "" if one.author.bot_id or one.subtype else f"0000-{one.ts.replace('.', '')}",
        "reactions": [{"name": name, "users": ids, "count": len(ids)} for name, ids in one.reactions.items()],
    }
    data |= {name: value for name, value in optional.items() if value}
    if one.edited:
        data["edited"] = {"user": one.author.id, "ts": one.edited}
    if one.stream is not None:
        data["streaming_state"] = "in_progress" if one.streaming else "completed"
        data["blocks"] = [*([rich_text(one.text)] if one.text else []), *one.blocks]
    if one.author.bot_id:
        made_by = app_id if one.by_app else "A0OTHER"
        data |= {"bot_id": one.author.bot_id, "app_id": made_by}
        data["bot_profile"] = {"id": one.author.bot_id, "app_id": made_by, "name": one.author.name, "deleted": False}
    replies = one.channel.replies(one.ts)
    if replies:
        data |= {"thread_ts": one.ts, "reply_count": len(replies), "latest_reply": replies[-1].ts}
        data |= {"reply_users": sorted({reply.author.id for reply in replies}), "is_locked": False}
    elif one.is_reply and one.thread_ts in one.channel.log:
        data["parent_user_id"] = one.channel.log[one.thread_ts].author.id
    return data


def tombstone(one: Message) -> Json:
    """Return what is left of a deleted message that others have replied to."""
    data: Json = {"type": "message", "subtype": "tombstone", "text": "This message was deleted.", "user": SLACKBOT}
    return data | {"ts": one.ts, "thread_ts": one.ts, "hidden": True}


def rich_text(text: str) -> Json:
    """Return the block that Slack makes of what a person types."""
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "block_id": "typed", "elements": [section]}


def in_message(one: File, where: Channel, address: str) -> Json:
    """Return a file as messages have it; in a channel shared with others its details must be asked for."""
    if where.shared_with:
        return {"id": one.id, "mode": "file_access", "file_access": "check_file_info"}
    return file(one, address)


def file(one: File, address: str) -> Json:
    link = f"{address}/files-pri/{one.id}/{one.name}"
    return {
        "id": one.id,
        "created": int(time.time()),
        "name": one.name,
        "title": one.title or one.name,
        "mimetype": one.mimetype,
        "filetype": one.name.rpartition(".")[2] or "binary",
        "user": one.owner.id if one.owner else "",
        "size": len(one.data),
        "mode": "hosted",
        "is_external": False,
        "is_public": False,
        "file_access": "visible",
        "channels": one.channels,
        "url_private": link,
        "url_private_download": link + "?download=1",
        "permalink": f"{address}/files/{one.id}",
    }


def view(one: View, app_id: str, bot: Person) -> Json:
    """Return a view, with what is typed into it."""
    kept = ("type", "title", "submit", "close", "callback_id", "external_id", "private_metadata")
    data: Json = {name: one.data.get(name) for name in kept}
    data |= {name: data[name] or "" for name in ("callback_id", "external_id", "private_metadata")}
    return data | {
        "id": one.id,
        "team_id": one.team.id,
        "blocks": one.data.get("blocks") or [],
        "state": {"values": one.values},
        "hash": one.hash,
        "clear_on_close": bool(one.data.get("clear_on_close")),
        "notify_on_close": bool(one.data.get("notify_on_close")),
        "previous_view_id": one.previous or None,
        "root_view_id": one.root,
        "app_id": app_id,
        "app_installed_team_id": bot.team.id,
        "bot_id": bot.bot_id,
    }
