"""What processes take of the machine, as Linux tells it."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Taken:
    """What a process has taken by now. cpu: seconds; rss, peak: MB of memory, now and at most.

    waited: seconds for which its first thread could have run, and others had the cores.
    """

    cpu: float
    rss: float
    peak: float
    waited: float


@dataclass(frozen=True, slots=True)
class Shares:
    """Seconds of CPU: of the bot, of Redis, and of this process, in which the platform, the model and people live.

    waited: seconds that the bot has waited for a core.
    """

    bot: float
    redis: float
    others: float
    waited: float = 0.0

    @classmethod
    def of(cls, bot: int, redis: int | None) -> "Shares":
        """Return what has been taken by now. bot, redis: ids of processes."""
        its = taken(bot)
        return cls(its.cpu, taken(redis).cpu if redis else 0.0, taken(os.getpid()).cpu, its.waited)

    def __sub__(self, earlier: "Shares") -> "Shares":
        return Shares(
            self.bot - earlier.bot,
            self.redis - earlier.redis,
            self.others - earlier.others,
            self.waited - earlier.waited,
        )

    def __add__(self, more: "Shares") -> "Shares":
        return Shares(
            self.bot + more.bot, self.redis + more.redis, self.others + more.others, self.waited + more.waited
        )

    def over(self, number: float) -> "Shares":
        """Return what one of so many has taken, or a second of so many."""
        return Shares(self.bot / number, self.redis / number, self.others / number, self.waited / number)


NOTHING = Shares(0.0, 0.0, 0.0)


def taken(pid: int) -> Taken:
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    waited = int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[1])  # nanoseconds
    ticks = int(stat[11]) + int(stat[12])
    return Taken(ticks / os.sysconf("SC_CLK_TCK"), _mb(status["VmRSS"]), _mb(status["VmHWM"]), waited / 1e9)


def _mb(field: str) -> float:
    return int(field.split()[0]) / 1024
