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
    """Return what may be recalled here: what carries a tag that is held here, unless it has been closed since."""
    held: dict[str, Argument] = {f"reach{number}": tag for number, tag in enumerate(scope.held)}
    clause = f"@reach:{{{_names(held)}}}"
    shut: dict[str, Argument] = {
        f"closed{number}": tag for number, tag in enumerate(sorted(closed.difference(scope.held)))
    }
    if not shut:
        return Within(clause, held)
    own = "@conversation_tag:{$reach0}"  # the first tag held; its own turns are recalled whatever else they carry
    return Within(f"({own}|({clause} -@reach:{{{_names(shut)}}}))", {**held, **shut})


def theirs(scope: Scope, closed: Closed) -> Within:
    """Return what may be recalled here, and wherever it was said, what the person said and what answers them."""
    recalled = reach(scope, closed)
    return Within(f"({recalled.clause}|@person_tag:{{$me}})", {**recalled.params, "me": scope.person_tag})


def everything(operator: Operator) -> Within:
    """Return all that a tenant has."""
    return Within("@tenant_tag:{$tenant}", {"tenant": tag("tenant", operator.tenant)})


def _names(params: Mapping[str, Argument]) -> str:
    return "|".join(f"${name}" for name in params)
