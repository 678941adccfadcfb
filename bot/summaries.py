"""The worker that summarises long conversations; every process may have one, and they share the work.

A conversation with enough new messages is a job in the tenant's queue (memory/jobs.py), put there with the message that
was enough. Until its summary is written, and whatever becomes of the worker, the messages stay in the window.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog
from ulid import ULID

from bot import budget
from bot.apps.chat import BOT, day
from bot.apps.history import History, Task, read_task
from bot.apps.quoting import cast, one_line, quoted
from bot.errors import MessageTooLong, ReplyBroken
from bot.models.base import ChatModel, Finished, Message
from bot.models.tokens import readable
from memory import tasks
from memory.errors import LoreError, RedisError
from memory.jobs import Job
from memory.keys import TenantKeys
from memory.memory import Memory
from memory.records import Status, Turn

log = structlog.get_logger()

EVERY = 60.0  # seconds between looks at what other processes left, and at what failed before
LONGEST = 600  # tokens of a summary
TRIES = 3  # summaries in vain, of messages that people went on editing; then they are left alone for a while
LEAST = 16  # tokens of a message that is cut to fit; less says nothing


@dataclass(frozen=True, slots=True)
class Summarizer:
    """Who summarises an app's conversations. prompt: what the model is told about a conversation in quotes.

    name: the bot's, as people know it. timezone: the one that days are told in.
    """

    model: ChatModel
    history: History
    prompt: Callable[[str], str]
    name: str = "Lorebot"
    timezone: str = "UTC"


class Chats(Protocol):
    """Knows who summarises for which app."""

    async def summarizer(self, app: str) -> Summarizer | None:
        """Return who summarises an app's conversations; None where the app is gone or summarises none.

        Raises LoreError where that cannot be told now.
        """
        ...


class Summaries:
    """Takes jobs and makes summaries."""

    def __init__(self, memory: Memory, chats: Chats, *, every: float = EVERY) -> None:
        self._memory = memory
        self._jobs = memory.jobs
        self._chats = chats
        self._every = every
        self._name = str(ULID())

    async def run(self) -> None:
        """Make summaries until cancelled: at once what this process rings for, what else there is every minute."""
        rung: list[TenantKeys] = []
        while True:
            try:
                for mine in rung or await self._jobs.waiting():
                    await self.serve(mine)
            except RedisError as error:  # memory has gone away: the jobs stay until it is back
                log.warning("summaries broken", error=str(error))
            rung = await self._jobs.rung(self._every)

    async def serve(self, mine: TenantKeys) -> int:
        """Do the jobs of a tenant that can be done now; return how many summaries were made. Raises RedisError."""
        made = 0
        while (job := await self._jobs.take(mine, self._name)) is not None:
            renewing = asyncio.create_task(self._renew(mine, job))
            try:
                made += await self._do(mine, job)
            except RedisError:
                raise
            except LoreError as error:  # it is taken again later, after a pause that grows
                log.warning("not summarised", job=job.id, delivery=job.delivery, error=type(error).__name__)
            except Exception as error:  # one job's own fault; its text may be in the error's
                log.error("not summarised", job=job.id, delivery=job.delivery, error=type(error).__name__)
            finally:
                await tasks.ended(renewing)
        return made

    async def _do(self, mine: TenantKeys, job: Job) -> int:
        """Make all summaries of a conversation that are due, and take the job off the queue."""
        task = _read(job)
        summarizer = None if task is None else await self._chats.summarizer(task.app)
        if task is None or summarizer is None or not summarizer.history.summary_cnt:
            log.info("summary dropped", job=job.id)
            await self._jobs.finish(mine, job)
            return 0
        made, vain, count = 0, 0, summarizer.history.summary_cnt
        while vain < TRIES:
            said = await self._memory.awaiting(task.scope, count)
            if len(said) >= count:
                written = await self._summarise(summarizer, task, said)
                made, vain = made + written, vain + (not written)
            elif await self._jobs.finish(mine, job, count):
                log.info("summarised", job=job.id, summaries=made)
                break
        return made

    async def _summarise(self, summarizer: Summarizer, task: Task, said: Sequence[Turn]) -> bool:
        """Make one summary; False where a message was forgotten or edited meanwhile, or another worker was faster."""
        text, status = await _asked(summarizer, compose(summarizer, said))
        return await self._memory.summarise(task.scope, said, text, person=BOT, author=summarizer.name, status=status)

    async def _renew(self, mine: TenantKeys, job: Job) -> None:
        while True:
            await asyncio.sleep(self._jobs.lease / 3000)
            try:
                if not await self._jobs.renew(mine, job, self._name):
                    log.warning("lease lost", job=job.id)
            except RedisError as error:  # the next renewal may get through: the lease holds three
                log.warning("lease not renewed", job=job.id, error=str(error))


def _read(job: Job) -> Task | None:
    try:
        return read_task(job.told)
    except (TypeError, ValueError, KeyError, AttributeError) as error:  # written by another version
        log.warning("job not understood", job=job.id, error=type(error).__name__)
        return None


def compose(summarizer: Summarizer, said: Sequence[Turn]) -> Message:
    """Return what the model is asked; where not everything fits, each message is cut to the same length.

    Raises MessageTooLong where the model's context is too small for that.
    """
    tokenizer, names = summarizer.model.tokenizer, cast(said, summarizer.name)
    room = summarizer.model.context_window - LONGEST

    def asked(most: int | None) -> Message:
        texts = [turn.text if most is None else tokenizer.cut(turn.text, most) for turn in said]
        lines = [_line(summarizer, names, turn, text) for turn, text in zip(said, texts, strict=True)]
        return Message("user", summarizer.prompt("\n".join(lines)))

    message, most = asked(None), room // len(said)
    while budget.prompt_cost([message], tokenizer) > room:
        if most < LEAST:
            raise MessageTooLong(
                f"{len(said)} messages do not fit into the context of {summarizer.model.name} ({room:,} tokens beside "
                "the summary); lower summary_cnt, or take a model with a larger context"
            )
        message, most = asked(most), most * 3 // 4
    return message


def _line(summarizer: Summarizer, names: Mapping[tuple[str, str], str], turn: Turn, text: str) -> str:
    name = names.get((turn.person, turn.author)) if turn.role == "user" else one_line(summarizer.name)
    return f"- {day(turn, ZoneInfo(summarizer.timezone))}, {name}: {quoted(text)}"


async def _asked(summarizer: Summarizer, message: Message) -> tuple[str, Status]:
    """Return what the model answers. Raises ModelError."""
    said: list[str] = []
    status = Status.WHOLE
    async with aclosing(summarizer.model.stream([message], max_tokens=LONGEST)) as pieces:  # type: ignore[type-var]
        async for piece in pieces:
            if isinstance(piece, Finished):
                status = Status.CUT if piece.cut else Status.WHOLE
            else:
                said.append(piece.text)
    text = readable("".join(said)).strip()
    if not text:
        raise ReplyBroken("the model summarised a conversation with nothing; try another model or summary_prompt")
    return text, status
