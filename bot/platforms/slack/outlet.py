"""Where a reply goes in Slack: streamed where it can be, else posted and updated; found again after a crash.

A stream is left before Slack ends it, or once Slack has ended it, and the answer goes on in the same message by
updates: so it stays one message, which no fence or table is cut for. Where Slack does not let that message be updated,
it is taken back, and the answer goes on in another.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.delivery.stream import SENT_ANEW, Controls
from bot.errors import DeliveryError, MessageLost, NotYet, SlowDown
from bot.platforms.slack import metadata
from bot.platforms.slack.blocks import Block
from bot.platforms.slack.destination import Destination
from bot.platforms.slack.posts import Posts
from bot.platforms.slack.rates import Rates
from bot.platforms.slack.refusals import StillStreaming, told
from bot.platforms.slack.streams import Streams

ROLL_OVER = 240.0  # seconds; Slack ends a stream after about five minutes, active or not
LATER = 5.0  # seconds until what Slack takes no more of now is looked at again


class Outlet:
    """One channel or thread.

    buttons: makes the blocks below the last message of a reply. stopped: told when somebody has stopped a stream in
    Slack. session: whether the thread is an agent's session, which is at work until the answer is whole. bot: the id
    that our messages bear; "": all that bots say there is taken for ours.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        where: Destination,
        buttons: Callable[[Controls], Sequence[Block]] = lambda controls: (),
        rates: Rates | None = None,
        *,
        stopped: Callable[[], None] = lambda: None,
        session: bool = True,
        bot: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._where = where
        self._buttons = buttons
        self._rates = rates or Rates()
        self._session = session
        self._bot = bot
        self._clock = clock
        self._streams = Streams(client, where, self._rates.starts, stopped)
        self._posts = Posts(client, where)
        self._growing: dict[str, tuple[str, float]] = {}  # by message: what was streamed, and since when
        self._nonces: dict[str, str] = {}
        self._tried: set[str] = set()
        self._lost = 0  # messages that Slack did not let us update

    async def send(self, text: str, nonce: str, controls: Controls = Controls.NONE) -> str:
        """Post a message, or begin to stream one; the parts before it are whole."""
        for one, (said, _) in list(self._growing.items()):
            del self._growing[one]
            if not await self._ended(one, "", Controls.NONE):
                await self._update(one, said, Controls.NONE)
        if nonce in self._tried and (message := await self._posted(nonce)) is not None:
            await self.edit(message, text, controls)
            return message
        self._tried.add(nonce)
        message = await self._streams.begin(text) if controls is not Controls.DONE else None
        if message is not None:
            self._growing[message] = (text, self._clock())
        else:
            try:
                if controls is Controls.STOP and not self._rates.drafts.take():
                    raise NotYet("the workspace has as many messages that are not whole as can be updated", LATER)
                message = await self._posts.post(text, self._buttons(controls), self._carried(nonce))
            except (NotYet, SlowDown) as error:  # it is not there, for sure
                self._tried.discard(nonce)
                if isinstance(error, SlowDown):
                    error.alone = False  # posts are counted by channel
                raise
        self._nonces[message] = nonce
        return message

    async def edit(self, message: str, text: str, controls: Controls = Controls.NONE) -> None:
        """Let a message say something else: what is new is streamed, anything else replaces it."""
        said, since = self._growing.get(message, ("", 0.0))
        longer = bool(said) and text.startswith(said)
        if longer and controls is Controls.STOP and self._clock() - since < ROLL_OVER:
            if not self._rates.pieces.take():
                raise NotYet("the workspace has had as many pieces of streams as Slack takes", LATER)
            with _unhurried():
                appended = await self._streams.append(message, text[len(said) :])
            if appended:
                self._growing[message] = (text, since)
                return
            del self._growing[message]  # from now on the message is updated
        elif self._growing.pop(message, None) is not None:
            more = text[len(said) :] if longer else ""
            try:
                ended = await self._ended(message, more, controls)
            except SlowDown:  # the last words need not wait for the end of the stream
                with suppress(DeliveryError):
                    said = text if more and await self._streams.append(message, more) else said
                self._growing[message] = (said, since)
                raise
            if ended and longer:
                return
        if controls is not Controls.STOP:
            await self._update(message, text, controls)
        elif self._rates.updates.take():
            with _unhurried():
                await self._update(message, text, controls)
        else:
            raise NotYet("the workspace has had as many updates as are to be spent before an end", LATER)

    async def delete(self, message: str) -> None:
        """Take a message back."""
        self._growing.pop(message, None)
        if self._where.thread is not None:  # what is being streamed, by us or by an earlier process, cannot be deleted
            await self._ended(message, "", Controls.NONE)
        await self._posts.delete(message)

    async def attach(self, text: str, file: str, content: str, nonce: str, controls: Controls = Controls.NONE) -> str:
        """Post a message, with a text file below it."""
        self._streams.open = False
        message = await self.send(text, nonce, Controls.DONE)
        await self._posts.upload(message, file, content)
        return message

    async def find(self, part: int, nonce: str) -> str | None:
        """Look for a message of ours by its metadata, which a stream has only once it has ended.

        One that is being streamed is the one: a thread has one answer at a time. Of two, nobody can tell; nor in a
        direct message to which somebody has replied, for the reply is answered meanwhile.
        """
        found = await self._since()
        ours = [one for one in found if one.get("bot_id") and one["bot_id"] == (self._bot or one["bot_id"])]
        for one in ours:
            if metadata.nonce(one) == nonce:
                return str(one["ts"])
        unnamed = [one for one in ours if not one.get("metadata") and one["ts"] not in self._nonces]
        growing = [str(one["ts"]) for one in unnamed if one.get("streaming_state") == "in_progress"]
        replied = self._where.recipient is None and len(ours) < len(found)
        if len(growing) == 1 and not replied:
            self._nonces[growing[0]] = nonce
            return growing[0]
        if unnamed:
            raise MessageLost("Slack does not tell which message that is")
        return None

    async def _since(self) -> list[dict[str, Any]]:
        """Return what was said there since what is answered was asked, as far as Slack tells it at once."""
        channel, thread, asked = self._where.channel, self._where.thread, self._where.asked
        with told():
            if thread is not None:
                found = await self._client.conversations_replies(
                    channel=channel, ts=thread, oldest=asked, limit=100, include_all_metadata=True
                )
            else:
                found = await self._client.conversations_history(
                    channel=channel, oldest=asked, limit=100, include_all_metadata=True
                )
        return [one for one in found["messages"] if one["ts"] > asked]

    async def _posted(self, nonce: str) -> str | None:
        """Return what an earlier try has posted, though nobody heard of it: Slack does not know a nonce again."""
        for known, its in self._nonces.items():
            if its == nonce:  # found before; while it is being streamed, it does not carry that
                return known
        with suppress(MessageLost):
            message = await self.find(0, nonce)
            if message is not None:
                self._nonces[message] = nonce
            return message
        return None

    async def _ended(self, message: str, more: str, controls: Controls) -> bool:
        """End the stream of a message; False where it has none."""
        carried = self._carried(self._nonces.get(message, ""))
        working = self._session and controls is not Controls.DONE
        return await self._streams.end(message, more, self._buttons(controls), carried, working=working)

    async def _update(self, message: str, text: str, controls: Controls) -> None:
        """Replace what a message says. Raises MessageLost, the message taken back, where Slack does not let it."""
        what = (message, text, self._buttons(controls), self._carried(self._nonces.get(message, "")))
        try:
            try:
                await self._posts.update(*what)
            except StillStreaming:  # an earlier process, or an earlier try, has not ended it
                await self._ended(message, "", Controls.NONE)
                await self._posts.update(*what)
        except StillStreaming as error:
            raise DeliveryError("Slack does not end a stream") from error
        except MessageLost:
            self._lost += 1
            self._nonces.pop(message, None)
            if self._lost <= SENT_ANEW:  # it is said anew, and nobody should read it twice
                with suppress(DeliveryError):
                    await self._posts.delete(message)
            raise

    def _carried(self, nonce: str) -> dict[str, Any]:
        return metadata.part(nonce, self._where.asked)


@contextmanager
def _unhurried() -> Iterator[None]:
    """Leave for later what Slack asks us to wait with."""
    try:
        yield
    except SlowDown as error:
        raise NotYet("Slack asks to wait", error.after) from error
