"""What is asked back: a yes or no, or a question about a message."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import discord

from bot.platforms.discord import buttons

WRITING = 900.0  # seconds for a question; Discord does not tell that somebody has closed the form
_NAME = re.compile(r"lore:(yes|no):([0-9a-f]+)")


class Confirm(discord.ui.DynamicItem[discord.ui.Button[Any]], template=_NAME):
    """Yes or No, below what a command would do. token: names that; after a restart nobody knows it, which is said."""

    def __init__(self, does: str, token: str) -> None:
        style = discord.ButtonStyle.danger if does == "yes" else discord.ButtonStyle.secondary
        super().__init__(discord.ui.Button(label=does.title(), style=style, custom_id=f"lore:{does}:{token}"))
        self._yes = does == "yes"
        self._token = token

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str]
    ) -> "Confirm":
        """Return the button that was pressed."""
        return cls(match[1], match[2])

    async def callback(self, interaction: discord.Interaction) -> Any:
        """Do it, or let it be."""
        where, does = buttons.pressed(interaction)
        await does.confirmed(where, self._token, self._yes)


def confirm(token: str) -> discord.ui.View:
    """Return Yes and No; only whoever gave the command sees them."""
    found = discord.ui.View(timeout=None)
    for one in ("yes", "no"):
        found.add_item(Confirm(one, token))
    found.stop()  # presses find their way by the button's name
    return found


class Question(discord.ui.Modal, title="Ask about this"):
    """Asks what somebody wants to know."""

    question: discord.ui.TextInput[Any] = discord.ui.TextInput(
        custom_id="question", label="What do you want to know?", style=discord.TextStyle.paragraph, max_length=1500
    )

    def __init__(self, ask: Callable[[discord.Interaction, str], Awaitable[None]]) -> None:
        super().__init__(timeout=WRITING)
        self._ask = ask

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Ask it."""
        await self._ask(interaction, self.question.value)
