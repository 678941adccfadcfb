"""Bot tokens that expire are exchanged in time, by one process at a time.

Slack's tokens live for twelve hours where token rotation is on. A refresh token is worth one exchange: a second
process that used it too would be refused, and what it then wrote down could lock the app out of the workspace. So
refresh tokens stay in here; what is handed out has none, and slack_bolt, which would use them, leaves it to us.
"""

import asyncio
import time
from dataclasses import dataclass

import aiohttp
import redis.asyncio
import structlog
from pydantic import SecretStr
from slack_sdk.errors import SlackTokenRotationError
from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator

from bot.platforms.slack.failures import coded
from bot.platforms.slack.installations import BOT, Installations
from memory import tasks
from memory.errors import RedisError
from memory.keys import Keys

log = structlog.get_logger()

MARGIN = 120  # minutes before the end in which a token is exchanged, as slack_bolt does it
LEASE = 60_000  # milliseconds; after a failure it stays, so that Slack is asked once a minute
TIMEOUT = 10.0  # seconds for the exchange
SAVING = 30.0  # seconds in which Redis may come back: until they are saved, the new tokens are here alone
AGAIN = 0.1  # seconds

_FAILED = b"failed"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a bot is kept, and the lease for exchanging its tokens."""

    key: str
    lease: str


class FreshInstallations(Installations):
    """Installations whose bot tokens work for another while, whoever asks for them."""

    def __init__(
        self,
        client: "redis.asyncio.Redis",
        keys: Keys,
        secret: SecretStr,
        client_id: str,
        rotator: AsyncTokenRotator,
    ) -> None:
        """Take what exchanges tokens at Slack, beside what the installations need."""
        super().__init__(client, keys, secret, client_id)
        self._rotator = rotator

    async def async_find_bot(
        self, *, enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False
    ) -> Bot | None:
        """Return the bot with a token that works, without its refresh token; None where it is not installed."""
        of = self._of(enterprise_id, None if is_enterprise_install else team_id)
        bot = await self._fresh(_Place(self._keys.installation(*of), self._keys.refreshing(*of)))
        if bot is not None:
            bot.bot_refresh_token = None
        return bot

    async def async_find_installation(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None = None,
        is_enterprise_install: bool | None = False,
    ) -> Installation | None:
        """Return what was installed, without refresh tokens.

        People's own tokens are not exchanged: the app asks for none.
        """
        found = await super().async_find_installation(
            enterprise_id=enterprise_id,
            team_id=team_id,
            user_id=user_id,
            is_enterprise_install=is_enterprise_install,
        )
        if found is not None:
            found.user_refresh_token = None
        return found

    async def _fresh(self, place: _Place) -> Bot | None:
        """Return the bot as soon as its token is worth using; as it is where that can't be had."""
        until = time.monotonic() + TIMEOUT
        while True:
            bot = self._bot(await self._asked("HGET", place.key, BOT))
            if bot is None or not _expires_within(bot, MARGIN * 60):
                return bot
            if await self._asked("SET", place.lease, "held", "NX", "PX", str(LEASE)):
                await tasks.whole(self._exchange(place))
                return self._bot(await self._asked("HGET", place.key, BOT))
            hopeless = await self._asked("GET", place.lease) == _FAILED or time.monotonic() > until
            if hopeless or not _expires_within(bot, 0):
                return bot
            await asyncio.sleep(AGAIN)

    async def _exchange(self, place: _Place) -> None:
        """Exchange the tokens while we have the lease; whoever had it before may have done so."""
        old = await self._asked("HGET", place.key, BOT)
        bot = self._bot(old)
        new = bot and await self._asked_of_slack(bot)
        if new is not None:
            await self._saved(place, old, new)
        if new is not None or bot is None or not _expires_within(bot, MARGIN * 60):
            await self._asked("DEL", place.lease)
        else:
            await self._asked("SET", place.lease, _FAILED, "PX", str(LEASE))

    async def _asked_of_slack(self, bot: Bot) -> Bot | None:
        """Return the bot with new tokens; None where it needs none, or gets none."""
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._rotator.perform_bot_token_rotation(bot=bot, minutes_before_expiration=MARGIN)
        except SlackTokenRotationError as error:
            log.warning("token not exchanged", team=bot.team_id, error=coded(error.api_error))
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("token not exchanged", team=bot.team_id, error=type(error).__name__)
        return None

    async def _saved(self, place: _Place, old: bytes, new: Bot) -> None:
        """Keep the new tokens; not where the app was uninstalled or installed anew meanwhile."""
        until = time.monotonic() + SAVING
        sealed = self._sealed(vars(new))
        while True:
            try:
                kept = await self._replace(place.key, BOT, old, sealed)
            except RedisError:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(AGAIN)
            else:
                log.info("token exchanged", team=new.team_id, kept=kept)
                return


def _expires_within(bot: Bot, seconds: float) -> bool:
    return bot.bot_token_expires_at is not None and bot.bot_token_expires_at <= time.time() + seconds
