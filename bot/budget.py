"""What fits into the model's context. Pure functions over token counts."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from bot.models.base import Message, Tokenizer
from memory.words import words

T = TypeVar("T")

# What a chat message takes beside its text, and a prompt beside its messages. OpenAI's cookbook ("How to count tokens
# with tiktoken") gives 3 a message, the role's token and 3 at the end; ChatML templates of local models take 5, and a
# text's edge may split otherwise beside the template than it does alone.
PER_MESSAGE = 6
PER_PROMPT = 3

ALIKE = 0.85  # of all the words of two texts; those that share more say the same


def fit(items: Iterable[T], room: int, cost: Callable[[T], int]) -> list[T]:
    """Return the longest beginning of `items` that fits into `room`."""
    taken: list[T] = []
    for item in items:
        room -= cost(item)
        if room < 0:
            break
        taken.append(item)
    return taken


def choose(items: Iterable[T], room: int, cost: Callable[[T], int], value: Callable[[T], float], most: int) -> list[T]:
    """Return at most so many items that fit into `room`, those of the most value for their cost, in their order.

    The cost counts by its square root: what is long must be worth it, but nothing is taken for being short alone.
    """
    known = list(items)
    order = sorted(range(len(known)), key=lambda at: -value(known[at]) / math.sqrt(max(cost(known[at]), 1)))
    taken: list[int] = []
    for at in order:
        price = cost(known[at])
        if price <= room and len(taken) < most:
            room -= price
            taken.append(at)
    return [known[at] for at in sorted(taken)]


def distinct(items: Iterable[T], text: Callable[[T], str], beside: Iterable[str] = ()) -> list[T]:
    """Return the items without those that say nearly the same as one before them, or as a text beside them."""
    said = [frozenset(words(one)) for one in beside]
    kept: list[T] = []
    for item in items:
        mine = frozenset(words(text(item)))
        if not any(_alike(mine, other) for other in said):
            said.append(mine)
            kept.append(item)
    return kept


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) >= ALIKE * max(len(one | other), 1)


def message_cost(text: str, tokenizer: Tokenizer) -> int:
    """Return the tokens of one message of a prompt."""
    return PER_MESSAGE + tokenizer.count(text)


def prompt_cost(messages: Sequence[Message], tokenizer: Tokenizer, image_tokens: int = 0) -> int:
    """Return the tokens of a whole prompt. image_tokens: what each image in it takes."""
    images = sum(len(message.images) for message in messages)
    return PER_PROMPT + images * image_tokens + sum(message_cost(message.content, tokenizer) for message in messages)
