"""One screen of Slack's: what was said last in a channel or thread, as people see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.platforms.slack import metadata, words
from bot.platforms.slack.intake import SAID
from bot.platforms.slack.workspaces import Workspace
from memory.records import answer_id

SEEN = 20  # messages of a channel or thread that are shown beside a question


@dataclass(frozen=True, slots=True)
class Line:
    """A message as Slack has it. person: who says it; name: who that is where it is no person; turn: its turn's id."""

    ts: str
    person: str
    name: str
    text: str
    turn: str


def line(message: Mapping[str, Any], workspace: Workspace, me: str) -> Line | None:
    """Return a message as people see it; None for what nobody says, or one person alone sees. me: the bot's name."""
    bot = message.get("bot_id")
    if message.get("subtype") not in SAID | {"bot_message"} or message.get("is_ephemeral"):
        return None
    ts, text = str(message.get("ts") or ""), words.shown(message)
    if not ts or not text:
        return None
    if bot and bot == workspace.bot:
        asked = metadata.asked(message)
        return Line(ts, "", me, text, answer_id(asked) if asked else ts)
    if bot:
        profile = message.get("bot_profile") or {}
        return Line(ts, "", str(message.get("username") or profile.get("name") or "a bot"), text, ts)
    person = str(message.get("user") or "")
    return Line(ts, person, "", text, ts) if person else None


@dataclass(slots=True)
class Screen:
    """What was said last in a channel or thread. root: the thread's first message. asked: when Slack told it."""

    root: str | None = None
    lines: dict[str, Line] = field(default_factory=dict)
    asked: float | None = None

    def put(self, one: Line) -> None:
        """Take in a message; the oldest goes, but never the thread's first."""
        self.lines[one.ts] = one
        if len(self.lines) > SEEN + 1:
            self.lines.pop(min(ts for ts in self.lines if ts != self.root))

    def before(self, ts: str) -> list[Line]:
        """Return what stands above a message, oldest first."""
        shown = [self.lines[one] for one in sorted(self.lines) if one < ts]
        first = [one for one in shown if one.ts == self.root]
        return first + [one for one in shown if one.ts != self.root][-SEEN:]

    def renew(self, found: list[Line], ts: str, *, whole: bool) -> None:
        """Show what Slack tells; what is not there any more goes. whole: it is all, up to a message."""
        told = {one.ts for one in found}
        if whole and self.root not in told:
            self.lines.pop(str(self.root), None)
        if not found:
            return
        first, last = min(told - {self.root}, default=ts), ts if whole else max(told)
        for gone in [one for one in self.lines if first <= one < last and one not in told]:
            del self.lines[gone]
        for one in sorted(found, key=lambda one: one.ts):
            self.put(one)
