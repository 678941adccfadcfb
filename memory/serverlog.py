"""What a server that would not start said last, and what to do about it."""

import re
from pathlib import Path

from memory import binary

# What the log says, and what to do about it; the first that fits holds.
FIXES = (
    ("No space left", "free some disk space"),
    ("Permission denied", "make the folder and its files your own (chown -R), or choose another data folder"),
    ("Read-only file system", "choose a data folder that can be written"),
    (
        "RDB format version",
        "a newer Redis wrote this folder: install that version again, or choose another data folder",
    ),
    (
        "append only file",
        "copy the folder, then cut off what cannot be read with "
        "`{folder}/redis-check-aof --fix {folder}/appendonlydir/appendonly.aof.manifest`",
    ),
    ("failed to load", f"the modules do not fit this server; {binary.FIX}"),
    ("shared librar", f"the server lacks a library here; {binary.FIX}"),
)


def complaints(log: str) -> str:
    """Return the last warnings (level #) and what is not in Redis's own form, such as the linker's words."""
    form = re.compile(r"\d+:\w .{20,30} ([.*#-]) (.*)")
    lines = []
    for line in log.splitlines():
        found = form.fullmatch(line)
        text = line if found is None else found[2] if found[1] == "#" else ""
        chatter = "Memory overcommit" in text or (text.startswith("<search>") and "rror" not in text)
        if text and not chatter:
            lines.append(text.strip())
    return " ".join(lines[-3:])


def read(path: Path) -> str:
    """Return a log's text; nothing where there is none."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
