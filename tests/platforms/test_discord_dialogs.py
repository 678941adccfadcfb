"""What is asked back: a yes that fails says so, and a form that nobody sends is let go."""

from bot.commands.base import Said
from bot.platforms.discord.dialogs import SORRY, Confirm, Question
from memory.errors import RedisUnavailable


class Interaction:
    """A button that was pressed; `response` is all that a dialog needs of it."""

    def __init__(self) -> None:
        self.id = 7
        self.response = self

    async def edit_message(self, **changes: object) -> None:
        pass


async def test_a_yes_that_fails_is_told_calmly():
    said: list[Said] = []

    async def work() -> Said:
        raise RedisUnavailable("no server at redis://secret")

    async def tell(interaction: Interaction, one: Said) -> None:
        said.append(one)

    await Confirm(work, tell).yes.callback(Interaction())
    assert said == [Said(SORRY.format(7))]


async def test_a_form_that_nobody_sends_is_not_kept_for_ever():
    async def ask(interaction: Interaction, question: str) -> None:
        pass

    assert Question(ask).timeout is not None
