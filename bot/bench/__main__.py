"""`python -m bot.bench`: a whole turn beside other libraries, recall as memory grows, bytes a turn.

Vectors are random and drawn beforehand, so that the embedder's time is left out where nothing else is said.
"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from bot import settings, wiring
from bot.bench import report
from bot.bench.run import Plan, run
from bot.cli.shared import counting, starting
from bot.settings import Settings

LARGE = 1_000_000


@click.command()
@click.option("--turns", default="1000,10000,100000", show_default=True, help="Sizes of memory to recall from.")
@click.option("--large", is_flag=True, help="A million turns, too: 6 GB, half an hour or more.")
@click.option(
    "--compare",
    default=10_000,
    show_default=True,
    type=click.IntRange(min=200),
    help="Turns in memory when libraries are compared.",
)
@click.option(
    "--rounds", default=200, show_default=True, type=click.IntRange(min=2), help="How often each thing is timed."
)
@click.option("--json", "json_", type=click.Path(path_type=Path), help="Write the figures to a file, too.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw them, too (needs the extra `plot`).")
def main(turns: str, large: bool, compare: int, rounds: int, json_: Path | None, plot: Path | None) -> None:
    """Measure memory on an embedded Redis of its own, or at REDIS_URL in namespaces that are deleted at the end."""
    if plot:
        report.check_plot()
    sizes = tuple(sorted({*(int(size) for size in turns.split(",")), *([LARGE] * large)}))
    found = asyncio.run(_measured(settings.load(), Plan(sizes, compare, rounds)))
    report.show(found)
    if json_:
        report.write(found, json_)
    if plot:
        report.plot(found, plot)


async def _measured(config: Settings, plan: Plan) -> report.Report:
    async with AsyncExitStack() as stack:
        if config.redis_url is None:
            config = await _own_server(config, stack)
        with starting() as progress:
            embedder = await wiring.embedding_model(config, progress, "local")
            stack.push_async_callback(embedder.close)
            client = await stack.enter_async_context(wiring.opened_redis(config, progress))
        url = config.redis_url.get_secret_value() if config.redis_url else wiring.embedded_server(config).url
        return await run(client, url, config.namespace, wiring.index_options(config), plan, embedder, counting)


async def _own_server(config: Settings, stack: AsyncExitStack) -> Settings:
    """Keep the embedded server that people use out of it: another one, in a folder beside theirs, until the end."""
    config.data_dir.mkdir(parents=True, exist_ok=True)
    folder = TemporaryDirectory(prefix="bench-", dir=config.data_dir, ignore_cleanup_errors=True)
    own = config.model_copy(update={"data_dir": Path(stack.enter_context(folder))})
    stack.push_async_callback(wiring.embedded_server(own).stop)
    return own


main()
