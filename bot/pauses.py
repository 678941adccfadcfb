"""How long to wait before trying again."""

import random
from collections.abc import Iterator

FIRST, LONGEST = 1.0, 60.0  # seconds


def pauses() -> Iterator[float]:
    """Return how long to wait before each next try, in seconds: ever longer, a little at random, a minute at most."""
    pause = FIRST
    while True:
        yield pause * random.uniform(0.75, 1.25)
        pause = min(pause * 2, LONGEST)
