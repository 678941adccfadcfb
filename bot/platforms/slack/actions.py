"""What people do in Slack: slash commands, shortcuts, buttons and dialogs."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.platforms.slack import blocks, slashes, words
from bot.platforms.slack.floor import Floor
from bot.platforms.slack.tenants import tenant
from bot.platforms.slack.workspaces import Workspace
from bot.records import Seen

Json = dict[str, Any]


class Actions:
    """Acknowledges what people do at once, and does it beside."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def register(self, bolt: AsyncApp) -> None:
        """Let bolt call us."""
        bolt.command(re.compile(".*"))(self._on_command)
        bolt.shortcut(slashes.ABOUT.id)(self._on_ask)
        bolt.shortcut(slashes.FORGET.id)(self._on_forget)
        bolt.action(re.compile("^lore_"))(self._on_action)
        bolt.view(re.compile("^lore_"))(self._on_view)
        bolt.action(re.compile(".*"))(_acknowledged)
        bolt.shortcut(re.compile(".*"))(_acknowledged)

    async def _on_command(self, ack: Callable[[], Awaitable[None]], body: Json, context: Json) -> None:
        """Carry out a slash command."""
        await ack()
        workspace = await self._floor.workspace(context)
        command = slashes.meant(body["command"])
        if workspace is None or command is None:
            return
        where = self._floor.place(workspace, body["channel_id"], None, body["user_id"], body.get("response_url"))
        words_ = str(body.get("text") or "").strip()
        if command.name in ("persona", "model") and not words_:
            self._floor.later(self._open_dialog(workspace, body, command.name))
            return
        self._floor.later(self._floor.desk.run(where, command, words_))

    async def _on_ask(self, ack: Callable[[], Awaitable[None]], body: Json, context: Json) -> None:
        """Ask what somebody wants to know about a message."""
        await ack()
        workspace = await self._floor.workspace(context)
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
        workspace = await self._floor.workspace(context)
        if workspace is None:
            return
        message = body["message"]
        where = self._floor.place(
            workspace, body["channel"]["id"], message.get("thread_ts"), body["user"]["id"], body.get("response_url")
        )
        payload = (message.get("metadata") or {}).get("event_payload") or {}
        ours = message.get("bot_id") == workspace.bot
        self._floor.later(self._floor.desk.forget(where, message["ts"], ours, payload.get("asked")))

    async def _on_action(self, ack: Callable[[], Awaitable[None]], body: Json, context: Json) -> None:
        """Do what a button says."""
        await ack()
        workspace = await self._floor.workspace(context)
        if workspace is None:
            return
        action, person = body["actions"][0], body["user"]["id"]
        name, value = action["action_id"], str(action.get("value") or "")
        if body.get("view") is not None:
            self._floor.later(self._on_page(workspace, person, name, value))
            return
        container = body.get("container") or {}
        message, _, asker = value.partition(":")
        channel, thread = str(body["channel"]["id"]), container.get("thread_ts")
        if channel.startswith("D") and thread == message:  # a direct message is answered in its thread, and in none
            thread = None
        where = self._floor.place(workspace, channel, thread, person, body.get("response_url"))
        desk = self._floor.desk
        match name:
            case blocks.STOP:
                self._floor.later(desk.stop(where, message, asker))
            case blocks.REGENERATE:
                self._floor.later(desk.regenerate(where, message, asker))
            case blocks.WHY:
                self._floor.later(desk.why(where, message))
            case blocks.GOOD | blocks.BAD:
                self._floor.later(desk.rate(where, message, name == blocks.GOOD))
            case blocks.YES | blocks.NO:
                self._floor.later(desk.confirmed(where, value, name == blocks.YES))

    async def _on_page(self, workspace: Workspace, person: str, name: str, value: str) -> None:
        """Do what a button of the App Home says."""
        desk = self._floor.desk
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
        workspace = await self._floor.workspace(context)
        if workspace is None:
            return
        view, person = body["view"], body["user"]["id"]
        text = blocks.said(view)
        if view["callback_id"] == blocks.ASK:
            channel, thread, name, about = view["private_metadata"].split("\n", 3)
            where = self._floor.place(workspace, channel, thread or None, person)
            self._floor.later(self._floor.desk.ask(where, text, (Seen(name or "somebody", about),)))
            return
        where = self._floor.place(workspace, view["private_metadata"], None, person)
        change = "persona" if view["callback_id"] == blocks.PERSONA else "llm"
        self._floor.later(self._floor.desk.preset(where, **{change: text or None}))

    async def _open_dialog(self, workspace: Workspace, body: Json, name: str) -> None:
        """Let whoever manages the workspace write its persona, or name its model."""
        if not await workspace.people.admin(body["user_id"]):
            where = self._floor.place(workspace, body["channel_id"], None, body["user_id"], body.get("response_url"))
            await where.tell("Only who manages this place may do that.", [])
            return
        now = await self._floor.service.presets.get(tenant(workspace.team))
        value = (now.persona if name == "persona" else now.llm) or ""
        callback = blocks.PERSONA if name == "persona" else blocks.MODEL
        label = "Who am I here?" if name == "persona" else "Which model answers here?"
        dialog = blocks.dialog(callback, name.title(), label, value=value, about=body["channel_id"])
        await workspace.client.views_open(trigger_id=body["trigger_id"], view=dialog)


async def _acknowledged(ack: Callable[[], Awaitable[None]]) -> None:
    await ack()
