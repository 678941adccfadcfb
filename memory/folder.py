"""The embedded server's folder: whose it is, who holds its locks, where its socket is when its path is too long."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from memory.errors import RedisUnavailable


def lock(path: Path) -> int | None:
    """Return a file descriptor that holds the lock until all its copies are closed, or None when it is taken."""
    import fcntl  # not on Windows, where start() refuses

    holder = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(holder)
        return None
    except BaseException:
        os.close(holder)
        raise
    return holder


def link(path: Path, target: Path) -> None:
    """Make the path a link, whatever it was."""
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def make_private(folder: Path) -> None:
    """Make the folder, for this user alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


@contextlib.contextmanager
def usable(folder: Path) -> Iterator[None]:
    """Say what is wrong with the folder where it can't be used; raises RedisUnavailable."""
    try:
        yield
    except OSError as error:
        what = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        raise RedisUnavailable(
            f"The data folder {folder} cannot be used ({what}); make it a folder that you own and may write, "
            "free some disk space, or choose another"
        ) from error


def short_socket(folder: Path) -> Path:
    """Return where the server of a folder with a long path listens: in this user's own runtime folder."""
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    name = blake2b(os.fsencode(folder), digest_size=8).hexdigest()
    return base / f"lorebot-{os.getuid()}" / f"{name}.sock"


def check_runtime(folder: Path) -> None:
    """Make the runtime folder; refuse one that another user could have put there, for /tmp belongs to everyone."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise RedisUnavailable(f"{folder} is not yours; set XDG_RUNTIME_DIR to a folder of your own")
    folder.chmod(0o700)
