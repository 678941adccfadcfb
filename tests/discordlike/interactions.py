"""Interactions: people begin them, the bot answers within three seconds, once, and goes on by their token."""

import time
from collections.abc import Mapping
from typing import Any

from tests.discordlike import payloads
from tests.discordlike.forms import check_message
from tests.discordlike.invocations import (
    AUTOCOMPLETE,
    COMMAND,
    COMPONENT,
    MODAL,
    Interaction,
    begin,
    envelope,
    find_command,
    find_component,
    menu_data,
    modal_data,
    slash_data,
)
from tests.discordlike.permissions import can_see
from tests.discordlike.records import Channel, Json, Message, Person
from tests.discordlike.refusals import Refused, bad_form
from tests.discordlike.rest import Request, Route
from tests.discordlike.rest_messages import MessageRoutes
from tests.discordlike.rest_places import PlaceRoutes
from tests.discordlike.talk import Draft, Talk
from tests.discordlike.world import World

MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATE, SUGGEST, SHOW_MODAL = 4, 5, 6, 7, 8, 9
EPHEMERAL, LOADING = 64, 128
WEBHOOK = "/webhooks/{application}/{token}"


class Interactions:
    """What people begin, and the routes by which the bot answers."""

    def __init__(self, world: World, talk: Talk, messages: MessageRoutes, places: PlaceRoutes) -> None:
        self.world, self.talk, self._messages, self._places = world, talk, messages, places
        self.all: dict[str, Interaction] = {}  # by token

    def slash(
        self, channel: Channel, person: Person, name: str, options: Mapping[str, Any] | None = None
    ) -> Interaction:
        """Use a slash command as a person does: "memory list" is a subcommand."""
        return self._begin(COMMAND, channel, person, self._slash(channel, person, name, options or {}))

    def suggest(self, channel: Channel, person: Person, name: str, option: str, typed: str) -> Interaction:
        """Type into an option of a slash command, and be offered choices."""
        data = self._slash(channel, person, name, {option: typed}, whole=False)
        level = data["options"]
        while "options" in level[0]:
            level = level[0]["options"]
        level[0]["focused"] = True
        return self._begin(AUTOCOMPLETE, channel, person, data)

    def menu(self, channel: Channel, person: Person, name: str, target: Message | Person) -> Interaction:
        """Use a context menu on a message or a person."""
        kind = 3 if isinstance(target, Message) else 2
        command = find_command(self._commands(channel), kind, name, channel, person)
        return self._begin(COMMAND, channel, person, menu_data(self.world, command, target))

    def press(self, message: Message, person: Person, button: str, *values: str) -> Interaction:
        """Press a button, by its label or custom_id; with values, choose them in a select."""
        if message.deleted or (message.seen_by or person) is not person:
            raise LookupError(f"{person.name} does not see that message")
        item = find_component(message, button)
        data: Json = {"custom_id": item["custom_id"], "component_type": item["type"], "id": item.get("id", 0)}
        data |= {"values": list(values)} if item["type"] != 2 else {}
        return self._begin(COMPONENT, message.channel, person, data, message)

    def submit(self, interaction: Interaction, **values: str) -> Interaction:
        """Submit the modal that an interaction was answered with."""
        if interaction.modal is None:
            raise LookupError("no modal is open")
        data = modal_data(interaction.modal, values)
        return self._begin(MODAL, interaction.channel, interaction.person, data, interaction.source)

    def failed(self, interaction: Interaction) -> bool:
        """Whether the person reads "The application did not respond"."""
        return not interaction.answer and time.monotonic() - interaction.made_at > self.world.rules.answer_within

    def routes(self) -> list[Route]:
        return [
            ("POST", "/interactions/{interaction}/{token}/callback", self.callback),
            ("POST", WEBHOOK, self.follow_up),
            ("GET", WEBHOOK + "/messages/{message}", self.get),
            ("PATCH", WEBHOOK + "/messages/{message}", self.edit),
            ("DELETE", WEBHOOK + "/messages/{message}", self.delete),
        ]

    async def callback(self, request: Request) -> Json | None:
        interaction = self.all.get(request.path["token"])
        if interaction is None or str(interaction.id) != request.path["interaction"]:
            raise Refused(10062)
        if interaction.answer:
            raise Refused(40060)
        if time.monotonic() - interaction.made_at > self.world.rules.answer_within:
            raise Refused(10062)
        kind, body = request.body["type"], request.body.get("data") or {}
        self._respond(interaction, kind, body, request)
        interaction.answer, interaction.answered_at = kind, time.monotonic()
        interaction.done.set()
        return self._response(interaction) if request.query.get("with_response") in ("1", "true", "True") else None

    async def follow_up(self, request: Request) -> Json:
        """Post more; the first after a deferral takes the place of "thinking"."""
        interaction, body = self._by_token(request), request.body
        check_message(body, request.files, self.world.rules, new=True)
        original = interaction.original
        if interaction.answer == DEFERRED and original is not None and original.loading and not original.deleted:
            self.talk.revise(original, body, self._messages.files(interaction.channel, request))
            return self._shown(original)
        message = self._post(interaction, body, request)
        interaction.followups.append(message)
        return self._shown(message)

    async def get(self, request: Request) -> Json:
        return self._shown(self._message(request))

    async def edit(self, request: Request) -> Json:
        message = self._message(request)
        check_message(request.body, request.files, self.world.rules, new=False)
        self.talk.revise(message, request.body, self._messages.kept(message, request))
        return self._shown(message)

    async def delete(self, request: Request) -> None:
        message = self._message(request)
        if message.seen_by is None:
            self.talk.delete(message)
        message.deleted = True

    def _begin(
        self, kind: int, channel: Channel, person: Person, data: Json, source: Message | None = None
    ) -> Interaction:
        if not can_see(channel, person):
            raise PermissionError(f"{person.name} does not see {channel.name}")
        interaction = begin(self.world, kind, channel, person, data)
        interaction.source = source
        self.all[interaction.token] = interaction
        self.world.emit("INTERACTION_CREATE", envelope(self.world, interaction), channel)
        return interaction

    def _slash(
        self, channel: Channel, person: Person, name: str, options: Mapping[str, Any], *, whole: bool = True
    ) -> Json:
        first, *path = name.split()
        command = find_command(self._commands(channel), 1, first, channel, person)
        return slash_data(self.world, command, path, options, channel, whole=whole)

    def _commands(self, channel: Channel) -> list[Json]:
        own = self._places.commands.get(channel.guild.id, []) if channel.guild else []
        return [*self._places.commands.get(0, []), *own]

    def _respond(self, interaction: Interaction, kind: int, body: Json, request: Request) -> None:
        """Do what the first response says; a button may also change its message."""
        from_button = interaction.source is not None
        if (kind == SUGGEST) != (interaction.kind == AUTOCOMPLETE):
            raise bad_form("type", "INTERACTION_APPLICATION_COMMAND_INVALID_TYPE", "Not a response to this")
        if kind == SUGGEST:
            interaction.choices = body["choices"]
        elif kind == MESSAGE:
            check_message(body, request.files, self.world.rules, new=True)
            interaction.original = self._post(interaction, body, request)
        elif kind == DEFERRED:
            flags = (body.get("flags") or 0) & EPHEMERAL | LOADING
            interaction.original = self._post(interaction, {"flags": flags}, request)
        elif kind == DEFERRED_UPDATE and from_button:
            interaction.original = interaction.source
        elif kind == UPDATE and interaction.source is not None:
            check_message(body, request.files, self.world.rules, new=False)
            self.talk.revise(interaction.source, body, self._messages.kept(interaction.source, request))
            interaction.original = interaction.source
        elif kind == SHOW_MODAL and interaction.kind != MODAL:
            if len(body.get("title") or "") > 45:
                raise bad_form("data.title", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 45 in length.")
            interaction.modal = body
        else:
            raise bad_form("type", "INTERACTION_APPLICATION_COMMAND_INVALID_TYPE", "Not a response to this")

    def _post(self, interaction: Interaction, body: Json, request: Request) -> Message:
        flags = body.get("flags") or 0
        about = {"id": str(interaction.id), "type": interaction.kind, "user": payloads.user(interaction.person)}
        about |= {"authorizing_integration_owners": {}}
        draft = Draft(
            text=body.get("content") or "",
            type={1: 20}.get(interaction.data.get("type", 0), 23) if interaction.kind == COMMAND else 0,
            attachments=self._messages.files(interaction.channel, request),
            embeds=body.get("embeds") or [],
            components=body.get("components") or [],
            flags=flags,
            allowed_mentions=body.get("allowed_mentions"),
            invocation={"interaction_metadata": about},
            seen_by=interaction.person if flags & EPHEMERAL else None,
            webhook=self.world.me.id,
        )
        return self.talk.post(interaction.channel, self.world.me, draft)

    def _response(self, interaction: Interaction) -> Json:
        """Return what `with_response` asks for."""
        about: Json = {"id": str(interaction.id), "type": interaction.kind}
        resource: Json = {"type": interaction.answer}
        if interaction.original is not None:
            original = interaction.original
            about |= {"response_message_id": str(original.id), "response_message_loading": original.loading}
            about |= {"response_message_ephemeral": original.ephemeral}
            if interaction.answer in (MESSAGE, UPDATE):
                resource["message"] = self._shown(original)
        return {"interaction": about, "resource": resource}

    def _by_token(self, request: Request) -> Interaction:
        interaction = self.all.get(request.path["token"])
        if interaction is None or time.monotonic() - interaction.made_at > self.world.rules.token_life:
            raise Refused(50027)
        if not interaction.answer:
            raise Refused(10015)
        return interaction

    def _message(self, request: Request) -> Message:
        """Return a message of the interaction, or 10008."""
        interaction, named = self._by_token(request), request.path["message"]
        own = [one for one in (interaction.original, interaction.source, *interaction.followups) if one is not None]
        if named == "@original":
            own = [interaction.original] if interaction.original is not None else []
        for message in own:
            if named in ("@original", str(message.id)) and not message.deleted:
                return message
        raise Refused(10008)

    def _shown(self, message: Message) -> Json:
        return payloads.message(message, self.world.people, self.world.me)
