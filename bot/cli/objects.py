"""What `lorebot llm`, `store` and `app` share: whose object, how it is made, how it is shown."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from bot import settings
from bot.cli.shared import as_json, asynchronous, starting
from bot.errors import ObjectError, ObjectMissing
from bot.platforms.screens import clean
from bot.registry import wiring
from bot.registry.objects import DEFAULT, OPERATOR, Created, Kind, Named
from bot.registry.parameters import from_json
from bot.registry.secrets import hidden

Command = TypeVar("Command", bound=Callable[..., Any])


def owned(command: Command) -> Command:
    """Add --tenant."""
    return click.option(
        "--tenant",
        metavar="TENANT",
        default=OPERATOR,
        help="A tenant's own, such as discord:1234; default: yours, as whoever runs the bot.",
    )(command)


def making(command: Command) -> Command:
    """Add what every `create` takes."""
    command = click.option(
        "--replace", is_flag=True, help="Make it anew where there is one; a store loses what it holds."
    )(command)
    command = click.option("--shared", is_flag=True, help="Let every tenant use it.")(command)
    command = click.option("--params", metavar="JSON", help="Parameters as a JSON object.")(command)
    command = click.option(
        "-p",
        "--param",
        "single",
        multiple=True,
        metavar="NAME=VALUE",
        help="One parameter, dots for nested ones: -p chat.model=gpt-4.1",
    )(command)
    return owned(command)


def _json(text: str) -> Any:
    """Read a value as JSON; what is none is a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def parameters(
    params: str | None, single: Sequence[str], *, option: str = "--param", read: Callable[[str], Any] = _json
) -> dict[str, Any]:
    """Return the parameters of --params with those of --param, or another option, put in; read: how values are."""
    found = from_json(params, "--params") if params else {}
    for one in single:
        path, equals, value = one.partition("=")
        if not equals or not path:
            raise click.UsageError(f"{option} {path}: NAME=VALUE is wanted")
        at = found
        *outer, name = path.split(".")
        for part in outer:
            at = at.setdefault(part, {})
            if not isinstance(at, dict):
                raise click.UsageError(f"{option} {path}: {part} has a value already")
        at[name] = read(value)
    return found


def told(created: Created, kind: Kind, name: str) -> None:
    """Say what came of creating. Raises ObjectError where there is one already."""
    if not created.made:
        raise ObjectError(f"there is {kind.article} {kind.spoken} called {name} already; make it anew with --replace")
    print(f"The {kind.spoken} {name} is {'made anew' if created.replaced else 'made'}.")


def noun(kind: Kind) -> tuple[click.Command, click.Command, click.Command]:
    """Return the commands list, show and remove for a kind of object."""

    @click.command("list", help=f"List your {kind.spoken}s, by name.\n\n\b\nExample:\n  lorebot {kind} list")
    @owned
    @as_json
    @asynchronous
    async def list_(tenant: str, json_: bool) -> None:
        with starting() as progress:
            opening = wiring.opened(settings.load(), progress)
            async with opening as registry:
                if kind is Kind.LLM:
                    found = await registry.models.list(owner=tenant)
                else:
                    found = await registry.objects.list(kind, owner=tenant)
        if json_:
            print(json.dumps([shown(one) for one in found], ensure_ascii=False))
        elif not found:
            print(f"There is no {kind.spoken} yet; see `lorebot {kind} create --help`.")
        for one in found if not json_ else ():
            whose = "" if one.owner == tenant else "  (shared)"
            print(clean(f"{one.name}  {one.type}{whose}"))

    @click.command(
        "show", help=f"Show a {kind.spoken} and what it was made with.\n\n\b\nExample:\n  lorebot {kind} show hello"
    )
    @click.argument("name")
    @owned
    @as_json
    @asynchronous
    async def show_(name: str, tenant: str, json_: bool) -> None:
        with starting() as progress:
            async with wiring.opened(settings.load(), progress) as registry:
                if kind is Kind.LLM:
                    one = await registry.models.find(name, owner=tenant)
                else:
                    one = await registry.objects.get(kind, name, owner=tenant)
                size = await registry.stores.size(name, owner=tenant) if kind is Kind.STORE else None
        facts = {**shown(one), **({} if size is None else {"size": size})}
        if json_:
            print(json.dumps(facts, ensure_ascii=False))
            return
        for key, value in facts.items():
            print(clean(f"{key}: {_line(key, value)}"))

    @click.command("remove", help=f"Remove a {kind.spoken}.\n\n\b\nExample:\n  lorebot {kind} remove hello")
    @click.argument("name")
    @owned
    @asynchronous
    async def remove(name: str, tenant: str) -> None:
        with starting() as progress:
            async with wiring.opened(settings.load(), progress) as registry:
                if kind is Kind.STORE:
                    gone = await registry.stores.remove(name, owner=tenant)
                else:
                    gone = await registry.objects.remove(name, kind=kind, owner=tenant) is not None
        if not gone:
            raise ObjectMissing(f"there is no {kind.spoken} called {name}; see `lorebot {kind} list`")
        print(clean(f"The {kind.spoken} {name} is removed."))

    return list_, show_, remove


def _line(key: str, value: object) -> str:
    if key == "owner":
        return str(value or "whoever runs the bot")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return json.dumps(value, ensure_ascii=False, indent=2) if isinstance(value, Mapping) else str(value)


def shown(one: Named) -> dict[str, Any]:
    """Return an object as --json prints it, without keys."""
    return {
        "name": one.name,
        "kind": one.kind.value,
        "type": one.type,
        "owner": one.owner or None,
        "shared": one.shared or one.name == DEFAULT == one.version,
        "params": hidden(one.params),
    }
