"""Dialogs of Slack's: opened where something is to be written, and what becomes of what was written."""

import secrets
from dataclasses import dataclass

import structlog
from slack_sdk.errors import SlackApiError

from bot.errors import ObjectError
from bot.notices import SORRY
from bot.places import Shown
from bot.platforms.slack import blocks, slashes, words
from bot.platforms.slack.desk import Place, Spot
from bot.platforms.slack.floor import Ack, Floor, Json
from bot.platforms.slack.tenants import tenant
from bot.platforms.slack.workspaces import Workspace
from bot.records import Seen
from memory.errors import LoreError

log = structlog.get_logger()


NOT_MANAGER = "Only who manages this place may do that."
QUOTED = 2000  # characters of a message that is asked about; Slack keeps 3,000 with a dialog
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


class Dialogs:
    """Asks about a message, and for a workspace's persona and model."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    async def ask(self, where: Place, workspace: Workspace, body: Json) -> None:
        """Let somebody ask about a message."""
        message = body["message"]
        text = words.read(str(message.get("text") or ""), workspace.people.name)
        author = await self._author(workspace, message)
        thread, url = str(message.get("thread_ts") or ""), str(body.get("response_url") or "")
        about = About(body["channel"]["id"], thread, url, author, text).kept()
        dialog = blocks.dialog(blocks.ASK, "Ask about this", "What do you want to know?", about=about)
        await where.open(body["trigger_id"], dialog)

    async def preset(self, where: Place, workspace: Workspace, body: Json, name: str) -> None:
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
            label = f"Which model answers here? Nothing: the usual one. Known: {known}"[: blocks.LONGEST_LABEL]
        about = About(body["channel_id"], url=str(body.get("response_url") or "")).kept()
        callback = blocks.PERSONA if name == "persona" else blocks.MODEL
        dialog = blocks.dialog(callback, name.title(), label, value=value, about=about, optional=True)
        await where.open(body["trigger_id"], dialog)

    async def sent(self, ack: Ack, body: Json, context: Json) -> None:
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

    async def _author(self, workspace: Workspace, message: Json) -> str:
        """Return who said a message, as far as that is known."""
        if message.get("bot_id") == workspace.bot:
            return self._floor.rooms.settings.name
        try:
            return (await workspace.people.person(str(message["user"]))).name
        except (KeyError, SlackApiError):
            return str(message.get("username") or "somebody")

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
