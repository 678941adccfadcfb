"""What fits into the model's context. Pure functions over token counts."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from bot.models.base import Message, Tokenizer

T = TypeVar("T")

# What a chat message takes beside its text, and a prompt beside its messages. OpenAI's cookbook ("How to count tokens
# with tiktoken") gives 3 a message, the role's token and 3 at the end; ChatML templates of local models take 5, and a
# text's edge may split otherwise beside the template than it does alone.
PER_MESSAGE = 6
PER_PROMPT = 3


def fit(items: Iterable[T], room: int, cost: Callable[[T], int]) -> list[T]:
    """Return the longest beginning of `items` that fits into `room`."""
    taken: list[T] = []
    for item in items:
        room -= cost(item)
        if room < 0:
            break
        taken.append(item)
    return taken


def fill(items: Iterable[T], room: int, cost: Callable[[T], int]) -> list[T]:
    """Return the items that fit into `room`, passing over those that do not."""
    taken: list[T] = []
    for item in items:
        price = cost(item)
        if price <= room:
            room -= price
            taken.append(item)
    return taken


def message_cost(text: str, tokenizer: Tokenizer) -> int:
    """Return the tokens of one message of a prompt."""
    return PER_MESSAGE + tokenizer.count(text)


def prompt_cost(messages: Sequence[Message], tokenizer: Tokenizer) -> int:
    """Return the tokens of a whole prompt."""
    return PER_PROMPT + sum(message_cost(message.content, tokenizer) for message in messages)
