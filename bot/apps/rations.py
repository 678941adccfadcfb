"""How much a template may do: a ration that grows with what it is given, so that nobody turns a little into a lot.

What a template reads, makes and repeats is counted in characters. Whatever takes longer than its length, or makes more
than that, is counted as that.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

from jinja2 import nodes

from bot.errors import PromptError

LEAST = 1_000_000  # characters, about 0.1 s
TIMES = 10  # what is given may be read and written so often
DIGITS = 20  # that `round` may be asked for: it makes a number of as many

Filter = Callable[..., Any]


class Ration:
    """What is left for one rendering."""

    def __init__(self, what: str, given: Mapping[str, Any]) -> None:
        """what: whose template, for the error. given: its variables."""
        self._what = what
        self._left = LEAST + TIMES * size(given)

    def spend(self, amount: int) -> None:
        """Raise PromptError where nothing is left."""
        self._left -= amount
        if self._left < 0:
            raise PromptError(f"{self._what} makes too much of what it is given; loop over less, and repeat less")

    def counted(self, pieces: Iterable[str]) -> Iterator[str]:
        """Yield what is written."""
        for piece in pieces:
            self.spend(len(piece))
            yield piece

    def within(self, tree: nodes.Template) -> None:
        """Change a template that has passed the check so that its loops and comparisons are counted."""
        for loop in tree.find_all(nodes.For):
            parts = sum(1 for _ in loop.find_all(nodes.Node))
            loop.iter = _counting(loop.iter, "steps", nodes.Const(parts))
        for compare in list(tree.find_all(nodes.Compare)):
            compare.expr = _counting(compare.expr, "seen")
            for operand in compare.ops:
                operand.expr = _counting(operand.expr, "seen")

    def filters(self, usual: Mapping[str, Filter]) -> dict[str, Filter]:
        """Return filters that are counted, and those that `within` puts in."""
        own = {"round": _round(usual["round"]), "tojson": _tojson(usual["tojson"]), "trim": self._trim}
        found = {name: self._spending(own.get(name, filter)) for name, filter in usual.items()}
        return {**found, "steps": self._steps, "seen": self._seen}

    def _spending(self, filter: Filter) -> Filter:
        @functools.wraps(filter)  # with the mark of those that take the environment
        def spending(*given: Any, **named: Any) -> Any:
            self.spend(size([*given, *named.values()]))
            made = filter(*given, **named)
            self.spend(size(made))
            return made

        return spending

    def _steps(self, items: Any, parts: int) -> list[Any]:
        found = list(self._seen(items))
        self.spend(len(found) * parts)
        return found

    def _seen(self, value: Any) -> Any:
        self.spend(size(value))
        return value

    def _trim(self, value: Any, chars: str | None = None) -> str:
        text = str(value)
        self.spend(len(text) * len(chars or ""))
        return text.strip(chars)


def size(value: Any) -> int:
    """Return how many characters and values a value has, all together."""
    total, rest = 0, [value]
    while rest:
        one = rest.pop()
        total += 1
        if isinstance(one, str):
            total += len(one)
        elif isinstance(one, Mapping):
            rest += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple | set | frozenset):
            rest += one
    return total


def _counting(value: nodes.Node, name: str, *arguments: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(cast("nodes.Expr", value), name, list(arguments), [], None, None, lineno=value.lineno)


def _round(usual: Filter) -> Filter:
    def rounded(value: float, precision: int = 0, method: str = "common") -> Any:
        if not isinstance(precision, int) or abs(precision) > DIGITS:
            raise ValueError(f"round takes at most {DIGITS} digits")
        return usual(value, precision, method)

    return rounded


def _tojson(usual: Filter) -> Filter:
    @functools.wraps(usual)
    def written(context: Any, value: Any) -> Any:
        return usual(context, value)

    return written
