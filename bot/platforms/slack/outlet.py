"""Where a reply goes in Slack: streamed where it can be, else posted and updated; found again by its metadata."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.delivery.stream import Controls
from bot.errors import DeliveryError, DeliveryRefused, MessageLost, SlowDown
from bot.platforms.slack.words import escaped

log = structlog.get_logger()

EVENT = "lorebot_part"  # the type of the metadata that our messages carry
NO_REPLY = {"event_type": "lorebot_told", "event_payload": {}}  # so that what carries none is a stream
ROLL_OVER = 240.0  # seconds; Slack ends a stream after about five minutes, active or not
STARTS = 15  # streams begun in a minute, so that their ends are within Slack's limit too
PLAIN = 3900  # characters of the plain text beside the blocks; Slack advises less than 4,000
NO_STREAM = frozenset({
    "unknown_method", "not_allowed_token_type", "method_not_supported_for_channel_type", "missing_scope",
    "streaming_not_supported", "feature_not_enabled", "channel_type_not_supported", "invalid_thread_ts",
})  # fmt: skip
NOT_STREAMING = "message_not_in_streaming_state"
LOST = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"})
REFUSED = frozenset({
    "channel_not_found", "not_in_channel", "is_archived", "restricted_action", "cannot_reply_to_message",
    "account_inactive", "token_revoked", "token_expired", "invalid_auth", "not_authed", "no_permission",
    "msg_too_long", "invalid_blocks", "messages_tab_disabled", "user_not_found", "cannot_dm_bot",
})  # fmt: skip


class Starts:
    """How many streams may be begun in a workspace: Slack takes 20 beginnings and 20 ends a minute, with a few more."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: deque[float] = deque(maxlen=STARTS)

    def take(self) -> bool:
        """Begin one more, if that is allowed; what is beyond is posted and updated."""
        now = self._clock()
        if len(self._times) == STARTS and now - self._times[0] < 60.0:
            return False
        self._times.append(now)
        return True


class Outlet:
    """One channel or thread. asked: the time stamp of the message that is answered; recipient: (team, person).

    buttons: makes the blocks below the last message of a reply. streams: whether Slack has refused to stream before.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        channel: str,
        thread: str | None,
        asked: str,
        recipient: tuple[str, str],
        buttons: Callable[[Controls], Sequence[dict[str, Any]]] = lambda controls: (),
        starts: Starts | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._channel = channel
        self._thread = thread
        self._asked = asked
        self._team, self._person = recipient
        self._buttons = buttons
        self._clock = clock
        self._streams = thread is not None
        self._starts = starts or Starts()
        self._streaming: dict[str, tuple[str, float]] = {}  # by message: what was streamed, and since when
        self._still: set[str] = set()  # messages that are streamed no more, or never were
        self._nonces: dict[str, str] = {}
        self._tried: set[str] = set()

    async def send(self, text: str, nonce: str, controls: Controls = Controls.NONE) -> str:
        """Post a message, or begin to stream one; the parts before it are whole."""
        for one, (said, _) in list(self._streaming.items()):
            del self._streaming[one]
            if not await self._stopped(one, "", Controls.NONE):
                await self._update(one, said, Controls.NONE)
        if nonce in self._tried and (message := await self._posted(nonce)) is not None:
            self._nonces[message] = nonce
            await self.edit(message, text, controls)
            return message
        self._tried.add(nonce)
        if self._streams and controls is not Controls.DONE and self._starts.take():
            try:
                with told():
                    begun = await self._client.chat_startStream(
                        channel=self._channel,
                        thread_ts=str(self._thread),
                        recipient_team_id=self._team,
                        recipient_user_id=self._person,
                        markdown_text=text,
                    )
            except (_NoStream, SlowDown) as error:
                log.info("not streamed", why=str(error))
                self._streams = False
            else:
                message = str(begun["ts"])
                self._nonces[message] = nonce
                self._streaming[message] = (text, self._clock())
                return message
        with told():
            posted = await self._client.chat_postMessage(
                channel=self._channel,
                thread_ts=self._thread,
                text=plain(text),
                blocks=[*_blocks(text), *self._buttons(controls)],
                unfurl_links=False,
                unfurl_media=False,
                metadata=_metadata(nonce, self._asked),
            )
        self._nonces[str(posted["ts"])] = nonce
        self._still.add(str(posted["ts"]))
        return str(posted["ts"])

    async def edit(self, message: str, text: str, controls: Controls = Controls.NONE) -> None:
        """Let a message say something else: what is new is streamed, anything else replaces it."""
        if message in self._streaming:
            said, since = self._streaming[message]
            longer = text.startswith(said)
            if longer and controls is Controls.STOP and self._clock() - since < ROLL_OVER:
                try:
                    with told():
                        await self._client.chat_appendStream(
                            channel=self._channel, ts=message, markdown_text=text[len(said) :]
                        )
                except _NoStream:  # it has ended before its time; from now on the message is updated
                    del self._streaming[message]
                else:
                    self._streaming[message] = (text, since)
                    return
            else:
                del self._streaming[message]
                if await self._stopped(message, text[len(said) :] if longer else "", controls) and longer:
                    return
        elif message not in self._still:  # an earlier process may have been streaming it
            await self._stopped(message, "", controls)
        self._still.add(message)
        await self._update(message, text, controls)

    async def _update(self, message: str, text: str, controls: Controls) -> None:
        with told():
            await self._client.chat_update(
                channel=self._channel,
                ts=message,
                text=plain(text),
                blocks=[*_blocks(text), *self._buttons(controls)],
                metadata=_metadata(self._nonces.get(message, ""), self._asked),
            )

    async def delete(self, message: str) -> None:
        """Take a message back."""
        self._streaming.pop(message, None)
        with told():
            await self._client.chat_delete(channel=self._channel, ts=message)

    async def attach(self, text: str, file: str, content: str, nonce: str, controls: Controls = Controls.NONE) -> str:
        """Post a message, with a text file below it."""
        self._streams = False
        message = await self.send(text, nonce, Controls.DONE)
        with told():
            await self._client.files_upload_v2(
                channel=self._channel, thread_ts=self._thread or message, filename=file, content=content
            )
        return message

    async def find(self, part: int, nonce: str) -> str | None:
        """Look for a message of ours by its metadata; one that was being streamed has none yet.

        There is one answer at a time in a thread, and the parts before this one have theirs: so a single message
        without metadata is this part.
        """
        with told():
            if self._thread is not None:
                found = await self._client.conversations_replies(
                    channel=self._channel, ts=self._thread, oldest=self._asked, limit=100, include_all_metadata=True
                )
            else:
                found = await self._client.conversations_history(
                    channel=self._channel, oldest=self._asked, limit=100, include_all_metadata=True
                )
        ours = [one for one in found["messages"] if one.get("bot_id") and one["ts"] > self._asked]
        for one in ours:
            payload = (one.get("metadata") or {}).get("event_payload") or {}
            if payload.get("nonce") == nonce:
                return str(one["ts"])
        streamed = [str(one["ts"]) for one in ours if not one.get("metadata")] if self._thread is not None else []
        if len(streamed) > 1:
            raise MessageLost("Slack does not tell which message that is")
        return streamed[0] if streamed else None

    async def _posted(self, nonce: str) -> str | None:
        """Return what an earlier try has posted, though nobody heard of it: Slack does not know a nonce again."""
        with suppress(MessageLost):
            return await self.find(0, nonce)
        return None

    async def _stopped(self, message: str, more: str, controls: Controls) -> bool:
        """End the stream of a message; False where it had none."""
        if self._thread is None:
            return False
        try:
            with told():
                await self._client.chat_stopStream(
                    channel=self._channel,
                    ts=message,
                    markdown_text=more or None,
                    blocks=list(self._buttons(controls)) or None,
                    metadata=_metadata(self._nonces.get(message, ""), self._asked),
                )
        except (_NoStream, MessageLost):
            return False
        return True


class _NoStream(Exception):
    """Slack does not stream here, or not any more."""


def plain(text: str) -> str:
    """Return the text that notifications and old clients show."""
    return escaped(text if len(text) <= PLAIN else f"{text[: PLAIN - 1]}…")


def _blocks(text: str) -> list[dict[str, Any]]:
    return [{"type": "markdown", "text": text}]


def _metadata(nonce: str, asked: str) -> dict[str, Any]:
    return {"event_type": EVENT, "event_payload": {"nonce": nonce, "asked": asked}}


@contextmanager
def told() -> Iterator[None]:
    """Raise what slack_sdk raises as what delivery knows."""
    try:
        yield
    except SlackApiError as error:
        code = str(error.response.get("error", "")) if error.response is not None else ""
        status = getattr(error.response, "status_code", 0)
        if code == NOT_STREAMING or code in NO_STREAM or (status == 404 and not code):  # or no such method there
            raise _NoStream(code) from error
        if status == 429 or code in ("ratelimited", "rate_limited"):
            after = float(error.response.headers.get("Retry-After", 5))
            raise SlowDown("Slack asks to wait", after=after) from error
        if code in LOST:
            raise MessageLost(f"the message can't be changed any more ({code})") from error
        if code in REFUSED:
            raise DeliveryRefused(f"Slack refuses the message ({code})") from error
        raise DeliveryError(f"Slack failed ({code or status})") from error
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise DeliveryError("Slack can't be reached") from error
