"""lorebot app: named apps."""

from pathlib import Path

import click

from bot import settings
from bot.cli.objects import making, noun, parameters, told
from bot.cli.shared import asynchronous, starting
from bot.platforms import terminal
from bot.registry import wiring
from bot.registry.objects import How, Kind
from bot.registry.parameters import APPS, from_json


@click.group()
def command() -> None:
    """Make apps of a model: a prompt to run, questions to a vector store, a chat that remembers.

    \b
    Example:
      lorebot app create hello --prompt 'Say hello to {{name}}'
      lorebot app create docs --type search --store handbook --llm gpt
      lorebot run docs "How do I get a badge?"
    """


@command.command()
@click.argument("name")
@click.option("--type", "type_", default="simple", show_default=True, type=click.Choice(list(APPS)))
@click.option("--llm", metavar="MODEL", help="Which model; default: the configured one.")
@click.option("--store", metavar="STORE", help="Which vector store (search, chat).")
@click.option("-k", type=click.IntRange(1, 1000), help="How many of its items (search, chat); default: 3.")
@click.option("--prompt", metavar="TEXT", help="The prompt, with {{variables}}.")
@click.option(
    "--prompt-file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The prompt, in a file."
)
@click.option("--history", metavar="JSON", help="How a chat is summarised: summary_cnt, summary_ctx_cnt, msg_ctx_cnt.")
@making
@asynchronous
async def create(
    name: str,
    type_: str,
    llm: str | None,
    store: str | None,
    k: int | None,
    prompt: str | None,
    prompt_file: Path | None,
    history: str | None,
    params: str | None,
    single: tuple[str, ...],
    shared: bool,
    replace: bool,
    tenant: str,
) -> None:
    """Make an app.

    \b
    simple  asks the model: the prompt with its variables filled in, what is put in, or both
    search  answers from a vector store and cites it; its prompt has {{context}} and {{question}}
    chat    remembers its conversations, summarises long ones; its prompt may have {{history}}, {{person}}, {{today}},
            {{timezone}} and {{name}}, which is the bot's
    All may have variables of their own, which `lorebot run --var` gives.

    \b
    Example:
      lorebot app create poet --prompt 'Write a poem about {{topic}}.' --llm gpt
      lorebot app create helper --type chat --llm gpt --history '{"summary_cnt": 20, "msg_ctx_cnt": 10}'
    """
    if prompt is not None and prompt_file is not None:
        raise click.UsageError("give --prompt or --prompt-file")
    if prompt_file is not None:
        prompt = terminal.decoded(prompt_file.read_bytes(), str(prompt_file))
    options = {
        "llm": llm,
        "vector_store": store,
        "k": k,
        "prompt": prompt,
        "history": from_json(history, "--history") if history else None,
    }
    given = {**parameters(params, single), **{key: value for key, value in options.items() if value is not None}}
    with starting() as progress:
        async with wiring.opened(settings.load(), progress) as registry:
            made = await registry.apps.create(name, given, How(tenant, nx=not replace, shared=shared), type_=type_)
    told(made, Kind.APP, name)


for one in noun(Kind.APP):
    command.add_command(one)
