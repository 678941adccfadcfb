"""The unmodified `lorebot` in a process of its own, with folders of its own."""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from memory.server import EmbeddedServer

LOREBOT = [sys.executable, "-m", "bot"]


@dataclass(frozen=True)
class Ran:
    """What a command printed, and its exit code."""

    out: str
    err: str
    code: int


class Home:
    """A user's folders and settings; the embedded Redis in them is the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lorebot = LOREBOT
        self.settings = {
            "LOREBOT_DATA_DIR": str(folder / "data"),
            "XDG_STATE_HOME": str(folder / "state"),
            "LOREBOT_USER": "ada",
            "LOREBOT_TIMEZONE": "UTC",
            "LOREBOT_BURST": "0.2",  # nearly every test of a platform waits for it
            "LOREBOT_EMBEDDER": "local",
            "LOREBOT_LLM": "openai",
            "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        }

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "XDG_CACHE_HOME")}
        return {**kept, "PYTHONPATH": os.getcwd(), "TERM": "xterm-256color", "COLUMNS": "80", **self.settings}

    @property
    def server(self) -> EmbeddedServer:
        return EmbeddedServer(self.folder / "data" / "redis")

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start `lorebot` with these arguments; its input stays open."""
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *self.lorebot, *arguments, stdin=pipe, stdout=pipe, stderr=pipe, env=self.environment, cwd=self.folder
        )

    async def run(self, *arguments: str, given: bytes = b"") -> Ran:
        """Run `lorebot` to its end."""
        process = await self.start(*arguments)
        out, err = await asyncio.wait_for(process.communicate(given), 60)
        assert process.returncode is not None
        return Ran(out.decode(), err.decode(), process.returncode)

    async def kill_redis(self) -> None:
        """Kill the embedded Redis with -9 and wait until it is gone."""
        status = await self.server.status()
        assert status.pid
        os.kill(status.pid, signal.SIGKILL)
        while _alive(status.pid):
            await asyncio.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
