"""Turns and questions made up for measuring: words as common and as rare as in a language, vectors at random."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from memory.embedder import Embedder, Vectors
from memory.records import Turn
from memory.scope import Audience, Scope

DIM = 384
ROOM = 1000  # turns of a conversation
FIRST_DAY = 1_700_000_000_000

EVERYWHERE = Scope("bench:1", "c0", "ada", Audience.PUBLIC)  # recalls from every conversation of the tenant
HERE = replace(EVERYWHERE, narrow=True)  # recalls from its own conversation alone

_SHORT = """able air art back ball band bank bear bed bell bird blue boat body bone book box bread bridge brown cake
    camp card care cat chair child clay cloud coat cold cook corn court cup dance dark day deep deer desk dish dog
    door draw dream dress drum dust earth edge face fair fall farm fast feel field film fire fish flag flat floor
    flow fly fog food foot fork free fresh frog fruit game garden gate gift girl glass gold grain grand grass green
    ground group grow guest hair hall hand hard hat head heart hill home hook horse house ice iron jar joke key king
    kite knife lake lamp land leaf learn leg letter light line lion list lock long lost love low lunch map mark meal
    meat milk mill mind moon moss mouse mouth music nail neck nest net night north nut oak oil page paint pan paper
    park path pen piano pig pine plan plant plate play pond pool port post pot rain red rest rice ring river road
    rock roof room root rope rose sail salt sand sea seat seed sheep ship shoe shop shore sister skin sky sleep snow
    soap sock song south spoon spring star step stone storm straw street sun swim table tail tea tent test tide time
    toe tooth town toy track train travel tree trip truck turn uncle valley view village walk wall warm watch water
    wave week west wheel wild wind wine wing winter wood wool word work yard year""".split()
_FUNCTION_WORDS = "the a to and I you my it of in is was that for on".split()

_FLATNESS = 40  # Zipf-Mandelbrot: the n-th word has weight 1 / (n + 40), so that the commonest is in 5% of the turns
_STEMS, _FILLERS = 15, 7  # words of a turn, about 35 tokens


def _vocabulary(size: int = 40_000) -> list[str]:
    """Return words by frequency: short ones, then two put together ('rainwater'), as tokenizers cut them too."""
    pairs = [one + other for one in _SHORT for other in _SHORT if one != other]
    np.random.default_rng(7).shuffle(pairs)
    return [*_SHORT, *pairs][:size]


class Corpus:
    """As many turns as wanted; the n-th is always the same."""

    def __init__(self) -> None:
        """Weigh the words."""
        self._words = _vocabulary()
        weights = 1 / (np.arange(len(self._words)) + 1 + _FLATNESS)
        self._up_to = np.cumsum(weights / weights.sum())
        self._random = np.random.default_rng(7)

    def turn(self, number: int, scope: Scope | None = None) -> Turn:
        """Return the n-th turn, in the conversation it falls into or that of the scope."""
        random = np.random.default_rng([1, number])
        fillers = [_FUNCTION_WORDS[place] for place in random.integers(len(_FUNCTION_WORDS), size=_FILLERS)]
        said = self._drawn(random, _STEMS) + fillers
        random.shuffle(said)
        conversation = scope.conversation if scope else f"c{number // ROOM}"
        return Turn(f"b{number}", conversation, "ada", "Ada", "user", " ".join(said), FIRST_DAY + number * 60_000)

    def question(self, number: int) -> str:
        """Return a question of 3 to 8 words that are searched for: half from one turn of the first conversation."""
        random = np.random.default_rng([2, number])
        wanted = int(random.integers(3, 9))
        said = [word for word in self.turn(int(random.integers(ROOM))).text.split() if word not in _FUNCTION_WORDS]
        known = [str(word) for word in random.choice(said, (wanted + 1) // 2, replace=False)]
        return f"What was it with the {' '.join(known + self._drawn(random, wanted // 2))}?"

    def vectors(self, number: int) -> Vectors:
        """Return unit vectors at random, other ones at every call."""
        drawn = self._random.standard_normal((number, DIM)).astype(np.float32)
        unit: Vectors = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return unit

    def _drawn(self, random: np.random.Generator, number: int) -> list[str]:
        return [self._words[place] for place in np.searchsorted(self._up_to, random.random(number))]


class Drawn:
    """An embedder that takes no time: vectors drawn beforehand, in turn."""

    name = "drawn"

    def __init__(self, corpus: Corpus, *, ahead: int = 4096, real: Embedder | None = None) -> None:
        """Draw vectors: as arrays, and as the lists that other libraries ask for. real: embeds in their stead."""
        self._arrays = corpus.vectors(ahead)
        self._lists: list[list[float]] = self._arrays.tolist()
        self._turn = count()
        self._real = real

    async def dim(self) -> int:
        """Return the size of the vectors."""
        return DIM

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector a text."""
        if self._real is not None:
            return await self._real.embed(texts)
        return self._arrays[[next(self._turn) % len(self._arrays) for _ in texts]]

    def embed_one(self, text: str) -> list[float]:
        """Return a vector as numbers, without a copy."""
        return self._lists[next(self._turn) % len(self._lists)]

    async def close(self) -> None:
        """Nothing to let go of."""
