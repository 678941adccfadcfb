"""How a chat remembers a long conversation: what is summarised, and how much of it a prompt shows."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from bot.errors import SettingsError
from memory.pending import Due
from memory.scope import Audience, Scope

MOST = 1000  # messages of one summary; a window shows at most 2,000 that await one


@dataclass(frozen=True, slots=True)
class History:
    """The history of a chat application, by redis-llm's names.

    summary_cnt: after so many new messages the oldest of them are summarised, so many together; 0: none are.
    summary_ctx_cnt: the summaries that fit a message best, shown with it, at most. msg_ctx_cnt: the latest messages,
    shown too; those that are in no summary yet always are. summary_prompt: a template of `conversation`, for whoever
    makes the summaries; None: the prompt `summary`.

    Raises SettingsError for numbers that make no sense.
    """

    summary_cnt: int = 20
    summary_ctx_cnt: int = 1
    msg_ctx_cnt: int = 10
    summary_prompt: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no history can be kept by."""
        for name in ("summary_cnt", "summary_ctx_cnt", "msg_ctx_cnt"):
            if not 0 <= getattr(self, name) <= MOST:
                raise SettingsError(f"{name} must be from 0 to {MOST}; got {getattr(self, name)}")

    @property
    def shown(self) -> int:
        """How many summaries a prompt shows, at most."""
        return self.summary_ctx_cnt if self.summary_cnt else 0

    def due(self, app: str, scope: Scope) -> Due | None:
        """Return when a conversation is to be summarised, and what the worker is told then; None: never."""
        return Due(self.summary_cnt, Task(app, scope).line()) if self.summary_cnt else None


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker needs to know to summarise a conversation. app: the name of whoever knows how."""

    app: str
    scope: Scope

    def line(self) -> str:
        """Return it as JSON. It names nobody: a job may outlive what somebody wants forgotten."""
        nobody = replace(self.scope, person="lorebot")
        return json.dumps({"app": self.app, "scope": asdict(nobody)}, ensure_ascii=False)


def read_task(line: str) -> Task:
    """Read what `Task.line` wrote; raises ValueError, KeyError or TypeError where it was written by another version."""
    found: dict[str, Any] = json.loads(line)
    scope = found["scope"]
    return Task(found["app"], Scope(**{**scope, "audience": Audience(scope["audience"])}))
