"""Code fences, line by line: what opens one, what closes it, and how to open it again in the next message."""

import re
from dataclasses import dataclass

# Indentation, quotes and list markers, then three backticks or tildes: https://spec.commonmark.org/0.31.2/#fenced-code-blocks
OPENING = re.compile(r"((?:[ \t]|>|(?:[-*+]|\d{1,9}[.)])(?=[ \t]))*)(`{3,}|~{3,})([^\n]*)")
RUN = "```"
_LANGUAGE = re.compile(r"[A-Za-z0-9_+.#-]{0,20}")  # what Discord takes for one, not for code
INDENT = 3  # columns; with one more, CommonMark takes a line for code


@dataclass(frozen=True, slots=True)
class Fence:
    """An open fence. opening, closing: the lines that open it again and close it, without their line breaks.

    anywhere: it is closed by three backticks anywhere in a line.
    """

    opening: str
    closing: str
    anywhere: bool = False

    @property
    def quoted(self) -> bool:
        """Whether it stands in a quotation, and ends with it."""
        return ">" in self.closing

    def closed_by(self, line: str) -> bool:
        """Tell whether a line closes the fence."""
        if self.anywhere:
            return turns(line)
        run = self.closing.lstrip(" \t>")
        found = line.rstrip(" \t\r\n").lstrip(" \t>" if self.quoted else " \t")
        return len(found) >= len(run) and not found.strip(run[0])

    def left_by(self, line: str) -> bool:
        """Tell whether a line stands outside the quotation that the fence is in."""
        return self.quoted and not line.lstrip(" \t").startswith(">")


def turns(line: str) -> bool:
    """Tell whether a line that begins in code ends outside of it, or the other way round, where runs count anywhere."""
    return line.count(RUN) % 2 == 1


def opened(line: str, most: int, anywhere: bool = False) -> Fence | None:
    """Return the fence that a line opens; None where it opens none, or one of more than `most` characters.

    An info string beyond that is shortened to its first word, or left out. anywhere: code may begin amid a line.
    """
    found = OPENING.match(line)
    if not found or (found[2][0] == "`" and "`" in found[3]):
        return _opened_amid(line) if anywhere and turns(line) else None
    margin = margin_again(found[1])
    closing = margin + found[2]
    if len(closing) > most:
        return None
    info = found[3].strip()
    if len(info) > most:
        info = info.split()[0]
    if info.startswith(found[2][0]):  # it must not make the fence longer
        info = f" {info}"
    return Fence(closing + (info if len(info) <= most else ""), closing, anywhere and found[2] == RUN)


def _opened_amid(line: str) -> Fence:
    info = line[line.rindex(RUN) + len(RUN) :].strip()
    return Fence(RUN + (info if _LANGUAGE.fullmatch(info) else ""), RUN, anywhere=True)


def margin_again(before: str) -> str:
    """Return what stands before a fence when it is opened again: quotation marks stay, list markers are blanks."""
    margin = re.sub(r"[^>\s]", " ", before)
    return margin if ">" in margin else margin[:INDENT]
