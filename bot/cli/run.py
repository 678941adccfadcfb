"""lorebot run: run an app."""

import json
import sys
from contextlib import AsyncExitStack, aclosing
from dataclasses import asdict

import click

from bot import observe, settings
from bot.apps.runs import Composed, Ran
from bot.apps.search import with_sources
from bot.cli.objects import owned, parameters
from bot.cli.shared import as_json, asynchronous, piped, starting
from bot.models.base import Piece
from bot.platforms import signals
from bot.platforms.screens import clean
from bot.records import Notice
from bot.registry import wiring
from bot.registry.apps import Run
from bot.registry.parameters import LlmRef, from_json


@click.command()
@click.argument("app")
@click.argument("text", nargs=-1, metavar="[INPUT]")
@click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="A variable of the prompt, a text.")
@click.option("--vars", "more", metavar="JSON", help="Variables as a JSON object: lists and numbers too.")
@click.option("--llm", metavar="MODEL", help="Another model than the app's own.")
@click.option("--params", metavar="JSON", help='What the model is told beside: {"temperature": 0}')
@click.option("--conversation", metavar="NAME", help="Which of a chat's conversations goes on.")
@click.option("--user", metavar="NAME", help="Whose conversation.")
@click.option("--verbose", is_flag=True, help="Print the prompt first.")
@owned
@as_json
@asynchronous
async def command(
    app: str,
    text: tuple[str, ...],
    variables: tuple[str, ...],
    more: str | None,
    llm: str | None,
    params: str | None,
    conversation: str | None,
    user: str | None,
    verbose: bool,
    tenant: str,
    json_: bool,
) -> None:
    """Run an app; what is piped in comes below the input.

    \b
    Example:
      lorebot run hello --var name=Ada
      lorebot run docs "How do I get a badge?"
      lorebot run helper "And in Berlin?" --conversation trip --user ada
    """
    config = settings.load()
    observe.configure(config.log_level)
    run = Run(
        input=piped(" ".join(text)),
        variables={
            **(from_json(more, "--vars") if more else {}),
            **parameters(None, variables, option="--var", read=str),
        },
        params=from_json(params, "--params") if params else {},
        llm=LlmRef(key=llm) if llm else None,
        conversation=conversation,
        user=user,
        verbose=verbose or json_,
    )
    prompt = ""
    ran: Ran | None = None
    async with AsyncExitStack() as stack:
        with starting() as progress:
            registry = await stack.enter_async_context(wiring.opened(config, progress))
        stack.enter_context(signals.ending())
        events = await stack.enter_async_context(aclosing(registry.apps.run(app, run, owner=tenant)))  # type: ignore[type-var]
        async for event in events:
            match event:
                case Composed():
                    prompt = event.text
                    if verbose and not json_:
                        print(clean(prompt), end="\n\n")
                case Piece(piece) if not json_:
                    print(clean(piece), end="", flush=True)
                case Notice(notice):
                    print(clean(notice), file=sys.stderr)
                case Ran():
                    ran = event
        if ran is not None:
            _show(ran, prompt, json_)
            await registry.settle()


def _show(ran: Ran, prompt: str, json_: bool) -> None:
    if json_:
        found = {"answer": ran.answer, "model": ran.model, "tokens": asdict(ran.tokens), "prompt": prompt}
        print(json.dumps({**found, "sources": [asdict(one) for one in ran.sources]}, ensure_ascii=False))
    else:
        print(clean(with_sources(ran).removeprefix(ran.answer)))
