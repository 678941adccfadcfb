"""Connects to Discord, and ends in good order."""

import asyncio

import discord
import discord.gateway
import discord.http
import structlog
import yarl

from bot.engine import Engine
from bot.errors import Unconfigured
from bot.listening import Listening
from bot.platforms.discord.client import Client
from bot.service import Service
from bot.settings import Settings
from memory.memory import Memory

log = structlog.get_logger()

DRAIN = 30.0  # seconds in which answers under way may come to their end


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
    listening: Listening,
    service: Service,
    settings: Settings,
    ending: asyncio.Event,
) -> None:
    """Be online until `ending` is set; then answer what is under way.

    Raises Unconfigured where Discord refuses the token, or the intent that it asks for.
    """
    secret = token(settings)
    if settings.discord_api is not None:
        discord.http.Route.BASE = settings.discord_api.rstrip("/")
    intents = discord.Intents.default()
    intents.message_content = settings.discord_message_content
    client = Client(engine, memory, listening, service, settings, intents)
    running = asyncio.create_task(_online(client, secret, settings))
    stopping = asyncio.create_task(ending.wait())
    try:
        async with listening:
            await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            await client.drain(DRAIN)
    finally:
        stopping.cancel()
        await client.close()
        await asyncio.gather(running, stopping, return_exceptions=True)


async def _online(client: Client, secret: str, settings: Settings) -> None:
    try:
        async with client:
            await client.login(secret)
            if settings.discord_api is not None:
                _, address, _ = await client.http.get_bot_gateway()
                discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(address)
            await client.connect(reconnect=True)
    except discord.LoginFailure:
        raise Unconfigured(
            "Discord refuses DISCORD_BOT_TOKEN; reset the token on your application's page Bot and set it anew"
        ) from None
    except discord.PrivilegedIntentsRequired:
        raise Unconfigured(
            "Discord has not enabled the message content intent; switch on MESSAGE CONTENT INTENT on your "
            "application's page Bot, or set LOREBOT_DISCORD_MESSAGE_CONTENT=false to hear mentions and DMs alone"
        ) from None
