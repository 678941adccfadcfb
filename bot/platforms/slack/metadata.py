"""What our messages carry unseen: which part of which answer they are, so that it is known after a crash."""

from collections.abc import Mapping
from typing import Any

EVENT = "lorebot_part"  # the type of what the parts of an answer carry
NO_REPLY = {"event_type": "lorebot_told", "event_payload": {}}  # what carries none may be a stream that was cut


def part(nonce: str, asked: str) -> dict[str, Any]:
    """Return what a part of an answer carries. asked: the time stamp of what is answered."""
    return {"event_type": EVENT, "event_payload": {"nonce": nonce, "asked": asked}}


def nonce(message: Mapping[str, Any]) -> str:
    """Return which part of its answer a message is; "" where that is not told."""
    return str(_payload(message).get("nonce") or "")


def asked(message: Mapping[str, Any]) -> str:
    """Return what a message answers, by its time stamp; "" where it is no part of an answer."""
    return str(_payload(message).get("asked") or "")


def _payload(message: Mapping[str, Any]) -> Mapping[str, Any]:
    found = message.get("metadata") or {}
    return (found.get("event_payload") or {}) if found.get("event_type") == EVENT else {}
