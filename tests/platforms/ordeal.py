"""A conversation that goes on though the bot and Redis are killed, and what became of it."""

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from memory.records import Turn
from tests.platforms.home import Home
from tests.platforms.victims import Echo, Repl, let_leases_run_out, pieces, remembered


@dataclass(frozen=True)
class Tally:
    """What became of a conversation. taken, shown: messages that reached the model, and whose answer stood there.

    doubled: remembered twice. repeated: whole answers that were shown twice. errors: what was told beside the answers,
    but for outages: how often it was told or logged that memory is away, or back.
    """

    rounds: int
    taken: int
    shown: int
    lost: list[str]
    doubled: list[str]
    repeated: list[int]
    unanswered: list[int]
    disorder: list[int]
    errors: list[str]
    outages: int

    @property
    def missing(self) -> list[object]:
        """What memory has not got, or not yet."""
        return [*self.lost, *self.unanswered]

    @property
    def harm(self) -> dict[str, object]:
        """What must be empty."""
        names = ("lost", "doubled", "repeated", "unanswered", "disorder", "errors")
        return {name: found for name in names if (found := getattr(self, name))}


class Ordeal:
    """Holds the conversation; whoever kills does so between or during what is said here."""

    def __init__(self, home: Home, model: Echo) -> None:
        self.home = home
        self.model = model
        self.number = 0  # of the last message
        self._repls: list[Repl] = []

    async def start(self, *, listening: bool = True) -> Repl:
        """Start a bot, and wait until it listens."""
        repl = await Repl.start(self.home)
        self._repls.append(repl)
        if listening:
            await repl.until(lambda: "turns remembered" in repl.told)
        return repl

    async def speak(self, repl: Repl) -> int:
        """Say the next message; return its number once it has its answer or an error is told, or the bot is dead."""
        self.number += 1
        number, errors = self.number, _errors(repl)
        repl.type(number)
        await repl.until_or_over(lambda: repl.has_answered(number) or _errors(repl) > errors)
        return number

    async def end(self, rounds: int) -> Tally:
        """Let everything left be answered, say a last message, and count."""
        for repl in self._repls:
            if not repl.over:
                await repl.leave()
        await let_leases_run_out(self.home)
        last = await self.start()
        self.number += 1
        await last.say(self.number)
        await last.leave()
        return self._tally(rounds, await remembered(self.home))

    def shown(self) -> Counter[int]:
        """Return how often the whole answer to each message has been shown."""
        return Counter(
            number
            for repl in self._repls
            for number in range(1, self.number + 1)
            for _ in range(repl.shown.count(f"{''.join(pieces(number))}\n"))
        )

    def _tally(self, rounds: int, said: list[Turn]) -> Tally:
        texts = Counter(turn.text for turn in said)
        taken, shown = sorted(set(self.model.asked)), self.shown()
        answers = {turn.id for turn in said if turn.role == "assistant"}
        messages = [turn for turn in said if turn.role == "user"]
        order = [int(turn.text.split()[1]) for turn in messages]
        return Tally(
            rounds=rounds,
            taken=len(taken),
            shown=len(shown),
            lost=[f"Message {one}" for one in sorted({*taken, *shown}) if not texts[f"Message {one}"]]
            + ["".join(pieces(one)) for one in shown if not texts["".join(pieces(one))]],
            doubled=[text for text, times in texts.items() if times > 1],
            repeated=[one for one, times in shown.items() if times > 1],
            unanswered=[one for turn, one in zip(messages, order, strict=True) if f"{turn.id}.reply" not in answers],
            disorder=[second for first, second in pairwise(order) if second < first],
            errors=[error for repl in self._repls for error in repl.errors if error not in repl.outages],
            outages=sum(len(repl.outages) for repl in self._repls),
        )


def _errors(repl: Repl) -> int:
    return len(repl.errors) - len(repl.outages)
