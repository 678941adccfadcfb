"""What comes of running an app: the prompt, pieces of the answer, and how it ended."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from bot import budget
from bot.errors import MessageTooLong
from bot.models.base import ChatModel, Finished, Message, Piece
from bot.records import Notice, Tokens


@dataclass(frozen=True, slots=True)
class Composed:
    """The prompt that a model is about to be given."""

    messages: tuple[Message, ...]

    @property
    def text(self) -> str:
        """The prompt as one text."""
        return "\n\n".join(message.content for message in self.messages)


@dataclass(frozen=True, slots=True)
class Source:
    """An item of a vector store that an answer was made from. number: what the answer cites it by."""

    number: int
    id: int
    text: str


@dataclass(frozen=True, slots=True)
class Ran:
    """The end of a whole answer. sources: those that it cites."""

    answer: str
    model: str
    tokens: Tokens
    sources: tuple[Source, ...] = ()


async def ask(
    model: ChatModel, messages: Sequence[Message], *, reply_tokens: int
) -> AsyncIterator[Composed | Piece | Notice | Ran]:
    """Stream what a model answers to a prompt. Raises MessageTooLong, ModelError."""
    room = model.context_window - reply_tokens
    tokens = budget.prompt_cost(messages, model.tokenizer)
    if tokens > room:
        raise MessageTooLong(
            f"the prompt takes {tokens:,} tokens, the model {model.name} has room for {room:,}; shorten it, or take a "
            "model with a larger context"
        )
    yield Composed(tuple(messages))
    said: list[str] = []
    finished = Finished()
    async with aclosing(model.stream(messages, max_tokens=reply_tokens)) as pieces:  # type: ignore[type-var]
        async for piece in pieces:
            if isinstance(piece, Finished):
                finished = piece
            else:
                said.append(piece.text)
                yield piece
    text = "".join(said)
    if finished.cut:
        yield Notice(f"The answer was cut at {reply_tokens:,} tokens.")
    yield Ran(
        text,
        model.name,
        Tokens(
            prompt=finished.prompt_tokens or tokens,
            completion=finished.completion_tokens or model.tokenizer.count(text),
            budget=room,
        ),
    )
