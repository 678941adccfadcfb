"""What the bot asks of a model: stream a chat reply, count tokens, see images."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Image:
    """An image as it came: PNG, JPEG, GIF or WebP. media_type: such as image/png."""

    data: bytes = field(repr=False)
    media_type: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt. images: shown with it, to models that see."""

    role: Role
    content: str
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a reply, as it arrives."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a whole reply. `cut` says that the model stopped at its token limit.

    Token counts are the model's own; None where the server does not report them.
    """

    cut: bool = False
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Tokenizer(Protocol):
    """Counts tokens as a model would."""

    def count(self, text: str) -> int:
        """Return how many tokens `text` takes; text that looks like a special token counts as text."""
        ...

    def cut(self, text: str, tokens: int) -> str:
        """Return the longest beginning of `text` of at most `tokens` tokens, never splitting a character."""
        ...


class ChatModel(Protocol):
    """Streams replies."""

    @property
    def name(self) -> str:
        """The model's (or deployment's) name, as people know it."""
        ...

    @property
    def context_window(self) -> int:
        """Tokens that prompt and reply may take together."""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that prompts are budgeted with."""
        ...

    @property
    def sees(self) -> bool:
        """Whether the model takes images."""
        ...

    @property
    def image_tokens(self) -> int:
        """The tokens that one image takes of the context, at most."""
        ...

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> AsyncIterator[Piece | Finished]:
        """Yield the reply piece by piece, then one Finished; closing the iterator cancels the upstream call.

        Raises ModelError (its subclasses tell why) where the reply is not whole.
        """
        ...

    async def warm(self) -> None:
        """Make ready what takes time, so that the first reply need not wait; may raise what `stream` raises."""
        ...

    async def close(self) -> None:
        """Let go of connections and servers."""
        ...
