"""Interactions as people begin them; the app acknowledges within three seconds, and goes on as answers.py says."""

import time
from typing import Any

from tests.slacklike import payloads
from tests.slacklike.answers import Answers, Interaction
from tests.slacklike.deliveries import COMMAND, INTERACTION
from tests.slacklike.elements import chosen, find_element
from tests.slacklike.records import Channel, Json, Kind, Message, Person, View
from tests.slacklike.views import Views
from tests.slacklike.world import World


class Interactions:
    """Commands, buttons, shortcuts and modals as people use them."""

    def __init__(self, world: World, views: Views, answers: Answers) -> None:
        self.world, self.views, self.answers = world, views, answers

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
            "is_enterprise_install": "true" if self._org_wide(person) else "false",
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
        body: Json = {"type": "block_actions", "actions": [action], "api_app_id": self.world.app.id}
        if isinstance(source, View):
            body |= {"container": {"type": "view", "view_id": source.id}, "view": self._shown(source)}
            return self._begin(INTERACTION, body, person, None, source, "")
        where: Json = {"type": "message", "message_ts": source.ts, "channel_id": source.channel.id}
        where |= {"is_ephemeral": source.seen_by is not None}
        where |= {"thread_ts": source.thread_ts} if source.thread_ts else {}
        body |= {"container": where, "state": {"values": {}}, "channel": _named(source.channel)}
        if source.seen_by is None:
            body["message"] = self.world.shown(source)
        return self._begin(INTERACTION, body, person, source.channel, source, "actions")

    def shortcut(self, message: Message, person: Person, callback_id: str) -> Interaction:
        """Use a message shortcut, from the menu of a message."""
        self._see(message, person)
        body: Json = {"type": "message_action", "callback_id": callback_id, "message_ts": message.ts}
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
        self.answers.to_submission(interaction, view)
        return interaction

    def close(self, person: Person) -> Interaction | None:
        """Cancel the modal; the app hears of it if it wished to."""
        view = self.views.top(person)
        self.views.pop(view)
        if not view.data.get("notify_on_close"):
            return None
        body = {"type": "view_closed", "view": self._shown(view), "is_cleared": False}
        return self._begin(INTERACTION, body, person, None, view, "")

    def _org_wide(self, person: Person) -> bool:
        install = self.world.app.at(person.team)
        return install is not None and install.org_wide

    def _begin(
        self, kind: str, body: Json, person: Person, channel: Channel | None, source: Message | View | None, via: str
    ) -> Interaction:
        token = self.world.ids.next("R")
        if kind == INTERACTION:
            team = {"id": person.team.id, "domain": person.team.domain}
            body |= {"team": team, "user": {"id": person.id, "name": person.name, "team_id": person.team.id}}
            within = {"id": person.team.enterprise, "name": "Enterprise"} if person.team.enterprise else None
            body |= {"token": "verification", "is_enterprise_install": self._org_wide(person), "enterprise": within}
            body |= {"action_ts": self.world.ids.ts()} if body["type"] in ("message_action", "shortcut") else {}
        if body.get("type") != "view_closed":
            body["trigger_id"] = self.views.trigger(person)
        if via:
            body["response_url"] = f"{self.world.address}/{via}/{person.team.id}/{token}"
        interaction = Interaction(
            self.world.deliveries.send(kind, body), person, channel, source, time.monotonic(), token
        )
        interaction.thread_ts = source.thread_ts if isinstance(source, Message) else ""
        self.answers.all[token] = interaction
        if kind == COMMAND:
            self.answers.to_command(interaction)
        return interaction

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


def _blocks(source: Message | View) -> list[Json]:
    return source.blocks if isinstance(source, Message) else source.data.get("blocks") or []


def _named(channel: Channel) -> Json:
    return {"id": channel.id, "name": "directmessage" if channel.kind == Kind.IM else channel.name}
