"""Keeps the bot's requests below the number that Discord allows in a second, so that none has to be refused.

discord.py knows the limits of single routes, and learns of the common one by being refused: then all that waits is sent
again at the same moment, and a request that is refused five times is given up. Discord bans an address for 10,000
refusals in 10 minutes.
"""

import asyncio
from types import SimpleNamespace

import aiohttp
import discord.http
import yarl

ALLOWED = 50  # requests a second, of all processes of a bot together; Discord raises it for large ones
SECOND = 1.05  # seconds, and a little for clocks that differ
FREE = ("/interactions/", "/webhooks/")  # answers to interactions don't count


def throttling(rate: int = ALLOWED) -> aiohttp.TraceConfig:
    """Return what lets an aiohttp session send so many requests a second; whoever comes first goes first.

    A request counts until a second after its response: whenever it got to Discord, it was not before that second.
    """
    room = asyncio.Semaphore(rate)

    async def begins(session: aiohttp.ClientSession, context: SimpleNamespace, asked: object) -> None:
        assert isinstance(asked, aiohttp.TraceRequestStartParams)
        context.counts = False
        if counts(asked.url):
            await room.acquire()
            context.counts = True

    async def ended(session: aiohttp.ClientSession, context: SimpleNamespace, ended: object) -> None:
        if context.counts:
            asyncio.get_running_loop().call_later(SECOND, room.release)

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(begins)
    trace.on_request_end.append(ended)
    trace.on_request_exception.append(ended)
    return trace


def counts(url: yarl.URL) -> bool:
    """Tell whether a request counts towards what all share: those of the API do, files and the gateway don't."""
    base = discord.http.Route.BASE
    return str(url).startswith(base) and not str(url).removeprefix(base).startswith(FREE)
