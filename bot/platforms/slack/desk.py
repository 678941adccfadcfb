"""What people do in Slack with commands, shortcuts, buttons and dialogs, and what they are told."""

import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError

from bot import explained
from bot.channels import announcement
from bot.commands import table
from bot.commands.base import Command, Here, Named, Said, Switch
from bot.commands.places import does
from bot.conversation import Asked
from bot.delivery.mentions import quiet_on_slack
from bot.delivery.parts import SLACK
from bot.delivery.split import split
from bot.engine import Engine
from bot.errors import CommandError, DeliveryError, ModelError
from bot.lesson import Progress
from bot.notices import BUSY, SORRY
from bot.platforms.slack import blocks, past
from bot.platforms.slack.audience import place, scope
from bot.platforms.slack.intake import Heard
from bot.platforms.slack.outlet import NO_REPLY
from bot.platforms.slack.people import Channel
from bot.platforms.slack.plainly import plain
from bot.platforms.slack.talks import Origin, Talks
from bot.platforms.slack.workspaces import Workspace
from bot.records import Incoming, Seen
from bot.service import Service
from bot.settings import Settings
from memory.errors import LoreError
from memory.memory import Memory
from memory.records import Turn, Which, answer_id
from memory.scope import Operator, Scope

log = structlog.get_logger()

NOT_YOURS = "Only whoever asked, or an admin, may do that."
PATIENCE = 300.0  # seconds for a yes
MOST_KEPT = 500
MOST_PARTS = 3
SHOWN = 10  # turns on the App Home


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody does something, in a thread or not. tell: answers them alone; everyone: in front of all."""

    workspace: Workspace
    channel: str
    thread: str | None
    person: str
    tell: Callable[[str, list[dict[str, Any]]], Awaitable[None]]
    everyone: Callable[[str, list[dict[str, Any]]], Awaitable[None]]


class Desk:
    """Commands, shortcuts, buttons, dialogs and the App Home."""

    def __init__(self, engine: Engine, memory: Memory, service: Service, talks: Talks, settings: Settings) -> None:
        self._engine = engine
        self._memory = memory
        self._service = service
        self._talks = talks
        self._settings = settings
        self._lists: OrderedDict[tuple[str, str, str], tuple[Named, ...]] = OrderedDict()
        self._confirms: OrderedDict[str, tuple[float, str, Callable[[], Awaitable[Said]]]] = OrderedDict()

    async def run(self, where: Place, command: Command, words: str) -> None:
        """Carry out a command with what follows it, and show what it says."""
        try:
            here = await self.here(where)
            if command.name == "why":
                here = replace(here, last=await explained.last(self._engine, self._memory, here.scope))
            said = await table.carried_out(command, here, words)
            if said.ask is not None:
                await self.ask(where, said.ask)
            elif said.chat is not None:
                await self._open_thread(where, said.chat)
            else:
                if said.switch is not None or said.learn:
                    said = await self._changed(where, here, said)
                await self._tell(where, said, openly=command.open)
        except ModelError as error:
            log.warning("command not answered", command=command.name, error=str(error))
            await where.tell(error.calm, [])
        except (LoreError, SlackApiError, OSError) as error:
            number = secrets.token_hex(4)
            log.warning("command failed", command=command.name, number=number, error=type(error).__name__)
            await where.tell(SORRY.format(number), [])

    async def ask(self, where: Place, question: str, context: tuple[Seen, ...] = ()) -> None:
        """Ask in front of everybody: the question becomes a message, and that is answered in its thread."""
        name = (await where.workspace.people.person(where.person)).name
        text = next(split(quiet_on_slack(f"**{name}** asks: {question}"), SLACK)).shown
        ts = await self._post(where, text, where.thread)
        await self._take(where, ts, question, context)

    async def stop(self, where: Place, message: str, asker: str) -> None:
        """Stop the answer to a message."""
        if not await self._may(where, asker):
            await where.tell(NOT_YOURS, [])
            return
        for conversation in (where.channel, f"{where.channel}:{where.thread}", f"{where.channel}:{message}"):
            talk = self._talks.at(where.workspace.team, conversation)
            if talk is not None and await talk.stop_answer(message):
                return
        await where.tell("There is nothing to stop any more.", [])

    async def regenerate(self, where: Place, message: str, asker: str) -> None:
        """Answer a message anew, in the place of the answer that it has."""
        if not await self._may(where, asker):
            await where.tell(NOT_YOURS, [])
            return
        here = await self._scope(replace(where, person=asker))
        turn = await self._memory.get(here, message)
        if turn is None:
            await where.tell("I can't find any more what was asked.", [])
            return
        incoming = Incoming(turn.id, here, turn.author, turn.text, turn.sent_at, self._settings.timezone)
        try:
            asked = replace(await self._talks.found(incoming), anew=True)
        except (LookupError, SlackApiError):
            await where.tell("I can't find any more what was asked.", [])
            return
        if not self._talks.take(asked):
            await where.tell(BUSY, [])

    async def why(self, where: Place, message: str) -> None:
        """Show why the answer to a message says what it says."""
        here = await self.here(where)
        last = await explained.explained(self._engine, self._memory, here.scope, message)
        await self._tell(where, await table.why(replace(here, last=last), ""))

    async def rate(self, where: Place, message: str, good: bool) -> None:
        """Keep what somebody thinks of an answer, beside its turn."""
        await self._memory.rate(await self._scope(where), answer_id(message), good)
        await where.tell("Thank you. I keep that with the answer.", [])

    async def forget(self, where: Place, ts: str, ours: bool, asked: str | None) -> None:
        """Forget a message: one's own and the answer to it, an answer to oneself, or as an admin any."""
        here = await self.here(where)
        ids = [answer_id(asked or ts)] if ours else [(await self._engine.inbox.burst(here.scope, ts)).first]
        whose = Operator(here.scope.tenant) if here.manager else here.scope
        places = [here.scope.conversation, where.channel, f"{where.channel}:{ts}"]
        which = Which(
            turns=tuple((one, id_) for one in dict.fromkeys(places) for id_ in ids),
            person=None if here.manager else where.person,
        )
        gone = await self._memory.forget(whose, which)
        await where.tell("Forgotten." if gone.turns else "There is nothing of yours to forget in it.", [])

    async def confirmed(self, where: Place, token: str, yes: bool) -> None:
        """Do what waits for a yes, or let it be."""
        until, person, work = self._confirms.pop(token, (0.0, "", None))
        if person and person != where.person:
            self._confirms[token] = (until, person, work)  # type: ignore[assignment]
            return
        if work is None or until < time.monotonic():
            await where.tell("That was too long ago; say it again.", [])
        elif yes:
            await self._tell(where, await work())
        else:
            await where.tell("Nothing was done.", [])

    async def here(self, where: Place) -> Here:
        """Return where a command is given."""
        people = where.workspace.people
        manager = await people.admin(where.person)
        here = await self._scope(where)

        def link(turn: Turn) -> str:
            channel, thread = place(turn.conversation)
            ts = turn.id.removesuffix(".reply").replace(".", "")
            inside = f"?thread_ts={thread}&cid={channel}" if thread else ""
            return f"{where.workspace.url}archives/{channel}/p{ts}{inside}" if ts.isdecimal() else ""

        listed = self._lists.get((where.workspace.team, where.channel, where.person), ())
        return Here(
            here, self._memory, self._settings.timezone, listed=listed, manager=manager, link=link,
            service=self._service,
        )  # fmt: skip

    async def home(self, workspace: Workspace, person: str, search: str = "") -> None:
        """Show somebody what is remembered of them."""
        channel = Channel(f"home-{person}", "direct")
        here = scope(workspace.team, channel, person)
        paused = await self._memory.paused(here)
        places = await self._memory.find(here, Which(person=person))
        if search:
            wanted = search.casefold()
            turns = await self._memory.read(here, sorted(places, key=lambda one: one.sent_at)[-1000:])
            turns = [turn for turn in turns if wanted in turn.text.casefold()][-SHOWN:]
        else:
            turns = await self._memory.read(here, sorted(places, key=lambda one: one.sent_at)[-SHOWN:])
        told = f"{len(places):,} turns of yours, and answers to you. The last that I found:"
        lines = [(json.dumps([turn.conversation, turn.id]), f"{turn.author}: {turn.text}") for turn in reversed(turns)]
        await workspace.client.views_publish(user_id=person, view=blocks.page(told, lines, paused=paused))

    async def forget_turn(self, workspace: Workspace, person: str, name: str) -> None:
        """Forget a turn that stands on somebody's App Home."""
        conversation, turn = json.loads(name)
        here = scope(workspace.team, Channel(f"home-{person}", "direct"), person)
        await self._memory.forget(here, Which(turns=((conversation, turn),), person=person))
        await self.home(workspace, person)

    async def wish(self, workspace: Workspace, person: str, *, remembered: bool) -> None:
        """Remember somebody, or not any more."""
        here = scope(workspace.team, Channel(f"home-{person}", "direct"), person)
        await (self._memory.resume if remembered else self._memory.pause)(here)
        await self.home(workspace, person)

    async def export(self, workspace: Workspace, person: str) -> None:
        """Send somebody what is remembered of them, as a file in their direct messages."""
        here = scope(workspace.team, Channel(f"home-{person}", "direct"), person)
        lines = [one.line() async for one in self._memory.export(here, Which(person=person))]
        opened = await workspace.client.conversations_open(users=person)
        text = "".join(f"{line}\n" for line in lines) or "\n"
        await workspace.client.files_upload_v2(
            channel=opened["channel"]["id"], filename="memory.jsonl", content=text, initial_comment="Your memory."
        )

    async def preset(self, where: Place, **changes: str | None) -> None:
        """Change the persona or the model of a workspace."""
        if not await where.workspace.people.admin(where.person):
            await where.tell("Only who manages this place may do that.", [])
            return
        try:
            await self._service.presets.set(f"slack:{where.workspace.team}", **changes)
        except LoreError as error:
            await where.tell(f"{error}.", [])
            return
        await where.tell("So I will be, from my next answer on.", [])

    async def _tell(self, where: Place, said: Said, *, openly: bool = False) -> None:
        """Show what a command says, to whom it is for."""
        if said.listed is not None:
            self._lists[where.workspace.team, where.channel, where.person] = said.listed
            if len(self._lists) > MOST_KEPT:
                self._lists.popitem(last=False)
        tell = where.everyone if openly else where.tell
        text = quiet_on_slack(said.text) or "Done."
        parts = [part.shown for part in split(text, SLACK)][:MOST_PARTS]
        for part in parts[:-1]:
            await tell(plain(part), [blocks.markdown(part)])
        last = [blocks.markdown(parts[-1])]
        if said.confirm is not None:
            token = secrets.token_hex(8)
            self._confirms[token] = (time.monotonic() + PATIENCE, where.person, said.confirm)
            if len(self._confirms) > MOST_KEPT:
                self._confirms.popitem(last=False)
            last.append(blocks.confirm(token))
        await tell(plain(parts[-1]), last)
        if said.file is not None:
            opened = await where.workspace.client.conversations_open(users=where.person)
            await where.workspace.client.files_upload_v2(
                channel=opened["channel"]["id"], filename=said.file.name, content=said.file.text
            )

    async def _changed(self, where: Place, here: Here, wanted: Said) -> Said:
        """Switch on or off what the bot does in a channel, or begin to learn its past."""
        listening = self._service.listening
        channel = await where.workspace.people.channel(where.channel)
        if channel.kind == "direct":
            return Said("That can be said in a channel.")
        whole = scope(where.workspace.team, channel, where.person)
        try:
            if wanted.switch is not None:
                return Said(does(await self._switched(where, whole, wanted.switch)))
            read = partial(past.past, where.workspace, where.channel, self._settings.name)

            async def report(progress: Progress) -> None:
                if progress.over or progress.trouble:
                    told = progress.trouble or f"I have learned what was said here: {progress.done:,} messages"
                    await self._post(where, f"{told}.", None)

            begun = await listening.learning.begin(lambda: whole, read, report)
        except (CommandError, DeliveryError) as error:
            return Said(f"{error}.")
        return Said("I begin to learn what was said here." if begun else "I am learning that already.")

    async def _switched(self, where: Place, whole: Scope, wanted: Switch) -> Any:
        channels = self._service.listening.channels
        if wanted.remembers and not (await channels.get(whole)).remembers:
            name = (await where.workspace.people.person(where.person)).name
            await self._post(where, announcement(name), None)
        return await channels.set(whole, joins=wanted.joins, remembers=wanted.remembers)

    async def _open_thread(self, where: Place, topic: str) -> None:
        name = (await where.workspace.people.person(where.person)).name
        ts = await self._post(where, f"**{name}** opens a chat" + (f": {topic}" if topic else "."), None)
        if topic:
            await self._take(replace(where, thread=None), ts, topic)
        else:
            await self._post(where, "Every message in this thread is for me.", ts)
            here = await self._scope(replace(where, thread=ts))
            await self._engine.inbox.done(Incoming(ts, here, name, ".", int(float(ts) * 1000)))

    async def _take(self, where: Place, ts: str, text: str, context: tuple[Seen, ...] = ()) -> None:
        """Let a message of ours be answered, in which somebody has asked something."""
        channel = await where.workspace.people.channel(where.channel)
        one = Heard(ts, where.channel, where.person, text, where.thread or (None if channel.kind == "direct" else ts))
        incoming = replace(await self._talks.incoming(where.workspace, one), text=text, context=context)
        if not self._talks.take(Asked(incoming, Origin(where.workspace, one))):
            await where.tell(BUSY, [])

    async def _post(self, where: Place, text: str, thread: str | None) -> str:
        text = quiet_on_slack(text)
        posted = await where.workspace.sender.chat_postMessage(
            channel=where.channel, thread_ts=thread, text=plain(text), blocks=[blocks.markdown(text)],
            unfurl_links=False, unfurl_media=False, metadata=NO_REPLY,
        )  # fmt: skip
        return str(posted["ts"])

    async def _may(self, where: Place, asker: str) -> bool:
        return where.person == asker or await where.workspace.people.admin(where.person)

    async def _scope(self, where: Place) -> Scope:
        people = where.workspace.people
        channel, person = await people.channel(where.channel), await people.person(where.person)
        thread = None if channel.kind == "direct" and where.thread is None else where.thread
        narrow = self._settings.recall_from == "conversation"
        return scope(where.workspace.team, channel, person, thread, narrow=narrow)
