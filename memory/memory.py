"""Memory: what people import. It puts the rooms together and has little logic of its own."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self, TypeVar

import redis.asyncio

from memory import (
    conversations,
    embeddings,
    erasure,
    forgetting,
    index,
    query,
    rank,
    selection,
    summaries,
    transfer,
    turns,
    upkeep,
    views,
    wishes,
    within,
)
from memory import cue as cues
from memory.batch import Answer, Batch, explaining
from memory.census import Census
from memory.cue import Cue
from memory.embedder import Embedder, Vector
from memory.errors import LoreError
from memory.index import Generation, Progress
from memory.jobs import Jobs
from memory.keys import Keys
from memory.pending import Due
from memory.query import Listing
from memory.rank import Candidate, Ranked, Weights
from memory.records import Context, Forgotten, Recalled, Status, Turn, Which
from memory.reranker import DEPTH, Reranked, Reranker, reranked
from memory.scope import Operator, Scope
from memory.selection import Place
from memory.transfer import Brought, Exported
from memory.turns import Indexed, Stored, Written
from memory.upkeep import Upkeep
from memory.views import IndexOptions, Passage, packed
from memory.within import Closed

T = TypeVar("T")

AT_ONCE = 8  # passages of a turn that are embedded before it is answered; about 25 ms each

_NOTHING_CLOSED: Closed = frozenset()


@dataclass(frozen=True, slots=True)
class Glance:
    """What one look at Redis tells before a message is embedded."""

    text: str
    speakers: tuple[str, ...] = ()
    cached: embeddings.Cached = field(default_factory=dict)
    closed: Closed = _NOTHING_CLOSED
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """The vectors that are known of some texts; trouble: why the others are not."""

    vectors: Mapping[str, Vector]
    trouble: str = ""

    def of(self, text: str) -> Vector | None:
        """Return a text's vector."""
        return self.vectors.get(embeddings.digest(text))


class Memory:
    """Turns that are remembered, recalled, listed, changed, forgotten.

    Every call carries its Scope. Raises RedisUnavailable where no server answers, RedisError where it refuses. While
    the embedder is away, turns are searched for and found by their words alone, and embedded by `upkeep` later.
    """

    def __init__(
        self,
        client: "redis.asyncio.Redis",
        embedder: Embedder,
        generation: Generation,
        *,
        keys: Keys = Keys(),
        options: IndexOptions = IndexOptions(),
        weights: Weights = Weights(),
        floor: float = -1.0,
        reranker: Reranker | None = None,
    ) -> None:
        self._client = client
        self.embedder = embedder
        self.generation = generation
        self.keys = keys
        self._options = options
        self._weights = weights
        self._floor = floor
        self._reranker = reranker
        self._census = Census()
        self.jobs = Jobs(client, keys)
        self.chores = asyncio.Event()  # set when there is something for `upkeep` to do at once

    @classmethod
    async def open(
        cls,
        client: "redis.asyncio.Redis",
        embedder: Embedder,
        *,
        keys: Keys = Keys(),
        options: IndexOptions = IndexOptions(),
        weights: Weights = Weights(),
        floor: float = -1.0,
        reranker: Reranker | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Return memory once Redis has loaded and indexed all it holds.

        floor: the cosine of the embedder below which texts have nothing to do with each other.

        Raises RedisUnavailable, NoQueryEngine, EmbedderMismatch, NewerMemory.
        """
        generation = await index.ready(client, embedder, keys, options, progress)
        return cls(
            client,
            embedder,
            generation,
            keys=keys,
            options=options,
            weights=weights,
            floor=floor,
            reranker=reranker,
        )

    def batch(self, *, atomic: bool = False) -> Batch:
        """Return an empty batch, for commands that shall travel together; with `atomic`, all take effect or none."""
        return Batch(self._client, atomic=atomic)

    # Remember and recall

    def glance(self, batch: Batch, scope: Scope, text: str) -> Answer[Glance]:
        """Ask for what `hear` and `recall` want to know first: names heard here, the text's cached vector, wishes."""
        names = turns.speakers(batch, self.keys, scope)
        closed = conversations.closed(batch, self.keys, scope.tenant)
        paused = wishes.paused(batch, self.keys, scope)
        index = self.keys.generation(self.generation.number)
        counted = self._census.ask(batch, index, scope.held, cues.terms(text, self.generation.made.language))

        def read(cached: embeddings.Cached) -> Glance:
            counted()
            return Glance(text, names.value, cached, closed.value, paused.value)

        return embeddings.look_up(batch, self.keys, scope, self.embedder.name, text, read=read)

    async def hear(
        self,
        scope: Scope,
        turn: Turn,
        *,
        k: int,
        window: int,
        glance: Glance | None = None,
        due: Due | None = None,
        told: int = 0,
    ) -> Context:
        """Recall what belongs to a turn, read the recent window, and remember the turn.

        One round trip, and another for the texts of what was found. The searches run first, so that the turn does not
        find itself. due: the turn awaits a summary, and all that do are in the window. told: how many summaries are
        recalled beside the k turns; 0: they are recalled like turns.
        """
        glance = glance or await self._glanced(scope, turn.text)
        cue = self._cue(glance, scope, turn.sent_at)
        if cue.idle:
            cue = replace(cue, query="", terms=(), windows=())  # nothing to search for
        passages = self._passages(turn)
        known = await self._embedded(glance, [*filter(None, [cue.query]), *_said(passages)])
        batch = self.batch()

        def search(batch: Batch, closed: Closed) -> query.Search:
            return self._search(batch, scope, closed, known.of(cue.query), cue)

        found = search(batch, glance.closed)
        recent = turns.recent(batch, self.keys, scope, window, pending=due is not None)
        written = self._write(batch, scope, turn, self._indexed(passages, known), live=True, due=due)
        self._keep(batch, scope, glance, known)
        closed = conversations.closed(batch, self.keys, scope.tenant)
        await batch.send()
        if closed.value - glance.closed:
            found = await self._seeing(scope, search, closed.value)
        self._stirred(written.value.closing or known.trouble or len(passages) > AT_ONCE)
        self._queued(scope, written.value)
        itself = turns.turn_digest(scope.tenant, scope.conversation, turn.id)
        best = await self._best(scope, found.candidates, cue, k, but=itself, told=told)
        return Context(
            recalled=tuple(best.recalled),
            recent=tuple(one for one in recent.value if one.id != turn.id),
            new=written.value.new,
            paused=written.value is Written.PAUSED,
            trouble=known.trouble,
            unread=best.trouble,
        )

    async def recall(
        self, scope: Scope, text: str, k: int = 10, *, at: int | None = None, anyway: bool = False, told: int = 0
    ) -> list[Recalled]:
        """Return the k turns that belong most to a text, best first, each with its score and signals.

        at: when it is asked, milliseconds, for what "yesterday" means; default: now. anyway: also for small talk, which
        needs no memory. told: how many summaries are recalled beside the k turns; 0: they are recalled like turns.
        """
        glance = await self._glanced(scope, text)
        cue = self._cue(glance, scope, _now() if at is None else at)
        if cue.idle and not anyway:
            return []
        known = await self._embedded(glance, [cue.query])

        def search(batch: Batch, closed: Closed) -> query.Search:
            return self._search(batch, scope, closed, known.of(cue.query), cue)

        found = await self._seeing(scope, search, glance.closed)
        return (await self._best(scope, found.candidates, cue, k, told=told)).recalled

    async def remember(
        self,
        scope: Scope,
        said: Sequence[Turn],
        *,
        batch: Batch | None = None,
        vectors: Sequence[bytes | None] | None = None,
        live: bool = False,
        due: Due | None = None,
    ) -> list[bool]:
        """Embed and index turns in order; False for each that is not new: one whose id is known stays as it is.

        They may be several people's, in one conversation. With a batch, its commands travel along. vectors: as the
        index holds them, for turns embedded before. live: neither what a paused person says is kept nor the answer to a
        forgotten turn, as for what is being said now. due: they await a summary. Summaries that were made elsewhere
        cover what is here of their sources.
        """
        passages = [self._passages(turn) for turn in said]
        known = Known({})
        if vectors is None:
            known = await self._embedded(Glance(""), [text for some in passages for text in _said(some)])
        indexed = [self._indexed(some, known) for some in passages]
        if vectors is not None:  # each is the first passage's
            for some, vector in zip(indexed, vectors, strict=True):
                some[0] = (some[0][0], Stored(self.generation.number, vector) if vector else None)
        batch = batch or self.batch()
        written = [
            self._write(batch, scope, turn, some, live=live, due=due) for turn, some in zip(said, indexed, strict=True)
        ]
        await batch.send()
        late = any(len(some) > (AT_ONCE if vectors is None else 1) for some in passages)
        self._stirred(known.trouble or late or any(one.value.closing for one in written))
        for one in written:
            self._queued(scope, one.value)
        return [one.value.new for one in written]

    async def recent(self, scope: Scope, count: int = 20, *, pending: bool = False) -> tuple[Turn, ...]:
        """Return the conversation's last turns since it was begun anew, oldest first.

        pending: with all that await a summary.
        """
        return await self._asked(lambda batch: turns.recent(batch, self.keys, scope, count, pending=pending))

    async def awaiting(self, scope: Scope, count: int) -> tuple[Turn, ...]:
        """Return the oldest turns of the conversation that await a summary, at most so many, oldest first."""
        return await self._asked(lambda batch: summaries.awaiting(batch, self.keys, scope, count))

    async def summarise(
        self,
        scope: Scope,
        sources: Sequence[Turn],
        text: str,
        *,
        person: str,
        author: str,
        status: Status = Status.WHOLE,
    ) -> bool:
        """Remember the summary of some turns, which no longer await one; whoever recalls them recalls it.

        False, and nothing is written, where one of them does not await a summary (another was faster), or was forgotten
        or edited since it was read. person, author: who made it.
        """
        turn = replace(summaries.of(scope, sources, text, person, author), status=status)
        passages = self._passages(turn)
        known = await self._embedded(Glance(""), _said(passages))
        indexed = self._indexed(passages, known)
        written = await self._asked(lambda batch: summaries.write(batch, self.keys, scope, turn, indexed, sources))
        self._stirred(known.trouble or len(passages) > AT_ONCE)
        return written.new

    async def known(self, scope: Scope, ids: Sequence[str]) -> list[bool]:
        """Tell for each id whether a turn of this conversation has it."""
        batch = self.batch()
        found = [turns.known(batch, self.keys, scope, one) for one in ids]
        await batch.send()
        return [one.value for one in found]

    async def learnable(self, scope: Scope, said: Sequence[Turn]) -> list[bool]:
        """Tell of each turn that was said here once whether it may be remembered now.

        Not if it is known, if it was forgotten, or if its person had paused when they said it.
        """
        digests = [turns.turn_digest(scope.tenant, scope.conversation, one.id) for one in said]
        people = [turns.whose(scope, one).person for one in said]
        batch = self.batch()
        known = [turns.known(batch, self.keys, scope, one.id) for one in said]
        forgotten = forgetting.forgotten(batch, self.keys, scope.tenant, digests)
        pauses = wishes.pauses(batch, self.keys, scope.tenant, people)
        await batch.send()
        return [
            not there.value and not gone and not any(one.sent_at in pause for pause in paused)
            for one, there, gone, paused in zip(said, known, forgotten.value, pauses.value, strict=True)
        ]

    async def get(self, scope: Scope, turn_id: str) -> Turn | None:
        """Return one turn of this conversation, or None."""
        return await self._asked(lambda batch: turns.get(batch, self.keys, scope, turn_id))

    async def latest(self, scope: Scope, count: int = 20, skip: int = 0) -> Listing:
        """Return the latest turns that can be recalled here, the newest first."""
        found = await self._seeing(
            scope,
            lambda batch, closed: query.latest(batch, self.keys, within.turns(scope, closed), count, skip),
        )
        return found.value

    async def begin_anew(self, scope: Scope) -> None:
        """Empty the recent window; what was said is still recalled."""
        await self._asked(lambda batch: turns.begin_anew(batch, self.keys, scope))

    # Change, forget, take along

    async def edit(self, scope: Scope, turn_id: str, text: str, *, live: bool = False) -> bool:
        """Give a turn of this conversation another text, embedded and indexed anew; False where there is none.

        live: it is being said now, so the turn of a person who has paused is forgotten instead.
        """
        batch = self.batch()
        known_as = turns.get(batch, self.keys, scope, turn_id)
        over = summaries.over(batch, self.keys, scope, turn_id)
        await batch.send()
        old = known_as.value
        if old is None:
            return False
        if old.text == text:
            return True
        if live and await self.paused(replace(scope, person=old.person)):
            await self.forget(Operator(scope.tenant), Which(turns=((scope.conversation, turn_id),)))
            return False
        turn = replace(old, text=text)
        passages = self._passages(turn)
        known = await self._embedded(Glance(""), _said(passages))
        batch = self.batch(atomic=True)
        done = forgetting.edit(batch, self.keys, scope, turn, self._indexed(passages, known))
        for text in filter(None, (old.text, over.value)):
            batch.ask("DEL", self.keys.tenant(scope.tenant).embedding(self.embedder.name, text), read=int)
        erasure.mark(batch, self.keys)
        await batch.send()
        self._stirred(known.trouble or len(passages) > AT_ONCE)
        return done.value

    async def rate(self, scope: Scope, turn_id: str, good: bool) -> bool:
        """Keep what the person thinks of a turn of this conversation, beside it; False where there is none."""
        return await self._asked(lambda batch: turns.rate(batch, self.keys, scope, turn_id, good))

    async def find(self, whose: Scope | Operator, which: Which) -> list[Place]:
        """Return where those turns stand that meet the conditions, by conversation and time: what `forget` would take.

        A Scope finds what can be recalled there and, wherever it was said, what the person said and what answers
        them; an Operator all that the tenant has.
        """
        if isinstance(whose, Operator):
            everything = within.everything(whose)
            return await explaining(selection.select(self._client, self.keys, whose.tenant, everything, which))
        closed = _NOTHING_CLOSED
        while True:
            mine = within.theirs(whose, closed)
            found = await explaining(selection.select(self._client, self.keys, whose.tenant, mine, which))
            now = await self._asked(lambda batch: conversations.closed(batch, self.keys, whose.tenant))
            if now <= closed:
                return found
            closed |= now

    async def read(self, whose: Scope | Operator, places: Sequence[Place]) -> list[Turn]:
        """Return the turns that stand at places which `find` gave."""
        mine = self.keys.tenant(whose.tenant)
        batch = self.batch()
        rows = [batch.ask("HMGET", mine.turn(one.digest), *turns.FIELDS, read=tuple) for one in places]
        await batch.send()
        return [turns.parse(row.value) for row in rows if row.value[0] is not None]

    async def forget(
        self,
        whose: Scope | Operator,
        which: Which | Sequence[Place],
        *,
        progress: Callable[[int], None] = lambda done: None,
        erase: bool = True,
        again: bool = False,
    ) -> Forgotten:
        """Forget turns, the answers to them and all that came of them, on the disk too.

        which: conditions as for `find`, or what it found. erase: False leaves the disk to `upkeep`, where nobody has
        asked for it: Redis writes all its files anew. again: they are `learnable` still.
        """
        gone = 0
        places = await self.find(whose, which) if isinstance(which, Which) else which
        for _ in range(3):  # what is said meanwhile is found too, and so is what a busy server left out
            gone += await explaining(
                forgetting.forget(
                    self._client, self.keys, whose.tenant, self.embedder.name, places, progress, again=again
                )
            )
            places = await self.find(whose, which) if isinstance(which, Which) else ()
            if not places:
                break
        return Forgotten(gone, await explaining(erasure.erase(self._client, self.keys)) if erase else "")

    async def leave(self, operator: Operator) -> Forgotten:
        """Forget all that is kept of a tenant, on the disk too; only who has paused is still known."""
        forgotten = await self.forget(operator, Which(), again=True)
        await explaining(forgetting.clear(self._client, self.keys, operator.tenant))
        batch = self.batch()
        erasure.mark(batch, self.keys)
        await batch.send()
        return Forgotten(forgotten.turns, await explaining(erasure.erase(self._client, self.keys)))

    async def export(
        self, whose: Scope | Operator, which: Which = Which(), *, vectors: bool = False
    ) -> AsyncIterator[Exported]:
        """Yield turns by conversation and time, with who can read them and, if wanted, their vectors.

        For a Scope, with what the person thinks of them.
        """
        for page in selection.pages(await self.find(whose, which)):
            for one in await explaining(self._exported(whose, page, vectors)):
                yield one

    async def bring_in(
        self,
        found: Iterable[Exported],
        scope_of: Callable[[Exported], Scope],
        *,
        progress: Callable[[int], None] = lambda done: None,
    ) -> Brought:
        """Remember turns that were exported, or read from a file: in their order, each once, embedded as needed.

        scope_of: where each belongs, such as `lambda one: one.scope("local:ada", "ada")`.
        """
        return await transfer.bring_in(self, found, scope_of, progress)

    async def _exported(self, whose: Scope | Operator, page: Sequence[Place], vectors: bool) -> list[Exported]:
        rater = whose if isinstance(whose, Scope) else None
        return await transfer.exported(self._client, self.keys, whose.tenant, page, self.generation, vectors, rater)

    # Wishes

    async def moved(self, *scopes: Scope) -> None:
        """Tell who can read conversations from now on: it holds for the next recall.

        Their turns are given their new reach by `upkeep`. That fewer people read is also believed from every turn's own
        scope; that more do, or that other threads are open, only from here.
        """
        batch = self.batch()
        changing = [conversations.moved(batch, self.keys, scope) for scope in scopes]
        await batch.send()
        self._stirred(any([one.value for one in changing]))  # each is read: one that was refused raises

    async def pause(self, scope: Scope) -> None:
        """From now on the person is answered and what they and the answers say is not remembered, in this tenant."""
        await self._asked(lambda batch: wishes.pause(batch, self.keys, scope, _now()))

    async def resume(self, scope: Scope) -> None:
        """Remember the person again."""
        await self._asked(lambda batch: wishes.resume(batch, self.keys, scope, _now()))

    async def paused(self, scope: Scope) -> bool:
        """Tell whether the person has paused."""
        return await self._asked(lambda batch: wishes.paused(batch, self.keys, scope))

    async def retain(self, whose: Scope | Operator, days: int | None) -> None:
        """Forget the tenant's turns once they are older than that; None: keep them. `upkeep` does it."""
        await self._asked(lambda batch: wishes.retain(batch, self.keys, whose.tenant, days))

    async def retention(self, whose: Scope | Operator) -> int | None:
        """Return after how many days the tenant's turns are forgotten; None: never."""
        return await self._asked(lambda batch: wishes.retention(batch, self.keys, whose.tenant))

    async def upkeep(self) -> Upkeep:
        """Do what waits: tag moved conversations anew, forget what is too old, embed what could not be embedded.

        Every process may do it, also at the same time. Due hourly, and when `chores` is set.
        """
        self.chores.clear()
        return await explaining(upkeep.tidy(self._client, self.keys, self.generation, self.embedder, now=_now()))

    # Within

    async def _asked(self, ask: Callable[[Batch], Answer[T]]) -> T:
        batch = self.batch()
        answer = ask(batch)
        await batch.send()
        return answer.value

    async def _seeing(self, scope: Scope, ask: Callable[[Batch, Closed], T], closed: Closed = _NOTHING_CLOSED) -> T:
        """Ask within what may be seen; look afterwards what is closed, and ask again where something has been."""
        while True:
            batch = self.batch()
            found = ask(batch, closed)
            now = conversations.closed(batch, self.keys, scope.tenant)
            await batch.send()
            if now.value <= closed:
                return found
            closed |= now.value

    async def _glanced(self, scope: Scope, text: str) -> Glance:
        return await self._asked(lambda batch: self.glance(batch, scope, text))

    async def _embedded(self, glance: Glance, texts: Sequence[str]) -> Known:
        """Return the texts' vectors, those that are not cached embedded together; none new where that fails.

        A text that no vector can stand for is found by its words alone.

        Raises EmbedderMismatch.
        """
        wanted = {embeddings.digest(text): text for text in texts}
        cached = {one: vector for one, vector in glance.cached.items() if one in wanted}
        missing = [text for one, text in wanted.items() if one not in cached]
        if not missing:
            return Known(cached)
        try:
            vectors = await self.embedder.embed(missing)
        except LoreError as error:
            return Known(cached, trouble=str(error))
        if vectors.shape[1] != self.generation.made.dim:  # a model of the same name, and of another size
            raise index.mismatch(self.generation.made, replace(self.generation.made, dim=vectors.shape[1]))
        found = zip(missing, vectors, strict=True)
        new = {embeddings.digest(text): vector for text, vector in found if views.findable(vector)}
        return Known({**cached, **new})

    def _cue(self, glance: Glance, scope: Scope, at: int) -> Cue:
        language = self.generation.made.language
        return cues.read(glance.text, glance.speakers, person=scope.person_tag.encode(), at=at, language=language)

    def _passages(self, turn: Turn) -> list[Passage]:
        return views.passages(turn, self.generation.made.language)

    def _keep(self, batch: Batch, scope: Scope, glance: Glance, known: Known) -> None:
        if not glance.paused and not known.vectors.keys() <= glance.cached.keys():
            embeddings.keep(batch, self.keys, scope, self.embedder.name, glance.text, known.vectors)

    def _search(self, batch: Batch, scope: Scope, closed: Closed, vector: Vector | None, cue: Cue) -> query.Search:
        mine, plan = within.reach(scope, closed), self._census.plan(scope.held, cue.terms)
        return query.search(batch, self.keys, mine, self.generation.number, vector, cue, plan, self._options)

    async def _best(
        self, scope: Scope, found: Sequence[Candidate], cue: Cue, k: int, *, but: str | None = None, told: int = 0
    ) -> Reranked:
        """Return the k turns that belong most to a cue, best first. but: a turn's digest that is not among them."""
        if told:
            return await self._best_of_both(scope, found, cue, k, told, but)
        most = k if self._reranker is None else max(k, DEPTH)
        ranked = rank.rank(found, cue, most + (but is not None), self._weights, floor=self._floor)
        texts = await self._told(scope, [one for one in ranked if one.candidate.turn != but][:most])
        if self._reranker is None:
            return Reranked(texts)
        best = await reranked(self._reranker, cue.query, texts)
        return replace(best, recalled=best.recalled[:k])

    async def _best_of_both(
        self, scope: Scope, found: Sequence[Candidate], cue: Cue, k: int, told: int, but: str | None
    ) -> Reranked:
        """Return the best k turns, and behind them the best summaries, so many: neither takes the other's place."""
        said = [one for one in found if one.card.role != "summary"]
        made = [one for one in found if one.card.role == "summary"]
        best = await self._best(scope, said, cue, k, but=but)
        if not made:
            return best
        ranked = rank.rank(found, cue, len(found), self._weights, floor=self._floor)
        few = [one for one in ranked if one.candidate.card.role == "summary"][:told]
        return replace(best, recalled=[*best.recalled, *await self._told(scope, few)])

    async def _told(self, scope: Scope, ranked: Sequence[Ranked]) -> list[Recalled]:
        """Read the turns of what was ranked; those that have been forgotten meanwhile are left out."""
        mine = self.keys.tenant(scope.tenant)
        batch = self.batch()
        rows = [batch.ask("HMGET", mine.turn(one.candidate.turn), *turns.FIELDS, read=tuple) for one in ranked]
        await batch.send()
        return [
            Recalled(turns.parse(row.value), one.score, one.signals, one.candidate.card.span)
            for one, row in zip(ranked, rows, strict=True)
            if row.value[0] is not None
        ]

    def _indexed(self, passages: Sequence[Passage], known: Known) -> list[Indexed]:
        """Return the passages with their vectors, as far as they are known."""
        made = self.generation.made
        found = [(passage, known.of(passage.said)) for passage in passages]
        return [
            (passage, None if vector is None else Stored(self.generation.number, packed(vector, made.dim, made.dtype)))
            for passage, vector in found
        ]

    def _write(
        self, batch: Batch, scope: Scope, turn: Turn, indexed: Sequence[Indexed], *, live: bool, due: Due | None
    ) -> Answer[Written]:
        if turn.role == "summary":
            return summaries.write(batch, self.keys, scope, turn, indexed)
        return turns.remember(batch, self.keys, scope, turn, indexed, live=live, due=due)

    def _queued(self, scope: Scope, written: Written) -> None:
        if written.due:
            self.jobs.ring(scope.tenant)

    def _stirred(self, something: object) -> None:
        if something:
            self.chores.set()


def _said(passages: Sequence[Passage]) -> list[str]:
    """Return what is embedded at once; the rest of a very long turn is embedded by `upkeep`."""
    return [passage.said for passage in passages[:AT_ONCE]]


def _now() -> int:
    return time.time_ns() // 1_000_000
