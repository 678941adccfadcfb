"""What becomes of memory when the bot is out of a channel, or the channel is gone."""

import structlog

from bot import unlearning
from bot.listening import Listening
from bot.platforms.slack.readers import Readers
from bot.platforms.slack.tenants import tenant
from bot.platforms.slack.workspaces import Workspace
from memory.memory import Memory

log = structlog.get_logger()


async def left(readers: Readers, listening: Listening, workspace: Workspace, channel: str) -> None:
    """Take in that the bot is out of a channel: what was switched on there is off until it is told so again.

    What was said there is kept, and recalled there when it comes back. Raises RedisError.
    """
    await readers.closed(workspace, channel)
    await listening.learning.stop(tenant(workspace.team), channel)
    await listening.channels.forget(tenant(workspace.team), channel)


async def channel_gone(
    memory: Memory, readers: Readers, listening: Listening, workspace: Workspace, channel: str
) -> None:
    """Forget a deleted channel, with its threads and what was switched on there. Raises RedisError."""
    await readers.closed(workspace, channel)
    turns = await unlearning.channel(memory, listening, tenant(workspace.team), channel)
    log.info("channel forgotten", channel=channel, turns=turns)
