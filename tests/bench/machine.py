"""What processes take of the machine, as Linux tells it."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Taken:
    """What a process has taken by now. cpu: seconds; rss, peak: MB of memory, now and at most."""

    cpu: float
    rss: float
    peak: float


@dataclass(frozen=True, slots=True)
class Shares:
    """Seconds of CPU: of the bot, of Redis, and of this process, in which the platform, the model and people live."""

    bot: float
    redis: float
    others: float

    @classmethod
    def of(cls, bot: int, redis: int | None) -> "Shares":
        """Return what has been taken by now. bot, redis: ids of processes."""
        return cls(taken(bot).cpu, taken(redis).cpu if redis else 0.0, taken(os.getpid()).cpu)

    def __sub__(self, earlier: "Shares") -> "Shares":
        return Shares(self.bot - earlier.bot, self.redis - earlier.redis, self.others - earlier.others)

    def __add__(self, more: "Shares") -> "Shares":
        return Shares(self.bot + more.bot, self.redis + more.redis, self.others + more.others)

    def over(self, number: float) -> "Shares":
        """Return what one of so many has taken, or a second of so many."""
        return Shares(self.bot / number, self.redis / number, self.others / number)


NOTHING = Shares(0.0, 0.0, 0.0)


def taken(pid: int) -> Taken:
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    ticks = int(stat[11]) + int(stat[12])
    return Taken(ticks / os.sysconf("SC_CLK_TCK"), _mb(status["VmRSS"]), _mb(status["VmHWM"]))


def _mb(field: str) -> float:
    return int(field.split()[0]) / 1024
