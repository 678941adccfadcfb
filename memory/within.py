"""What a scope may see, as the clause that every query carries: no query is built without one."""

from collections.abc import Mapping
from dataclasses import dataclass

from memory.batch import Argument
from memory.keys import tag
from memory.scope import Operator, Scope

Closed = frozenset[str]  # tags of conversations that fewer people read than their turns' reach still says


@dataclass(frozen=True, slots=True)
class Within:
    """The clause that every query carries, and its parameters. Only a Scope or an Operator gives one."""

    clause: str
    params: Mapping[str, Argument]


def reach(scope: Scope, closed: Closed) -> Within:
    """Return what may be recalled here: what carries a tag that is held here, unless it has been closed since.

    What was said right here is recalled whatever else it carries. The reach adds nothing to a turn's score.
    """
    held, shut = _held(scope), _shut(scope, closed)
    without = f" -(@reach:{{{_names(shut)}}} -@conversation_tag:{{$reach0}})" if shut else ""
    return Within(f"({_recalled(scope)})=>{{$weight:0}}{without}", {**held, **shut})


def turns(scope: Scope, closed: Closed) -> Within:
    """Return what may be recalled here, a turn each: their further passages carry no tenant's tag."""
    mine = reach(scope, closed)
    return Within(f"({mine.clause}) @tenant_tag:{{$tenant}}", {**mine.params, "tenant": tag("tenant", scope.tenant)})


def theirs(scope: Scope, closed: Closed) -> Within:
    """Return what may be recalled here, and wherever it was said, what the person said and what answers them."""
    held, shut = _held(scope), _shut(scope, closed)
    mine = "@person_tag:{$me}"
    without = f" -(@reach:{{{_names(shut)}}} -(@conversation_tag:{{$reach0}}|{mine}))" if shut else ""
    return Within(f"({_recalled(scope)}|{mine}){without}", {**held, **shut, "me": scope.person_tag})


def everything(operator: Operator) -> Within:
    """Return all that a tenant has."""
    return Within("@tenant_tag:{$tenant}", {"tenant": tag("tenant", operator.tenant)})


def _recalled(scope: Scope) -> str:
    """Return the clause for what is recalled here. An open thread carries its parent's tag: alone is without it."""
    return "@conversation_tag:{$reach0}" if scope.alone else f"@reach:{{{_names(_held(scope))}}}"


def _held(scope: Scope) -> dict[str, Argument]:
    """Name the tags that are held; the first is that of the conversation itself."""
    return {f"reach{number}": tag for number, tag in enumerate(scope.held)}


def _shut(scope: Scope, closed: Closed) -> dict[str, Argument]:
    """Name the tags that are closed and not held.

    They are taken out beside the union of what may be seen, never inside: where a union that holds a NOT meets another
    clause, RediSearch (2.10.5) loses turns that follow a long run of excluded ones.
    """
    return {f"closed{number}": tag for number, tag in enumerate(sorted(closed.difference(scope.held)))}


def _names(params: Mapping[str, Argument]) -> str:
    return "|".join(f"${name}" for name in params)
