"""What people do with commands, menus and buttons, and what they are told: the same on every platform.

A platform brings a Place for each thing that somebody does, and the ids that its buttons carry.
"""

import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from bot import admission, explained
from bot.channels import place
from bot.commands import table
from bot.commands.base import Command, File, Here, Named, Said
from bot.commands.places import does
from bot.delivery.split import split
from bot.engine import Engine
from bot.errors import CommandError, DeliveryError, ModelError
from bot.latest import Latest
from bot.notices import BUSY, SORRY
from bot.places import Place, Shown, Who
from bot.records import Incoming, Seen
from bot.service import Service
from bot.settings import Settings
from memory.errors import LoreError
from memory.memory import Memory
from memory.records import Which, answer_id
from memory.scope import Operator

log = structlog.get_logger()

DENIED = "I may not answer you here."
NOT_YOURS = "Only whoever asked, or a moderator, may do that."
NOT_ASKED = "I can't find any more what was asked."
NOTHING_TO_STOP = "There is nothing to stop any more."
TOO_LATE = "That was too long ago; say it again."

PATIENCE = 300.0  # seconds for a yes
MOST_KEPT = 500  # lists whose numbers are known, and questions that wait for a yes
MOST_PARTS = 3  # messages that a command says; beyond it a file
SELF_EVIDENT = ("ask", "chat")  # commands whose answer is a message that everybody sees at once


class Desk:
    """Carries out what people do."""

    def __init__(self, engine: Engine, memory: Memory, service: Service, settings: Settings) -> None:
        self._engine = engine
        self._memory = memory
        self._service = service
        self._settings = settings
        self._lists: Latest[tuple[str, str, str], tuple[Named, ...]] = Latest(MOST_KEPT)
        self._waiting: Latest[str, tuple[float, str, Callable[[], Awaitable[Said]]]] = Latest(MOST_KEPT)

    async def run(self, where: Place, command: Command, words: str) -> None:
        """Carry out a command with what follows it, and show what it says."""
        async with self._calm(where):
            if command.name not in SELF_EVIDENT:
                await where.wait(openly=command.open)
            who = await where.who()
            if command.name == "lookup" and not await self._may_ask(where, who):
                return
            here = self._here(who)
            if command.name == "why":
                told = self._engine, self._memory, here.scope
                here = replace(here, last=await explained.last(*told) or await explained.beginning(*told))
            said = await table.carried_out(command, here, words)
            if said.ask is not None:
                await self._ask(where, who, said.ask)
            elif said.chat is not None:
                if await self._may_ask(where, who) and not await where.open_thread(said.chat):
                    await where.show(Shown(BUSY))
            else:
                if said.switch is not None or said.learn:
                    said = await self._changed(where, who, said)
                await self._tell(where, who, said, openly=command.open)

    async def ask(self, where: Place, question: str, context: Sequence[Seen] = ()) -> None:
        """Ask in front of everybody: the question becomes a message, and that is answered like any other."""
        async with self._calm(where):
            await self._ask(where, await where.who(), question, context)

    async def stop(self, where: Place, message: str, asker: str) -> None:
        """Stop the answer to a message. asker: who has asked."""
        async with self._calm(where):
            if not _may(await where.who(), asker):
                await where.show(Shown(NOT_YOURS))
            elif not await where.stop(message):
                await where.show(Shown(NOTHING_TO_STOP))

    async def regenerate(self, where: Place, message: str, asker: str) -> None:
        """Answer a message anew, in the place of the answer that it has. asker: who has asked."""
        async with self._calm(where):
            who = await where.who()
            if not _may(who, asker):
                await where.show(Shown(NOT_YOURS))
                return
            if not await self._may_ask(where, who):
                return
            turn = await self._memory.get(who.scope, message)
            try:
                if turn is None:
                    raise LookupError(message)
                its = replace(who.scope, person=asker)
                incoming = Incoming(turn.id, its, turn.author, turn.text, turn.sent_at, self._settings.timezone)
                if not await where.take_again(incoming):
                    await where.show(Shown(BUSY))
            except LookupError:
                await where.show(Shown(NOT_ASKED))

    async def why(self, where: Place, message: str) -> None:
        """Show why the answer to a message says what it says, as far as whoever asks may know."""
        async with self._calm(where):
            await where.wait(openly=False)
            who = await where.who()
            last = await explained.explained(self._engine, self._memory, who.scope, message)
            await self._tell(where, who, await table.why(replace(self._here(who), last=last), ""))

    async def rate(self, where: Place, message: str, good: bool) -> None:
        """Keep what somebody thinks of an answer, beside its turn."""
        async with self._calm(where):
            known = await self._memory.rate((await where.who()).scope, answer_id(message), good)
            text = "Thank you. I keep that with the answer." if known else "Thank you. That answer is not remembered."
            await where.show(Shown(text))

    async def forget(self, where: Place, message: str, asked: str | None = None, others: Sequence[str] = ()) -> None:
        """Forget a message: one's own and the answer to it, an answer to oneself, or as a moderator any.

        asked: the message that it answers, where it is the bot's. others: conversations, beside the one that this
        place is, in which it may stand.
        """
        async with self._calm(where):
            await where.wait(openly=False)
            who = await where.who()
            here = who.scope
            turn = answer_id(asked) if asked else (await self._engine.inbox.burst(here, message)).first
            places = dict.fromkeys((here.conversation, *others))
            which = Which(turns=tuple((one, turn) for one in places), person=None if who.moderator else here.person)
            gone = await self._memory.forget(Operator(here.tenant) if who.moderator else here, which)
            await where.show(Shown("Forgotten." if gone.turns else "There is nothing of yours to forget in it."))

    async def confirmed(self, where: Place, token: str, yes: bool) -> None:
        """Do what waits for a yes, or let it be."""
        async with self._calm(where):
            who = await where.who()
            until, person, work = self._waiting.get(token, (0.0, who.scope.person, None))
            if person != who.scope.person:
                await where.show(Shown(NOT_YOURS))
                return
            self._waiting.pop(token, None)
            await where.settle()
            if work is None or until < time.monotonic():
                await where.show(Shown(TOO_LATE))
            elif yes:
                await self._tell(where, who, await work())
            else:
                await where.show(Shown("Nothing was done."))

    @asynccontextmanager
    async def _calm(self, where: Place) -> AsyncIterator[None]:
        """Tell calmly what goes wrong."""
        try:
            yield
        except CommandError as error:
            why = str(error)
            await where.show(Shown(f"{why[:1].upper()}{why[1:]}."))
        except ModelError as error:
            log.warning("command not answered", error=str(error))
            await where.show(Shown(error.calm))
        except LoreError as error:
            number = secrets.token_hex(4)
            log.warning("command failed", number=number, error=str(error))
            await where.show(Shown(SORRY.format(number)))

    async def _ask(self, where: Place, who: Who, question: str, context: Sequence[Seen] = ()) -> None:
        if not await self._may_ask(where, who):
            return
        asks = where.quiet(f"**{who.name}** asks: {question}")
        message = await where.say(next(split(asks, where.limit)).shown)
        if not await where.take(message, question, context):
            await where.show(Shown(BUSY))

    async def _may_ask(self, where: Place, who: Who) -> bool:
        """Count what the model is asked for; tell whoever is denied or beyond the limits, and nobody else."""
        if not admission.admitted(who.scope, self._settings.allow, self._settings.deny, who.roles):
            await where.show(Shown(DENIED))
        elif refusal := await self._service.limits.admit(who.scope, time.time_ns() // 1_000_000):
            await where.show(Shown(refusal.text))
        else:
            return True
        return False

    async def _tell(self, where: Place, who: Who, said: Said, *, openly: bool = False) -> None:
        """Show what a command says, to whom it is for; what is too long for a few messages becomes a file."""
        if said.listed is not None:
            self._lists[_list(who)] = said.listed
        text, file = where.quiet(said.text) or "Done.", said.file
        parts = [part.shown for part in split(text, where.limit)]
        if len(parts) > MOST_PARTS:
            parts, file = parts[:1], file or File("answer.md", text)
        for part in parts[:-1]:
            await where.show(Shown(part), openly=openly)
        token = ""
        if said.confirm is not None:
            token = secrets.token_hex(8)
            self._waiting[token] = (time.monotonic() + PATIENCE, who.scope.person, said.confirm)
        await where.show(Shown(parts[-1], token, file), openly=openly)

    def _here(self, who: Who) -> Here:
        return Here(
            who.scope,
            self._memory,
            self._settings.timezone,
            listed=self._lists.get(_list(who), ()),
            manager=who.manager,
            link=who.link,
            slash=who.slash,
            service=self._service,
        )

    async def _changed(self, where: Place, who: Who, wanted: Said) -> Said:
        """Switch on or off what the bot does in a channel, or begin to learn its past."""
        try:
            if wanted.switch is not None:
                return Said(does(await where.switch(wanted.switch)))
            if not (await self._service.listening.channels.get(who.scope)).remembers:
                raise CommandError(
                    f"first let me remember this channel with `{who.slash('channel')} remembers on`; then I can learn "
                    "what was said before"
                )
            begun = await where.learn()
        except DeliveryError as error:
            return Said(f"That did not work: {error}.")
        return Said("I begin to learn what was said here." if begun else "I am learning that already.")


def _may(who: Who, asker: str) -> bool:
    return who.moderator or who.scope.person == asker


def _list(who: Who) -> tuple[str, str, str]:
    """Return what a list's numbers hold for: a person in a channel with its threads."""
    return who.scope.tenant, place(who.scope), who.scope.person
