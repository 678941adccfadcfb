"""lorebot resp: LLM.* for every Redis client."""

from contextlib import AsyncExitStack

import click

from bot import observe, settings
from bot.cli.shared import asynchronous, starting
from bot.platforms import signals
from bot.registry import wiring
from bot.resp.commands import Commands
from bot.resp.server import Gateway


@click.command()
@click.option("--host", help="Where to listen; beyond this machine with a password. Default: 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="0: any that is free. Default: 6380.")
@click.option("--drain", default=30.0, show_default=True, help="Seconds to answer what is under way at the end.")
@asynchronous
async def command(host: str | None, port: int | None, drain: float) -> None:
    """Answer LLM.* commands over the Redis protocol, and pass all others on to Redis.

    Clients must AUTH where LOREBOT_RESP_PASSWORD is set. They reach every key but memory's own. SIGTERM and Ctrl-C end
    it once what is under way is answered.

    \b
    Example:
      lorebot resp &
      redis-cli -p 6380 LLM.CREATE-LLM model --PARAMS '{"api_key": "$OPENAI_API_KEY"}'
      redis-cli -p 6380 LLM.CREATE-APP hello-world --LLM model --PROMPT 'Say hello to {{name}}'
      redis-cli -p 6380 LLM.RUN hello-world --VARS '{"name": "LLM"}'
    """
    config = settings.load(resp_host=host, resp_port=port)
    observe.configure(config.log_level)
    async with AsyncExitStack() as stack:
        with starting() as progress:
            registry = await stack.enter_async_context(wiring.opened(config, progress, working=True))
            gateway = Gateway(
                Commands(registry.objects, registry.models, registry.stores, registry.apps),
                registry.client,
                config.namespace,
                host=config.resp_host,
                port=config.resp_port,
                password=config.resp_password,
            )
            await gateway.start()
        print(f"Listening on {gateway.host}:{gateway.port}", flush=True)
        try:
            await signals.asked_to_end().wait()
        finally:
            await gateway.drain(drain)
