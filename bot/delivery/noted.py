"""An outlet that tells when people first see something."""

from collections.abc import Callable

from bot.delivery.stream import Outlet


class Noted:
    """Passes everything on; shown: called after whatever has been shown."""

    def __init__(self, outlet: Outlet, shown: Callable[[], object]) -> None:
        self._outlet = outlet
        self._shown = shown

    async def send(self, text: str, nonce: str) -> str:
        """Post a message."""
        message = await self._outlet.send(text, nonce)
        self._shown()
        return message

    async def edit(self, message: str, text: str) -> None:
        """Let a message say something else."""
        await self._outlet.edit(message, text)
        self._shown()

    async def delete(self, message: str) -> None:
        """Take a message back."""
        await self._outlet.delete(message)

    async def attach(self, text: str, file: str, content: str, nonce: str) -> str:
        """Post a message with a text file."""
        message = await self._outlet.attach(text, file, content, nonce)
        self._shown()
        return message
