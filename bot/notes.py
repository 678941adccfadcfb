"""What a platform's bot writes down for its next life."""

from contextlib import suppress

from memory.errors import RedisError
from memory.keys import NOTE_TTL
from memory.memory import Memory


class Notes:
    """Short texts by kind and owner, such as which commands a platform knows; they live for NOTE_TTL."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def write(self, what: str, of: str, text: str) -> None:
        """Write something down, as far as memory serves. what: its kind; of: whose."""
        batch = self._memory.batch()
        batch.ask("SET", self._memory.keys.note(what, of), text, "EX", NOTE_TTL, read=bool)
        with suppress(RedisError):
            await batch.send()

    async def read(self, what: str, of: str) -> str:
        """Return what was written down; "" where nothing was, or it cannot be told."""
        batch = self._memory.batch()
        found = batch.ask("GET", self._memory.keys.note(what, of), read=lambda text: text.decode() if text else "")
        try:
            await batch.send()
            return found.value
        except RedisError:
            return ""
