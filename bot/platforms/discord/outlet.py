"""Where a reply goes: a Discord channel, with what can go wrong there in the words of delivery."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import discord

from bot.errors import DeliveryError, DeliveryRefused, MessageLost, SlowDown

NOBODY = discord.AllowedMentions(everyone=False, roles=False, users=False, replied_user=False)

UNKNOWN_CHANNEL, UNKNOWN_MESSAGE = 10003, 10008
TOO_MANY_EDITS = 30046  # of a message older than an hour
# No access, no DMs, no permission, archived, locked.
CANNOT_SEND = frozenset({UNKNOWN_CHANNEL, 50001, 50007, 50013, 50083, 160005})


class Outlet:
    """One channel; the first message of a reply answers the message that was addressed to the bot."""

    def __init__(self, channel: discord.abc.Messageable, asked: discord.Message | None = None) -> None:
        self._channel = channel
        self._asked = asked

    async def send(self, text: str, nonce: str) -> str:
        """Post a message; a nonce that Discord saw in the last minutes gives the message that was posted then."""
        with told():
            if self._asked is None:
                sent = await self._channel.send(text, nonce=nonce, allowed_mentions=NOBODY)
            else:
                asked, self._asked = self._asked.to_reference(fail_if_not_exists=False), None
                sent = await self._channel.send(text, nonce=nonce, allowed_mentions=NOBODY, reference=asked)
        return str(sent.id)

    async def edit(self, message: str, text: str) -> None:
        """Let a message say something else."""
        with told():
            await self._partial(message).edit(content=text, allowed_mentions=NOBODY)

    async def delete(self, message: str) -> None:
        """Take a message back."""
        with told():
            await self._partial(message).delete()

    async def attach(self, text: str, file: str, content: str, nonce: str) -> str:
        """Post a message with a text file."""
        with told():
            sent = await self._channel.send(
                text,
                file=discord.File(io.BytesIO(content.encode()), filename=file),
                nonce=nonce,
                allowed_mentions=NOBODY,
            )
        return str(sent.id)

    def _partial(self, message: str) -> discord.PartialMessage:
        channel = self._channel
        assert isinstance(channel, discord.TextChannel | discord.Thread | discord.DMChannel | discord.VoiceChannel)
        return channel.get_partial_message(int(message))


@contextmanager
def told() -> Iterator[None]:
    """Raise what discord.py raises as what delivery knows."""
    try:
        yield
    except discord.HTTPException as error:
        if error.code in (UNKNOWN_MESSAGE, TOO_MANY_EDITS):
            raise MessageLost(f"the message can't be edited any more ({error.code})") from error
        if error.code in CANNOT_SEND or error.status in (401, 403):
            raise DeliveryRefused(f"the bot may not write here ({error.code}); check its permissions") from error
        if error.status == 429:
            raise SlowDown("Discord asks to wait", after=float(getattr(error, "retry_after", 5.0))) from error
        if 400 <= error.status < 500:
            raise DeliveryRefused(f"Discord refuses the message ({error.status}, {error.code})") from error
        raise DeliveryError(f"Discord failed on its side ({error.status})") from error
    except (OSError, TimeoutError) as error:
        raise DeliveryError("Discord can't be reached") from error
