"""Where a reply goes: a Discord channel, with what can go wrong there in the words of delivery."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import aiohttp
import discord

from bot.delivery.stream import Controls
from bot.errors import DeliveryError, DeliveryRefused, MessageLost, SlowDown

NOBODY = discord.AllowedMentions(everyone=False, roles=False, users=False, replied_user=False)

LOST = (aiohttp.ClientError, OSError)  # a connection that ends amid a request is the first, a timeout the second
FAILED = (discord.HTTPException, *LOST)  # what any request may end with

UNKNOWN_CHANNEL, UNKNOWN_MESSAGE = 10003, 10008
TOO_MANY_EDITS = 30046  # of a message older than an hour
# No access, no DMs, no permission, archived, locked.
CANNOT_SEND = frozenset({UNKNOWN_CHANNEL, 50001, 50007, 50013, 50083, 160005})


class Outlet:
    """One channel; the first message of a reply answers the message that was addressed to the bot.

    controls: makes what people may do with a message of the reply.
    """

    def __init__(
        self,
        channel: "discord.abc.MessageableChannel",
        asked: discord.PartialMessage | discord.Message | None = None,
        controls: "Callable[[Controls], discord.ui.View | None]" = lambda controls: None,
    ) -> None:
        self._channel = channel
        self._asked = asked
        self._first: str | None = None  # the message that answers what was asked
        self._controls = controls

    async def send(self, text: str, nonce: str, controls: Controls = Controls.NONE) -> str:
        """Post a message; a nonce that Discord saw in the last minutes gives the message that was posted then."""
        view = self._controls(controls)
        with told():
            sent = await self._channel.send(
                text,
                nonce=nonce,
                allowed_mentions=NOBODY,
                reference=self._reference(),  # type: ignore[arg-type]  # None is none, as below
                view=view,  # type: ignore[arg-type]
            )
            if not _says(sent, text, view):  # posted by an earlier try, which said less
                await sent.edit(content=text, allowed_mentions=NOBODY, view=view)
        self._first = self._first or str(sent.id)
        return str(sent.id)

    async def edit(self, message: str, text: str, controls: Controls = Controls.NONE) -> None:
        """Let a message say something else; one that may not be edited any more is taken back."""
        self._first = self._first or message
        try:
            with told():
                await self._edit(self._partial(message), text, controls)
        except MessageLost:
            if self._first == message:
                self._first = None
            raise

    async def find(self, part: int, nonce: str) -> str | None:
        """Look for the first part: it replies to the message that was asked. Of others nobody can tell."""
        if part or self._asked is None:
            raise MessageLost("Discord does not tell who sent what")
        with told():
            async for one in self._channel.history(limit=100, after=discord.Object(self._asked.id)):
                reference = one.reference
                if one.author.id == self._me and reference is not None and reference.message_id == self._asked.id:
                    return str(one.id)
        return None

    async def delete(self, message: str) -> None:
        """Take a message back."""
        with told():
            await self._partial(message).delete()

    async def attach(self, text: str, file: str, content: str, nonce: str, controls: Controls = Controls.NONE) -> str:
        """Post a message with a text file."""
        with told():
            sent = await self._channel.send(
                text,
                file=discord.File(io.BytesIO(content.encode()), filename=file),
                nonce=nonce,
                allowed_mentions=NOBODY,
                view=self._controls(controls),  # type: ignore[arg-type]
            )
        return str(sent.id)

    @property
    def _me(self) -> int:
        me = self._channel._state.self_id
        assert me is not None
        return me

    async def _edit(self, message: discord.PartialMessage, text: str, controls: Controls) -> None:
        try:
            await message.edit(content=text, allowed_mentions=NOBODY, view=self._controls(controls))
        except discord.HTTPException as error:
            if error.code == TOO_MANY_EDITS:  # it is sent anew, and nobody should read it twice
                await message.delete()
            raise

    def _reference(self) -> discord.MessageReference | None:
        """Return what the first message of the reply refers to."""
        if self._asked is None or self._first is not None:
            return None
        return discord.MessageReference.from_message(self._asked, fail_if_not_exists=False)

    def _partial(self, message: str) -> discord.PartialMessage:
        return partial(self._channel, int(message))


def partial(channel: "discord.abc.MessageableChannel", message: int) -> discord.PartialMessage:
    """Return a message by its id, without asking for it."""
    assert not isinstance(channel, discord.GroupChannel)
    return channel.get_partial_message(message)


def _says(message: discord.Message, text: str, view: discord.ui.View | None) -> bool:
    """Tell whether a message is as it was to be posted, with these buttons."""
    shown = [item for row in message.components if isinstance(row, discord.ActionRow) for item in row.children]
    wanted = view.children if view else []
    names = [getattr(item, "custom_id", None) for item in shown], [getattr(item, "custom_id", None) for item in wanted]
    return message.content.strip() == text.strip() and names[0] == names[1]


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
    except LOST as error:
        raise DeliveryError("Discord can't be reached") from error
