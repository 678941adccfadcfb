"""What Slack checks of messages and views before it takes them."""

from collections import Counter
from typing import Any

from tests.slacklike import blocks as kit
from tests.slacklike.records import Json
from tests.slacklike.refusals import Refused, bad_arguments, bad_blocks
from tests.slacklike.rules import Rules

LIMITS = {"section": 3000, "header": 150}
MESSAGE_BLOCKS, VIEW_BLOCKS = 50, 100


def check_message(call: Json, rules: Rules, *, text_limit: int) -> None:
    """Raise no_text, msg_too_long, invalid_blocks, ... for what is wrong with a message."""
    text, markdown = call.get("text") or "", call.get("markdown_text")
    blocks, attachments = call.get("blocks") or [], call.get("attachments") or []
    if markdown is not None:
        if text or blocks:
            raise Refused("markdown_text_conflict")
        check_markdown(markdown, rules)
    elif not (text or blocks or attachments):
        raise Refused("no_text")
    if len(text) > text_limit:
        raise Refused("msg_too_long")
    check_blocks(blocks, rules)
    check_metadata(call.get("metadata"))


def check_markdown(text: str, rules: Rules) -> None:
    if len(text) > rules.markdown_characters:
        raise Refused("msg_too_long")


def check_metadata(metadata: Any) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_type"), str):
        raise Refused("invalid_metadata_format")
    if not isinstance(metadata.get("event_payload"), dict):
        raise Refused("invalid_metadata_format")


def check_blocks(blocks: Any, rules: Rules, most: int = MESSAGE_BLOCKS) -> None:
    """Raise invalid_blocks with the reasons, or msg_blocks_too_long."""
    if not isinstance(blocks, list):
        raise Refused("invalid_blocks_format")
    wrong = [f"no more than {most} items allowed [json-pointer:/blocks]"] if len(blocks) > most else []
    for at, block in enumerate(blocks):
        wrong += [f"{what} [json-pointer:/blocks/{at}]" for what in _faults(block, rules)]
    named = Counter(block["block_id"] for block in blocks if block.get("block_id"))
    wrong += [f"block_id already exists: {name}" for name, count in named.items() if count > 1]
    used = Counter((block.get("block_id", at), element["action_id"]) for at, block, element in _used(blocks))
    wrong += [f"action_id already exists in the block: {name}" for (_, name), count in used.items() if count > 1]
    if wrong:
        raise bad_blocks(*wrong)
    if most == MESSAGE_BLOCKS and kit.characters(blocks) > rules.block_characters:
        raise Refused("msg_blocks_too_long")


def _used(blocks: list[Json]) -> list[tuple[int, Json, Json]]:
    return [(at, block, element) for at, block in enumerate(blocks) for _, element in kit.elements([block])]


def _faults(block: Json, rules: Rules) -> list[str]:
    """Return what is wrong with a block."""
    kind = block.get("type")
    if not kind:
        return ["missing required field: type"]
    wrong = []
    if kind == "markdown" and not 0 < len(block.get("text") or "") <= rules.markdown_characters:
        wrong.append(f"must be more than 0 and less than {rules.markdown_characters + 1} characters")
    text = (block.get("text") or {}).get("text", "") if kind in LIMITS else ""
    if kind in LIMITS and len(text) > LIMITS[kind]:
        wrong.append(f"must be less than {LIMITS[kind] + 1} characters")
    if kind in LIMITS and not text and not block.get("fields"):
        wrong.append("must be more than 0 characters")
    if len(block.get("block_id") or "") > 255:
        wrong.append("block_id must be less than 256 characters")
    if kind == "actions" and not 0 < len(block.get("elements") or []) <= 25:
        wrong.append("must provide 1 to 25 elements")
    if kind == "context" and not 0 < len(block.get("elements") or []) <= 10:
        wrong.append("must provide 1 to 10 elements")
    for item in kit.walk(block):
        wrong += _element_faults(item)
    return wrong


def _element_faults(item: Json) -> list[str]:
    wrong = []
    if item.get("type") in ("plain_text", "mrkdwn") and not 0 < len(item.get("text") or "") <= 3000:
        wrong.append("text must be more than 0 and less than 3001 characters")
    if item.get("type") == "input" and len((item.get("label") or {}).get("text", "")) > 2000:
        wrong.append("label must be less than 2001 characters")
    if item.get("type") == "plain_text_input":
        most = item.get("max_length", 3000)
        if not 1 <= most <= 3000:
            wrong.append("max_length must be 1 to 3000")
        if len(item.get("initial_value") or "") > most:
            wrong.append("initial_value must not be longer than max_length")
    if len(item.get("action_id") or "") > 255:
        wrong.append("action_id must be less than 256 characters")
    if len(item.get("options") or []) > 100:
        wrong.append("no more than 100 options allowed")
    if item.get("type") == "button":
        if not 0 < len((item.get("text") or {}).get("text", "")) <= 75:
            wrong.append("button text must be more than 0 and less than 76 characters")
        if len(item.get("value") or "") > 2000:
            wrong.append("button value must be less than 2001 characters")
    return wrong


def check_view(view: Any, rules: Rules, *, kind: str) -> None:
    """Raise invalid_arguments for what Slack would not show."""
    if not isinstance(view, dict) or view.get("type") != kind:
        raise bad_arguments(f"view type must be {kind} [json-pointer:/view/type]")
    wrong = []
    for name in ("title", "submit", "close"):
        if len((view.get(name) or {}).get("text", "")) > 24:
            wrong.append(f"must be less than 25 characters [json-pointer:/view/{name}/text]")
    if kind == "modal" and not view.get("title"):
        wrong.append("missing required field: title [json-pointer:/view]")
    if len(view.get("private_metadata") or "") > 3000:
        wrong.append("must be less than 3001 characters [json-pointer:/view/private_metadata]")
    if len(view.get("callback_id") or "") > 255:
        wrong.append("must be less than 256 characters [json-pointer:/view/callback_id]")
    inputs = [block for block in view.get("blocks") or [] if block.get("type") == "input"]
    if kind == "modal" and inputs and not view.get("submit"):
        wrong.append("submit is required when an input block is within blocks [json-pointer:/view]")
    if wrong:
        raise bad_arguments(*wrong)
    check_blocks(view.get("blocks") or [], rules, VIEW_BLOCKS)
