"""That somebody has begun to install the app: told to Slack and back, believed once and for ten minutes."""

import logging
import secrets
from logging import Logger

import redis.asyncio
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore

from memory.batch import Batch
from memory.keys import OAUTH_STATE_TTL, Keys


class States(AsyncOAuthStateStore):
    """Issues states and takes them back. Redis knows their digests only: who reads it can complete no installation."""

    def __init__(self, client: "redis.asyncio.Redis", keys: Keys) -> None:
        self._client = client
        self._keys = keys

    @property
    def logger(self) -> Logger:
        """Where slack_sdk may log."""
        return logging.getLogger(__name__)

    async def async_issue(self, *args: object, **kwargs: object) -> str:
        """Return a new state. Raises RedisError."""
        state = secrets.token_urlsafe(32)
        batch = Batch(self._client)
        kept = batch.ask("SET", self._keys.oauth_state(state), 1, "EX", OAUTH_STATE_TTL, read=bool)
        await batch.send()
        assert kept.value
        return state

    async def async_consume(self, state: str) -> bool:
        """Tell whether a state was issued in the last ten minutes and is used now first. Raises RedisError."""
        batch = Batch(self._client)
        known = batch.ask("GETDEL", self._keys.oauth_state(state), read=bool)
        await batch.send()
        return known.value
