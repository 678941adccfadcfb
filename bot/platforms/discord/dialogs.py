"""What is asked back: a yes or no, or a question about a message."""

from collections.abc import Awaitable, Callable
from typing import Any

import discord
import structlog

from bot.commands.base import Said
from bot.notices import SORRY
from memory.errors import LoreError

log = structlog.get_logger()

PATIENCE = 120.0  # seconds for a yes
WRITING = 900.0  # seconds for a question; Discord does not tell that somebody has closed the form


class Confirm(discord.ui.View):
    """Yes or no, below what a command would do; only whoever gave the command sees it."""

    def __init__(
        self,
        work: Callable[[], Awaitable[Said]],
        tell: Callable[[discord.Interaction, Said], Awaitable[None]],
    ) -> None:
        super().__init__(timeout=PATIENCE)
        self._work = work
        self._tell = tell

    @discord.ui.button(label="Yes", style=discord.ButtonStyle.danger)
    async def yes(self, interaction: discord.Interaction, button: "discord.ui.Button[Any]") -> None:
        """Do it."""
        self.stop()
        await interaction.response.edit_message(view=None)
        try:
            said = await self._work()
        except LoreError as error:
            log.warning("command failed", interaction=interaction.id, error=str(error))
            said = Said(SORRY.format(interaction.id))
        await self._tell(interaction, said)

    @discord.ui.button(label="No", style=discord.ButtonStyle.secondary)
    async def no(self, interaction: discord.Interaction, button: "discord.ui.Button[Any]") -> None:
        """Let it be."""
        self.stop()
        await interaction.response.edit_message(content="Nothing was done.", view=None)


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
