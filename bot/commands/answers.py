"""Commands that ask for an answer: in front of everybody, in a thread, or out of a store."""

from contextlib import aclosing

from bot.apps.runs import Ran
from bot.commands.base import Here, Said
from bot.errors import CommandError
from bot.models.base import Piece
from bot.registry.apps import Run
from bot.service import Service


async def ask(here: Here, question: str) -> Said:
    """Ask the bot."""
    if not question:
        raise CommandError(f"say what to ask: `{here.slash('ask')} QUESTION`")
    return Said(ask=question)


async def chat(here: Here, topic: str) -> Said:
    """Open a thread in which every message is for the bot."""
    return Said(chat=topic)


async def lookup(here: Here, words: str) -> Said:
    """Ask a search app: what it says comes from a store alone, and is not remembered."""
    if here.service is None:
        raise CommandError("there are no apps here")
    name, question = await _app(here.service, here.scope.tenant, words)
    if not question:
        raise CommandError(f"say what to look up: `{here.slash('lookup')} QUESTION`")
    said: list[str] = []
    async with aclosing(here.service.apps.run(name, Run(input=question), owner=here.scope.tenant)) as events:  # type: ignore[type-var]
        async for event in events:
            if isinstance(event, Piece):
                said.append(event.text)
            elif isinstance(event, Ran):
                await here.service.limits.spent(here.scope, event.tokens.prompt + event.tokens.completion)
    return Said("".join(said))


async def _app(service: Service, tenant: str, words: str) -> tuple[str, str]:
    """Return which app is meant, and the question: `APP: QUESTION`, or a question for the first app."""
    names = await service.searches(tenant)
    if not names:
        raise CommandError(
            "there is nothing to look things up in; whoever runs the bot makes a search app: see `lorebot app create`"
        )
    first, colon, rest = words.partition(":")
    if colon and first.strip() in names:
        return first.strip(), rest.strip()
    return names[0], words.strip()
