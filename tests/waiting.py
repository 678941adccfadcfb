"""Waiting for a condition, never for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def until(holds: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something holds."""
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends:
            raise TimeoutError(f"it does not hold after {seconds:g} s")
        await asyncio.sleep(0.005)


async def until_it(holds: Callable[[], Awaitable[object]], seconds: float = 20) -> None:
    """Wait until something holds that must be asked for."""
    ends = time.monotonic() + seconds
    while not await holds():
        if time.monotonic() > ends:
            raise TimeoutError(f"it does not hold after {seconds:g} s")
        await asyncio.sleep(0.02)
