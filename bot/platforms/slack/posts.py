"""Messages that are posted and updated: as Markdown blocks with buttons below, as plain text where Slack takes none."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import DeliveryRefused
from bot.platforms.slack.blocks import Block, markdown
from bot.platforms.slack.destination import Destination
from bot.platforms.slack.plainly import MOST, plain
from bot.platforms.slack.refusals import NoBlocks, told

log = structlog.get_logger()

LONGEST = 39_000  # characters of a message without blocks; Slack takes 40,000, and 4,000 of one that is updated

Say = Callable[[str, list[Block]], Awaitable[str]]  # says a text with blocks; returns which message it is


class Posts:
    """The messages of one reply. Methods raise what `told` does."""

    def __init__(self, client: AsyncWebClient, where: Destination) -> None:
        self._client = client
        self._where = where

    async def post(self, text: str, buttons: Sequence[Block], metadata: dict[str, Any]) -> str:
        """Post a message, and return which it is."""

        async def post(text: str, blocks: list[Block]) -> str:
            with told():
                posted = await self._client.chat_postMessage(
                    channel=self._where.channel,
                    thread_ts=self._where.thread,
                    text=text,
                    blocks=blocks or None,
                    unfurl_links=False,
                    unfurl_media=False,
                    metadata=metadata,
                )
            return str(posted["ts"])

        return await _laid_out(post, text, buttons, LONGEST)

    async def update(self, message: str, text: str, buttons: Sequence[Block], metadata: dict[str, Any]) -> None:
        """Replace what a message says."""

        async def update(text: str, blocks: list[Block]) -> str:
            with told():
                await self._client.chat_update(
                    channel=self._where.channel, ts=message, text=text, blocks=blocks, metadata=metadata
                )
            return message

        await _laid_out(update, text, buttons, MOST)

    async def delete(self, message: str) -> None:
        """Take a message back."""
        with told():
            await self._client.chat_delete(channel=self._where.channel, ts=message)

    async def upload(self, below: str, name: str, content: str) -> None:
        """Add a text file in the thread, or below a message that begins one."""
        with told():
            await self._client.files_upload_v2(
                channel=self._where.channel, thread_ts=self._where.thread or below, filename=name, content=content
            )


async def _laid_out(say: Say, text: str, buttons: Sequence[Block], most: int) -> str:
    """Say something as a Markdown block with buttons below it, or else as plain text of so many characters at most."""
    try:
        return await say(plain(text), [markdown(text), *buttons])
    except NoBlocks as error:
        log.warning("not laid out", why=str(error))
    try:
        return await say(plain(text, most), [])
    except NoBlocks as error:
        raise DeliveryRefused("Slack takes the message in no form") from error
