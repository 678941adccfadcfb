"""Turns as lines of a list."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.commands.base import Link, Named, nowhere
from memory.records import Recalled, Turn


def found(one: Recalled, timezone: str, link: Link = nowhere) -> str:
    """Return a recalled turn with its score and the signals that speak for or against it, as a line of a list."""
    signals = ", ".join(f"{name} {value:.2f}" for name, value in one.signals.items() if round(value, 2))
    return f"**{one.score:.2f}** {told(replace(one.turn, text=one.excerpt), timezone, link)} ({signals})"


def told(turn: Turn, timezone: str, link: Link = nowhere) -> str:
    """Return a turn as one line: when, linked where it has an address, who, what."""
    text = " ".join(turn.text.split())
    shown = text if len(text) <= 200 else f"{text[:199]}…"
    moment, address = when(turn, timezone), link(turn)
    return f"{f'[{moment}]({address})' if address else moment} {turn.author}: {shown}"


def when(turn: Turn, timezone: str) -> str:
    """Return when a turn was said."""
    return f"{datetime.fromtimestamp(turn.sent_at / 1000, ZoneInfo(timezone)):%Y-%m-%d %H:%M}"


def numbered(lines: Iterable[str]) -> str:
    """Return lines as a numbered list in Markdown."""
    return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, 1))


def named(turns: Iterable[Turn]) -> tuple[Named, ...]:
    """Return what names each turn."""
    return tuple((turn.conversation, turn.id) for turn in turns)
