"""How Slack's events come, and whether they do."""

import asyncio

from bot.metrics import Socket


class Transport:
    """A way for events. One over HTTP has no socket, so there is nothing to look after."""

    async def trouble(self) -> str:
        """Tell what is wrong; empty where nothing is."""
        return ""

    def sockets(self) -> list[Socket]:
        """Return the sockets, for the figures."""
        return []

    async def watch(self) -> None:
        """Look after it for ever. Raises PlatformLost, Unconfigured."""
        await asyncio.Event().wait()


class Ending(Transport):
    """What takes the place of a transport when the process ends."""

    async def trouble(self) -> str:
        """Tell that nothing more is taken."""
        return "ending"
