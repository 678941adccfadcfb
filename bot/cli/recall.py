"""lorebot recall: what memory finds, without a model."""

import json

import click

from bot import observe, settings, wiring
from bot.cli.shared import as_json, asynchronous, recalled_json, show, starting, whose
from bot.commands.lines import found
from bot.platforms import terminal


@click.command()
@click.argument("text")
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 100), help="How many turns.")
@whose
@as_json
@asynchronous
async def command(text: str, k: int, user: str | None, conversation: str | None, json_: bool) -> None:
    """Show what memory finds for TEXT, best first, each turn with its score and signals.

    It is what an answer in the conversation would be given: turns of your other conversations too.

    \b
    Example:
      lorebot recall "holiday plans" -k 5
      lorebot recall "holiday plans" --json | jq '.[0].text'
    """
    config = settings.load(user=user, conversation=conversation)
    observe.configure(config.log_level)
    here = terminal.scope(config.user, config.conversation, narrow=config.recall_from == "conversation")
    with starting() as progress:
        async with wiring.opened_memory(config, progress) as memory:
            recalled = await memory.recall(here, text, k)
    if json_:
        print(json.dumps([recalled_json(one) for one in recalled], ensure_ascii=False))
    else:
        show(f"- {found(one, config.timezone)}" for one in recalled)
