"""Templates that come from outside: {{variables}}, filters and conditions, and nothing that could take long.

Jinja2's sandbox keeps a template from reaching out; but anybody who may create an app could still keep us busy for
hours or fill our memory, with loops in loops or long products. So only what cannot is taken, and what is left of it
has a ration (rations.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bot.apps.rations import Ration
from bot.errors import PromptError

LONGEST = 100_000  # characters
MOST_PARTS = 2000  # a template is compiled each time, in 0.1 ms a part
DEEPEST = 3  # filters upon filters: each may lengthen what it is given
NESTED = 30  # parts in parts; Python compiles about 100

_TAKEN = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem),
    *(nodes.If, nodes.For, nodes.Filter, nodes.Test, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And),
    *(nodes.Or, nodes.Not),
)
_FILTERS = frozenset(
    "capitalize count d default first float int last length list lower reverse round sort string title tojson trim "
    "truncate unique upper".split()
)
_TESTS = frozenset(
    "boolean defined even false float integer iterable mapping none number odd sequence string true undefined".split()
)
_FAULTS = (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError, RecursionError)


def variables(source: str, what: str) -> frozenset[str]:
    """Return the names of a template's variables. what: whose template, for PromptError where it is none."""
    return frozenset(meta.find_undeclared_variables(_parsed(source, what)))


def fill(source: str, given: Mapping[str, Any], what: str) -> str:
    """Return the template with its variables filled in.

    Raises PromptError naming every variable that is missing, or what else is wrong.
    """
    missing = sorted(variables(source, what) - given.keys())
    if missing:
        raise PromptError(f"{what} uses variables that are not given: {', '.join(missing)}")
    tree, ration = _parsed(source, what), Ration(what, given)
    ration.within(tree)
    try:
        template: Template = _environment(ration).from_string(tree)
        return "".join(ration.counted(template.generate(dict(given))))
    except _FAULTS as error:
        raise PromptError(f"{what} cannot be rendered: {error}") from error


@dataclass(frozen=True, slots=True)
class Own:
    """A template of somebody's own in the place of one of bot/prompts.py. told: variables of its own."""

    source: str
    what: str
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def wanted(self) -> frozenset[str]:
        """The names of its variables. Raises PromptError where it is none."""
        return variables(self.source, self.what)

    def render(self, **given: Any) -> str:
        """Return it with its variables filled in; raises what `fill` raises."""
        return fill(self.source, {**self.told, **given}, self.what)


def _parsed(source: str, what: str) -> nodes.Template:
    if len(source) > LONGEST:
        raise PromptError(f"{what} has {len(source):,} characters; {LONGEST:,} are the most")
    try:
        tree = _environment(Ration(what, {})).parse(source)
    except (TemplateError, RecursionError) as error:
        raise PromptError(f"{what} is not a valid template: {error}") from error
    parts = _check(tree, what, loops=0, filters=0, deep=0)
    if parts > MOST_PARTS:
        raise PromptError(f"{what} has {parts:,} variables, filters and blocks; {MOST_PARTS:,} are the most")
    return tree


def _check(node: nodes.Node, what: str, *, loops: int, filters: int, deep: int) -> int:
    """Return how many parts there are. Raises PromptError for what is not taken."""
    loops += isinstance(node, nodes.For)
    filters += isinstance(node, nodes.Filter)
    if not isinstance(node, _TAKEN):
        raise PromptError(f"{what} may not use {type(node).__name__.lower()}; variables, filters, if and for will do")
    if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
        raise PromptError(f"{what} may not use the filter {node.name}; these will do: {', '.join(sorted(_FILTERS))}")
    if isinstance(node, nodes.Test) and node.name not in _TESTS:
        raise PromptError(f"{what} may not use the test {node.name}; these will do: {', '.join(sorted(_TESTS))}")
    if loops > 1 or filters > DEEPEST or deep > NESTED:
        raise PromptError(f"{what} nests loops, more than {DEEPEST} filters, or more than {NESTED} parts")
    children = node.iter_child_nodes()
    return 1 + sum(_check(child, what, loops=loops, filters=filters, deep=deep + 1) for child in children)


def _environment(ration: Ration) -> ImmutableSandboxedEnvironment:
    """Return a sandbox whose filters are counted: Jinja2 runs those of constants while it looks at a template."""
    found = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    found.filters = ration.filters({name: found.filters[name] for name in _FILTERS})
    return found
