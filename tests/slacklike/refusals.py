"""Errors as Slack words them: HTTP 200, `ok: false` and a name."""

from typing import Any


class Refused(Exception):
    """The server's "no"."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.error = error
        self.body: dict[str, Any] = {"ok": False, "error": error, **more}


def bad_arguments(*messages: str) -> Refused:
    """Return an invalid_arguments that says what is wrong with which."""
    said = [f"[ERROR] {message}" for message in messages]
    return Refused("invalid_arguments", response_metadata={"messages": said})


def bad_blocks(*messages: str) -> Refused:
    said = [f"[ERROR] {message}" for message in messages]
    return Refused("invalid_blocks", errors=list(messages), response_metadata={"messages": said})


def missing_scope(needed: str, provided: frozenset[str]) -> Refused:
    return Refused("missing_scope", needed=needed, provided=",".join(sorted(provided)))
