"""A conversation in which the bot, Redis or both are killed at random moments, and what became of it."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from memory.records import Turn
from tests.platforms.conftest import Home
from tests.platforms.victims import Echo, Repl, kill_redis, let_leases_run_out, pieces, remembered


@dataclass(frozen=True)
class Tally:
    """What became of a conversation. taken, shown: messages that reached the model, and whose answer stood there."""

    rounds: int
    taken: int
    shown: int
    lost: list[str]
    doubled: list[str]
    unanswered: list[int]
    disorder: list[int]
    errors: list[str]


class Storm:
    """Holds a conversation while something is killed at random moments, round after round."""

    def __init__(self, home: Home, model: Echo, chance: random.Random) -> None:
        self._home = home
        self._model = model
        self._chance = chance
        self._number = 0
        self._shown: list[int] = []
        self._errors: list[str] = []
        self._repl: Repl | None = None

    async def rage(self, rounds: int) -> Tally:
        """Go through it, then let everything left be answered and count."""
        for _ in range(rounds):
            repl = await self._alive()
            strike = asyncio.create_task(self._strike(repl))
            while not strike.done():
                await self._speak(repl)
            await strike
        await (await self._alive()).leave()
        await let_leases_run_out(self._home)
        last = await Repl.open(self._home)
        self._number += 1
        await last.say(self._number)
        self._shown.append(self._number)
        await last.leave()
        self._errors += last.errors
        return self._tally(rounds, await remembered(self._home))

    async def _alive(self) -> Repl:
        """Return the bot, started again where it was killed; one time in four it may be struck while it starts."""
        if self._repl is None or self._repl.over:
            await let_leases_run_out(self._home)
            self._repl = await Repl.start(self._home)
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
            await kill_redis(self._home)
        else:
            await asyncio.gather(repl.kill(), kill_redis(self._home))

    async def _speak(self, repl: Repl) -> None:
        if repl.over:
            await asyncio.sleep(0)
            return
        self._number += 1
        number, errors = self._number, len(repl.errors)
        repl.type(number)
        await repl.until_or_over(lambda: repl.has_answered(number) or len(repl.errors) > errors)
        if repl.has_answered(number) and len(repl.errors) == errors:
            self._shown.append(number)
        self._errors += repl.errors[errors:]

    def _tally(self, rounds: int, said: list[Turn]) -> Tally:
        texts = Counter(turn.text for turn in said)
        taken = sorted(set(self._model.asked))
        answers = {turn.id for turn in said if turn.role == "assistant"}
        messages = [turn for turn in said if turn.role == "user"]
        order = [int(turn.text.split()[1]) for turn in messages]
        return Tally(
            rounds=rounds,
            taken=len(taken),
            shown=len(self._shown),
            lost=[f"Message {one}" for one in {*taken, *self._shown} if not texts[f"Message {one}"]]
            + ["".join(pieces(one)) for one in self._shown if not texts["".join(pieces(one))]],
            doubled=[text for text, times in texts.items() if times > 1],
            unanswered=[one for turn, one in zip(messages, order, strict=True) if f"{turn.id}.reply" not in answers],
            disorder=[second for first, second in pairwise(order) if second < first],
            errors=self._errors,
        )
