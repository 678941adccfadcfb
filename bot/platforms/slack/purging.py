"""What becomes of tokens and memory when the app leaves a workspace, and when it comes back."""

import time
from collections.abc import Sequence
from typing import Literal

import structlog

from bot import grace
from bot.listening import Listening
from bot.platforms.slack.installations import Installations
from bot.platforms.slack.tenants import tenant
from memory.memory import Memory

log = structlog.get_logger()


class Purging:
    """Deletes tokens at once, and memory once its days of grace are over. All raise RedisError.

    `bot.grace.keep_up` does the latter. installations: None where there is one workspace, whose token is a setting.
    """

    def __init__(
        self,
        memory: Memory,
        listening: Listening,
        installations: Installations | None,
        days: int | Literal["keep"],
    ) -> None:
        """days: for which memory is kept: LOREBOT_SLACK_GRACE_DAYS."""
        self._memory = memory
        self._listening = listening
        self._installations = installations
        self._days = days
        self._here: dict[str, float] = {}  # since when we know that a workspace has the app; seconds since 1970

    async def uninstalled(self, enterprise_id: str | None, team_id: str | None, at: float) -> None:
        """Take in that the app was uninstalled. at: when Slack said so, in seconds since 1970.

        team_id None: an organisation that had it for all of its workspaces.
        """
        if await self.is_back(enterprise_id, team_id, at):
            return
        tenants = await self._tenants(enterprise_id, team_id)
        if self._installations is not None:
            await self._installations.async_delete_all(enterprise_id=enterprise_id, team_id=team_id)
        await self._schedule(tenants)

    async def revoked(
        self, enterprise_id: str | None, team_id: str | None, people: Sequence[str], bots: Sequence[str], at: float
    ) -> None:
        """Take in that tokens of these people and bots were revoked; without the bot's, the app is gone."""
        if await self.is_back(enterprise_id, team_id, at):
            return
        if self._installations is not None:
            for person in people:
                await self._installations.async_delete_installation(
                    enterprise_id=enterprise_id, team_id=team_id, user_id=person
                )
            if bots:
                await self._installations.async_delete_bot(enterprise_id=enterprise_id, team_id=team_id)
        if bots:
            await self._schedule(await self._tenants(enterprise_id, team_id))

    async def left(self, enterprise_id: str | None, team_ids: Sequence[str]) -> None:
        """Take in that the app was taken out of some workspaces of an organisation that had it for all."""
        if self._installations is not None and enterprise_id is not None:
            await self._installations.left(enterprise_id, team_ids)
        await self._schedule([tenant(one) for one in team_ids])

    async def here(self, team_id: str) -> None:
        """Take in that the app is in a workspace: its memory is kept. Installing over HTTP sees to that by itself."""
        self._here[team_id] = time.time()
        batch = self._memory.batch()
        cancelled = grace.cancel(batch, self._memory.keys, [tenant(team_id)])
        await batch.send()
        if cancelled.value:
            log.info("back within its time of grace", team=team_id)

    async def is_back(self, enterprise_id: str | None, team_id: str | None, at: float) -> bool:
        """Tell whether the app was installed anew since: Slack sends again, minutes later, what we did not take."""
        if self._installations is None:
            return at < int(self._here.get(team_id or enterprise_id or "", 0.0))  # Slack tells whole seconds
        installed = await self._installations.installed_at(enterprise_id, team_id)
        return installed is not None and at < installed

    async def _tenants(self, enterprise_id: str | None, team_id: str | None) -> list[str]:
        if self._installations is not None:
            return await self._installations.tenants(enterprise_id, team_id)
        return [tenant(one) for one in (team_id or enterprise_id,) if one]

    async def _schedule(self, tenants: Sequence[str]) -> None:
        for one in tenants:
            self._listening.channels.unwatch(one)
        if self._days == "keep":
            log.info("uninstalled; memory is kept", tenants=tenants)
            return
        now = time.time_ns() // 1_000_000
        batch = self._memory.batch()
        for one in tenants:
            grace.schedule(batch, self._memory.keys, one, now + self._days * grace.DAY)
        await batch.send()
        log.info("uninstalled; memory is kept for a while", tenants=tenants, days=self._days)
        if self._days == 0:
            await grace.sweep(self._memory, self._listening, now)
