"""What is asked back: buttons that outlive the process, and a form that nobody sends is let go."""

from bot.platforms.discord.dialogs import Question, confirm


async def test_yes_and_no_are_found_by_their_names_and_nobody_waits_for_them():
    view = confirm("0123abcd")
    assert [one.custom_id for one in view.children] == ["lore:yes:0123abcd", "lore:no:0123abcd"]
    assert view.is_finished()


async def test_a_form_that_nobody_sends_is_not_kept_for_ever():
    async def ask(interaction: object, question: str) -> None:
        pass

    assert Question(ask).timeout is not None
