"""Messages that grow as they are streamed, until they are whole or Slack streams them no more."""

from collections.abc import Callable, Sequence
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import DeliveryError, DeliveryRefused, MessageLost, SlowDown
from bot.platforms.slack.destination import Destination
from bot.platforms.slack.rates import Starts
from bot.platforms.slack.refusals import NoStream, Stopped, told

log = structlog.get_logger()


class Streams:
    """The streams of one reply. stopped: told when somebody has stopped one in Slack."""

    def __init__(
        self, client: AsyncWebClient, where: Destination, starts: Starts, stopped: Callable[[], None] = lambda: None
    ) -> None:
        self._client = client
        self._where = where
        self._starts = starts
        self._on_stopped = stopped
        self.open = where.thread is not None  # whether more may be begun

    async def begin(self, text: str) -> str | None:
        """Begin to stream a message; None where it is to be posted: Slack does not stream there, or not so many."""
        where = self._where
        if not self.open or not self._starts.take(where.channel):
            return None
        team, person = where.recipient or (None, None)
        try:
            with told(stream=True):
                begun = await self._client.chat_startStream(
                    channel=where.channel,
                    thread_ts=str(where.thread),
                    recipient_team_id=team,
                    recipient_user_id=person,
                    markdown_text=text,
                )
        except (NoStream, SlowDown) as error:
            log.info("not streamed", why=str(error))
            self.open = False
            if isinstance(error, NoStream):
                self._starts.close(where.channel)
            return None
        return str(begun["ts"])

    async def append(self, message: str, more: str) -> bool:
        """Stream what is new; False where the stream takes no more, or nobody knows what it took.

        Raises DeliveryRefused where somebody has stopped it.
        """
        try:
            with told(stream=True):
                await self._client.chat_appendStream(channel=self._where.channel, ts=message, markdown_text=more)
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

    async def end(
        self, message: str, more: str, buttons: Sequence[dict[str, Any]], metadata: dict[str, Any], *, working: bool
    ) -> bool:
        """End the stream of a message; False where it has none. working: else Slack takes the session for done.

        Raises DeliveryRefused where somebody has stopped it, unless it is only to be ended.
        """
        try:
            with told(stream=True):
                await self._client.chat_stopStream(
                    channel=self._where.channel,
                    ts=message,
                    markdown_text=more or None,
                    blocks=list(buttons) or None,
                    metadata=metadata,
                    session_status="processing" if working else None,
                )
        except Stopped as error:
            if not more and not buttons:
                return False
            raise self._refused() from error
        except (NoStream, MessageLost):
            return False
        return True

    def _refused(self) -> DeliveryRefused:
        """Tell that somebody has stopped a stream; return what to raise."""
        self._on_stopped()
        return DeliveryRefused("somebody has stopped the answer in Slack")
