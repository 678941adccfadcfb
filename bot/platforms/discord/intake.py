"""Which messages are addressed to the bot, what they say, and what a person there would see beside them."""

import re
from collections.abc import Iterable

import discord
import structlog

from bot.platforms.discord.outlet import FAILED
from bot.records import Seen
from memory.records import answer_id

log = structlog.get_logger()

TYPES = (discord.MessageType.default, discord.MessageType.reply, discord.MessageType.thread_starter_message)
AMBIENT = 20  # messages of the channel before the one that is addressed to the bot


def addressed(message: discord.Message, me: discord.ClientUser, joins: bool = False) -> bool:
    """Tell whether a message is for the bot: it names it, replies to it, or is said where only the bot is spoken to.

    joins: the bot answers unasked there, unless somebody else is named.
    """
    if not by_person(message):
        return False
    if named(message, me) or isinstance(message.channel, discord.DMChannel):
        return True
    if not (message.content or message.attachments):
        return False  # nothing that could be answered, or Discord withholds it for want of the message content intent
    replied = message.reference.resolved if message.reference else None
    if isinstance(replied, discord.Message) and replied.author.id == me.id:
        return True
    if message.mentions or message.role_mentions or message.mention_everyone:
        return False  # it is for those
    if isinstance(message.channel, discord.Thread) and message.channel.owner_id == me.id:
        return True
    return joins


def by_person(message: discord.Message) -> bool:
    """Tell whether somebody says something: no bot, no webhook, and not Discord itself."""
    return not message.author.bot and message.webhook_id is None and message.type in TYPES


def named(message: discord.Message, me: discord.ClientUser) -> bool:
    """Tell whether a message mentions the bot, or the role that Discord made for it."""
    own = message.guild.self_role if message.guild else None
    return any(user.id == me.id for user in message.mentions) or (own is not None and own in message.role_mentions)


def replied_to(message: discord.Message, me: discord.ClientUser) -> discord.Message | None:
    """Return the message of somebody else that a message replies to, where Discord tells it."""
    replied = message.reference.resolved if message.reference else None
    return replied if isinstance(replied, discord.Message) and replied.author.id != me.id else None


def words(message: discord.Message, me: discord.ClientUser) -> str:
    """Return what a message says, other mentions by their names, that of the bot left out."""
    own = message.guild.self_role if message.guild else None
    names = [message.guild.me.display_name if message.guild else me.display_name, *([own.name] if own else [])]
    text = message.clean_content
    for name in names:
        text = re.sub(rf"@{re.escape(name)}(?=\W|$)\s*", "", text, count=1)
    return text.strip()


async def seen(message: discord.Message, most: int = AMBIENT) -> list[Seen]:
    """Return what somebody sees around a message: the one it replies to, the thread's first, the channel's last.

    Where Discord does not show the past, the message is answered without it.
    """
    found: dict[int, discord.Message] = {}
    channel = message.channel
    if isinstance(channel, discord.Thread) and (first := channel.starter_message) is not None:
        found[first.id] = first
    replied = message.reference.resolved if message.reference else None
    if isinstance(replied, discord.Message):
        found[replied.id] = replied
    try:
        async for one in channel.history(limit=most, before=message):
            found[one.id] = one
    except FAILED as error:
        log.info("not looked back", channel=channel.id, error=type(error).__name__)
    return [
        Seen(one.author.display_name, text, turn_id(one))
        for one in _in_order(found.values())
        if (text := one.clean_content)
    ]


def turn_id(message: discord.Message) -> str:
    """Return the id of the turn that a message is, if it is remembered; an answer has that of its question."""
    me = message.guild.me if message.guild else getattr(message.channel, "me", None)
    mine = me is not None and message.author.id == me.id
    if mine and message.reference is not None and message.reference.message_id is not None:
        return answer_id(str(message.reference.message_id))
    return str(message.id)


def _in_order(messages: Iterable[discord.Message]) -> list[discord.Message]:
    return sorted(messages, key=lambda one: one.id)
