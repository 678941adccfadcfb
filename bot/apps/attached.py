"""What is attached to a message: how it stands in a prompt, what is said of the rest, what of it is remembered."""

from collections.abc import Sequence
from dataclasses import replace

from bot.apps.quoting import one_line, quoted
from bot.models.base import ChatModel, Tokenizer
from bot.models.tokens import readable
from bot.records import Attachment, Incoming

REMEMBERED = 2000  # characters of a message's text files together
NAMED = 10  # files that a notice names
LINE = 6  # tokens of what stands around a file's name and text
DENSEST = 16  # characters of a token, on average over a text; more only where it is hardly anything but blanks

NO_ROOM = "no room for it in the prompt"


def listed(attachments: Sequence[Attachment]) -> list[dict[str, str]]:
    """Return a prompt's line of each attachment: its name, and its text quoted or what became of it."""
    return [{"name": _label(one), "quote": _shown(one)} for one in attachments]


def fitted(given: Sequence[Attachment], room: int, model: ChatModel) -> tuple[Attachment, ...]:
    """Return the attachments as they fit into so many tokens, in their order.

    Images come first, as many as the model sees and fit; three quarters of what they leave are for texts, which share
    it, cut where they are longer. What is left out is kept by its name, and says why.
    """
    left = room - sum(_cost(replace(one, text=one.text and ""), model.tokenizer) for one in given)
    kept: list[Attachment] = []
    for one in given:
        if one.image is not None and not model.sees:
            kept.append(replace(one, image=None, unread="the model does not see images"))
        elif one.image is not None and model.image_tokens > left:
            kept.append(replace(one, image=None, unread=NO_ROOM))
        else:
            left -= model.image_tokens if one.image is not None else 0
            kept.append(one)
    left = left * 3 // 4
    waiting = sum(bool(one.text) for one in kept)
    for at, one in enumerate(kept):
        if one.text:
            kept[at] = _cut(one, one.text, left // waiting, model.tokenizer)
            left -= model.tokenizer.count(quoted(kept[at].text or ""))
            waiting -= 1
    return tuple(kept)


def notice(given: Sequence[Attachment], shown: Sequence[Attachment]) -> str:
    """Return a sentence about what the model was not shown; empty where it was shown everything.

    shown: the attachments as they stand in the prompt, perhaps without the last of them.
    """
    missing = [replace(one, unread=one.unread or NO_ROOM) for one in given[len(shown) :]]
    unread = [f"{one_line(one.name)} ({one.unread})" for one in (*shown, *missing) if one.unread]
    if not unread:
        return ""
    more = f" and {len(unread) - NAMED} more" if len(unread) > NAMED else ""
    return f"Not read: {', '.join(unread[:NAMED])}{more}."


def unseen(given: Sequence[Attachment], why: str) -> list[Attachment]:
    """Return the attachments without their images. why: a few words for people."""
    return [one if one.image is None else replace(one, image=None, unread=why) for one in given]


def remembered(incoming: Incoming) -> str:
    """Return a message as it is remembered: its words, and a line for each of its files with the text's beginning.

    A file's line cannot begin another, nor does its quote end early: white space becomes blanks, quotes are single.
    """
    own = [one for one in incoming.attachments if one.author is None]
    left, waiting = REMEMBERED, sum(bool(one.text) for one in own)
    lines = [incoming.text] if incoming.text else []
    for one in own:
        line = f"Attached {_label(one)}"
        if one.text:
            beginning = _beginning(one.text, left // waiting)
            left, waiting = left - len(beginning), waiting - 1
            line = f'{line}: "{beginning}"'
        lines.append(line)
    return "\n".join(lines)


def storable(one: Attachment) -> Attachment:
    """Return an attachment whose name and text can be stored."""
    author = None if one.author is None else readable(one.author)
    return replace(one, name=readable(one.name), text=one.text and readable(one.text), author=author)


def _label(one: Attachment) -> str:
    name = f"{'file' if one.image is None else 'image'} {one_line(one.name)}"
    return name if one.author is None else f"{name} of {one_line(one.author)}"


def _shown(one: Attachment) -> str:
    if one.text is not None:
        return f"{quoted(one.text)} (cut here)" if one.unread else quoted(one.text)
    return "shown to you" if one.image is not None else f"not shown to you, {one.unread or 'not read'}"


def _cost(one: Attachment, tokenizer: Tokenizer) -> int:
    return LINE + tokenizer.count(f"{_label(one)}: {_shown(one)} (cut here)")


def _cut(one: Attachment, text: str, room: int, tokenizer: Tokenizer) -> Attachment:
    """Return an attachment with the beginning of its text that takes so many tokens as a quote."""
    kept = text[: max(room, 0) * DENSEST]
    while kept and tokenizer.count(quoted(kept)) > room:
        shorter = tokenizer.cut(kept, room)
        kept = shorter if len(shorter) < len(kept) else kept[: len(kept) * 9 // 10]  # escapes take tokens too
    if kept == text:
        return one
    if not kept:
        return replace(one, text=None, unread=NO_ROOM)
    return replace(one, text=kept, unread=f"beyond its first {len(kept):,} of {len(text):,} characters")


def _beginning(text: str, most: int) -> str:
    shown = " ".join(text[: most * 4].split())
    return shown[:most].rstrip().replace('"', "'")
