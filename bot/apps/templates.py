"""Templates that come from outside: {{variables}}, filters and conditions, and nothing that could take long.

Jinja2's sandbox keeps a template from reaching out; but anybody who may create an app could still keep us busy for
hours or fill our memory, with loops in loops or long products. So only what cannot is taken.
"""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, StrictUndefined, Template, TemplateError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bot.errors import PromptError

LONGEST = 100_000  # characters
DEEPEST = 3  # filters upon filters: each may lengthen what it is given

_TAKEN = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem),
    *(nodes.If, nodes.For, nodes.Filter, nodes.Test, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.Concat),
    *(nodes.And, nodes.Or, nodes.Not),
)
_FILTERS = frozenset(
    "capitalize count d default first float int last length list lower reverse round sort string title tojson trim "
    "truncate unique upper".split()
)


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
    try:
        template: Template = _environment().from_string(source)
        return template.render(dict(given))
    except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError) as error:
        raise PromptError(f"{what} cannot be rendered: {error}") from error


def _parsed(source: str, what: str) -> nodes.Template:
    if len(source) > LONGEST:
        raise PromptError(f"{what} has {len(source):,} characters; {LONGEST:,} are the most")
    try:
        tree = _environment().parse(source)
    except (TemplateError, RecursionError) as error:
        raise PromptError(f"{what} is not a valid template: {error}") from error
    _check(tree, what, loops=0, filters=0)
    return tree


def _check(node: nodes.Node, what: str, *, loops: int, filters: int) -> None:
    loops += isinstance(node, nodes.For)
    filters += isinstance(node, nodes.Filter)
    if not isinstance(node, _TAKEN):
        raise PromptError(f"{what} may not use {type(node).__name__.lower()}; variables, filters, if and for will do")
    if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
        raise PromptError(f"{what} may not use the filter {node.name}; these will do: {', '.join(sorted(_FILTERS))}")
    if loops > 1 or filters > DEEPEST:
        raise PromptError(f"{what} nests loops, or more than {DEEPEST} filters")
    for child in node.iter_child_nodes():
        _check(child, what, loops=loops, filters=filters)


def _environment() -> Environment:
    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
