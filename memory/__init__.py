"""Long-term memory for conversations, in Redis: every turn embedded, indexed and recalled within its scope.

What people import stands here, and is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memory.connect import client as client
    from memory.embedder import Embedder as Embedder
    from memory.memory import Memory as Memory
    from memory.records import Context as Context
    from memory.records import Forgotten as Forgotten
    from memory.records import Recalled as Recalled
    from memory.records import Status as Status
    from memory.records import Turn as Turn
    from memory.records import Which as Which
    from memory.reranker import Reranker as Reranker
    from memory.scope import Audience as Audience
    from memory.scope import Operator as Operator
    from memory.scope import Scope as Scope
    from memory.server import EmbeddedServer as EmbeddedServer
    from memory.transfer import Exported as Exported
    from memory.transfer import read_jsonl as read_jsonl

_PLACES = {
    "memory.connect": ("client",),
    "memory.embedder": ("Embedder",),
    "memory.memory": ("Memory",),
    "memory.records": ("Context", "Forgotten", "Recalled", "Status", "Turn", "Which"),
    "memory.reranker": ("Reranker",),
    "memory.scope": ("Audience", "Operator", "Scope"),
    "memory.server": ("EmbeddedServer",),
    "memory.transfer": ("Exported", "read_jsonl"),
}
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}

__all__ = sorted(_PLACE_OF)


def __getattr__(name: str) -> Any:
    if name not in _PLACE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACE_OF[name]), name)
