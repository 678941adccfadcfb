"""A conversation in which the bot, Redis or both are killed at a given moment of a turn, of whatever kind."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

from tests.platforms.home import Home
from tests.platforms.killed_at import STRUCK, Plan, moments
from tests.platforms.ordeal import Ordeal
from tests.platforms.victims import PATIENCE, Echo, Repl, kill_redis, let_leases_run_out, remembered

Arm = Callable[[], None]

IN_LINE = 16  # moments: two looks at whose turn it is


class Gauntlet(Ordeal):
    """Turns of several kinds; a round is one at whose nth moment somebody is killed, and what is said next."""

    def __init__(self, home: Home, model: Echo) -> None:
        super().__init__(home, model)
        self._plan = home.folder / "plan.json"
        home.lorebot = [sys.executable, "-m", "tests.platforms.killed_at", str(self._plan)]
        self._repl: Repl | None = None
        self._other: Repl | None = None
        self._at_once = False
        self.rounds = 0

    async def round(self, kind: "Kind", victim: str = "nobody", nth: int = 0, of: str = "") -> list[str]:
        """Hold a turn, then let be made good what is owed; return the turn's moments up to the strike.

        The victim (bot, redis, both, nobody) is killed at the nth moment, or at the nth `of` a sort.
        """
        plan = Plan(str(self.home.server.folder), victim, nth, of)
        outages = self._outages()
        await kind(self, lambda: plan.write(self._plan))
        seen = moments(self._plan)
        self.rounds += STRUCK in seen
        if STRUCK in seen and plan.victim in ("bot", "both"):
            assert self._repl
            await self._repl.end()
        number = await self.speak(await self._alive())
        assert self.shown()[number], (seen[-2:], self._repl.told)
        await self._made_good(f"{kind.__name__}, {plan}: {seen[-2:]}")
        if kind is not Gauntlet.finding_redis_dead:  # killed again while it was started, it is away for a moment
            assert self._outages() == outages
        return seen

    # Kinds of turns

    async def with_recall(self, arm: Arm) -> None:
        """Look into a window and memory."""
        repl = await self._alive()
        arm()
        await self.speak(repl)

    async def in_pieces(self, arm: Arm) -> None:
        """Take the answer a character at a time."""
        self.model.finely, self.model.pace = True, lambda: 0.002
        await self.with_recall(arm)
        self.model.finely, self.model.pace = False, lambda: 0.0

    async def finding_redis_dead(self, arm: Arm) -> None:
        """Find that Redis has been killed, and start it again."""
        repl = await self._alive()
        await kill_redis(self.home)
        arm()
        await self.speak(repl)

    async def late(self, arm: Arm) -> None:
        """Answer what a bot that was killed amid its answer still owed."""
        repl = await self._alive()
        number = await self._held(repl)
        await repl.kill()
        self.model.go()
        await let_leases_run_out(self.home)
        arm()
        self._repl = again = await self.start(listening=False)
        await again.until_or_over(lambda: again.has_answered(number))

    async def in_line(self, arm: Arm) -> None:
        """Wait until another bot has answered in this conversation."""
        if self._other is None:
            self._other = await self.start()
        before, repl = await self._held(self._other), await self._alive()
        arm()
        speaking = asyncio.create_task(self.speak(repl))
        await _until(lambda: len(moments(self._plan)) >= IN_LINE or STRUCK in moments(self._plan))
        self.model.go()
        await self._other.until_or_over(lambda: self._other.has_answered(before))  # type: ignore[union-attr]
        await speaking

    def _outages(self) -> int:
        return sum(len(repl.outages) for repl in self._repls)

    async def _held(self, repl: Repl) -> int:
        """Say something; return once the model has it and holds on amid its answer."""
        self.model.hold(1)
        self.number += 1
        repl.type(self.number)
        await _until(lambda: self.number in self.model.asked)
        return self.number

    async def _alive(self) -> Repl:
        """Return the bot, started again where it was killed: once at once, once when its leases have run out."""
        if self._repl is None or self._repl.over:
            self._at_once = not self._at_once
            if not self._at_once:
                await let_leases_run_out(self.home)
            self._repl = await self.start()
            await let_leases_run_out(self.home)
        return self._repl

    async def _made_good(self, round: str) -> None:
        """Wait until all that was acknowledged is in memory."""
        harm: object = "turns and index do not agree"
        try:
            async with asyncio.timeout(PATIENCE):
                while harm := self._tally(0, await remembered(self.home)).missing:
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"{round}: {harm}") from None


Kind = Callable[[Gauntlet, Arm], Awaitable[None]]
KINDS: tuple[Kind, ...] = (
    Gauntlet.with_recall,
    Gauntlet.in_pieces,
    Gauntlet.late,
    Gauntlet.in_line,
    Gauntlet.finding_redis_dead,
)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)
