"""Arguments of LLM.* as people write them: `--NAME value` anywhere, in any case, and what is left over."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.errors import CommandError

_OPTION = re.compile(r"--[A-Za-z][A-Za-z_-]*")


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a command was given. flags: options without a value; values: those with one; both in upper case."""

    plain: tuple[str, ...]
    flags: frozenset[str]
    values: Mapping[str, str]

    def text(self, name: str) -> str | None:
        """Return an option's value."""
        return self.values.get(name)

    def number(self, name: str, default: int, *, least: int = 0, most: int = 2**64 - 1) -> int:
        """Return an option's value as a whole number. Raises CommandError naming the option."""
        return default if name not in self.values else whole(self.values[name], name, least=least, most=most)


def parse(
    command: str,
    given: Sequence[bytes],
    *,
    options: Sequence[str] = (),
    flags: Sequence[str] = (),
    least: int = 1,
    most: int = 1,
) -> Arguments:
    """Read what follows a command's name; least, most: how many arguments beside options. After `--` none is an option.

    Raises CommandError naming the option that is unknown, given twice or without its value.
    """
    plain: list[str] = []
    found: dict[str, str] = {}
    raised: set[str] = set()
    rest = iter([text(one, command) for one in given])
    for one in rest:
        name = one.upper()
        if one == "--":
            plain += rest
        elif name in flags:
            raised.add(name)
        elif name in options:
            value = next(rest, None)
            if value is None or name in found:
                raise CommandError(f"{command}: {name} {'needs a value' if value is None else 'is given twice'}")
            found[name] = value
        elif _OPTION.fullmatch(one):
            known = ", ".join([*flags, *options]) or "none"
            raise CommandError(f"{command} has no option {one}; it has: {known}")
        else:
            plain.append(one)
    if not least <= len(plain) <= most:
        raise CommandError(f"wrong number of arguments for '{command.lower()}' command")
    return Arguments(tuple(plain), frozenset(raised), found)


def text(raw: bytes, command: str) -> str:
    """Decode an argument. Raises CommandError where it is not UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise CommandError(f"{command}: an argument is not UTF-8") from None


def whole(value: str, name: str, *, least: int = 0, most: int = 2**64 - 1) -> int:
    """Read a whole number. Raises CommandError naming the option."""
    if not re.fullmatch(r"[+-]?\d{1,20}", value, re.ASCII) or not least <= int(value) <= most:
        raise CommandError(f"{name}: a whole number from {least} to {most} is wanted")
    return int(value)
