"""When something was, in the words people use: 2026-05-01, "2026-05-01 14:30", yesterday, 7d."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.errors import CommandError

_AGO = re.compile(r"(\d{1,6})\s*(m|h|d|w)")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def moment(text: str, timezone: str, now: datetime) -> int:
    """Return a moment in milliseconds since 1970; days begin at midnight in the time zone.

    Raises CommandError for what is no moment.
    """
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    said = text.strip().lower()
    try:
        if said in ("today", "yesterday"):
            found = today - timedelta(days=said == "yesterday")
        elif ago := _AGO.fullmatch(said):
            found = now - int(ago[1]) * _UNITS[ago[2]]
        else:
            found = datetime.fromisoformat(text.strip())
        milliseconds = int((found if found.tzinfo else found.replace(tzinfo=zone)).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise CommandError(
            f"{text!r} is no moment; say 2026-05-01, 2026-05-01T14:30, today, yesterday, or 90m, 12h, 7d, 2w ago"
        ) from error
    return milliseconds
