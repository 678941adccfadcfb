"""Gets the bot online: tries again where Discord cannot be reached, says what to set where it refuses."""

from asyncio import sleep

import aiohttp
import discord
import discord.gateway
import structlog
import yarl

from bot.errors import PlatformLost, Unconfigured
from bot.pauses import pauses
from bot.platforms.discord.shards import Sharded
from bot.settings import Settings

log = structlog.get_logger()

LOST = (discord.HTTPException, discord.GatewayNotFound, aiohttp.ClientError, OSError)
REFUSED_TOKEN, INVALID_SHARD, SHARDING_REQUIRED = 4004, 4010, 4011


async def online(client: Sharded, secret: str, settings: Settings) -> None:
    """Be online until the client is closed; until it has been online once, try again for ever.

    Raises Unconfigured where Discord refuses a token, an intent or the shards that are set, PlatformLost where the
    connection is lost for good.
    """
    try:
        async with client:
            await _persistently(client, secret, settings)
    except discord.LoginFailure:
        raise _refused_token() from None
    except discord.PrivilegedIntentsRequired:
        raise Unconfigured(
            "Discord has not enabled the message content intent; switch on MESSAGE CONTENT INTENT on your "
            "application's page Bot, or set LOREBOT_DISCORD_MESSAGE_CONTENT=false to hear mentions and DMs alone"
        ) from None
    except discord.ConnectionClosed as error:
        raise _closed(error.code, settings) from error
    except (*LOST, discord.gateway.ReconnectWebSocket) as error:
        raise PlatformLost(f"the connection to Discord is lost ({_words(error)}); start again") from error


async def _persistently(client: Sharded, secret: str, settings: Settings) -> None:
    """Log in and stay connected. Raises what discord.py raises where trying again would not help."""
    logged_in = False
    for pause in pauses():
        try:
            if not logged_in:
                await client.login(secret)
                logged_in = True
            if settings.discord_api is not None:
                _, address, _ = await client.http.get_bot_gateway()
                discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(address)
            await client.connect(reconnect=True)
            return
        except LOST as error:
            if client.is_closed() or not _passing(error):
                raise
            log.warning("Discord not reached yet", error=_words(error), again_in=round(pause, 1))
        if not logged_in:
            await _forget_session(client)
        await sleep(pause)


def _passing(error: BaseException) -> bool:
    """Tell whether it may go well next time: the network, a failure on Discord's side, or too many requests."""
    cause = error.__cause__ if isinstance(error, discord.GatewayNotFound) else error
    return not isinstance(cause, discord.HTTPException) or cause.status == 429 or cause.status >= 500


async def _forget_session(client: Sharded) -> None:
    """Let the next login open connections of its own: it would leave behind the session that this one had."""
    await client.http.close()
    client.http.connector = discord.utils.MISSING


def _closed(code: int, settings: Settings) -> Exception:
    count = settings.discord_shards
    if code == REFUSED_TOKEN:
        return _refused_token()
    if code == SHARDING_REQUIRED and count is not None:
        return Unconfigured(
            f"the bot is in too many servers for LOREBOT_DISCORD_SHARDS={count}; raise it, or unset it to have as "
            "many as Discord recommends"
        )
    if code == INVALID_SHARD:
        return Unconfigured("Discord knows no such shards; check LOREBOT_DISCORD_SHARDS and LOREBOT_DISCORD_SHARD_IDS")
    return PlatformLost(f"Discord closed the connection ({code}); start again")


def _refused_token() -> Unconfigured:
    return Unconfigured(
        "Discord refuses DISCORD_BOT_TOKEN; reset the token on your application's page Bot and set it anew"
    )


def _words(error: BaseException) -> str:
    """Return what happened, without the address or the body of what was asked."""
    cause = error.__cause__ if isinstance(error, discord.GatewayNotFound) and error.__cause__ else error
    status = getattr(cause, "status", None)
    return f"{type(cause).__name__} {status}" if status else type(cause).__name__
