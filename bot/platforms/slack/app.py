"""Events and actions of Slack in, the engine's answers out.

Slack is told that something has come only once it is written down (`process_before_response`): what it was told and we
lost, it would not send again. What takes longer is done beside.
"""

import asyncio
import re
from collections import OrderedDict
from typing import Any
from weakref import WeakValueDictionary

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.errors import SlackApiError

from bot import admission
from bot.conversation import Asked, Conversation
from bot.desk import NOTHING_TO_STOP, Shown
from bot.notes import Notes
from bot.notices import BUSY
from bot.platforms.slack import intake, past, slashes, words
from bot.platforms.slack.actions import Actions
from bot.platforms.slack.audience import place, scope
from bot.platforms.slack.desk import Place, Spot
from bot.platforms.slack.floor import Floor
from bot.platforms.slack.intake import Early, Heard
from bot.platforms.slack.manifest import PROMPTS
from bot.platforms.slack.missed import Missed
from bot.platforms.slack.people import Channel
from bot.platforms.slack.places import Places
from bot.platforms.slack.rooms import Rooms
from bot.platforms.slack.talks import Origin, Talks
from bot.platforms.slack.tenants import tenant
from bot.platforms.slack.workspaces import Workspace
from bot.records import Incoming
from memory.errors import LoreError, RedisUnavailable
from memory.records import Which
from memory.scope import Operator, Scope

log = structlog.get_logger()

Json = dict[str, Any]
CHANNEL = "slack#/types/channel_id"  # what somebody may look at
MOST_CAME = 10_000  # messages that are known to have come
MOVES = ("channel_shared", "channel_unshared", "channel_id_changed")
CAME = ("member_joined_channel", "member_left_channel")
GONE = ("channel_deleted", "channel_left", "group_deleted", "group_left")
HEARD_ONLY = (*("channel_archive", "channel_unarchive", "group_archive", "group_unarchive"),)


class SlackApp:
    """Registers what is heard, and answers it."""

    def __init__(self, bolt: AsyncApp, rooms: Rooms) -> None:
        self._floor = Floor(rooms)
        self._engine, self._memory = rooms.engine, rooms.memory
        self._screens = self._floor.talks.screens
        self._early = Early()
        self._came: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self._orders: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._ending = False
        self.missed = Missed(Notes(rooms.memory), self._floor.places, self._hear_late)
        self._register(bolt)

    @property
    def talks(self) -> Talks:
        """The conversations that are going on."""
        return self._floor.talks

    @property
    def places(self) -> Places:
        """Who can read what, as memory is told of it."""
        return self._floor.places

    async def drain(self, seconds: float) -> None:
        """Answer what came, so many seconds at most; what comes now is written down for the next process."""
        self._ending = True
        await self._floor.drain(seconds)

    def _register(self, bolt: AsyncApp) -> None:
        """Let bolt call us."""
        for event in ("message", "app_mention"):
            bolt.event(event)(self._on_message)
        for event in MOVES:
            bolt.event(event)(self._on_move)
        for event in CAME:
            bolt.event(event)(self._on_came)
        for event in GONE:
            bolt.event(event)(self._on_gone)
        bolt.event("app_home_opened")(self._on_home)
        bolt.event("agent_session_stopped")(self._on_stop)
        bolt.event("app_context_changed")(self._on_context)
        bolt.event("assistant_thread_started")(self._on_thread)
        bolt.event("assistant_thread_context_changed")(self._on_thread_context)
        bolt.event("app_uninstalled")(self._on_uninstalled)
        bolt.event("tokens_revoked")(self._on_revoked)
        bolt.event("team_access_granted")(self._on_granted)
        bolt.event("team_access_revoked")(self._on_withdrawn)
        for event in HEARD_ONLY:
            bolt.event(event)(self._on_nothing)
        bolt.event(re.compile(".*"))(self._on_nothing)  # what nobody acknowledges is sent again
        Actions(self._floor).register(bolt)

    # Messages

    async def _on_message(self, event: Json, body: Json, context: Json, request: AsyncBoltRequest) -> None:
        """Hear, hear anew or forget a message. Where that fails, Slack is to send it again."""
        workspace = await self._floor.workspace(context)
        if workspace is None:
            return
        first = event["type"] == "message" and request.headers.get("x-slack-retry-num", ["0"])[0] == "0"
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
                        await self.places.closed(one, event["channel"])
                case "channel_convert_to_public":
                    for one in await self._floor.sharing.beside(workspace, event["channel"]):
                        await self.places.moved(one, event["channel"])
                case _:
                    await self._hear_once(workspace, event, first=first)

    def _order(self, workspace: Workspace, channel: str) -> asyncio.Lock:
        return self._orders.setdefault(f"{workspace.team}/{channel}", asyncio.Lock())

    async def _hear_late(self, workspace: Workspace, event: Json) -> None:
        """Hear a message that Slack may not have told us of."""
        async with self._order(workspace, event["channel"]):
            await self._hear_once(workspace, event, first=False)

    async def _hear_once(self, workspace: Workspace, event: Json, *, first: bool) -> None:
        try:
            await self._hear(workspace, event, first=first)
        except BaseException:  # Slack will send it again
            self._came.pop((workspace.team, str(event["channel"]), str(event.get("ts"))), None)
            raise

    async def _hear(self, workspace: Workspace, event: Json, *, first: bool) -> None:
        """Take in a message that is addressed to the bot.

        first: no other process has been told of it. While memory is away, nobody else could know that it is taken in.
        Raises SlackApiError, and RedisUnavailable where it is to be sent again.
        """
        now = self._early.latest(workspace.team, event)
        if now is None:
            return
        self._screens.hear(workspace, now)
        one = intake.heard(now)
        if one is None or one.person == workspace.me or self._told_before(workspace, one):
            return
        channel, person = await workspace.people.channel(one.channel), await workspace.people.person(one.person)
        if person.bot:
            return
        await self.places.met(workspace, channel)
        incoming = await self._floor.talks.incoming(workspace, one)
        here = incoming.scope
        whole = scope(workspace.team, channel, person)
        if not admission.admitted(whole, self._floor.rooms.settings.allow, self._floor.rooms.settings.deny):
            return
        joins = self._floor.service.listening.channels.of(whole).joins
        in_thread = one.thread is not None and await self._in_thread(here)
        addressed = intake.addressed(one, workspace.me, channel, joins=joins, in_thread=in_thread)
        self.missed.heard(one.channel, place(here.conversation)[1] if addressed else None)
        if not addressed:
            if self._floor.service.listening.channels.of(whole).remembers:
                said = past.turn(workspace, one, person.name)
                self._floor.service.listening.overheard.hear(whole, said)
            return
        already = await self._engine.inbox.take_in(incoming)  # once it is, Slack may be told so
        if already is None:
            return
        away = not await self._engine.backlog.caught_up()
        if self._ending or (away and not first):
            await self._engine.inbox.leave(incoming)
            if away:
                raise RedisUnavailable(self._engine.backlog.away)
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
        if refusal is None or not refusal.told:
            await where.show(Shown(BUSY if refusal is None else refusal.text))

    def _told_before(self, workspace: Workspace, one: Heard) -> bool:
        """Tell whether a message has come already: a mention comes as two events, and Slack sends again."""
        message = (workspace.team, one.channel, one.ts)
        if message in self._came:
            return True
        self._came[message] = None
        if len(self._came) > MOST_CAME:
            self._came.popitem(last=False)
        return False

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
        if (workspace.team, channel, one.ts) not in self._came:
            self._early.note(workspace.team, channel, one.ts, message)
        incoming = await self._floor.talks.incoming(workspace, one)
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
        incoming = await self._floor.talks.incoming(workspace, one)
        before = words.read(words.without(old, workspace.me), workspace.people.name)
        try:
            if not await self._floor.talks.edited(one, incoming, before):
                whole = scope(workspace.team, await workspace.people.channel(one.channel), one.person)
                await self._floor.service.listening.overheard.edited(whole, one.ts, incoming.text)
        except (LoreError, SlackApiError, OSError) as error:
            log.warning("edit not remembered", turn=one.ts, error=type(error).__name__)

    async def _again(self, workspace: Workspace, one: Heard, here: Scope) -> bool:
        """Tell whether somebody may have a message answered anew: it may be the model's work once more."""
        refusal = await self._floor.service.limits.admit(here, one.sent_at)
        if refusal is not None and not refusal.told:
            where = self._floor.place(workspace, Spot(one.channel, one.thread, one.person))
            await where.show(Shown(refusal.text))
        return refusal is None

    async def _deleted(self, workspace: Workspace, event: Json) -> None:
        """Forget a message that is gone, and stop answering it; an answer that is shown stays."""
        ts, channel = str(event["deleted_ts"]), str(event["channel"])
        thread = (event.get("previous_message") or {}).get("thread_ts")
        self._screens.drop(workspace.team, channel, ts, thread)
        if (workspace.team, channel, ts) not in self._came:
            self._early.note(workspace.team, channel, ts, None)
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
        """Tell whether the bot has been spoken to in a thread before."""
        try:
            return bool(await self._memory.recent(here, 1)) or bool(
                (await self._engine.inbox.told(here, here.conversation.partition(":")[2])).state
            )
        except LoreError:
            return False

    async def _commanded(self, workspace: Workspace, where: Place, one: Heard, incoming: Incoming) -> bool:
        """Carry out `!command words`; slash commands don't work in threads. False where it is none."""
        name, _, rest = incoming.text[1:].partition(" ")
        if name == "stop":  # a message that is being streamed has no buttons
            talks = self._floor.talks.answering(workspace.team, one.channel, one.thread)
            if not any([await talk.stop_answering() for talk in talks]):
                await where.show(Shown(NOTHING_TO_STOP))
            return True
        command = slashes.meant(name)
        if command is None:
            return False
        self._floor.later(self._floor.desk.run(where, command, rest.strip()))
        return True

    # Places and people

    async def _on_move(self, event: Json, context: Json) -> None:
        """Tell memory that other people read a channel: it holds for the next recall."""
        workspace = await self._floor.workspace(context)
        if workspace is None:
            return
        if event["type"] == "channel_id_changed":
            await self.places.closed(workspace, str(event["old_channel_id"]))
            await self.places.moved(workspace, str(event["new_channel_id"]))
            return
        for one in await self._floor.sharing.beside(workspace, str(event["channel"])):
            await self.places.moved(one, str(event["channel"]))

    async def _on_came(self, event: Json, context: Json) -> None:
        """Take in that somebody came into a channel or left it; where it is the bot itself, what it is is asked."""
        workspace = await self._floor.workspace(context)
        if workspace is None:
            return
        channel, person = str(event["channel"]), str(event["user"])
        left = event["type"] == "member_left_channel"
        for one in await self._floor.sharing.beside(workspace, channel, person):
            one.people.came(channel, person)
            if person == one.me:
                await (self.places.left if left else self.places.moved)(one, channel)

    async def _on_gone(self, event: Json, context: Json) -> None:
        """Forget a channel that is gone, and close one that the bot is out of."""
        workspace = await self._floor.workspace(context)
        if workspace is None:
            return
        channel = str(event["channel"])
        if event["type"].endswith("left"):
            await self.places.left(workspace, channel)
            return
        for one in await self._floor.sharing.beside(workspace, channel):
            await self.places.deleted(one, channel)

    async def _on_uninstalled(self, body: Json, context: Json) -> None:
        """Let go of a workspace that has uninstalled the app: of its tokens at once, of its memory after a while."""
        enterprise, team = _installation(context)
        await self._leave(team, enterprise)
        await self._floor.rooms.purging.uninstalled(enterprise, team, float(body["event_time"]))

    async def _leave(self, team: str | None, enterprise: str | None = None) -> None:
        """Serve a workspace no more, or with team None those of an organisation that had the app for all of them."""
        for one in self._floor.rooms.workspaces.drop(team, enterprise):
            self.places.away(one)
            await self.talks.leave(one)

    async def _on_granted(self, event: Json) -> None:
        """Keep the memory of workspaces that an organisation has let the app into again."""
        for team in event.get("team_ids") or ():
            await self._floor.rooms.purging.here(str(team))

    async def _on_withdrawn(self, event: Json, context: Json) -> None:
        """Let go of workspaces that an organisation has taken the app from."""
        teams = [str(team) for team in event.get("team_ids") or ()]
        for team in teams:
            await self._leave(team)
        await self._floor.rooms.purging.left(context.get("enterprise_id"), teams)

    async def _on_revoked(self, event: Json, body: Json, context: Json) -> None:
        """Let go of tokens that somebody has taken back."""
        tokens = event["tokens"]
        people, bots = tokens.get("oauth") or (), tokens.get("bot") or ()
        enterprise, team = _installation(context)
        if bots:
            await self._leave(team, enterprise)
        await self._floor.rooms.purging.revoked(enterprise, team, people, bots, float(body["event_time"]))

    # The agent view and the App Home

    async def _on_home(self, event: Json, context: Json) -> None:
        """Show one's memory, or offer what may be asked."""
        workspace = await self._floor.workspace(context)
        if workspace is None:
            return
        if event.get("tab") == "home":
            self._floor.later(self._floor.home.show(workspace, str(event["user"])))
        else:
            self._screens.look_at(workspace.team, str(event["user"]), _looked_at(event))
            self._floor.later(_suggest(workspace, str(event["channel"]), None))

    async def _on_context(self, event: Json, body: Json, context: Json) -> None:
        """Take in what somebody looks at beside the agent."""
        workspace = await self._floor.workspace(context)
        people = [one.get("user_id") for one in body.get("authorizations") or () if not one.get("is_bot")]
        person = event.get("user") or next(iter(people), None)
        if workspace is not None and person:
            self._screens.look_at(workspace.team, str(person), _looked_at(event))

    async def _on_thread(self, event: Json, context: Json) -> None:
        """Offer what may be asked, in the older assistant view."""
        workspace = await self._floor.workspace(context)
        if workspace is not None:
            thread = event["assistant_thread"]
            await self._on_thread_context(event, context)
            self._floor.later(_suggest(workspace, thread["channel_id"], thread["thread_ts"]))

    async def _on_thread_context(self, event: Json, context: Json) -> None:
        """Take in what somebody looks at beside the older assistant."""
        workspace = await self._floor.workspace(context)
        thread = event["assistant_thread"]
        if workspace is not None and thread.get("user_id"):
            looked = (thread.get("context") or {}).get("channel_id")
            self._screens.look_at(workspace.team, str(thread["user_id"]), looked)

    async def _on_stop(self, event: Json, context: Json) -> None:
        """Stop the answer in a session; nothing more is written to what Slack has stopped."""
        workspace = await self._floor.workspace(context)
        if workspace is None:
            return
        for talk in self._floor.talks.answering(workspace.team, str(event["channel"]), event.get("thread_ts")):
            self._floor.later(talk.quiet() if event.get("streaming_message_ts") else _stopped(talk))

    async def _on_nothing(self, event: Json) -> None:
        """Hear what needs no answer."""


async def _suggest(workspace: Workspace, channel: str, thread: str | None) -> None:
    """Offer what may be asked; Slack takes four at most."""
    prompts = [{"title": title, "message": message} for title, message in PROMPTS]
    if thread is None:
        await workspace.client.api_call(
            "assistant.threads.setSuggestedPrompts", json={"channel_id": channel, "prompts": prompts}
        )
    else:
        await workspace.client.assistant_threads_setSuggestedPrompts(
            channel_id=channel, thread_ts=thread, prompts=prompts
        )


def _installation(context: Json) -> tuple[str | None, str | None]:
    """Return the organisation and the workspace of the installation that an event came through.

    No workspace where the organisation has installed the app for all of them, though the event names one.
    """
    return context.get("enterprise_id"), None if context.get("is_enterprise_install") else context.get("team_id")


async def _stopped(talk: Conversation) -> None:
    """Stop an answer that was posted, or has not begun; it is marked as stopped."""
    await talk.stop_answering()


def _looked_at(event: Json) -> str | None:
    """Return the channel that somebody looks at, if it is one."""
    entities = (event.get("context") or {}).get("entities") or ()
    return next((str(one["value"]) for one in entities if one.get("type") == CHANNEL and one.get("value")), None)


def _in(workspace: Workspace, kind: Channel, conversation: str) -> Scope:
    """Return the scope by which an event of a conversation is looked up."""
    _, _, thread = conversation.partition(":")
    return scope(workspace.team, kind, workspace.me, thread or None)
