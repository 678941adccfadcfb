"""What can be used in blocks, and what it says once it is used."""

from typing import Any

from tests.slacklike import blocks as kit
from tests.slacklike.records import Json


def find_element(blocks: list[Json], name: str) -> tuple[str, Json]:
    """Return an element and the id of its block, by label, action_id or block_id."""
    for block in blocks:
        for block_id, element in kit.elements([block]):
            labels = (element.get("text"), block.get("label"))
            called = [one["text"] for one in labels if isinstance(one, dict)]
            if name in (element["action_id"], block_id, *called):
                return block_id, element
    raise LookupError(f"there is no {name!r} to use")


def chosen(element: Json, value: Any) -> Json:
    """Return what an element says once it is used: its own value, what is chosen, or what is typed."""
    kind = element["type"]
    if kind == "button":
        return {"value": element["value"]} if "value" in element else {}
    if kind in ("plain_text_input", "number_input", "email_text_input", "url_text_input"):
        return {"value": value}
    options = {option["value"]: option for option in element.get("options") or []}
    if kind in ("checkboxes", "multi_static_select"):
        return {"selected_options": [options[one] for one in value]}
    if kind in ("static_select", "radio_buttons", "overflow"):
        return {"selected_option": options[value]}
    if kind == "feedback_buttons":
        return {"value": value}
    return {f"selected_{kind.removesuffix('_select')}": value}
