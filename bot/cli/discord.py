"""lorebot discord: the bot in Discord servers."""

from contextlib import AsyncExitStack

import click

from bot import observe, settings
from bot.cli.shared import asynchronous, starting
from bot.platforms import signals
from bot.platforms.discord import running
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
    observe.configure(config.log_level)
    running.token(config)
    async with AsyncExitStack() as stack:
        with starting() as progress:
            bot, service = await stack.enter_async_context(wiring.serving(config, progress))
        await running.serve(bot.engine, bot.memory, bot.listening, service, config, signals.asked_to_end())
