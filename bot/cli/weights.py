"""lorebot weights: the local models' files."""

import click

from bot import settings, wiring
from bot.cli.shared import asynchronous, starting
from bot.models import weights


@click.command()
@asynchronous
async def command() -> None:
    """Fetch the local models' weights into the cache folder, where they are missing; they come with their checksums.

    The reranker's are fetched with LOREBOT_RERANKER=local.

    \b
    Example:
      lorebot weights
    """
    reranker = [weights.RERANKER] if settings.load().reranker == "local" else []
    for wanted in (weights.EMBEDDING, *reranker, weights.CHAT):
        with starting() as progress:
            where = await wiring.fetched(wanted, progress)
        print(f"{wanted.name} ({wanted.licence}): {where}")
