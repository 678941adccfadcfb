"""The JSON of things, as gateway and REST send it."""

from datetime import UTC, datetime

from tests.discordlike.permissions import can_see
from tests.discordlike.records import Attachment, Channel, Guild, Json, Kind, Message, Person, Role, when
from tests.discordlike.rules import GUILD_MEMBERS, GUILD_PRESENCES, MESSAGE_CONTENT, Rules

JOINED = datetime(2025, 1, 1, tzinfo=UTC).isoformat()


def user(person: Person) -> Json:
    return {
        "id": str(person.id),
        "username": person.name,
        "global_name": None if person.bot else person.name.title(),
        "discriminator": "0001" if person.bot else "0",
        "avatar": None,
        "bot": person.bot,
        "public_flags": 0,
    }


def member(guild: Guild, person: Person, *, with_user: bool = True) -> Json:
    data: Json = {
        "roles": [str(role.id) for role in guild.members.get(person.id, [])],
        "nick": None,
        "avatar": None,
        "joined_at": JOINED,
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "pending": False,
        "flags": 0,
        "communication_disabled_until": None,
    }
    return data | ({"user": user(person)} if with_user else {})


def role(role: Role) -> Json:
    return {
        "id": str(role.id),
        "name": role.name,
        "permissions": str(int(role.permissions)),
        "position": role.position,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": False,
        "mentionable": True,
        "flags": 0,
    }


def channel(channel: Channel, me: Person) -> Json:
    """Return a channel, DM or thread as the bot gets it."""
    latest = max(channel.log, default=None)
    data: Json = {
        "id": str(channel.id),
        "type": int(channel.kind),
        "last_message_id": latest and str(latest),
        "flags": 0,
    }
    if channel.guild is None:
        people = [user(person) for person in channel.people.values() if person is not me]
        group = {"name": channel.name, "icon": None, "owner_id": str(next(iter(channel.people)))}
        return data | {"recipients": people} | (group if channel.kind == Kind.GROUP_DM else {})
    data |= {"guild_id": str(channel.guild.id), "name": channel.name, "rate_limit_per_user": 0, "nsfw": channel.nsfw}
    data["parent_id"] = str(channel.parent.id) if channel.parent else None
    if channel.is_thread:
        return data | _thread(channel, me)
    overwrites = [
        {"id": str(target), "type": kind, "allow": str(int(allow)), "deny": str(int(deny))}
        for target, (kind, allow, deny) in channel.overwrites.items()
    ]
    return data | {"topic": channel.topic, "position": 0, "permission_overwrites": overwrites}


def _thread(channel: Channel, me: Person) -> Json:
    assert channel.owner
    made = when(channel.id).isoformat()
    data: Json = {
        "owner_id": str(channel.owner.id),
        "message_count": len(channel.messages),
        "member_count": len(channel.people),
        "total_message_sent": len(channel.log),
        "thread_metadata": {
            "archived": channel.archived,
            "auto_archive_duration": 1440,
            "archive_timestamp": made,
            "locked": channel.locked,
            "invitable": True,
            "create_timestamp": made,
        },
    }
    return data | ({"member": thread_member(channel, me)} if me.id in channel.people else {})


def thread_member(channel: Channel, person: Person) -> Json:
    return {"id": str(channel.id), "user_id": str(person.id), "join_timestamp": JOINED, "flags": 0}


def guild(guild: Guild, channels: list[Channel], people: list[Person], me: Person) -> Json:
    """Return a whole guild; `people` are those whom the session's intents let it see."""
    threads = [one for one in channels if one.is_thread and not one.archived and can_see(one, me)]
    return {
        "id": str(guild.id),
        "name": guild.name,
        "owner_id": str(guild.owner.id),
        "icon": None,
        "features": [],
        "preferred_locale": "en-US",
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "system_channel_flags": 0,
        "premium_tier": 0,
        "nsfw_level": 0,
        "mfa_level": 0,
        "emojis": [],
        "stickers": [],
        "joined_at": JOINED,
        "large": False,
        "unavailable": False,
        "member_count": len(guild.members),
        "roles": [role(one) for one in guild.roles.values()],
        "members": [member(guild, person) for person in people],
        "channels": [channel(one, me) for one in channels if not one.is_thread],
        "threads": [channel(one, me) for one in threads],
        "voice_states": [],
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def attachment(attachment: Attachment) -> Json:
    return {
        "id": str(attachment.id),
        "filename": attachment.filename,
        "size": len(attachment.data),
        "url": attachment.address,
        "proxy_url": attachment.address,
        "content_type": attachment.content_type,
    }


def message(message: Message, people: dict[int, Person], me: Person, *, quote: bool = True) -> Json:
    """Return a message; with `quote`, the one it refers to comes along."""
    data: Json = {
        "id": str(message.id),
        "channel_id": str(message.channel.id),
        "author": user(message.author),
        "content": message.text,
        "timestamp": when(message.id).isoformat(),
        "edited_timestamp": message.edited and message.edited.isoformat(),
        "tts": False,
        "mention_everyone": message.mention_everyone,
        "mentions": [user(people[one]) for one in message.mentions if one in people],
        "mention_roles": [str(one) for one in message.mention_roles],
        "attachments": [attachment(one) for one in message.attachments],
        "embeds": message.embeds,
        "components": message.components,
        "pinned": False,
        "type": message.type,
        "flags": message.flags,
        "reactions": [
            {"emoji": {"id": None, "name": emoji}, "count": len(who), "me": me.id in who}
            for emoji, who in message.reactions.items()
            if who
        ],
    }
    if message.nonce is not None:
        data["nonce"] = message.nonce
    if message.webhook is not None:
        data["webhook_id"] = str(message.webhook)
    if message.author is me:
        data["application_id"] = str(me.id)
    if message.thread is not None:
        data["thread"] = channel(message.thread, me)
    if message.invocation:
        data |= message.invocation
    return data | (_quoted(message, people, me) if message.reply_to is not None and quote else {})


def _quoted(replying: Message, people: dict[int, Person], me: Person) -> Json:
    source = replying.channel
    if replying.reference_channel is not None and source.parent is not None:
        source = source.parent
    original = source.log.get(replying.reply_to or 0)
    reference = {"type": 0, "message_id": str(replying.reply_to), "channel_id": str(source.id)}
    reference |= {"guild_id": str(source.guild.id)} if source.guild else {}
    gone = original is None or original.deleted
    quoted = None if gone or original is None else message(original, people, me, quote=False)
    return {"message_reference": reference, "referenced_message": quoted}


def application_flags(rules: Rules) -> int:
    """Return an application's flags for the intents that are switched on; unverified ones have flags of their own."""
    flags = {GUILD_PRESENCES: 1 << 12, GUILD_MEMBERS: 1 << 14, MESSAGE_CONTENT: 1 << 18}
    found = sum(flag for intent, flag in flags.items() if rules.privileged & intent)
    return found if rules.verified else found << 1


def blanked(data: Json, me: Person) -> Json:
    """Return a guild's message as a bot without the message-content intent gets it; its own and mentions stay whole."""
    if quoted := data.get("referenced_message"):
        data = data | {"referenced_message": blanked(quoted, me)}
    mentioned = any(one["id"] == str(me.id) for one in data["mentions"])
    if mentioned or data["author"]["id"] == str(me.id):
        return data
    return data | {"content": "", "embeds": [], "attachments": [], "components": []}
