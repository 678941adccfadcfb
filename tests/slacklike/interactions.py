"""Interactions: people begin them, the app acknowledges within three seconds and goes on by response_url or trigger."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.slacklike import blocks as kit
from tests.slacklike import payloads
from tests.slacklike.deliveries import COMMAND, INTERACTION, Delivery
from tests.slacklike.forms import check_message, check_view
from tests.slacklike.records import Channel, Json, Kind, Message, Person, View
from tests.slacklike.refusals import Refused
from tests.slacklike.talk import Draft, Talk
from tests.slacklike.views import Views
from tests.slacklike.world import World


@dataclass(eq=False)
class Interaction:
    """Something that a person began; `made_at` is of time.monotonic."""

    delivery: Delivery
    person: Person
    channel: Channel | None
    source: Message | View | None
    made_at: float
    token: str = ""  # of its response_url
    thread_ts: str = ""
    said: list[Message] = field(default_factory=list)  # what came back, by the answer or by response_url
    uses: int = 0
    refused: str = ""  # what Slack would not show of the answer

    @property
    def answered(self) -> bool:
        return self.delivery.acked.is_set()

    @property
    def failed(self) -> bool:
        """Whether the person reads that the app did not respond."""
        return self.delivery.over.is_set() and not self.answered


class Interactions:
    """What people begin, and the addresses by which the app answers."""

    def __init__(self, world: World, talk: Talk, views: Views) -> None:
        self.world, self.talk, self.views = world, talk, views
        self.all: dict[str, Interaction] = {}  # by token
        self._tasks: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def slash(self, channel: Channel, person: Person, command: str, text: str = "") -> Interaction:
        """Use a slash command; there is no way to use one in a thread."""
        if self.world.rules.commands is not None and command not in self.world.rules.commands:
            raise LookupError(f"{command} is not a valid command")
        names = {Kind.IM: "directmessage", Kind.MPIM: channel.name, Kind.PRIVATE: "privategroup"}
        body: Json = {
            "token": "verification",
            "team_id": person.team.id,
            "team_domain": person.team.domain,
            "channel_id": channel.id,
            "channel_name": names.get(channel.kind, channel.name),
            "user_id": person.id,
            "user_name": person.name,
            "command": command,
            "text": text,
            "api_app_id": self.world.app.id,
            "is_enterprise_install": "false",
        }
        if person.team.enterprise:
            body |= {"enterprise_id": person.team.enterprise, "enterprise_name": "Enterprise"}
        return self._begin(COMMAND, body, person, channel, None, "commands")

    def press(self, source: Message | View, person: Person, button: str, value: Any = None) -> Interaction:
        """Press a button, by its label or action_id; or choose a value in a select, or type one."""
        self._see(source, person)
        block_id, element = find_element(_blocks(source), button)
        action: Json = {"type": element["type"], "action_id": element["action_id"], "block_id": block_id}
        action |= {"action_ts": self.world.ids.ts()} | chosen(element, value)
        if element["type"] == "button":
            action["text"] = element["text"]
        body = {"type": "block_actions", "actions": [action], "api_app_id": self.world.app.id}
        if isinstance(source, View):
            body |= {"container": {"type": "view", "view_id": source.id}, "view": self._shown(source)}
            return self._begin(INTERACTION, body, person, None, source, "")
        where = {"type": "message", "message_ts": source.ts, "channel_id": source.channel.id}
        where |= {"is_ephemeral": source.seen_by is not None}
        where |= {"thread_ts": source.thread_ts} if source.thread_ts else {}
        body |= {"container": where, "state": {"values": {}}, "channel": _named(source.channel)}
        if source.seen_by is None:
            body["message"] = self.world.shown(source)
        return self._begin(INTERACTION, body, person, source.channel, source, "actions")

    def shortcut(self, message: Message, person: Person, callback_id: str) -> Interaction:
        """Use a message shortcut, from the menu of a message."""
        self._see(message, person)
        body = {"type": "message_action", "callback_id": callback_id, "message_ts": message.ts}
        body |= {"channel": _named(message.channel), "message": self.world.shown(message)}
        return self._begin(INTERACTION, body, person, message.channel, message, "app")

    def global_shortcut(self, person: Person, callback_id: str) -> Interaction:
        """Use a global shortcut, from the menu of the message field."""
        return self._begin(INTERACTION, {"type": "shortcut", "callback_id": callback_id}, person, None, None, "")

    def submit(self, person: Person, **values: Any) -> Interaction:
        """Submit the modal that a person has open; values by action_id, block_id or label."""
        view = self.views.top(person)
        for name, value in values.items():
            block_id, element = find_element(view.data.get("blocks") or [], name)
            view.values.setdefault(block_id, {})[element["action_id"]] = {"type": element["type"]} | chosen(
                element, value
            )
        body = {"type": "view_submission", "view": self._shown(view), "response_urls": []}
        interaction = self._begin(INTERACTION, body, person, None, view, "")
        self._later(self._submitted(interaction, view))
        return interaction

    def close(self, person: Person) -> Interaction | None:
        """Cancel the modal; the app hears of it if it wished to."""
        view = self.views.top(person)
        self.views.pop(view)
        if not view.data.get("notify_on_close"):
            return None
        body = {"type": "view_closed", "view": self._shown(view), "is_cleared": False}
        return self._begin(INTERACTION, body, person, None, view, "")

    def respond(self, token: str, body: Json) -> None:
        """Do what is posted to a response_url; raises Refused."""
        interaction = self.all.get(token)
        if interaction is None:
            raise Refused("invalid_url")
        if time.monotonic() - interaction.made_at > self.world.rules.response_life:
            raise Refused("expired_url")
        if interaction.uses >= self.world.rules.response_uses:
            raise Refused("used_url")
        interaction.uses += 1
        self._say(interaction, body)

    def _begin(
        self, kind: str, body: Json, person: Person, channel: Channel | None, source: Message | View | None, via: str
    ) -> Interaction:
        token = self.world.ids.next("R")
        if kind == INTERACTION:
            team = {"id": person.team.id, "domain": person.team.domain}
            body |= {"team": team, "user": {"id": person.id, "name": person.name, "team_id": person.team.id}}
            body |= {"token": "verification", "is_enterprise_install": False, "enterprise": None}
            body |= {"action_ts": self.world.ids.ts()} if body["type"] in ("message_action", "shortcut") else {}
        if body.get("type") != "view_closed":
            body["trigger_id"] = self.views.trigger(person)
        if via:
            body["response_url"] = f"{self.world.address}/{via}/{person.team.id}/{token}"
        interaction = Interaction(
            self.world.deliveries.send(kind, body), person, channel, source, time.monotonic(), token
        )
        interaction.thread_ts = source.thread_ts if isinstance(source, Message) else ""
        self.all[token] = interaction
        if kind == COMMAND:
            self._later(self._answered(interaction))
        return interaction

    async def _answered(self, interaction: Interaction) -> None:
        """Show what the app answered a command with at once."""
        await interaction.delivery.over.wait()
        answer = interaction.delivery.answer
        if answer and (answer.get("text") or answer.get("blocks")):
            self._shown_or_refused(interaction, lambda: self._say(interaction, answer))

    async def _submitted(self, interaction: Interaction, view: View) -> None:
        """Close the modal, or do what the app answered."""
        await interaction.delivery.over.wait()
        if not interaction.answered:
            return
        self._shown_or_refused(interaction, lambda: self._follow(interaction, view))

    def _follow(self, interaction: Interaction, view: View) -> None:
        """Do with a modal what its submission was answered with; it closes when that says nothing."""
        answer = interaction.delivery.answer or {}
        action = answer.get("response_action")
        if action in ("update", "push"):
            check_view(answer.get("view"), self.world.rules, kind="modal")
        if action == "errors":
            view.errors = answer["errors"]
        elif action == "update":
            self.views.change(view, answer["view"])
        elif action == "push":
            self.views.open(interaction.person, answer["view"], over=view)
        elif action == "clear":
            self.views.clear(interaction.person)
        else:
            self.views.pop(view)

    @staticmethod
    def _shown_or_refused(interaction: Interaction, show: Callable[[], None]) -> None:
        try:
            show()
        except Refused as refused:
            interaction.refused = refused.error

    def _say(self, interaction: Interaction, body: Json) -> None:
        """Post, replace or delete as a response says: to the person alone unless it says in_channel."""
        source = interaction.source if isinstance(interaction.source, Message) else None
        if body.get("delete_original") and source is not None:
            self.talk.delete(source)
            return
        check_message(body, self.world.rules, text_limit=self.world.rules.text_characters)
        if body.get("replace_original") and source is not None:
            before = self.world.shown(source)
            source.text, source.blocks = body.get("text") or "", body.get("blocks") or []
            self.talk.noted(source)
            self.talk.changed(source, before)
            return
        if interaction.channel is None:
            raise Refused("invalid_url")
        public = body.get("response_type") == "in_channel"
        draft = Draft(body.get("text") or "", body.get("thread_ts") or "", by_app=True)
        draft.blocks, draft.attachments = body.get("blocks") or [], body.get("attachments") or []
        draft.seen_by = None if public else interaction.person
        bot = self.world.bot_of(interaction.person.team)
        interaction.said.append(self.talk.post(interaction.channel, bot, draft))

    def _shown(self, view: View) -> Json:
        return payloads.view(view, self.world.app.id, self.world.bot_of(view.team))

    def _see(self, source: Message | View, person: Person) -> None:
        if isinstance(source, View):
            visible = source.person is person
        else:
            inside = person.id in source.channel.members
            visible = not source.deleted and inside and source.seen_by in (None, person)
        if not visible:
            raise LookupError(f"{person.name} does not see that")

    def _later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def find_element(blocks: list[Json], name: str) -> tuple[str, Json]:
    """Return an element and the id of its block, by label, action_id or block_id."""
    for block in blocks:
        for block_id, element in kit.elements([block]):
            labels = (element.get("text"), block.get("label"))
            called = [one["text"] for one in labels if isinstance(one, dict)]
            if name in (element["action_id"], block_id, *called):
                return block_id, element
    raise LookupError(f"there is no {name!r} to use")


def chosen(element: Json, value: Any) -> Json:
    """Return what an element says once it is used: its own value, what is chosen, or what is typed."""
    kind = element["type"]
    if kind == "button":
        return {"value": element["value"]} if "value" in element else {}
    if kind in ("plain_text_input", "number_input", "email_text_input", "url_text_input"):
        return {"value": value}
    options = {option["value"]: option for option in element.get("options") or []}
    if kind in ("checkboxes", "multi_static_select"):
        return {"selected_options": [options[one] for one in value]}
    if kind in ("static_select", "radio_buttons", "overflow"):
        return {"selected_option": options[value]}
    if kind == "feedback_buttons":
        return {"value": value}
    return {f"selected_{kind.removesuffix('_select')}": value}


def _blocks(source: Message | View) -> list[Json]:
    return source.blocks if isinstance(source, Message) else source.data.get("blocks") or []


def _named(channel: Channel) -> Json:
    return {"id": channel.id, "name": "directmessage" if channel.kind == Kind.IM else channel.name}
