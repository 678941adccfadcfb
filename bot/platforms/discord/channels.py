"""Channels of Discord in which the bot listens: what is switched on there, and what is overheard."""

import discord

from bot.channels import Channel, announcement
from bot.errors import CommandError
from bot.listening import Listening
from bot.platforms.discord import intake, past
from bot.platforms.discord.audience import scope
from bot.platforms.discord.outlet import NOBODY, told
from memory.scope import Scope

# Everything that can have a setting of its own; a thread has its parent's.
Settable = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.ForumChannel


async def join(listening: Listening, channel: "Settable | discord.Thread", by: discord.abc.User, on: bool) -> Channel:
    """Let the bot answer unasked in a channel, or not. Raises RedisError."""
    return await listening.channels.set(scope(_settable(channel), by.id), joins=on)


async def remember(
    listening: Listening, channel: "Settable | discord.Thread", by: discord.abc.User, *, reads: bool
) -> Channel:
    """Announce in a channel that all said there is remembered from now on, then do so.

    by: who has switched it on. reads: whether Discord tells what messages say. Nobody is remembered unannounced: raises
    DeliveryError where the bot cannot write there, CommandError where it could not read, RedisError.
    """
    if not reads:
        raise CommandError("set LOREBOT_DISCORD_MESSAGE_CONTENT=true first: Discord does not tell me what is said")
    here = scope(_settable(channel), by.id)
    known = await listening.channels.get(here)
    if known.remembers:
        return known
    text = announcement(discord.utils.escape_markdown(by.display_name))
    place = _settable(channel)
    with told():
        if isinstance(place, discord.ForumChannel):  # it holds threads only
            await place.create_thread(name="What I remember", content=text, allowed_mentions=NOBODY)
        else:
            await place.send(text, allowed_mentions=NOBODY)
    return await listening.channels.set(here, remembers=True)


async def remember_no_more(listening: Listening, channel: "Settable | discord.Thread", by: discord.abc.User) -> Channel:
    """Remember no more what is not addressed to the bot; what was remembered stays. Raises RedisError."""
    return await listening.channels.set(scope(_settable(channel), by.id), remembers=False)


def joins(listening: Listening, here: Scope, always: frozenset[int]) -> bool:
    """Tell whether the bot answers unasked. always: the channels in which it does, whatever is switched on."""
    return listening.channels.of(here).joins or bool({here.conversation, here.parent} & {str(one) for one in always})


def overhear(listening: Listening, message: discord.Message, me: discord.ClientUser) -> None:
    """Remember a message that is not addressed to the bot, where that is switched on."""
    here = scope(message.channel, me.id)
    if listening.channels.of(here).remembers and intake.by_person(message):
        listening.overheard.hear(here, past.heard(message, me))


async def reword(listening: Listening, message: discord.Message, me: discord.ClientUser) -> None:
    """Let memory hold what a message that is not addressed to the bot says now. Raises RedisError.

    A link's preview changes a message too, and so does an edit of which Discord does not tell us the words.
    """
    text = intake.words(message, me)
    if message.edited_at is not None and text and intake.by_person(message):
        await listening.overheard.edited(scope(message.channel, me.id), str(message.id), text)


def _settable(channel: "Settable | discord.Thread") -> Settable:
    found = channel.parent if isinstance(channel, discord.Thread) else channel
    if found is None:
        raise CommandError("this thread's channel is hidden from me; let me see it first")
    return found
