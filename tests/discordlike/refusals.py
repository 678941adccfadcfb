"""Errors as Discord words them: a status, a code and a message, sometimes the fields at fault."""

from typing import Any

WORDS = {
    0: (401, "401: Unauthorized"),
    10003: (404, "Unknown Channel"),
    10004: (404, "Unknown Guild"),
    10007: (404, "Unknown Member"),
    10008: (404, "Unknown Message"),
    10013: (404, "Unknown User"),
    10015: (404, "Unknown Webhook"),
    10062: (404, "Unknown interaction"),
    10063: (404, "Unknown application command"),
    30046: (429, "Maximum number of edits to messages older than 1 hour reached. Try again later."),
    40005: (413, "Request entity too large"),
    40060: (400, "Interaction has already been acknowledged."),
    50001: (403, "Missing Access"),
    50003: (403, "Cannot execute action on a DM channel"),
    50005: (403, "Cannot edit a message authored by another user"),
    50006: (400, "Cannot send an empty message"),
    50007: (403, "Cannot send messages to this user"),
    50013: (403, "Missing Permissions"),
    50016: (400, "Provided too few or too many messages to delete. Must provide at least 2 and at most 100 messages."),
    50021: (403, "Cannot execute action on a system message"),
    50024: (400, "Cannot execute action on this channel type"),
    50027: (401, "Invalid Webhook Token"),
    50034: (400, "You can only bulk delete messages that are under 14 days old."),
    50035: (400, "Invalid Form Body"),
    50083: (400, "Thread is archived"),
    160002: (400, "You cannot reply without permission to read message history."),
    160004: (400, "A thread has already been created for this message."),
}


class Refused(Exception):
    """The server's "no", with its JSON code."""

    def __init__(self, code: int, *, errors: dict[str, Any] | None = None, retry_after: float | None = None) -> None:
        super().__init__(code)
        self.status, words = WORDS[code]
        self.body: dict[str, Any] = {"message": words, "code": code}
        if errors:
            self.body["errors"] = errors
        if retry_after is not None:
            self.body |= {"retry_after": retry_after, "global": False}


def bad_form(field: str, code: str, message: str) -> Refused:
    """Return a 50035 that points at a field, such as `content` or `0.name`."""
    errors: dict[str, Any] = {"_errors": [{"code": code, "message": message}]}
    for part in reversed(field.split(".")):
        errors = {part: errors}
    return Refused(50035, errors=errors)


def too_long(field: str, limit: int) -> Refused:
    return bad_form(field, "BASE_TYPE_MAX_LENGTH", f"Must be {limit} or fewer in length.")
