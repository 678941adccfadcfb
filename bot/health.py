"""Health over HTTP: /healthz (the event loop runs), /readyz (what must work does), /metrics (for Prometheus)."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import structlog

from bot.errors import ExtraMissing, SettingsError
from bot.metrics import CONTENT_TYPE, Metrics
from memory.errors import RedisError
from memory.memory import Memory

if TYPE_CHECKING:
    from aiohttp import web

log = structlog.get_logger()

PATIENCE = 2.0  # seconds for a check; Kubernetes gives a probe 1 s unless told otherwise, load balancers 5


class Check(Protocol):
    """Something that must work for the bot to serve."""

    async def trouble(self) -> str:
        """Return what is wrong, in words that anybody may read; empty where nothing is."""


class Health:
    """What this process needs, and whether it has it. Not ready until everything it needs is being checked."""

    def __init__(self, needs: Iterable[str]) -> None:
        """Take the names of what is needed, such as redis and discord."""
        self._checks: dict[str, Check | None] = dict.fromkeys(needs)

    def check(self, name: str, check: Check) -> None:
        """Have something checked from now on."""
        self._checks[name] = check

    async def troubles(self) -> dict[str, str]:
        """Return what is wrong, by name; empty where the bot is ready."""
        told = await asyncio.gather(*(_told(check) for check in self._checks.values()))
        return {name: trouble for name, trouble in zip(self._checks, told, strict=True) if trouble}


class RedisCheck:
    """Redis answers."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def trouble(self) -> str:
        """Ask Redis for a sign of life."""
        batch = self._memory.batch()
        alive = batch.ask("PING", read=bool)
        try:
            await batch.send()
            return "" if alive.value else "Redis does not answer"
        except RedisError:
            return "Redis does not answer"


@asynccontextmanager
async def served(health: Health, metrics: Metrics, address: tuple[str, int] | None) -> AsyncIterator[int | None]:
    """Serve health at this host and port, if any, for as long as this lasts; yield the port.

    Raises SettingsError where the port cannot be had, ExtraMissing without aiohttp.
    """
    if address is None:
        yield None
        return
    host, port = address
    try:
        from aiohttp import web  # comes with the platforms' extras
    except ImportError as error:
        raise ExtraMissing(
            "health needs aiohttp, which comes with a platform: pip install 'lorebot[discord]'; "
            "or unset LOREBOT_HEALTH_PORT and PORT"
        ) from error
    runner = web.AppRunner(_app(health, metrics), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise SettingsError(
                f"health cannot be served on port {port} of {host} ({error.strerror or type(error).__name__}); "
                "set LOREBOT_HEALTH_PORT to one that is free, or LOREBOT_HEALTH_HOST to an address of this machine"
            ) from error
        port = runner.addresses[0][1]
        log.info("health served", host=host, port=port)
        yield port
    finally:
        await runner.cleanup()


def add_routes(app: "web.Application", health: Health) -> None:
    """Serve /healthz and /readyz in an app that serves something else too; not /metrics, which is not for the world."""
    from aiohttp import web

    async def alive(request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def ready(request: web.Request) -> web.Response:
        troubles = await health.troubles()
        return web.json_response({"ready": not troubles, "troubles": troubles}, status=503 if troubles else 200)

    app.router.add_get("/healthz", alive)
    app.router.add_get("/readyz", ready)


def _app(health: Health, metrics: Metrics) -> "web.Application":
    from aiohttp import web

    async def figures(request: web.Request) -> web.Response:
        return web.Response(body=metrics.page(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    add_routes(app, health)
    app.router.add_get("/metrics", figures)
    return app


async def _told(check: Check | None) -> str:
    if check is None:
        return "still starting"
    try:
        async with asyncio.timeout(PATIENCE):
            return await check.trouble()
    except TimeoutError:
        return f"no answer within {PATIENCE:g} s"
