"""The connections to a server, which models that differ in what they tell it share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from openai import AsyncOpenAI

from bot.models.endpoint import Endpoint, client


class Connections:
    """A client of the openai package; what is under way when it is closed is still answered."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._client = client(endpoint)
        self._users = 0
        self._closing = False

    @asynccontextmanager
    async def used(self) -> AsyncIterator[AsyncOpenAI]:
        """Yield the client; it is not closed meanwhile."""
        self._users += 1
        try:
            yield self._client
        finally:
            self._users -= 1
            if self._closing:
                await self.close()

    async def close(self) -> None:
        """Close the connections, as soon as nobody uses them."""
        self._closing = True
        if not self._users:
            await self._client.close()
