"""lorebot discord: the bot in Discord servers."""

from contextlib import AsyncExitStack

import click

from bot import health, observe, settings, stuck
from bot.cli.shared import asynchronous, starting
from bot.metrics import Metrics
from bot.platforms import signals
from bot.platforms.discord import running, secrets
from bot.registry import wiring


@click.command()
@asynchronous
async def command() -> None:
    """Be a bot in Discord servers, with DISCORD_BOT_TOKEN. It answers mentions, replies, DMs and in its own threads.

    \b
    Example:
      DISCORD_BOT_TOKEN=... lorebot discord
    """
    config = settings.load()
    observe.configure(config.log_level, secrets.IN_ADDRESSES)
    running.token(config)
    metrics, needed = Metrics(), health.Health(["redis", "discord"])
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(health.served(needed, metrics, config.health_address))
        with starting() as progress:
            bot, service = await stack.enter_async_context(wiring.serving(config, metrics, progress))
        needed.check("redis", health.RedisCheck(bot.memory))
        stack.enter_context(stuck.watched())
        ending = signals.asked_to_end()
        await running.serve(bot.engine, bot.memory, service, config, ending, needed)
