"""The simple app: a prompt with its variables, what is put in, or both."""

from collections.abc import Mapping
from typing import Any

from bot.apps import templates
from bot.errors import ObjectError
from bot.models.base import Message


def compose(prompt: str | None, given: Mapping[str, Any], put_in: str, name: str) -> list[Message]:
    """Return the prompt: the template filled in, and below it what is put in, unless the template holds {{input}}.

    Raises PromptError naming every variable that is missing, ObjectError where nothing is asked.
    """
    what = f"the prompt of {name}"
    text = put_in
    if prompt is not None:
        holds_input = "input" in templates.variables(prompt, what)
        filled = templates.fill(prompt, {"input": put_in, **given} if put_in or holds_input else given, what)
        text = filled if holds_input else "\n\n".join(part for part in (filled, put_in) if part)
    if not text.strip():
        raise ObjectError(f"{name} has no prompt, so it needs an input")
    return [Message("user", text)]
