"""Where a reply goes in Slack: streamed where it can be, else posted and updated; found again after a crash.

A stream is left before Slack ends it, or once Slack has ended it, and the answer goes on in the same message by
updates: so it stays one message, which no fence or table is cut for. Where Slack does not let that message be updated,
it is taken back, and the answer goes on in another.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.delivery.stream import SENT_ANEW, Controls
from bot.errors import DeliveryError, DeliveryRefused, MessageLost, NotYet, SlowDown
from bot.platforms.slack.plainly import plain
from bot.platforms.slack.rates import Rates
from bot.platforms.slack.refusals import NoBlocks, NoStream, StillStreaming, Stopped, told

log = structlog.get_logger()

EVENT = "lorebot_part"  # the type of the metadata that our messages carry
NO_REPLY = {"event_type": "lorebot_told", "event_payload": {}}  # what carries none may be a stream that was cut
ROLL_OVER = 240.0  # seconds; Slack ends a stream after about five minutes, active or not
STARTS = 15  # streams begun in a minute, so that their ends are within Slack's limit too
LATER = 5.0  # seconds until what Slack takes no more of now is looked at again
CLOSED = 600.0  # seconds for which a channel that takes no streams is not asked again
MOST_CLOSED = 1000
LONGEST, LONGEST_UPDATE = 39_000, 3_900  # characters of a message without blocks; Slack takes 40,000, and 4,000

Say = Callable[[str, list[dict[str, Any]]], Awaitable[str]]  # says a text with blocks; returns which message it is


class Starts:
    """How many streams may be begun in a workspace: Slack takes 20 beginnings and 20 ends a minute, with a few more."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: deque[float] = deque(maxlen=STARTS)
        self._closed: dict[str, float] = {}

    def take(self, channel: str = "") -> bool:
        """Begin one more, if that is allowed; what is beyond is posted and updated."""
        now = self._clock()
        if self._closed.get(channel, 0.0) > now or (len(self._times) == STARTS and now - self._times[0] < 60.0):
            return False
        self._times.append(now)
        return True

    def close(self, channel: str) -> None:
        """Begin none in a channel for a while: Slack does not stream there."""
        if len(self._closed) >= MOST_CLOSED:
            self._closed.pop(next(iter(self._closed)))
        self._closed[channel] = self._clock() + CLOSED


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an answer is shown. thread: None outside of threads. asked: the time stamp of what is answered.

    recipient: (team, person), who sees a stream grow in a channel; None in a direct message, which has one reader.
    """

    channel: str
    thread: str | None
    asked: str
    recipient: tuple[str, str] | None


class Outlet:
    """One channel or thread.

    buttons: makes the blocks below the last message of a reply. stopped: told when somebody has stopped a stream in
    Slack. session: whether the thread is an agent's session, which is at work until the answer is whole. bot: the id
    that our messages bear; "": all that bots say there is taken for ours.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        spot: Spot,
        buttons: Callable[[Controls], Sequence[dict[str, Any]]] = lambda controls: (),
        starts: Starts | None = None,
        rates: Rates | None = None,
        *,
        stopped: Callable[[], None] = lambda: None,
        session: bool = True,
        bot: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._spot = spot
        self._buttons = buttons
        self._starts = starts or Starts(clock)
        self._rates = rates or Rates()
        self._on_stopped = stopped
        self._session = session
        self._bot = bot
        self._clock = clock
        self._streams = spot.thread is not None
        self._streaming: dict[str, tuple[str, float]] = {}  # by message: what was streamed, and since when
        self._nonces: dict[str, str] = {}
        self._tried: set[str] = set()
        self._lost = 0  # messages that Slack did not let us update

    async def send(self, text: str, nonce: str, controls: Controls = Controls.NONE) -> str:
        """Post a message, or begin to stream one; the parts before it are whole."""
        for one, (said, _) in list(self._streaming.items()):
            del self._streaming[one]
            if not await self._ended(one, "", Controls.NONE):
                await self._update(one, said, Controls.NONE)
        if nonce in self._tried and (message := await self._posted(nonce)) is not None:
            await self.edit(message, text, controls)
            return message
        self._tried.add(nonce)
        message = await self._begun(text, controls)
        if message is None:
            try:
                if controls is Controls.STOP and not self._rates.drafts.take():
                    raise NotYet("the workspace has as many messages that are not whole as can be updated", LATER)
                message = await self._post(text, nonce, controls)
            except (NotYet, SlowDown) as error:  # it is not there, for sure
                self._tried.discard(nonce)
                if isinstance(error, SlowDown):
                    error.alone = False  # posts are counted by channel
                raise
        self._nonces[message] = nonce
        return message

    async def edit(self, message: str, text: str, controls: Controls = Controls.NONE) -> None:
        """Let a message say something else: what is new is streamed, anything else replaces it."""
        said, since = self._streaming.get(message, ("", 0.0))
        longer = bool(said) and text.startswith(said)
        if longer and controls is Controls.STOP and self._clock() - since < ROLL_OVER:
            if not self._rates.pieces.take():
                raise NotYet("the workspace has had as many pieces of streams as Slack takes", LATER)
            with _unhurried():
                appended = await self._appended(message, text[len(said) :])
            if appended:
                self._streaming[message] = (text, since)
                return
            del self._streaming[message]  # from now on the message is updated
        elif self._streaming.pop(message, None) is not None:
            more = text[len(said) :] if longer else ""
            try:
                ended = await self._ended(message, more, controls)
            except SlowDown:  # the last words need not wait for the end of the stream
                with suppress(DeliveryError):
                    said = text if more and await self._appended(message, more) else said
                self._streaming[message] = (said, since)
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
        self._streaming.pop(message, None)
        if self._spot.thread is not None:  # what is being streamed, by us or by an earlier process, cannot be deleted
            await self._ended(message, "", Controls.NONE)
        await self._deleted(message)

    async def attach(self, text: str, file: str, content: str, nonce: str, controls: Controls = Controls.NONE) -> str:
        """Post a message, with a text file below it."""
        self._streams = False
        message = await self.send(text, nonce, Controls.DONE)
        with told():
            await self._client.files_upload_v2(
                channel=self._spot.channel, thread_ts=self._spot.thread or message, filename=file, content=content
            )
        return message

    async def find(self, part: int, nonce: str) -> str | None:
        """Look for a message of ours by its metadata, which a stream has only once it has ended.

        One that is being streamed is the one: a thread has one answer at a time. Of two, nobody can tell; nor in a
        direct message to which somebody has replied, for the reply is answered meanwhile.
        """
        found = await self._since()
        ours = [one for one in found if one.get("bot_id") and one["bot_id"] == (self._bot or one["bot_id"])]
        for one in ours:
            payload = (one.get("metadata") or {}).get("event_payload") or {}
            if payload.get("nonce") == nonce:
                return str(one["ts"])
        unnamed = [one for one in ours if not one.get("metadata") and one["ts"] not in self._nonces]
        growing = [str(one["ts"]) for one in unnamed if one.get("streaming_state") == "in_progress"]
        replied = self._spot.recipient is None and len(ours) < len(found)
        if len(growing) == 1 and not replied:
            self._nonces[growing[0]] = nonce
            return growing[0]
        if unnamed:
            raise MessageLost("Slack does not tell which message that is")
        return None

    async def _since(self) -> list[dict[str, Any]]:
        """Return what was said there since what is answered was asked, as far as Slack tells it at once."""
        channel, thread, asked = self._spot.channel, self._spot.thread, self._spot.asked
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

    async def _begun(self, text: str, controls: Controls) -> str | None:
        """Begin to stream a message; None where it is to be posted: Slack does not stream there, or not so many."""
        spot = self._spot
        if not self._streams or controls is Controls.DONE or not self._starts.take(spot.channel):
            return None
        team, person = spot.recipient or (None, None)
        try:
            with told(stream=True):
                begun = await self._client.chat_startStream(
                    channel=spot.channel,
                    thread_ts=str(spot.thread),
                    recipient_team_id=team,
                    recipient_user_id=person,
                    markdown_text=text,
                )
        except (NoStream, SlowDown) as error:
            log.info("not streamed", why=str(error))
            self._streams = False
            if isinstance(error, NoStream):
                self._starts.close(spot.channel)
            return None
        self._streaming[str(begun["ts"])] = (text, self._clock())
        return str(begun["ts"])

    async def _appended(self, message: str, more: str) -> bool:
        """Stream what is new; False where the stream takes no more, or nobody knows what it took.

        Raises DeliveryRefused where somebody has stopped it.
        """
        try:
            with told(stream=True):
                await self._client.chat_appendStream(channel=self._spot.channel, ts=message, markdown_text=more)
        except NoStream:
            return False
        except Stopped as error:
            raise self._refused() from error
        except (SlowDown, DeliveryRefused, MessageLost):
            raise
        except DeliveryError as error:  # streamed again, it might be there twice
            log.info("stream left", why=str(error))
            return False
        return True

    async def _ended(self, message: str, more: str, controls: Controls) -> bool:
        """End the stream of a message; False where it has none. Raises DeliveryRefused where somebody did so."""
        working = self._session and controls is not Controls.DONE  # else Slack takes the session for done
        try:
            with told(stream=True):
                await self._client.chat_stopStream(
                    channel=self._spot.channel,
                    ts=message,
                    markdown_text=more or None,
                    blocks=list(self._buttons(controls)) or None,
                    metadata=self._metadata(self._nonces.get(message, "")),
                    session_status="processing" if working else None,
                )
        except Stopped as error:
            if not more and controls is Controls.NONE:  # it was to be ended, and nothing to be said
                return False
            raise self._refused() from error
        except (NoStream, MessageLost):
            return False
        return True

    def _refused(self) -> DeliveryRefused:
        """Tell that somebody has stopped a stream; return what to raise."""
        self._on_stopped()
        return DeliveryRefused("somebody has stopped the answer in Slack")

    async def _post(self, text: str, nonce: str, controls: Controls) -> str:
        async def post(text: str, blocks: list[dict[str, Any]]) -> str:
            with told():
                posted = await self._client.chat_postMessage(
                    channel=self._spot.channel,
                    thread_ts=self._spot.thread,
                    text=text,
                    blocks=blocks or None,
                    unfurl_links=False,
                    unfurl_media=False,
                    metadata=self._metadata(nonce),
                )
            return str(posted["ts"])

        return await self._laid_out(post, text, controls, LONGEST)

    async def _update(self, message: str, text: str, controls: Controls) -> None:
        """Replace what a message says. Raises MessageLost, the message taken back, where Slack does not let it."""

        async def update(text: str, blocks: list[dict[str, Any]]) -> str:
            with told():
                await self._client.chat_update(
                    channel=self._spot.channel,
                    ts=message,
                    text=text,
                    blocks=blocks,
                    metadata=self._metadata(self._nonces.get(message, "")),
                )
            return message

        try:
            try:
                await self._laid_out(update, text, controls, LONGEST_UPDATE)
            except StillStreaming:  # an earlier process, or an earlier try, has not ended it
                await self._ended(message, "", Controls.NONE)
                await self._laid_out(update, text, controls, LONGEST_UPDATE)
        except StillStreaming as error:
            raise DeliveryError("Slack does not end a stream") from error
        except MessageLost:
            self._lost += 1
            if self._lost <= SENT_ANEW:  # it is said anew, and nobody should read it twice
                with suppress(DeliveryError):
                    await self._deleted(message)
            raise

    async def _laid_out(self, say: Say, text: str, controls: Controls, most: int) -> str:
        """Say something as a Markdown block with buttons below it; as plain text where Slack does not take that.

        most: characters of a plain text.
        """
        try:
            return await say(plain(text), [{"type": "markdown", "text": text}, *self._buttons(controls)])
        except NoBlocks as error:
            log.warning("not laid out", why=str(error))
        try:
            return await say(plain(text, most), [])
        except NoBlocks as error:
            raise DeliveryRefused("Slack takes the message in no form") from error

    async def _deleted(self, message: str) -> None:
        with told():
            await self._client.chat_delete(channel=self._spot.channel, ts=message)

    async def _posted(self, nonce: str) -> str | None:
        """Return what an earlier try has posted, though nobody heard of it: Slack does not know a nonce again."""
        with suppress(MessageLost):
            message = await self.find(0, nonce)
            if message is not None:
                self._nonces[message] = nonce
            return message
        return None

    def _metadata(self, nonce: str) -> dict[str, Any]:
        return {"event_type": EVENT, "event_payload": {"nonce": nonce, "asked": self._spot.asked}}


@contextmanager
def _unhurried() -> Iterator[None]:
    """Leave for later what Slack asks us to wait with."""
    try:
        yield
    except SlowDown as error:
        raise NotYet("Slack asks to wait", error.after) from error
