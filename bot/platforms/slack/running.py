"""Serves Slack's workspaces from the first connection on, and ends in good order."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import redis.asyncio
import structlog

from bot import grace
from bot.engine import Engine
from bot.errors import PlatformLost, Unconfigured
from bot.health import Health
from bot.platforms.slack import connecting, opening
from bot.platforms.slack.app import SlackApp
from bot.platforms.slack.rooms import Rooms
from bot.platforms.slack.tenants import tenant
from bot.platforms.slack.tokens import ManyWorkspaces, Secrets, Socket
from bot.platforms.slack.transport import Ending, Transport
from bot.service import Service
from bot.settings import Settings
from bot.unfinished import Unfinished
from memory.memory import Memory
from memory.tasks import ended

log = structlog.get_logger()

DRAIN, HURRIED = 30.0, 10.0  # seconds in which answers under way may come to their end


async def serve(
    engine: Engine,
    memory: Memory,
    client: "redis.asyncio.Redis",
    service: Service,
    settings: Settings,
    secrets: Secrets,
    ending: asyncio.Event,
    health: Health,
) -> None:
    """Serve workspaces until `ending` is set; then answer what is under way.

    Raises Unconfigured where Slack refuses a token, PlatformLost where its connection is lost for good, SettingsError
    where the port cannot be had.
    """
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)))
        bolt, workspaces, purging = await opening.opened(client, memory, service, settings, secrets, session)
        app = SlackApp(bolt, Rooms(engine, memory, service, settings, workspaces, purging))
        await stack.enter_async_context(service.listening)
        if not isinstance(secrets, ManyWorkspaces):
            for workspace in workspaces.known():
                await purging.here(workspace.team)
                await app.readers.ready(workspace)
        app.resume()
        unfinished = Unfinished(engine, lambda: [tenant(one) for one in workspaces.teams()], app.talks.take_up)
        sweeping = grace.keep_up(memory, service.listening)
        taking_up = asyncio.create_task(unfinished.run())
        work: list[asyncio.Task[Any]] = [taking_up, asyncio.create_task(sweeping)]
        if not isinstance(secrets, ManyWorkspaces):
            token = secrets.bot.get_secret_value()
            work.append(asyncio.create_task(opening.still_taken(workspaces, token, settings.slack_ping)))
        transport: Transport
        if isinstance(secrets, Socket):
            transport = await stack.enter_async_context(connecting.by_socket(bolt, secrets, workspaces, settings))
        else:
            transport = await stack.enter_async_context(connecting.over_http(bolt, settings, health))
        if not isinstance(secrets, ManyWorkspaces):
            work += [asyncio.create_task(app.missed.run(one, transport.trouble)) for one in workspaces.known()]
        health.check("slack", transport)
        service.metrics.serves("slack", transport.sockets, lambda: len(app.talks))
        log.info("online", workspaces=workspaces.teams())
        watching, stopping = asyncio.create_task(transport.watch()), asyncio.create_task(ending.wait())
        try:
            await asyncio.wait([*work, watching, stopping], return_when=asyncio.FIRST_COMPLETED)
            for one in (*work, watching):
                if one.done():
                    one.result()
            health.check("slack", Ending())
            await ended(taking_up)
            await app.drain(DRAIN)
        except (PlatformLost, Unconfigured):
            await app.drain(HURRIED)
            raise
        finally:
            for one in (*work, watching, stopping):
                await ended(one)
