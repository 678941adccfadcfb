"""Files that people name: written whole or not at all, for their owner alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from bot.errors import CommandError


def named(words: str) -> Path:
    """Return the file that somebody names, `~` for their home; raises CommandError for what is no file's name."""
    try:
        file = Path(words).expanduser()
        os.fsencode(file)
    except (RuntimeError, ValueError) as error:  # nobody's home, half a character
        raise CommandError(f"{words!r} is no file's name") from error
    if "\0" in words:
        raise CommandError(f"{words!r} is no file's name")
    return file


@contextmanager
def fresh(file: Path, *, replace: bool = False) -> Iterator[TextIO]:
    """Open a file to write; it appears under its name once it is whole.

    Raises CommandError where it exists and is not to be replaced, or cannot be written.
    """
    if not file.name:
        raise CommandError(f"{file} is a folder; name a file")
    draft = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        if file.exists() and not replace:
            raise CommandError(f"{file} exists already; name another file")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as written:
            yield written
        draft.replace(file)
    except OSError as error:
        raise CommandError(f"{file} can't be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
