"""What is attached to messages in Discord."""

from collections.abc import Sequence

import discord

from bot.attachments import File
from bot.errors import DeliveryError
from bot.platforms.discord.outlet import FAILED


def files(messages: Sequence[discord.Message], replied: discord.Message | None = None) -> list[File]:
    """Return the files that are attached to messages, and to the one they reply to."""
    found = [_file(one, None) for message in messages for one in message.attachments]
    if replied is not None:
        found += [_file(one, replied.author.display_name) for one in replied.attachments]
    return found


def _file(one: discord.Attachment, author: str | None) -> File:
    async def load() -> bytes:
        try:
            return await one.read()
        except FAILED as error:
            raise DeliveryError("the file cannot be downloaded") from error

    return File(one.filename, one.size, one.content_type or "", load, author, one.is_voice_message())
