"""What was said in channels before the bot listened: learned in the background when somebody asks for it.

Asking is enough: what a process leaves unfinished, the next one resumes.
"""

from bot.channels import Channels
from bot.errors import CommandError
from bot.lesson import AGAIN, Lesson, Past, Pupil, Report, Where, silent
from memory import tasks
from memory.memory import Memory


class Learning:
    """Learns the past of channels that remember. owner: another one in each process."""

    def __init__(self, memory: Memory, channels: Channels, owner: str, *, again: float = AGAIN) -> None:
        self._memory = memory
        self._channels = channels
        self._owner = owner
        self._again = again
        self._lessons: dict[tuple[str, str], Lesson] = {}

    async def begin(self, where: Where, past: Past, report: Report = silent, *, anew: bool = False) -> bool:
        """Learn a channel's past from where that ended the last time; False where it is being learned already.

        anew: from its beginning; what is known stays as it is. past: raises DeliveryRefused where it cannot be read.
        report: told every TELL seconds, and at the end. Raises CommandError where the channel does not remember,
        RedisError.
        """
        scope = where()
        if not (await self._channels.get(scope)).remembers:
            raise CommandError(
                "first let me remember this channel with `/channel remembers on`; then I can learn what was said before"
            )
        mine = self._memory.keys.tenant(scope.tenant)
        batch = self._memory.batch()
        new = batch.ask("SADD", mine.learning, scope.conversation, read=bool)
        await batch.send()
        if not new.value:
            self.resume(where, past, report)  # unless this process or another does
            return False
        if anew:
            batch.ask("HDEL", mine.lessons, scope.conversation, read=int)
            await batch.send()
        self._start(where, past, report)
        return True

    async def unfinished(self, tenant: str) -> list[str]:
        """Return the tenant's conversations whose past is being learned; `resume` each. Raises RedisError."""
        batch = self._memory.batch()
        found = batch.ask(
            "SMEMBERS",
            self._memory.keys.tenant(tenant).learning,
            read=lambda all_: sorted(one.decode() for one in all_),
        )
        await batch.send()
        return found.value

    def resume(self, where: Where, past: Past, report: Report = silent) -> None:
        """Go on learning a channel's past, as soon as no other process does."""
        scope = where()
        if (scope.tenant, scope.conversation) not in self._lessons:
            self._start(where, past, report)

    async def stop(self, tenant: str, conversation: str) -> bool:
        """Learn no more of a channel, whichever process does it; False where nobody does. Raises RedisError."""
        batch = self._memory.batch()
        done = batch.ask("SREM", self._memory.keys.tenant(tenant).learning, conversation, read=bool)
        await batch.send()
        lesson = self._lessons.get((tenant, conversation))
        if lesson is not None:
            await tasks.ended(lesson.task)
            await lesson.stopped()
        return done.value

    async def forget(self, tenant: str, conversation: str) -> None:
        """Know no more how far a channel's past has been learned. Raises RedisError."""
        batch = self._memory.batch()
        batch.ask("HDEL", self._memory.keys.tenant(tenant).lessons, conversation, read=int)
        await batch.send()

    async def close(self) -> None:
        """Stop learning for now: the next process goes on."""
        for lesson in list(self._lessons.values()):
            await tasks.ended(lesson.task)

    def _start(self, where: Where, past: Past, report: Report) -> None:
        scope = where()
        here = (scope.tenant, scope.conversation)
        pupil = Pupil(self._memory, self._channels, self._owner, self._again)
        self._lessons[here] = lesson = Lesson(pupil, where, past, report)
        lesson.task.add_done_callback(lambda _: self._lessons.pop(here, None))
