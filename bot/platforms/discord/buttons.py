"""The buttons below an answer: Stop while it is made, then Regenerate and Why. They outlive this process."""

import re
from typing import Any, Protocol

import discord

from bot.delivery.stream import Controls

_NAME = re.compile(r"lore:(stop|regenerate|why):(\d+):(\d+)")


class Handles(Protocol):
    """What the buttons do; a client has it as its `desk`."""

    async def stop(self, interaction: discord.Interaction, message: int, asker: int) -> None:
        """Stop the answer to a message; asker: who has asked."""

    async def regenerate(self, interaction: discord.Interaction, message: int, asker: int) -> None:
        """Answer a message anew; asker: who has asked."""

    async def why(self, interaction: discord.Interaction, message: int) -> None:
        """Show why the answer to a message says what it says."""


class Button(discord.ui.DynamicItem[discord.ui.Button[Any]], template=_NAME):
    """A button whose name holds what it does, the message that was asked, and who asked."""

    def __init__(self, does: str, message: int, asker: int) -> None:
        label, style = _LOOKS[does]
        super().__init__(discord.ui.Button(label=label, style=style, custom_id=f"lore:{does}:{message}:{asker}"))
        self._does = does
        self._message = message
        self._asker = asker

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str]
    ) -> "Button":
        """Return the button that was pressed."""
        return cls(match[1], int(match[2]), int(match[3]))

    async def callback(self, interaction: discord.Interaction) -> Any:
        """Do what it says."""
        client: Any = interaction.client
        desk: Handles = client.desk
        match self._does:
            case "stop":
                await desk.stop(interaction, self._message, self._asker)
            case "regenerate":
                await desk.regenerate(interaction, self._message, self._asker)
            case _:
                await desk.why(interaction, self._message)


def view(controls: Controls, message: str, asker: int) -> discord.ui.View | None:
    """Return the buttons of a message of a reply."""
    names = _SHOWN[controls]
    if not names:
        return None
    found = discord.ui.View(timeout=None)
    for name in names:
        found.add_item(Button(name, int(message), asker))
    found.stop()  # presses find their way by the button's name; a view that waits would be kept for ever
    return found


def asked(message: discord.Message) -> int | None:
    """Return which message one of ours answers, as its buttons tell."""
    names = [
        item.custom_id or ""
        for row in message.components
        if isinstance(row, discord.ActionRow)
        for item in row.children
        if isinstance(item, discord.Button)
    ]
    found = [match for name in names if (match := _NAME.fullmatch(name))]
    return int(found[0][2]) if found else None


_LOOKS = {
    "stop": ("Stop", discord.ButtonStyle.danger),
    "regenerate": ("Regenerate", discord.ButtonStyle.secondary),
    "why": ("Why?", discord.ButtonStyle.secondary),
}
_SHOWN = {Controls.NONE: (), Controls.STOP: ("stop",), Controls.DONE: ("regenerate", "why")}
