"""kill -9 of an embedded Redis."""

import os
import select
import signal
from contextlib import suppress
from pathlib import Path


def kill_server(folder: Path) -> None:
    """Kill the Redis of a folder where one runs, whatever it is doing; return once it is gone."""
    with suppress(OSError, ValueError):
        process = os.pidfd_open(int((folder / "redis.pid").read_text()))
        try:
            ours = Path(os.readlink(f"/proc/{_pid(process)}/cwd")) == folder.resolve()  # it may be another's by now
            if ours:
                signal.pidfd_send_signal(process, signal.SIGKILL)
                select.select([process], [], [])
        finally:
            os.close(process)


def _pid(process: int) -> int:
    told = Path(f"/proc/self/fdinfo/{process}").read_text().splitlines()
    return int(next(line.split()[1] for line in told if line.startswith("Pid:")))
