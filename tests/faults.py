"""What can go wrong with a request, switched on by a test."""

import asyncio
import math
from dataclasses import dataclass, field
from fnmatch import fnmatchcase


@dataclass(eq=False)
class Fault:
    """What befalls the next `times` requests that match `on`, before or `after` they are done.

    What is matched is up to the server: "POST /channels/1/messages" on the small Discord, "chat.postMessage C1" on the
    small Slack.
    """

    on: str = "*"
    times: float = 1
    after: bool = False
    status: int = 0
    error: str = ""  # what the answer says, where a platform names its errors
    retry_after: float = 0.0
    everywhere: bool = False  # a global rate limit
    cut: bool = False
    delay: float = 0.0
    held: bool = False
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self) -> None:
        """Take the time that the fault takes."""
        self.reached.set()
        if self.held:
            await self.let_go.wait()
        await asyncio.sleep(self.delay)


class Faults:
    """The faults that are switched on; patterns are as of the shell: `POST /channels/*/messages`, `chat.* C1`."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def fail(self, status: int = 500, *, times: float = 1, on: str = "*", error: str = "") -> Fault:
        """Answer with a status, and with an error where the platform has names for them."""
        return self._add(Fault(on, times, status=status, error=error))

    def limit(self, retry_after: float, *, times: float = 1, on: str = "*", everywhere: bool = False) -> Fault:
        """Answer 429, as a bucket of its own or as the global limit."""
        return self._add(Fault(on, times, status=429, retry_after=retry_after, everywhere=everywhere))

    def cut(self, *, times: float = 1, on: str = "*", after: bool = False) -> Fault:
        """Cut the connection; with `after` the request was carried out, and nobody hears of it."""
        return self._add(Fault(on, times, after, cut=True))

    def delay(self, seconds: float, *, times: float = math.inf, on: str = "*", after: bool = False) -> Fault:
        return self._add(Fault(on, times, after, delay=seconds))

    def hold(self, *, on: str = "*", after: bool = False) -> Fault:
        """Hold the next request until `let_go` is set; `reached` tells that it came."""
        return self._add(Fault(on, 1, after, held=True))

    def clear(self) -> None:
        """Switch all off, and let go what is held."""
        for fault in self._faults:
            fault.let_go.set()
        self._faults.clear()

    def take(self, *names: str) -> list[Fault]:
        """Return the faults that befall a request of these names, each counted; of those that answer only the first."""
        taken: list[Fault] = []
        for fault in self._faults:
            answered = any(one.status or one.cut for one in taken)
            meant = fault.times > 0 and any(fnmatchcase(name, fault.on) for name in names)
            if meant and not (answered and (fault.status or fault.cut)):
                fault.times -= 1
                taken.append(fault)
        return taken

    def _add(self, fault: Fault) -> Fault:
        self._faults.append(fault)
        return fault
