"""Memory opened for whoever runs the bot, and the options that say which of it is meant."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from bot import observe, wiring
from bot.cli.shared import starting
from bot.commands.base import At, Here
from bot.commands.moments import moment
from bot.platforms import terminal
from bot.settings import Settings
from memory.memory import Memory
from memory.records import Which
from memory.scope import Operator, Scope
from memory.transfer import Exported

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Managed:
    """Memory, opened for whoever runs the bot. operator: for the tenant that is managed."""

    here: Here
    operator: Operator

    @property
    def memory(self) -> Memory:
        """The memory."""
        return self.here.memory

    def scope_of(self, one: Exported) -> Scope:
        """Return where a turn belongs that is brought in; another tenant's is open to whom its line says."""
        if self.operator.tenant == self.here.scope.tenant:
            return self.here.scope_of(one)
        return one.scope(self.operator.tenant, self.here.scope.person)


def chosen(command: Command) -> Command:
    """Add the options that say which turns are meant."""
    for option in (
        click.option("--until", metavar="WHEN", help="What was said before WHEN."),
        click.option("--since", metavar="WHEN", help="What was said since WHEN: 2026-05-01, yesterday, 7d, 12h."),
        click.option("--conversation", metavar="NAME", help="What was said in one conversation."),
        click.option("--person", metavar="NAME", help="What one person said, and the answers to it."),
    ):
        command = option(command)
    return command


def tenancy(command: Command) -> Command:
    """Add --user and --tenant."""
    tenant = click.option("--tenant", metavar="TENANT", help="Another platform's memory, such as discord:1234.")
    return click.option("--user", metavar="NAME", help="Whose memory; default: your login name.")(tenant(command))


@asynccontextmanager
async def managing(config: Settings, tenant: str | None = None, *, narrow: bool = False) -> AsyncIterator[Managed]:
    """Open memory for whoever runs the bot."""
    observe.configure(config.log_level)
    narrow = narrow or config.recall_from == "conversation"
    scope = terminal.scope(config.user, config.conversation, narrow=narrow)
    async with AsyncExitStack() as stack:
        with starting() as progress:
            memory = await stack.enter_async_context(wiring.opened_memory(config, progress))
        yield Managed(
            Here(scope, memory, config.timezone, owner=True, at=At.TERMINAL), Operator(tenant or scope.tenant)
        )


def conditions(config: Settings, since: str | None, until: str | None, **given: str | None) -> Which:
    """Return which turns the options mean."""
    now = datetime.now(UTC)
    return Which(
        person=given.get("person"),
        conversation=given.get("conversation"),
        since=None if since is None else moment(since, config.timezone, now),
        until=None if until is None else moment(until, config.timezone, now),
    )


def agreed(question: str) -> None:
    """Ask; leaves the command where the answer is no, or where nobody can be asked."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Say so with --yes: nobody can be asked here")
    if not click.confirm(question, err=True):
        click.echo("Nothing is forgotten.", err=True)
        sys.exit(1)
