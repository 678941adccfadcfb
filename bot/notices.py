"""What the bot tells people about itself: what it does with what they say, and how much of it they have used."""

from dataclasses import dataclass

from bot.limits import Budget, Usage, wait
from bot.prompts import Prompts

BUSY = "I am still answering what was said before; please ask again in a moment."
SORRY = "Something went wrong. Whoever runs me finds it in the log under {}."


@dataclass(frozen=True, slots=True)
class Practices:
    """What a bot does with what people say.

    answering and embedding: to whom the models belong that read it; None: they run where the bot does. contact: whom
    people may ask, if anybody is named. command: what people type to manage what is remembered.
    """

    name: str
    answering: str | None = None
    embedding: str | None = None
    contact: str | None = None
    command: str = "/memory"


def privacy(prompts: Prompts, practices: Practices, days: int | None, paused: bool = False) -> str:
    """Return the text about privacy, in Markdown: prompts/privacy.md, or the operator's own. Raises PromptError.

    days: how long turns are kept here; None: until they are forgotten. paused: the person asked not to be remembered.
    """
    return prompts.render(
        "privacy",
        name=practices.name,
        models=list(dict.fromkeys(one for one in (practices.answering, practices.embedding) if one)),
        contact=practices.contact,
        command=practices.command,
        days=days,
        paused=paused,
    )


def used(usage: Usage, now: int) -> str:
    """Return what a person has used today, in Markdown. now: milliseconds since 1970."""
    lines = [f"you: {_spent(usage.person)}"]
    if usage.tenant is not None:
        lines.append(f"everybody here: {_spent(usage.tenant)}")
    if usage.messages_left is not None:
        lines.append(f"messages you may send in this minute: {usage.messages_left:,}")
    lines.append(f"a new day begins in {wait(usage.renewed_at - now)}")
    return "\n".join(f"- {line}" for line in lines)


def _spent(budget: Budget) -> str:
    return f"{budget.spent:,} of {budget.most:,} tokens today" if budget.most else f"{budget.spent:,} tokens today"
