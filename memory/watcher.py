"""Ends the embedded Redis once nobody has used it for a while: `python watcher.py SOCKET START_LOCK LINGER`.

A process of its own, left behind by whoever started the server. It imports the standard library only and speaks the
few words of the Redis protocol itself, so that it takes about 10 MB. It ends with the server.
"""

import contextlib
import os
import select
import socket
import sys
import time

NAME = "lorebot-watcher"  # in CLIENT LIST, followed by the process id


class Line:
    """A connection to the server; OSError or EOFError say that it is gone."""

    def __init__(self, address: str) -> None:
        """Connect, and say who we are."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(address)
        self._replies = self._socket.makefile("rb")
        self.ask(f"CLIENT SETNAME {NAME}-{os.getpid()}")

    def ask(self, words: str) -> bytes:
        """Send one inline command and return its reply: a simple string, an error or a bulk string."""
        self._socket.sendall(words.encode() + b"\r\n")
        head = self._replies.readline()
        if not head.endswith(b"\r\n"):
            raise EOFError
        if not head.startswith(b"$"):
            return head
        return self._replies.read(int(head[1:]) + 2)

    def pause(self, seconds: float) -> None:
        """Sleep, but wake up when the server goes away: its successor waits for us to end."""
        if select.select([self._socket], [], [], seconds)[0]:
            raise EOFError

    def visits(self) -> tuple[int, bool]:
        """Return how many connections there ever were, and whether any but this one is open.

        The count shows visits that came and went between two looks.
        """
        info = dict(line.split(b":", 1) for line in self.ask("INFO clients stats").splitlines() if b":" in line)
        return int(info[b"total_connections_received"]), int(info[b"connected_clients"]) > 1


def watch(address: str, start_lock: str, linger: float) -> None:
    """Ask who is there until nobody has been for `linger` seconds, then shut the server down.

    The last look and the shutdown happen under the start lock. Whoever joins holds that lock until connected: either
    the last look sees the newcomer, or the newcomer finds no server and starts one.
    """
    import fcntl  # not on Windows, where this module is imported but never run

    line = Line(address)
    seen, quiet_since = -1, time.monotonic()
    while True:
        visits, busy = line.visits()
        if busy or visits != seen:
            seen, quiet_since = visits, time.monotonic()
        elif time.monotonic() - quiet_since >= linger:
            # Failing to lock means that somebody is joining; an answer to SHUTDOWN that it failed (a full disk?).
            with open(start_lock, "w") as lock, contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if line.visits() == (seen, False):
                    line.ask("SHUTDOWN")
            quiet_since = time.monotonic()
        line.pause(min(max(linger / 4, 0.05), 5.0))


def main() -> None:
    """Leave the process that started us, then watch until the server is gone."""
    address, start_lock, linger = sys.argv[1:]
    if os.fork():
        os._exit(0)  # the starter waits for this, and never has to wait for the watcher itself
    with contextlib.suppress(OSError, EOFError):
        watch(address, start_lock, float(linger))


if __name__ == "__main__":
    main()
