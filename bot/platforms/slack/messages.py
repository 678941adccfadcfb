"""What people say in Slack: heard, heard anew where it was edited, and forgotten where it is gone."""

import asyncio
from weakref import WeakValueDictionary

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.errors import SlackApiError

from bot import admission
from bot.conversation import Asked
from bot.desk import NOT_YOURS, NOTHING_TO_STOP
from bot.notes import Notes
from bot.notices import BUSY
from bot.places import Shown
from bot.platforms.slack import intake, metadata, past, slashes, words
from bot.platforms.slack.arrivals import Arrivals
from bot.platforms.slack.audience import place, scope
from bot.platforms.slack.desk import Place, Spot
from bot.platforms.slack.failures import FAILED, why
from bot.platforms.slack.floor import Floor, Json
from bot.platforms.slack.intake import Heard
from bot.platforms.slack.missed import Missed
from bot.platforms.slack.people import Channel
from bot.platforms.slack.questions import Origin
from bot.platforms.slack.tenants import tenant
from bot.platforms.slack.workspaces import Workspace
from bot.records import Incoming
from memory.errors import LoreError, RedisUnavailable
from memory.records import Which
from memory.scope import Operator, Scope

log = structlog.get_logger()


class Messages:
    """Takes in what is addressed to the bot, each message once.

    missed: looks for what was said while nobody listened. ending: what comes now is for the next process.
    """

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._engine, self._memory = floor.rooms.engine, floor.rooms.memory
        self._screens = floor.screens
        self._arrivals = Arrivals()
        self._orders: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.missed = Missed(Notes(floor.rooms.memory), floor.readers, self._hear_late)
        self.ending = False

    def register(self, bolt: AsyncApp) -> None:
        """Let bolt call us."""
        for event in ("message", "app_mention"):
            bolt.event(event)(self._on_message)

    async def _on_message(self, event: Json, body: Json, context: Json, request: AsyncBoltRequest) -> None:
        """Hear, hear anew or forget a message. Where that fails, Slack is to send it again."""
        workspace = await self._floor.workspace(context)
        if workspace is None:
            return
        again = request.headers.get("x-slack-retry-num", ["0"])[0] != "0"
        first = event["type"] == "message" and not again
        if body.get("is_ext_shared_channel"):
            workspace = await self._floor.sharing.asked(workspace, event)
        async with self._order(workspace, str(event["channel"])):  # what is said first is heard first
            match event.get("subtype"):
                case "message_changed":
                    await self._changed(workspace, event)
                case "message_deleted":
                    await self._deleted(workspace, event)
                case "channel_convert_to_private":
                    for one in await self._floor.sharing.beside(workspace, event["channel"]):
                        await self._floor.readers.closed(one, event["channel"])
                case "channel_convert_to_public":
                    for one in await self._floor.sharing.beside(workspace, event["channel"]):
                        await self._floor.readers.moved(one, event["channel"])
                case _:
                    await self._hear_once(workspace, event, first=first, again=again)

    def _order(self, workspace: Workspace, channel: str) -> asyncio.Lock:
        return self._orders.setdefault(f"{workspace.team}/{channel}", asyncio.Lock())

    async def _hear_late(self, workspace: Workspace, event: Json) -> None:
        """Hear a message that Slack may not have told us of."""
        async with self._order(workspace, event["channel"]):
            await self._hear_once(workspace, event, first=False, again=True)

    async def _hear_once(self, workspace: Workspace, event: Json, *, first: bool, again: bool) -> None:
        try:
            await self._hear(workspace, event, first=first, again=again)
        except BaseException:  # Slack will send it again
            self._arrivals.lost(workspace.team, str(event["channel"]), str(event.get("ts")))
            raise

    async def _hear(self, workspace: Workspace, event: Json, *, first: bool, again: bool) -> None:
        """Take in a message that is addressed to the bot.

        first: no other process has been told of it. While memory is away, nobody else could know that it is taken in.
        again: it has been told before; whoever answered it while memory was away may not have written that down yet.
        Raises SlackApiError, and RedisUnavailable where it is to be sent again.
        """
        now = self._arrivals.latest(workspace.team, event)
        if now is None:
            return
        self._screens.hear(workspace, now)
        one = intake.heard(now)
        if one is None or one.person == workspace.me or not self._arrivals.come(workspace.team, one.channel, one.ts):
            return
        channel, person = await workspace.people.channel(one.channel), await workspace.people.person(one.person)
        if person.bot:
            return
        await self._floor.readers.met(workspace, channel)
        incoming = await self._floor.questions.incoming(workspace, one)
        here = incoming.scope
        whole = scope(workspace.team, channel, person)
        if not admission.admitted(whole, self._floor.rooms.settings.allow, self._floor.rooms.settings.deny):
            return
        joins = self._floor.service.listening.channels.of(whole).joins
        addressed, would_be = (
            intake.addressed(one, workspace.me, channel, joins=joins, in_thread=spoken) for spoken in (False, True)
        )
        addressed = addressed or (would_be and await self._in_thread(here))
        self.missed.heard(one.channel, (one.thread or one.ts) if addressed else None)
        if not addressed:
            if self._floor.service.listening.channels.of(whole).remembers:
                said = past.turn(workspace, one, person.name)
                self._floor.service.listening.overheard.hear(whole, said)
            return
        already = await self._engine.inbox.take_in(incoming)  # once it is, Slack may be told so
        if already is None:
            return
        away = not await self._engine.backlog.caught_up()
        if self.ending or (away and not first):
            await self._engine.inbox.leave(incoming)
            if away:
                raise RedisUnavailable(self._engine.backlog.away)
            return
        if again and not already and await _answered(workspace, one):
            await self._engine.inbox.done(incoming)
            return
        where = self._floor.place(workspace, Spot(one.channel, one.thread, one.person, slash="!{}".format))
        if incoming.text.startswith("!") and await self._commanded(workspace, where, one, incoming):
            await self._engine.inbox.done(incoming)
            return
        refusal = await self._floor.service.limits.admit(here, one.sent_at)
        asked = Asked(incoming, Origin(workspace, one), already, taken=True)
        if refusal is None and self._floor.talks.take(asked):
            return
        await self._engine.inbox.done(incoming)
        if refusal is None or not refusal.told:  # beside: others are heard in this channel meanwhile
            self._floor.later(where.show(Shown(BUSY if refusal is None else refusal.text)))

    async def _changed(self, workspace: Workspace, event: Json) -> None:
        """Answer an edited message anew where its answer is under way; else let memory hold what it says now."""
        message, channel = event["message"], str(event["channel"])
        if message.get("subtype") == "tombstone":
            await self._deleted(workspace, {**event, "deleted_ts": message["ts"]})
            return
        self._screens.change(workspace, channel, message)
        one = intake.heard({**message, "channel": channel})
        old = event.get("previous_message") or {}
        if one is None or one.person == workspace.me or old.get("text") == message.get("text"):
            return  # our own, or a link's preview
        self._arrivals.changed(workspace.team, channel, one.ts, message)
        incoming = await self._floor.questions.incoming(workspace, one)
        talk = self._floor.talks.of(incoming)
        if talk is not None and one.ts in talk and await self._again(workspace, one, incoming.scope):
            talk.reword(incoming.id, incoming.text)
            return
        work = self._reworded(workspace, one, str(old.get("text") or ""))
        if one.files:  # they are downloaded anew, and Slack waits three seconds
            self._floor.later(work)
        else:
            await work

    async def _reworded(self, workspace: Workspace, one: Heard, old: str) -> None:
        """Let memory hold what a message says now, if it is remembered. old: what it said."""
        incoming = await self._floor.questions.incoming(workspace, one)
        before = words.read(words.without(old, workspace.me), workspace.people.name)
        try:
            if not await self._floor.questions.edited(one, incoming, before):
                whole = scope(workspace.team, await workspace.people.channel(one.channel), one.person)
                await self._floor.service.listening.overheard.edited(whole, one.ts, incoming.text)
        except (LoreError, SlackApiError, OSError) as error:
            log.warning("edit not remembered", turn=one.ts, error=type(error).__name__)

    async def _again(self, workspace: Workspace, one: Heard, here: Scope) -> bool:
        """Tell whether somebody may have a message answered anew: it may be the model's work once more."""
        refusal = await self._floor.service.limits.admit(here, one.sent_at)
        if refusal is not None and not refusal.told:
            where = self._floor.place(workspace, Spot(one.channel, one.thread, one.person))
            self._floor.later(where.show(Shown(refusal.text)))
        return refusal is None

    async def _deleted(self, workspace: Workspace, event: Json) -> None:
        """Forget a message that is gone, and stop answering it; an answer that is shown stays."""
        ts, channel = str(event["deleted_ts"]), str(event["channel"])
        thread = (event.get("previous_message") or {}).get("thread_ts")
        self._screens.drop(workspace.team, channel, ts, thread)
        self._arrivals.changed(workspace.team, channel, ts, None)
        places = dict.fromkeys((channel, f"{channel}:{ts}", f"{channel}:{thread or ts}"))
        talks = [talk for one in places if (talk := self._floor.talks.at(workspace.team, one)) is not None]
        whose = tenant(workspace.team)
        for talk in talks:
            await talk.withdraw({ts})
        for one in places:
            self._floor.service.listening.overheard.withdraw(whose, one, {ts})
        try:
            kind = await workspace.people.channel(channel)
            firsts = [(one, (await self._engine.inbox.burst(_in(workspace, kind, one), ts)).first) for one in places]
            kept = [(one, first) for one, first in firsts if not any(first in talk for talk in talks)]
            turns = tuple(dict.fromkeys([*((one, ts) for one in places), *kept]))  # kept: not answered anew without it
            await self._memory.forget(Operator(whose), Which(turns=turns), erase=False)
        except (LoreError, SlackApiError) as error:
            log.warning("not forgotten", error=type(error).__name__)

    async def _in_thread(self, here: Scope) -> bool:
        """Tell whether the bot has been spoken to in a thread before. Raises RedisError: nobody else could know."""
        if await self._memory.recent(here, 1):
            return True
        return bool((await self._engine.inbox.told(here, str(place(here.conversation)[1]))).state)

    async def _commanded(self, workspace: Workspace, where: Place, one: Heard, incoming: Incoming) -> bool:
        """Carry out `!command words`; slash commands don't work in threads. False where it is none."""
        name, _, rest = incoming.text[1:].partition(" ")
        if name == "stop":  # a message that is being streamed has no buttons
            self._floor.later(self._stop(workspace, where, one))
            return True
        command = slashes.meant(name)
        if command is None:
            return False
        self._floor.later(self._floor.desk.run(where, command, rest.strip()))
        return True

    async def _stop(self, workspace: Workspace, where: Place, one: Heard) -> None:
        """Stop what is answered where somebody says so, if it is theirs or they manage the workspace."""
        found = self._floor.talks.answering(workspace.team, one.channel, one.thread)
        any_ = bool(found) and await workspace.people.admin(one.person)
        theirs = [(talk, its) for talk, asked, its in found if any_ or asked.incoming.scope.person == one.person]
        if found and not theirs:
            await where.show(Shown(NOT_YOURS))
        elif not any([await talk.stop_answering(its) for talk, its in theirs]):
            await where.show(Shown(NOTHING_TO_STOP))


async def _answered(workspace: Workspace, one: Heard) -> bool:
    """Tell whether an answer of ours stands below a message, as far as Slack tells."""
    try:
        found = await workspace.sender.conversations_replies(
            channel=one.channel, ts=one.thread or one.ts, oldest=one.ts, limit=100, include_all_metadata=True
        )
    except FAILED as error:
        log.info("not known whether it is answered", error=why(error))
        return False
    ours = [message for message in found["messages"] if message.get("bot_id") == workspace.bot]
    return any(metadata.asked(message) == one.ts for message in ours)


def _in(workspace: Workspace, kind: Channel, conversation: str) -> Scope:
    """Return the scope by which an event of a conversation is looked up."""
    _, _, thread = conversation.partition(":")
    return scope(workspace.team, kind, workspace.me, thread or None)
