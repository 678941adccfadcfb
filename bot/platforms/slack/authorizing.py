"""Whose token answers a request of Slack's: that of the bot in the workspace it comes from."""

from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_bolt.context.async_context import AsyncBoltContext

from bot.platforms.slack.installations import Installations


class Authorize(AsyncAuthorize):
    """Looks the bot up, in one round trip to Redis.

    slack_bolt's own asks Slack with each request whether the token is good, and takes a Redis that is away for an app
    that is not installed: people are told to install it again. Here that is an error, and Slack sends again.
    """

    def __init__(self, found: Installations) -> None:
        self._found = found

    async def __call__(
        self,
        *,
        context: AsyncBoltContext,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None,
        actor_enterprise_id: str | None = None,
        actor_team_id: str | None = None,
        actor_user_id: str | None = None,
    ) -> AuthorizeResult | None:
        """Return who the bot is there; None where it is not installed. Raises RedisError, SettingsError."""
        org_wide = context.is_enterprise_install
        bot = await self._found.async_find_bot(
            enterprise_id=enterprise_id, team_id=team_id, is_enterprise_install=org_wide
        )
        if bot is None:
            return None
        if org_wide and enterprise_id is not None and team_id is not None:
            await self._found.heard_of(enterprise_id, team_id)
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=team_id,
            team=bot.team_name,
            bot_user_id=bot.bot_user_id,
            bot_id=bot.bot_id,
            bot_token=bot.bot_token,
            bot_scopes=bot.bot_scopes,
            user_id=user_id,
        )
