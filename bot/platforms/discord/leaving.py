"""What becomes of memory when a channel, a thread or the bot's place in a server is gone."""

import discord
import structlog

from bot import unlearning
from bot.listening import Listening
from bot.platforms.discord.audience import tenant
from memory.errors import LoreError
from memory.memory import Memory

log = structlog.get_logger()


async def left(memory: Memory, listening: Listening, guild: discord.Guild, *, forget: bool) -> None:
    """Forget a server that the bot has left, or keep what was said there for when it comes back.

    discord.py tells an outage by another event, even of a guild that is still marked unavailable when the bot leaves.
    """
    listening.channels.unwatch(tenant(guild))
    if not forget:
        log.info("left", guild=guild.id)
        return
    try:
        gone = await unlearning.tenant(memory, listening, tenant(guild))
        log.info("left and forgotten", guild=guild.id, turns=gone.turns, trouble=gone.trouble)
    except LoreError as error:
        log.error("left and not forgotten", guild=guild.id, error=str(error))


async def channel_gone(memory: Memory, listening: Listening, channel: discord.abc.GuildChannel) -> None:
    """Forget a deleted channel with its threads."""
    try:
        turns = await unlearning.channel(memory, listening, tenant(channel.guild), str(channel.id))
        log.info("channel forgotten", channel=channel.id, turns=turns)
    except LoreError as error:
        log.error("channel not forgotten", channel=channel.id, error=str(error))


async def thread_gone(memory: Memory, listening: Listening, event: discord.RawThreadDeleteEvent) -> None:
    """Forget a deleted thread."""
    try:
        turns = await unlearning.thread(memory, listening, f"discord:{event.guild_id}", str(event.thread_id))
        log.info("thread forgotten", thread=event.thread_id, turns=turns)
    except LoreError as error:
        log.error("thread not forgotten", thread=event.thread_id, error=str(error))
