"""What a reply is cut into, and how much fits into a message."""

from dataclasses import dataclass
from typing import Literal

from bot.delivery.fences import Fence


@dataclass(frozen=True, slots=True)
class Limit:
    """How much fits into one message. wide: what a character beyond U+FFFF counts. Raises ValueError below 100.

    With wide=2 it counts UTF-16 code units, which are never fewer than characters, however these are counted.
    fences_anywhere: three backticks begin and end code amid a line too, which CommonMark does not have.
    """

    characters: int
    wide: Literal[1, 2] = 1
    fences_anywhere: bool = False

    def __post_init__(self) -> None:
        """Refuse a message with no room for fences."""
        if self.characters < 100:
            raise ValueError(f"a message of {self.characters} characters is too short to cut into; use 100 or more")

    def size(self, text: str) -> int:
        """Return how much of the limit a text takes."""
        if self.wide == 1 or text.isascii():
            return len(text)
        return len(text.encode("utf-16-le", "surrogatepass")) // 2


# Discord counts code points, its staff say: https://github.com/discord/discord-api-docs/issues/1315
# Its code: /^```(?:([a-z0-9_+\-.#]+?)\n)?\n*([^\n][^]*?)\n*```/i, wherever that begins.
DISCORD = Limit(2000, fences_anywhere=True)
# The limit of a Markdown block. Slack does not say what it counts, so the larger count is taken. A few blocks together
# are refused at about 13,200: https://github.com/slackapi/bolt-js/issues/2509
SLACK = Limit(12_000, wide=2)


@dataclass(frozen=True, slots=True)
class Open:
    """What is open where a part ends. table: its header, two lines with their line breaks."""

    fence: Fence | None = None
    table: str = ""

    @property
    def head(self) -> str:
        """What opens it again."""
        return f"{self.fence.opening}\n" if self.fence else self.table


@dataclass(frozen=True, slots=True)
class Part:
    """A message: text[start:end] of the reply, shown as `shown`; never blank, never beyond the limit."""

    start: int
    end: int
    shown: str
    open: Open = Open()
