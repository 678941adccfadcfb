"""Connects to Discord, and ends in good order."""

import asyncio
from contextlib import suppress

import discord
import discord.http

from bot.engine import Engine
from bot.errors import PlatformLost, Unconfigured
from bot.health import Health
from bot.platforms.discord.client import Client
from bot.platforms.discord.connecting import online
from bot.platforms.discord.watchdog import Watchdog
from bot.service import Service
from bot.settings import Settings
from memory.memory import Memory
from memory.tasks import ended

DRAIN = 30.0  # seconds in which answers under way may come to their end
HURRIED = 10.0  # the same where Discord is lost: what is not done then is done after the next start
CLOSING = 5.0  # seconds for closing connections; Discord may be silent


def token(settings: Settings) -> str:
    """Return the bot's token. Raises Unconfigured where there is none, or it is another platform's."""
    secret = settings.discord_bot_token
    if secret is None:
        raise Unconfigured("DISCORD_BOT_TOKEN is not set; copy it from your application's page Bot at Discord")
    found = secret.get_secret_value().strip()
    if found.startswith(("xoxb-", "xapp-")):
        raise Unconfigured("DISCORD_BOT_TOKEN holds a Slack token; set it to the Discord bot's")
    return found


async def serve(
    engine: Engine,
    memory: Memory,
    service: Service,
    settings: Settings,
    ending: asyncio.Event,
    health: Health,
) -> None:
    """Be online until `ending` is set; then answer what is under way.

    Raises Unconfigured where Discord refuses the token, the intent or the shards that it is asked for, PlatformLost
    where the connection is lost for good.
    """
    secret = token(settings)
    if settings.discord_api is not None:
        discord.http.Route.BASE = settings.discord_api.rstrip("/")
    intents = discord.Intents.default()
    intents.message_content = settings.discord_message_content
    client = Client(engine, memory, service, settings, intents)
    health.check("discord", client)
    service.metrics.serves("discord", client.sockets, lambda: client.conversations)
    running = asyncio.create_task(online(client, secret, settings))
    watching = asyncio.create_task(Watchdog(client).watch())
    beside = asyncio.create_task(client.look_after())
    stopping = asyncio.create_task(ending.wait())
    tasks = (running, watching, beside, stopping)
    try:
        async with service.listening:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for one in (watching, beside):
                if one.done():
                    one.result()
            if running.done():
                running.result()
                raise PlatformLost("the connection to Discord came to its end; start again")
            await ended(beside)
            await client.drain(DRAIN)
    except PlatformLost:
        await ended(beside)
        await client.drain(HURRIED)
        raise
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING):
                await client.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
