"""Events and actions of Slack in, the engine's answers out.

Slack is told that something has come only once it is written down (`process_before_response`): what it was told and we
lost, it would not send again. What takes longer is done beside.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import structlog
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError

from bot import admission
from bot.conversation import Asked
from bot.engine import Engine
from bot.platforms.slack import blocks, intake, past, slashes, words
from bot.platforms.slack.audience import scope
from bot.platforms.slack.desk import Desk, Place
from bot.platforms.slack.intake import Heard, Screens
from bot.platforms.slack.manifest import PROMPTS
from bot.platforms.slack.people import Channel
from bot.platforms.slack.purging import Purging
from bot.platforms.slack.talks import Origin, Talks
from bot.platforms.slack.tenants import tenant
from bot.platforms.slack.workspaces import Workspace, Workspaces
from bot.records import Seen
from bot.service import Service
from bot.settings import Settings
from memory.errors import LoreError
from memory.memory import Memory
from memory.records import Which
from memory.scope import Operator, Scope

log = structlog.get_logger()

Json = dict[str, Any]
BUSY = "I am still answering what was said before; please ask again in a moment."
MOST_CAME = 10_000  # messages that are known to have come
MOVES = ("channel_shared", "channel_unshared", "channel_id_changed", "member_joined_channel", "member_left_channel")
CONVERTED = ("channel_convert_to_private", "channel_convert_to_public")  # Slack tells these by messages
GONE = ("channel_deleted", "channel_left", "group_deleted", "group_left")
HEARD_ONLY = (
    *("app_context_changed", "assistant_thread_context_changed", "channel_archive", "channel_unarchive"),
    *("group_archive", "group_unarchive"),
)


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the app works with."""

    engine: Engine
    memory: Memory
    service: Service
    settings: Settings
    workspaces: Workspaces
    purging: Purging


class SlackApp:
    """Registers what is heard, and answers it."""

    def __init__(self, bolt: AsyncApp, rooms: Rooms) -> None:
        self._rooms = rooms
        self._engine, self._memory, self._service = rooms.engine, rooms.memory, rooms.service
        self._talks = Talks(rooms.workspaces, rooms.engine, rooms.service, rooms.settings)
        self._desk = Desk(rooms.engine, rooms.memory, rooms.service, self._talks, rooms.settings)
        self._screens = Screens()
        self._came: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self._orders: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._beside: set[asyncio.Task[None]] = set()
        self._ending = False
        self._register(bolt)

    @property
    def talks(self) -> Talks:
        """The conversations that are going on."""
        return self._talks

    async def tell_audiences(self, workspace: Workspace) -> None:
        """Tell memory who reads the channels that the bot is in: that may have changed while we were away.

        Raises SlackApiError, RedisError.
        """
        cursor = ""
        while True:
            page = await workspace.client.users_conversations(
                types="public_channel,private_channel,mpim", exclude_archived=True, limit=200, cursor=cursor
            )
            channels = [workspace.people.told(one) for one in page["channels"]]
            await self._memory.moved(*(scope(workspace.team, one, workspace.me) for one in channels))
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return

    async def drain(self, seconds: float) -> None:
        """Take no more messages, and answer those that came, so many seconds at most."""
        self._ending = True
        await self._talks.drain(seconds)
        if self._beside:
            await asyncio.wait(self._beside, timeout=1.0)

    def _register(self, bolt: AsyncApp) -> None:
        """Let bolt call us."""
        for event in ("message", "app_mention"):
            bolt.event(event)(self._on_message)
        for event in MOVES:
            bolt.event(event)(self._on_move)
        for event in GONE:
            bolt.event(event)(self._on_gone)
        bolt.event("app_home_opened")(self._on_home)
        bolt.event("agent_session_stopped")(self._on_stop)
        bolt.event("assistant_thread_started")(self._on_thread)
        bolt.event("app_uninstalled")(self._on_uninstalled)
        bolt.event("tokens_revoked")(self._on_revoked)
        bolt.event("team_access_granted")(self._on_granted)
        bolt.event("team_access_revoked")(self._on_withdrawn)
        for event in HEARD_ONLY:
            bolt.event(event)(self._on_nothing)
        bolt.event(re.compile(".*"))(self._on_nothing)  # what nobody acknowledges is sent again
        bolt.command(re.compile(".*"))(self._on_command)
        bolt.shortcut(slashes.ABOUT.id)(self._on_ask)
        bolt.shortcut(slashes.FORGET.id)(self._on_forget)
        bolt.action(re.compile("^lore_"))(self._on_action)
        bolt.view(re.compile("^lore_"))(self._on_view)
        bolt.action(re.compile(".*"))(_acknowledged)
        bolt.shortcut(re.compile(".*"))(_acknowledged)

    # Messages

    async def _on_message(self, event: Json, context: Json) -> None:
        """Hear, hear anew or forget a message."""
        workspace = await self._workspace(context)
        if workspace is None or self._ending:
            return
        lock = self._orders.setdefault(f"{workspace.team}/{event['channel']}", asyncio.Lock())
        async with lock:  # what is said first is heard first
            match event.get("subtype"):
                case "message_changed":
                    await self._changed(workspace, event)
                case "message_deleted":
                    await self._deleted(workspace, event)
                case "channel_convert_to_private" | "channel_convert_to_public":
                    await self._moved(workspace, str(event["channel"]))
                case _:
                    await self._hear(workspace, event)

    async def _hear(self, workspace: Workspace, event: Json) -> None:
        """Take in a message that is addressed to the bot."""
        one = intake.heard(event)
        if one is None or one.person == workspace.me or self._told_before(workspace, one):
            return
        channel, person = await workspace.people.channel(one.channel), await workspace.people.person(one.person)
        if person.bot:
            return
        incoming = await self._talks.incoming(workspace, one)
        here = incoming.scope
        whole = scope(workspace.team, channel, person)
        if not admission.admitted(whole, self._rooms.settings.allow, self._rooms.settings.deny):
            return
        joins = self._service.listening.channels.of(whole).joins
        in_thread = one.thread is not None and await self._in_thread(here)
        addressed = intake.addressed(one, workspace.me, channel, joins=joins, in_thread=in_thread)
        seen = self._screens.before(workspace.team, one)
        self._screens.add(workspace.team, one, Seen(person.name, words.read(one.text, workspace.people.name), one.ts))
        if not addressed:
            if self._service.listening.channels.of(whole).remembers:
                said = past.turn(workspace, one, person.name)
                self._service.listening.overheard.hear(whole, said)
            return
        where = self._place(workspace, one.channel, one.thread, one.person)
        if incoming.text.startswith("!") and await self._commanded(where, incoming.text[1:]):
            return
        already = await self._engine.inbox.take_in(incoming)  # once it is, Slack may be told so
        if already is None:
            return
        refusal = await self._service.limits.admit(here, one.sent_at)
        asked = Asked(incoming, Origin(workspace, one, seen), already, taken=True)
        if refusal is None and self._talks.take(asked):
            return
        await self._engine.inbox.done(incoming)
        if refusal is None or not refusal.told:
            await where.tell(BUSY if refusal is None else refusal.text, [])

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
        message = event["message"]
        one = intake.heard({**message, "channel": event["channel"]})
        if message.get("subtype") == "tombstone":
            await self._deleted(workspace, {**event, "deleted_ts": message["ts"]})
            return
        old = event.get("previous_message") or {}
        if one is None or one.person == workspace.me or old.get("text") == message.get("text"):
            return  # our own, or a link's preview
        incoming = await self._talks.incoming(workspace, one)
        talk = self._talks.of(incoming)
        if talk is not None and talk.reword(incoming.id, incoming.text):
            return
        try:
            if not await self._engine.edited(incoming):
                channel = await workspace.people.channel(one.channel)
                whole = scope(workspace.team, channel, one.person)
                await self._service.listening.overheard.edited(whole, one.ts, incoming.text)
        except LoreError as error:
            log.warning("edit not remembered", turn=one.ts, error=str(error))

    async def _deleted(self, workspace: Workspace, event: Json) -> None:
        """Forget a message that is gone, and stop answering it."""
        ts, channel = str(event["deleted_ts"]), str(event["channel"])
        self._screens.drop(workspace.team, channel, ts)
        thread = (event.get("previous_message") or {}).get("thread_ts")
        places = dict.fromkeys((channel, f"{channel}:{ts}", f"{channel}:{thread or ts}"))
        whose = tenant(workspace.team)
        for one in places:
            if (talk := self._talks.at(workspace.team, one)) is not None:
                await talk.withdraw({ts})
            self._service.listening.overheard.withdraw(whose, one, {ts})
        try:
            kind = await workspace.people.channel(channel)
            firsts = [(one, (await self._engine.inbox.burst(_in(workspace, kind, one), ts)).first) for one in places]
            turns = tuple(dict.fromkeys([*((one, ts) for one in places), *firsts]))
            await self._memory.forget(Operator(whose), Which(turns=turns))
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

    async def _commanded(self, where: Place, line: str) -> bool:
        """Carry out `!command words`; slash commands don't work in threads. False where it is none."""
        name, _, rest = line.partition(" ")
        if name == "stop":  # a message that is being streamed has no buttons
            conversation = where.channel if where.thread is None else f"{where.channel}:{where.thread}"
            talk = self._talks.at(where.workspace.team, conversation)
            if talk is None or not await talk.stop_answering():
                await where.tell("There is nothing to stop.", [])
            return True
        command = slashes.meant(name)
        if command is None:
            return False
        self._later(self._desk.run(where, command, rest.strip()))
        return True

    # Places and people

    async def _on_move(self, event: Json, context: Json) -> None:
        """Tell memory that other people read a channel: it holds for the next recall."""
        workspace = await self._workspace(context)
        found = event.get("channel")
        channel = found["id"] if isinstance(found, dict) else found
        if workspace is not None and channel is not None:
            await self._moved(workspace, str(channel))

    async def _moved(self, workspace: Workspace, channel: str) -> None:
        workspace.people.moved(channel)
        try:
            kind = await workspace.people.channel(channel)
            await self._memory.moved(scope(workspace.team, kind, workspace.me))
        except (LoreError, SlackApiError) as error:
            log.warning("audience not told", channel=channel, error=type(error).__name__)

    async def _on_gone(self, event: Json, context: Json) -> None:
        """Forget a channel that is gone; one that the bot has left is asked about again when it comes back."""
        workspace = await self._workspace(context)
        if workspace is None:
            return
        channel = str(event["channel"])
        workspace.people.moved(channel)
        if event["type"].endswith("deleted"):
            await self._service.listening.channels.forget(tenant(workspace.team), channel)
            await self._memory.forget(Operator(tenant(workspace.team)), Which(conversation=channel))

    async def _on_uninstalled(self, body: Json) -> None:
        """Let go of a workspace that has uninstalled the app: of its tokens at once, of its memory after a while."""
        team = body.get("team_id")
        self._rooms.workspaces.drop(str(team))
        await self._rooms.purging.uninstalled(body.get("enterprise_id"), team, float(body["event_time"]))

    async def _on_granted(self, event: Json) -> None:
        """Keep the memory of workspaces that an organisation has let the app into again."""
        for team in event.get("team_ids") or ():
            await self._rooms.purging.here(str(team))

    async def _on_withdrawn(self, event: Json) -> None:
        """Let go of workspaces that an organisation has taken the app from."""
        for team in event.get("team_ids") or ():
            self._rooms.workspaces.drop(str(team))
        await self._rooms.purging.left(event.get("team_ids") or ())

    async def _on_revoked(self, event: Json, body: Json) -> None:
        """Let go of tokens that somebody has taken back."""
        tokens = event["tokens"]
        people, bots = tokens.get("oauth") or (), tokens.get("bot") or ()
        if bots:
            self._rooms.workspaces.drop(str(body.get("team_id")))
        await self._rooms.purging.revoked(
            body.get("enterprise_id"), body.get("team_id"), people, bots, float(body["event_time"])
        )

    # The agent view and the App Home

    async def _on_home(self, event: Json, context: Json) -> None:
        """Show one's memory, or offer what may be asked."""
        workspace = await self._workspace(context)
        if workspace is None:
            return
        if event.get("tab") == "home":
            self._later(self._desk.home(workspace, str(event["user"])))
        else:
            self._later(_suggest(workspace, str(event["channel"]), None))

    async def _on_thread(self, event: Json, context: Json) -> None:
        """Offer what may be asked, in the older assistant view."""
        workspace = await self._workspace(context)
        if workspace is not None:
            thread = event["assistant_thread"]
            self._later(_suggest(workspace, thread["channel_id"], thread["thread_ts"]))

    async def _on_stop(self, event: Json, context: Json) -> None:
        """Stop the answer in a session; nothing more is written to it."""
        workspace = await self._workspace(context)
        if workspace is None:
            return
        channel, thread = str(event["channel"]), event.get("thread_ts")
        talk = self._talks.at(workspace.team, f"{channel}:{thread}" if thread else channel)
        if talk is not None:
            self._later(_ended(talk.quiet()))

    async def _on_nothing(self, event: Json) -> None:
        """Hear what needs no answer."""

    # What people do

    async def _on_command(self, ack: Callable[[], Awaitable[None]], body: Json, context: Json) -> None:
        """Carry out a slash command."""
        await ack()
        workspace = await self._workspace(context)
        command = slashes.meant(body["command"])
        if workspace is None or command is None:
            return
        where = self._place(workspace, body["channel_id"], None, body["user_id"], body.get("response_url"))
        words_ = str(body.get("text") or "").strip()
        if command.name in ("persona", "model") and not words_:
            self._later(self._open_dialog(workspace, body, command.name))
            return
        self._later(self._desk.run(where, command, words_))

    async def _on_ask(self, ack: Callable[[], Awaitable[None]], body: Json, context: Json) -> None:
        """Ask what somebody wants to know about a message."""
        await ack()
        workspace = await self._workspace(context)
        if workspace is None:
            return
        message = body["message"]
        name = workspace.people.name(str(message.get("user") or ""))
        text = words.read(str(message.get("text") or ""), workspace.people.name)[:2000]
        about = f"{body['channel']['id']}\n{message.get('thread_ts') or ''}\n{name}\n{text}"
        dialog = blocks.dialog(blocks.ASK, "Ask about this", "What do you want to know?", about=about)
        await workspace.client.views_open(trigger_id=body["trigger_id"], view=dialog)

    async def _on_forget(self, ack: Callable[[], Awaitable[None]], body: Json, context: Json) -> None:
        """Forget a message."""
        await ack()
        workspace = await self._workspace(context)
        if workspace is None:
            return
        message = body["message"]
        where = self._place(
            workspace, body["channel"]["id"], message.get("thread_ts"), body["user"]["id"], body.get("response_url")
        )
        payload = (message.get("metadata") or {}).get("event_payload") or {}
        ours = message.get("bot_id") == workspace.bot
        self._later(self._desk.forget(where, message["ts"], ours, payload.get("asked")))

    async def _on_action(self, ack: Callable[[], Awaitable[None]], body: Json, context: Json) -> None:
        """Do what a button says."""
        await ack()
        workspace = await self._workspace(context)
        if workspace is None:
            return
        action, person = body["actions"][0], body["user"]["id"]
        name, value = action["action_id"], str(action.get("value") or "")
        if body.get("view") is not None:
            self._later(self._on_page(workspace, person, name, value))
            return
        container = body.get("container") or {}
        where = self._place(
            workspace, body["channel"]["id"], container.get("thread_ts"), person, body.get("response_url")
        )
        message, _, asker = value.partition(":")
        desk = self._desk
        match name:
            case blocks.STOP:
                self._later(desk.stop(where, message, asker))
            case blocks.REGENERATE:
                self._later(desk.regenerate(where, message, asker))
            case blocks.WHY:
                self._later(desk.why(where, message))
            case blocks.GOOD | blocks.BAD:
                self._later(desk.rate(where, message, name == blocks.GOOD))
            case blocks.YES | blocks.NO:
                self._later(desk.confirmed(where, value, name == blocks.YES))

    async def _on_page(self, workspace: Workspace, person: str, name: str, value: str) -> None:
        """Do what a button of the App Home says."""
        desk = self._desk
        match name:
            case blocks.FORGET:
                await desk.forget_turn(workspace, person, value)
            case blocks.PAUSE | blocks.RESUME:
                await desk.wish(workspace, person, remembered=name == blocks.RESUME)
            case blocks.EXPORT:
                await desk.export(workspace, person)
            case blocks.SEARCH:
                await desk.home(workspace, person, value)

    async def _on_view(self, ack: Callable[[], Awaitable[None]], body: Json, context: Json) -> None:
        """Take what was put into a dialog."""
        await ack()
        workspace = await self._workspace(context)
        if workspace is None:
            return
        view, person = body["view"], body["user"]["id"]
        text = blocks.said(view)
        if view["callback_id"] == blocks.ASK:
            channel, thread, name, about = view["private_metadata"].split("\n", 3)
            where = self._place(workspace, channel, thread or None, person)
            self._later(self._desk.ask(where, text, (Seen(name or "somebody", about),)))
            return
        where = self._place(workspace, view["private_metadata"], None, person)
        change = "persona" if view["callback_id"] == blocks.PERSONA else "llm"
        self._later(self._desk.preset(where, **{change: text or None}))

    async def _open_dialog(self, workspace: Workspace, body: Json, name: str) -> None:
        """Let whoever manages the workspace write its persona, or name its model."""
        if not await workspace.people.admin(body["user_id"]):
            where = self._place(workspace, body["channel_id"], None, body["user_id"], body.get("response_url"))
            await where.tell("Only who manages this place may do that.", [])
            return
        now = await self._service.presets.get(tenant(workspace.team))
        value = (now.persona if name == "persona" else now.llm) or ""
        callback = blocks.PERSONA if name == "persona" else blocks.MODEL
        label = "Who am I here?" if name == "persona" else "Which model answers here?"
        dialog = blocks.dialog(callback, name.title(), label, value=value, about=body["channel_id"])
        await workspace.client.views_open(trigger_id=body["trigger_id"], view=dialog)

    # Within

    async def _workspace(self, context: Json) -> Workspace | None:
        """Return where something happened; None where the bot has no token for it any more."""
        team = context.get("team_id") or context.get("enterprise_id")
        try:
            workspace = await self._rooms.workspaces.of(str(team))
        except (LookupError, SlackApiError) as error:
            log.warning("workspace not known", team=team, error=type(error).__name__)
            return None
        await self._service.listening.channels.watch([tenant(workspace.team)])
        return workspace

    def _place(
        self, workspace: Workspace, channel: str, thread: str | None, person: str, url: str | None = None
    ) -> Place:
        """Return where somebody does something, and how they are told about it."""

        async def tell(text: str, shown: list[Json], everyone: bool = False) -> None:
            if url is not None:
                answer = {"text": text, "blocks": shown or None, "replace_original": False}
                answer["response_type"] = "in_channel" if everyone else "ephemeral"
                await self._rooms.workspaces.respond(url, {k: v for k, v in answer.items() if v is not None})
                return
            client = workspace.client
            if everyone or channel.startswith("D"):
                await client.chat_postMessage(channel=channel, thread_ts=thread, text=text, blocks=shown or None)
            else:
                await client.chat_postEphemeral(
                    channel=channel, user=person, thread_ts=thread, text=text, blocks=shown or None
                )

        async def openly(text: str, shown: list[Json]) -> None:
            await tell(text, shown, everyone=True)

        async def alone(text: str, shown: list[Json]) -> None:
            await tell(text, shown)

        return Place(workspace, channel, thread, person, alone, openly)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside: Slack waits three seconds for us."""
        task = asyncio.create_task(_told(work))
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)


async def _acknowledged(ack: Callable[[], Awaitable[None]]) -> None:
    await ack()


async def _told(work: Coroutine[Any, Any, None]) -> None:
    """Do something; what goes wrong is told in the log."""
    try:
        await work
    except (TimeoutError, LoreError, SlackApiError, OSError) as error:
        log.warning("not done", error=type(error).__name__)
    except Exception as error:  # one action's own fault
        log.error("action broken", error=type(error).__name__, exc_info=error)


async def _ended(work: Awaitable[object]) -> None:
    await work


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


def _in(workspace: Workspace, kind: Channel, conversation: str) -> Scope:
    """Return the scope by which an event of a conversation is looked up."""
    _, _, thread = conversation.partition(":")
    return scope(workspace.team, kind, workspace.me, thread or None)
