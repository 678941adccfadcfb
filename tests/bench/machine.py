"""What a process takes of the machine, as Linux tells it."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Taken:
    """What a process has taken by now. cpu: seconds; rss, peak: MB of memory, now and at most."""

    cpu: float
    rss: float
    peak: float


def taken(pid: int) -> Taken:
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    ticks = int(stat[11]) + int(stat[12])
    return Taken(ticks / os.sysconf("SC_CLK_TCK"), _mb(status["VmRSS"]), _mb(status["VmHWM"]))


def _mb(field: str) -> float:
    return int(field.split()[0]) / 1024
