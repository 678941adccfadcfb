"""The buttons below an answer: Stop while it is made, then Regenerate and Why. They outlive this process."""

import re
from typing import Any, Protocol

import discord

from bot.delivery.stream import Controls
from bot.desk import Desk
from bot.places import Place

_NAME = re.compile(r"lore:(stop|regenerate|why):(\d+):(\d+)")


class Handles(Protocol):
    """Where what buttons do is done; a client has it as its `desk`."""

    does: Desk

    def place(self, interaction: discord.Interaction) -> Place:
        """Return where a button was pressed."""


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
        where, does = pressed(interaction)
        message, asker = str(self._message), str(self._asker)
        match self._does:
            case "stop":
                await does.stop(where, message, asker)
            case "regenerate":
                await does.regenerate(where, message, asker)
            case _:
                await does.why(where, message)


def pressed(interaction: discord.Interaction) -> tuple[Place, Desk]:
    """Return where a button was pressed, and who does what it says."""
    client: Any = interaction.client
    desk: Handles = client.desk
    return desk.place(interaction), desk.does


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
