"""Which parameters a server takes: OpenAI renamed one, and not every compatible server knows the others."""

import re
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

Limit = Literal["max_completion_tokens", "max_tokens"]
LIMITS: frozenset[str] = frozenset(get_args(Limit))
_OTHER: dict[Limit, Limit] = {"max_completion_tokens": "max_tokens", "max_tokens": "max_completion_tokens"}

# How servers say that they don't know a parameter. A complaint about its value names it too, but in other words.
_UNKNOWN = re.compile(r"support|unrecogni[sz]ed|unknown|unexpected|extra|permitted", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """limit: what the limit of a reply is called; usage: whether to ask for token counts."""

    limit: Limit
    usage: bool = True

    def parameters(self, max_tokens: int | None) -> dict[str, Any]:
        """Return the parameters in this dialect; without a limit where none is given."""
        asked: dict[str, Any] = {} if max_tokens is None else {self.limit: max_tokens}
        if self.usage:
            asked["stream_options"] = {"include_usage": True}
        return asked

    def adapted(self, complaint: str) -> "Dialect | None":
        """Return the dialect to try after a server's complaint; None where the complaint is about something else."""
        if not _UNKNOWN.search(complaint):
            return None
        if self.usage and "stream_options" in complaint:
            return replace(self, usage=False)
        if re.search(rf"\b{self.limit}\b", complaint):
            return replace(self, limit=_OTHER[self.limit])
        return None
