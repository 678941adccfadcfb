"""A Markdown text without its marks: what notifications, search and screen readers get beside the blocks."""

from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.delivery.parts import SLACK
from bot.platforms.slack.words import escaped

MOST = 3900  # characters; Slack advises less than 4,000
_BLANK = ("paragraph_close", "heading_close", "table_close", "fence", "code_block", "hr")  # a blank line follows


def plain(text: str, most: int = MOST) -> str:
    """Return a Markdown text as plain text, in Slack's escapes, of so many characters at most."""
    whole = escaped(without_marks(text))
    if len(whole) <= most:
        return whole
    cut = whole[: most - 1]
    begun = cut.rfind("&")
    return f"{cut[:begun] if begun >= 0 and ';' not in cut[begun:] else cut}…"  # no half of an escape


def without_marks(text: str) -> str:
    """Return what a Markdown text says: no emphasis, no fences; a link by its words and its address.

    Never empty where the text is not: what consists of marks alone stays as it is.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])
    said = "".join(_blocks(parser.parse(text[: SLACK.characters]))).strip() + text[SLACK.characters :]
    return said if said.strip() else text


def _blocks(tokens: Sequence[Token]) -> Iterator[str]:
    """Yield the pieces of blocks, with their line breaks."""
    counts: list[int | None] = []  # of the lists that are open: the next number, None for bullets
    cells = 0
    for token in tokens:
        match token.type:
            case "inline":
                yield "".join(_inline(token.children or ()))
            case "fence" | "code_block":
                yield token.content
            case "ordered_list_open":
                counts.append(int(token.attrGet("start") or 1))
            case "bullet_list_open":
                counts.append(None)
            case "ordered_list_close" | "bullet_list_close":
                counts.pop()
                yield "" if counts else "\n"
            case "list_item_open":
                yield "  " * (len(counts) - 1) + _bullet(counts)
            case "th_open" | "td_open":
                yield " | " if cells else ""
                cells += 1
            case "tr_close":
                cells = 0
                yield "\n"
        if token.type == "paragraph_close" and (token.hidden or counts):
            yield "\n"
        elif token.type in _BLANK:
            yield "\n" if token.type in ("fence", "code_block") else "\n\n"


def _bullet(counts: list[int | None]) -> str:
    number = counts[-1]
    if number is None:
        return "• "
    counts[-1] = number + 1
    return f"{number}. "


def _inline(tokens: Sequence[Token]) -> Iterator[str]:
    """Yield the words of a paragraph."""
    links: list[str] = []
    said: list[str] = []
    for token in tokens:
        match token.type:
            case "link_open":
                links.append(str(token.attrGet("href") or ""))
                said.clear()
            case "link_close":
                address = links.pop()
                if address and address != "".join(said):
                    yield f" ({address})"
            case "softbreak" | "hardbreak":
                yield "\n"
            case "image":
                yield token.content or str(token.attrGet("src") or "")
            case _ if token.content:
                said.append(token.content)
                yield token.content
