"""lorebot slack: the app in Slack workspaces."""

from contextlib import AsyncExitStack

import click

from bot import health, observe, settings, stuck
from bot.cli.shared import asynchronous, starting
from bot.metrics import Metrics
from bot.platforms import signals
from bot.platforms.slack import running, tokens
from bot.platforms.slack.secrets import IN_LOGS
from bot.registry import wiring


@click.command()
@click.option("--http", is_flag=True, help="Take signed requests over HTTP instead of Socket Mode; many workspaces.")
@asynchronous
async def command(http: bool) -> None:
    """Be an app in Slack workspaces. `lorebot slack-manifest` prints what Slack is to be told about it.

    By Socket Mode it needs SLACK_BOT_TOKEN and SLACK_APP_TOKEN and no address of its own; with --http
    SLACK_SIGNING_SECRET, and SLACK_BOT_TOKEN for one workspace or SLACK_CLIENT_ID and SLACK_CLIENT_SECRET for many.

    \b
    Example:
      SLACK_BOT_TOKEN=xoxb-... SLACK_APP_TOKEN=xapp-... lorebot slack
    """
    config = settings.load()
    observe.configure(config.log_level, IN_LOGS)
    secrets = tokens.checked(config, http)
    metrics, needed = Metrics(), health.Health(["redis", "slack"])
    async with AsyncExitStack() as stack:
        served = None if http and config.slack_shares_port else config.health_address
        await stack.enter_async_context(health.served(needed, metrics, served))
        with starting() as progress:
            bot, service = await stack.enter_async_context(wiring.serving(config, metrics, progress))
        needed.check("redis", health.RedisCheck(bot.memory))
        stack.enter_context(stuck.watched())
        await running.serve(
            bot.engine, bot.memory, bot.client, service, config, secrets, signals.asked_to_end(), needed
        )
