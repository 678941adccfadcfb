"""A conversation in which the bot, Redis or both are killed at random moments."""

import asyncio
import random

from tests.platforms.home import Home
from tests.platforms.ordeal import Ordeal, Tally
from tests.platforms.victims import Echo, Repl, kill_redis, let_leases_run_out


class Storm(Ordeal):
    """Something is killed at random moments, round after round."""

    def __init__(self, home: Home, model: Echo, chance: random.Random) -> None:
        super().__init__(home, model)
        self._chance = chance
        self._repl: Repl | None = None

    async def rage(self, rounds: int) -> Tally:
        """Go through it, then let everything left be answered and count."""
        for _ in range(rounds):
            repl = await self._alive()
            strike = asyncio.create_task(self._strike(repl))
            while not strike.done():
                if repl.over:
                    await asyncio.sleep(0)
                else:
                    await self.speak(repl)
            await strike
        return await self.end(rounds)

    async def _alive(self) -> Repl:
        """Return the bot, started again where it was killed; one time in four it may be struck while it starts."""
        if self._repl is None or self._repl.over:
            await let_leases_run_out(self.home)
            self._repl = await self.start(listening=False)
            if self._chance.random() < 0.75:
                await self._repl.until(lambda: "turns remembered" in self._repl.told)  # type: ignore[union-attr]
        return self._repl

    async def _strike(self, repl: Repl) -> None:
        starting = "turns remembered" not in repl.told
        # Not waiting for anything: the moment is what is tried.
        await asyncio.sleep(self._chance.uniform(0, 1.5 if starting else 0.6))
        victim = self._chance.choice(["bot", "redis", "both"])
        if victim == "bot":
            await repl.kill()
        elif victim == "redis":
            await kill_redis(self.home)
        else:
            await asyncio.gather(repl.kill(), kill_redis(self.home))
