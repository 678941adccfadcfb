"""What people do in Slack: slash commands, shortcuts, buttons and dialogs."""

import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError

from bot.desk import Shown
from bot.errors import ObjectError
from bot.notices import SORRY
from bot.platforms.slack import blocks, metadata, slashes, words
from bot.platforms.slack.desk import Place, Spot
from bot.platforms.slack.floor import Floor
from bot.platforms.slack.home import Look
from bot.platforms.slack.tenants import tenant
from bot.platforms.slack.workspaces import Workspace
from bot.records import Seen
from memory.errors import LoreError

log = structlog.get_logger()

Json = dict[str, Any]
Ack = Callable[..., Awaitable[None]]

NOT_MANAGER = "Only who manages this place may do that."
QUOTED = 2000  # characters of a message that is asked about; Slack keeps 3,000 with a dialog
LONGEST_LABEL = 2000  # characters; Slack's
ARE_YOU_SURE = blocks.sure(
    blocks.SURE,
    "Forget everything?",
    "All that you said to me and all that I answered you will be gone, for good.\n\n"
    "*Send me all of it*, on the page behind this, gives it to you as a file first.",
    "Forget it all",
)


@dataclass(frozen=True, slots=True)
class About:
    """What a dialog is about, as it is kept with it: where it was opened, and a message."""

    channel: str
    thread: str = ""
    url: str = ""
    author: str = ""
    text: str = ""

    @classmethod
    def of(cls, view: Json) -> "About":
        """Return what a dialog was opened about."""
        return cls(*view["private_metadata"].split("\n", 4))

    def kept(self) -> str:
        """Return it as it is kept."""
        author = self.author.replace("\n", " ")[:80]
        return "\n".join((self.channel, self.thread, self.url, author, self.text[:QUOTED]))


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

    async def _on_command(self, ack: Ack, body: Json, context: Json) -> None:
        """Carry out a slash command."""
        command = slashes.meant(body["command"])
        if command is None:
            await ack(f"There is no command `{body['command']}` any more. `{self._floor.slash('help')}` lists them.")
            return
        await ack()
        workspace = await self._floor.workspace(context)
        if workspace is None:
            return
        self._floor.slash = slash = slashes.called(slashes.prefix(body["command"]))
        where = self._floor.place(
            workspace, Spot(body["channel_id"], None, body["user_id"], body.get("response_url"), slash)
        )
        said = str(body.get("text") or "").strip()
        if command.name in ("persona", "model") and not said:
            self._floor.later(self._preset(where, workspace, body, command.name))
        else:
            self._floor.later(self._floor.desk.run(where, command, words.read(said, workspace.people.name)))

    async def _on_ask(self, ack: Ack, body: Json, context: Json) -> None:
        """Ask what somebody wants to know about a message."""
        await ack()
        workspace = await self._floor.workspace(context)
        if workspace is None:
            return
        message = body["message"]
        where = self._floor.place(workspace, self._spot(body, message.get("thread_ts")))
        self._floor.later(self._about(where, workspace, body))

    async def _about(self, where: Place, workspace: Workspace, body: Json) -> None:
        message = body["message"]
        text = words.read(str(message.get("text") or ""), workspace.people.name)
        author = await self._author(workspace, message)
        thread, url = str(message.get("thread_ts") or ""), str(body.get("response_url") or "")
        about = About(body["channel"]["id"], thread, url, author, text).kept()
        dialog = blocks.dialog(blocks.ASK, "Ask about this", "What do you want to know?", about=about)
        await where.open(body["trigger_id"], dialog)

    async def _author(self, workspace: Workspace, message: Json) -> str:
        """Return who said a message, as far as that is known."""
        if message.get("bot_id") == workspace.bot:
            return self._floor.rooms.settings.name
        try:
            return (await workspace.people.person(str(message["user"]))).name
        except (KeyError, SlackApiError):
            return str(message.get("username") or "somebody")

    async def _on_forget(self, ack: Ack, body: Json, context: Json) -> None:
        """Forget a message."""
        await ack()
        workspace = await self._floor.workspace(context)
        if workspace is None:
            return
        message, channel = body["message"], body["channel"]["id"]
        where = self._floor.place(workspace, self._spot(body, message.get("thread_ts")))
        asked = metadata.asked(message) or _asked(message) if message.get("bot_id") == workspace.bot else None
        others = (channel, f"{channel}:{message['ts']}", f"{channel}:{asked}")
        self._floor.later(self._floor.desk.forget(where, message["ts"], asked, others))

    async def _on_action(self, ack: Ack, body: Json, context: Json) -> None:
        """Do what a button says."""
        await ack()
        workspace = await self._floor.workspace(context)
        if workspace is None:
            return
        action, person = body["actions"][0], body["user"]["id"]
        name, value = action["action_id"], str(action.get("value") or "")
        if body.get("view") is not None:
            self._floor.later(self._on_page(workspace, person, body, name, value))
            return
        thread = (body.get("container") or {}).get("thread_ts")
        message, _, asker = value.partition(":")
        if body["channel"]["id"].startswith("D") and thread == message:  # it is answered in its thread, and in none
            thread = None
        where = self._floor.place(workspace, self._spot(body, thread))
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

    async def _on_page(self, workspace: Workspace, person: str, body: Json, name: str, value: str) -> None:
        """Do what a button of the App Home says."""
        home, look = self._floor.home, Look.of(body["view"])
        match name:
            case blocks.FORGET:
                await home.forget(workspace, person, value, look)
            case blocks.FORGET_ALL:
                await workspace.client.views_open(trigger_id=body["trigger_id"], view=ARE_YOU_SURE)
            case blocks.PAUSE | blocks.RESUME:
                await home.wish(workspace, person, look, remembered=name == blocks.RESUME)
            case blocks.EXPORT:
                await home.export(workspace, person)
            case blocks.SEARCH | blocks.ALL:
                await home.show(workspace, person, Look(value.strip() if name == blocks.SEARCH else ""))
            case blocks.OLDER | blocks.NEWER:
                await home.show(workspace, person, look.older() if name == blocks.OLDER else look.newer())

    async def _on_view(self, ack: Ack, body: Json, context: Json) -> None:
        """Take what was put into a dialog."""
        view, person = body["view"], body["user"]["id"]
        workspace = await self._floor.workspace(context)
        if workspace is None:
            await ack()
            return
        if view["callback_id"] == blocks.SURE:
            await ack()
            self._floor.later(self._floor.home.forget_all(workspace, person))
            return
        about, text = About.of(view), blocks.said(view)
        spot = Spot(about.channel, about.thread or None, person, about.url or None, self._floor.slash)
        where = self._floor.place(workspace, spot)
        if view["callback_id"] == blocks.ASK:
            await ack()
            self._floor.later(self._floor.desk.ask(where, text, (Seen(about.author, about.text),)))
            return
        change = "persona" if view["callback_id"] == blocks.PERSONA else "llm"
        trouble = await self._set(workspace, person, **{change: text or None})
        if trouble:
            await ack(**blocks.wrong(trouble))
            return
        await ack()
        told = "So I will be, from my next answer on." if text else "I am as I am everywhere again."
        self._floor.later(where.show(Shown(told)))

    async def _preset(self, where: Place, workspace: Workspace, body: Json, name: str) -> None:
        """Let whoever manages the workspace write its persona, or name its model."""
        if not await workspace.people.admin(body["user_id"]):
            await where.show(Shown(NOT_MANAGER))
            return
        presets = self._floor.service.presets
        now = await presets.get(tenant(workspace.team))
        value = (now.persona if name == "persona" else now.llm) or ""
        if len(value) > blocks.LONGEST_INPUT:
            await self._floor.desk.run(where, slashes.command(name), "")  # it can be shown, and not be edited here
            return
        label = "Who am I here? Nothing: as everywhere"
        if name == "model":
            known = ", ".join(await presets.models(tenant(workspace.team))) or "none beside the usual one"
            label = f"Which model answers here? Nothing: the usual one. Known: {known}"[:LONGEST_LABEL]
        about = About(body["channel_id"], url=str(body.get("response_url") or "")).kept()
        callback = blocks.PERSONA if name == "persona" else blocks.MODEL
        dialog = blocks.dialog(callback, name.title(), label, value=value, about=about, optional=True)
        await where.open(body["trigger_id"], dialog)

    async def _set(self, workspace: Workspace, person: str, **changes: str | None) -> str:
        """Change the persona or the model of a workspace; return why that cannot be, "" where it is done."""
        try:
            if not await workspace.people.admin(person):
                return NOT_MANAGER
            await self._floor.service.presets.set(tenant(workspace.team), **changes)
        except ObjectError as error:
            return f"{error}."
        except (LoreError, SlackApiError) as error:
            number = secrets.token_hex(4)
            log.warning("preset not changed", number=number, error=type(error).__name__)
            return SORRY.format(number)
        return ""

    def _spot(self, body: Json, thread: str | None) -> Spot:
        return Spot(body["channel"]["id"], thread, body["user"]["id"], body.get("response_url"), self._floor.slash)


def _asked(message: Json) -> str | None:
    """Return which message one of ours answers, as its buttons tell."""
    for block in message.get("blocks") or ():
        for element in block.get("elements") or ():
            if element.get("action_id") in blocks.BELOW:
                return str(element.get("value") or "").partition(":")[0] or None
    return None


async def _acknowledged(ack: Ack) -> None:
    await ack()
