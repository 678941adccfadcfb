"""What the gateway asks of whoever answers `LLM.*`, and what it answers with."""

from collections.abc import Mapping, Sequence
from typing import Protocol, Union

Reply = Union[int, float, str, bytes, "Simple", Mapping[str, "Reply"], Sequence["Reply"], None]


class Simple(str):
    """A simple string, such as OK; other texts travel as bulk strings."""

    __slots__ = ()


OK = Simple("OK")


class Commands(Protocol):
    """Answers commands of its own, and keeps objects that live beside the keys of Redis.

    Keys are bytes as the client sent them. Whatever is raised is told the client: a LoreError by its text, anything
    else as an internal error.
    """

    @property
    def names(self) -> frozenset[str]:
        """The commands answered here, in upper case: "LLM.RUN"."""
        ...

    async def run(self, name: str, arguments: Sequence[bytes]) -> Reply:
        """Carry out a command of `names`; cancelled when its client goes away. `arguments` come after the name."""
        ...

    async def kind(self, key: bytes) -> str | None:
        """Return what TYPE says of an object: "llm", "store" or "app"; None where the key names none."""
        ...

    async def delete(self, key: bytes) -> bool:
        """Delete an object; False where there is none."""
        ...

    async def expire(self, key: bytes, at: int | None) -> bool:
        """Let an object live until `at`, ms since 1970, or for ever (None); False where there is none."""
        ...

    async def expires(self, key: bytes) -> int | None:
        """Return until when an object lives, ms since 1970; None: for ever, or there is none."""
        ...
