"""What people do in Slack by slash commands, shortcuts and buttons."""

import re

import structlog
from slack_bolt.async_app import AsyncApp

from bot.platforms.slack import blocks, metadata, slashes, words
from bot.platforms.slack.desk import Spot
from bot.platforms.slack.dialogs import ARE_YOU_SURE, Dialogs
from bot.platforms.slack.floor import Ack, Floor, Json
from bot.platforms.slack.home import Look
from bot.platforms.slack.workspaces import Workspace

log = structlog.get_logger()


class Actions:
    """Acknowledges what people do at once, and does it beside."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._dialogs = Dialogs(floor)

    def register(self, bolt: AsyncApp) -> None:
        """Let bolt call us."""
        bolt.command(re.compile(".*"))(self._on_command)
        bolt.shortcut(slashes.ABOUT.id)(self._on_ask)
        bolt.shortcut(slashes.FORGET.id)(self._on_forget)
        bolt.action(re.compile("^lore_"))(self._on_action)
        bolt.view(re.compile("^lore_"))(self._dialogs.sent)
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
            self._floor.later(self._dialogs.preset(where, workspace, body, command.name))
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
        self._floor.later(self._dialogs.ask(where, workspace, body))

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
