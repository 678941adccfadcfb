"""Where the app is installed, in Redis: the tokens and all that came with them, encrypted with LOREBOT_SECRET_KEY.

A workspace is one hash, and so is an organisation that installed the app for all of its workspaces: a field holds the
bot, one holds each person who installed it, and one says who of them was the last. The bot's tokens stand in the
first alone. Keys and fields are digests.
"""

import json
import logging
from collections.abc import Sequence
from logging import Logger
from typing import Any

import redis.asyncio
from cryptography.fernet import InvalidToken
from pydantic import SecretStr
from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore

from bot import grace
from bot.errors import SettingsError
from bot.platforms.slack.tenants import Served, tenant
from bot.registry.secrets import fernet
from memory.batch import Batch
from memory.keys import Keys, tag

BOT, LAST = "bot", "last"

# What of an installation is the bot's; the rest is the person's who installed it.
_BOTS = ("bot_id", "bot_user_id", "bot_scopes", "bot_token", "bot_refresh_token", "bot_token_expires_at")

_FORGET_PERSON = """
redis.call('HDEL', KEYS[1], ARGV[1])
if redis.call('HGET', KEYS[1], 'last') == ARGV[1] then redis.call('HDEL', KEYS[1], 'last') end
"""

_FORGET_PEOPLE = """
local bot = redis.call('HGET', KEYS[1], 'bot')
redis.call('DEL', KEYS[1])
if bot then redis.call('HSET', KEYS[1], 'bot', bot) end
"""

# Put something in the place of what was read, unless it has been changed or deleted since.
_REPLACE = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""


class Installations(AsyncInstallationStore):
    """Keeps what slack_bolt installs. All raise RedisError, and SettingsError where LOREBOT_SECRET_KEY is another."""

    def __init__(self, client: "redis.asyncio.Redis", keys: Keys, secret: SecretStr, client_id: str) -> None:
        """Take the keys to encrypt with, and the app's client ID: several apps may share a Redis."""
        self._client = client
        self._keys = keys
        self._fernet = fernet(secret)
        self._client_id = client_id
        self._heard: set[tuple[str, str]] = set()

    @property
    def logger(self) -> Logger:
        """Where slack_sdk may log."""
        return logging.getLogger(__name__)

    async def async_save(self, installation: Installation) -> None:
        """Keep what an installation brought; memory that was to be erased as the app had been uninstalled is kept."""
        team = None if installation.is_enterprise_install else installation.team_id
        back = await self.tenants(installation.enterprise_id, team)
        key = self._keys.installation(*self._of(installation.enterprise_id, team))
        person = _field(installation.user_id)
        fields: list[str | bytes] = [person, self._sealed(_without_bot(installation)), LAST, person]
        if installation.bot_token is not None:
            fields += [BOT, self._sealed(vars(installation.to_bot()))]
        batch = Batch(self._client, atomic=True)
        cancelled = grace.cancel(batch, self._keys, back)
        kept = batch.ask("HSET", key, *fields, read=int)
        await batch.send()
        _ = cancelled.value, kept.value  # a refusal is not to go unheard

    async def async_save_bot(self, bot: Bot) -> None:
        """Keep a bot."""
        await self._asked("HSET", self._key_of(bot), BOT, self._sealed(vars(bot)))

    async def async_find_bot(
        self, *, enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False
    ) -> Bot | None:
        """Return the bot of a workspace or organisation, None where it is not installed."""
        key = self._keys.installation(*self._of(enterprise_id, None if is_enterprise_install else team_id))
        return self._bot(await self._asked("HGET", key, BOT))

    async def async_find_installation(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None = None,
        is_enterprise_install: bool | None = False,
    ) -> Installation | None:
        """Return what somebody installed, or whoever did so last, with the bot's tokens; None where nothing is."""
        team = None if is_enterprise_install else team_id
        key = self._keys.installation(*self._of(enterprise_id, team))
        field = _field(user_id) if user_id is not None else await self._asked("HGET", key, LAST)
        sealed = None if field is None else await self._asked("HGET", key, field)
        if sealed is None:
            return None
        found = Installation(**self._opened(sealed))
        bot = await self.async_find_bot(enterprise_id=enterprise_id, team_id=team)
        for name in _BOTS if bot is not None else ():
            setattr(found, name, getattr(bot, name))
        return found

    async def async_delete_bot(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        """Delete the bot of a workspace or organisation."""
        await self._asked("HDEL", self._keys.installation(*self._of(enterprise_id, team_id)), BOT)

    async def async_delete_installation(
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None = None
    ) -> None:
        """Delete what somebody installed, or everybody; the bot stays."""
        key = self._keys.installation(*self._of(enterprise_id, team_id))
        if user_id is None:
            await self._asked("EVAL", _FORGET_PEOPLE, "1", key)
        else:
            await self._asked("EVAL", _FORGET_PERSON, "1", key, _field(user_id))

    async def async_delete_all(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        """Delete all that is kept of a workspace or organisation, at once."""
        await self._asked("DEL", self._keys.installation(*self._of(enterprise_id, team_id)))

    async def installed_at(self, enterprise_id: str | None, team_id: str | None) -> float | None:
        """Return when the bot was installed, in seconds since 1970; None where it is not."""
        bot = self._bot(await self._asked("HGET", self._keys.installation(*self._of(enterprise_id, team_id)), BOT))
        return None if bot is None else bot.installed_at

    async def rotate(self) -> int:
        """Encrypt everything with the first key of LOREBOT_SECRET_KEY; return how many installations there are.

        Afterwards the other keys are of no use to anybody.
        """
        count = 0
        async for key in self._client.scan_iter(match=self._keys.every("installation"), count=1000):
            names = [one for one in await self._asked("HKEYS", key) if one != LAST.encode()]
            for name in names:
                old = await self._asked("HGET", key, name)
                if old is not None:
                    await self._replace(key, name, old, self._fernet.encrypt(self._clear(old)))
            count += 1
        return count

    async def homes(self) -> dict[Served, str | None]:
        """Return the workspaces in which the app is installed, each with the bot's user id there.

        Of an organisation that has it for all of them, those that were heard of.
        """
        found: dict[Served, str | None] = {}
        async for key in self._client.scan_iter(match=self._keys.every("installation"), count=1000):
            bot = self._bot(await self._asked("HGET", key, BOT))
            if bot is None or self._key_of(bot) != key.decode():  # another app's
                continue
            if not bot.is_enterprise_install:
                found[Served(bot.team_id or "", bot.enterprise_id)] = bot.bot_user_id
            else:
                teams = await self._heard_of(bot.enterprise_id)
                found |= {Served(one, bot.enterprise_id, org_wide=True): bot.bot_user_id for one in teams}
        return found

    # What a workspace is in memory

    async def heard_of(self, enterprise_id: str, team_id: str) -> None:
        """Note a workspace of an organisation that installed the app for all of them."""
        if (enterprise_id, team_id) not in self._heard:
            await self._asked("SADD", self._keys.workspaces(self._client_id, enterprise_id), team_id)
            self._heard.add((enterprise_id, team_id))

    async def left(self, enterprise_id: str, team_ids: Sequence[str]) -> None:
        """Know no more of workspaces of an organisation that the app was taken out of."""
        if team_ids:
            await self._asked("SREM", self._keys.workspaces(self._client_id, enterprise_id), *team_ids)
            self._heard.difference_update((enterprise_id, one) for one in team_ids)

    async def tenants(self, enterprise_id: str | None, team_id: str | None) -> list[str]:
        """Return the tenants of a workspace; team_id None: of an organisation, those that were heard of."""
        if team_id is not None:
            return [tenant(team_id)]
        return [tenant(enterprise_id or ""), *(tenant(one) for one in await self._heard_of(enterprise_id))]

    # Within

    async def _heard_of(self, enterprise_id: str | None) -> list[str]:
        teams = await self._asked("SMEMBERS", self._keys.workspaces(self._client_id, enterprise_id or ""))
        return sorted(one.decode() for one in teams)

    def _of(self, enterprise_id: str | None, team_id: str | None) -> tuple[str, str, str]:
        return self._client_id, enterprise_id or "", team_id or ""

    def _key_of(self, bot: Bot) -> str:
        team = None if bot.is_enterprise_install else bot.team_id
        return self._keys.installation(*self._of(bot.enterprise_id, team))

    def _bot(self, sealed: bytes | None) -> Bot | None:
        return None if sealed is None else Bot(**self._opened(sealed))

    def _sealed(self, thing: dict[str, Any]) -> bytes:
        return self._fernet.encrypt(json.dumps(thing).encode())

    def _opened(self, sealed: bytes) -> dict[str, Any]:
        opened: dict[str, Any] = json.loads(self._clear(sealed))
        return opened

    def _clear(self, sealed: bytes) -> bytes:
        """Return what was encrypted. Raises SettingsError where none of the keys opens it."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken as error:
            raise SettingsError(
                "LOREBOT_SECRET_KEY is not what the tokens of Slack workspaces were stored with; add the old one "
                "behind a comma, or have the app installed again"
            ) from error

    async def _replace(self, key: str | bytes, field: str | bytes, old: bytes, new: bytes) -> bool:
        """Put something in the place of what was read; False where that is not there any more."""
        return bool(await self._asked("EVAL", _REPLACE, "1", key, field, old, new))

    async def _asked(self, *command: str | bytes) -> Any:
        batch = Batch(self._client)
        answer: Any = batch.ask(*command, read=lambda reply: reply)
        await batch.send()
        return answer.value


def _field(user_id: str) -> str:
    return f"person:{tag('installer', user_id)}"


def _without_bot(installation: Installation) -> dict[str, Any]:
    return {name: value for name, value in vars(installation).items() if name not in _BOTS}
