"""What people do with commands, buttons and modals: the JSON of interactions, and what became of each."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.discordlike import payloads
from tests.discordlike.permissions import in_channel
from tests.discordlike.records import Attachment, Channel, Json, Kind, Message, Person, walk
from tests.discordlike.world import World

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5


@dataclass(eq=False)
class Interaction:
    """One thing a person did, and how the bot answered; times are of time.monotonic."""

    id: int
    token: str
    kind: int
    channel: Channel
    person: Person
    data: Json
    made_at: float
    source: Message | None = None  # whose button was pressed
    answered_at: float = 0.0
    answer: int = 0  # the type of the first response
    original: Message | None = None
    followups: list[Message] = field(default_factory=list)
    modal: Json | None = None
    choices: list[Json] = field(default_factory=list)  # what was suggested
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def answered(self, seconds: float = 10) -> "Interaction":
        """Wait for the first response."""
        await asyncio.wait_for(self.done.wait(), seconds)
        return self

    @property
    def messages(self) -> list[Message]:
        """What the person sees of it, the ephemeral too."""
        own = self.original if self.original is not self.source else None
        return [one for one in (own, *self.followups) if one is not None and not one.deleted]

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.messages]

    @property
    def took(self) -> float:
        """The seconds until the first response."""
        return self.answered_at - self.made_at


def envelope(world: World, interaction: Interaction) -> Json:
    """Return an interaction as the gateway has it."""
    channel, person, guild = interaction.channel, interaction.person, interaction.channel.guild
    there = payloads.channel(channel, world.me) | {"permissions": str(int(in_channel(channel, person)))}
    data: Json = {
        "id": str(interaction.id),
        "application_id": str(world.me.id),
        "type": interaction.kind,
        "token": interaction.token,
        "version": 1,
        "data": interaction.data,
        "channel_id": str(channel.id),
        "channel": there,
        "app_permissions": str(int(in_channel(channel, world.me))),
        "locale": "en-US",
        "entitlements": [],
        "authorizing_integration_owners": {"0": str(guild.id)} if guild else {"1": str(person.id)},
        "context": context(channel),
        "attachment_size_limit": world.rules.file_bytes,
    }
    if interaction.source is not None:
        data["message"] = payloads.message(interaction.source, world.people, world.me)
    if guild is None:
        return data | {"user": payloads.user(person)}
    member = payloads.member(guild, person) | {"permissions": str(int(in_channel(channel, person)))}
    partial = {"id": str(guild.id), "locale": "en-US", "features": []}
    return data | {"guild_id": str(guild.id), "guild": partial, "guild_locale": "en-US", "member": member}


def context(channel: Channel) -> int:
    """Return where it is: 0 in a guild, 1 in the bot's DM, 2 among people."""
    return 0 if channel.guild else 1 if channel.kind == Kind.DM else 2


def find_command(commands: list[Json], kind: int, name: str, channel: Channel, person: Person) -> Json:
    """Return a registered command; a LookupError or PermissionError tells why the person is not offered it."""
    found = [one for one in commands if one["type"] == kind and one["name"] == name]
    if not found:
        raise LookupError(f"no command {name!r} is registered, only {sorted(one['name'] for one in commands)}")
    command = found[0]
    contexts = command.get("contexts")
    if contexts is not None and context(channel) not in contexts:
        raise LookupError(f"{name!r} is not offered here: its contexts are {contexts}")
    needed = int(command.get("default_member_permissions") or 0)
    if channel.guild and needed & ~int(in_channel(channel, person)):
        raise PermissionError(f"{person.name} may not use {name!r}")
    return command


def slash_data(
    world: World,
    command: Json,
    path: list[str],
    options: Mapping[str, Any],
    channel: Channel,
    *,
    whole: bool = True,
) -> Json:
    """Return the data of a slash command; `path` leads through its groups to a subcommand."""
    level, nesting = command, []
    for name in path:
        level = _option(level, name)
        nesting.append({"name": name, "type": level["type"]})
    resolved: Json = {}
    missing = {one["name"] for one in level.get("options", []) if one.get("required")} - set(options)
    if missing and whole:
        raise LookupError(f"{command['name']!r} needs {sorted(missing)}")
    given = [_given(world, _option(level, name), value, resolved, channel) for name, value in options.items()]
    for level in reversed(nesting):
        given = [level | {"options": given}]
    data = {"id": command["id"], "name": command["name"], "type": 1, "options": given}
    return data | ({"resolved": resolved} if resolved else {})


def _option(level: Json, name: str) -> Json:
    for option in level.get("options", []):
        if option["name"] == name:
            return dict(option)
    raise LookupError(f"{level['name']!r} has no {name!r}, only {[one['name'] for one in level.get('options', [])]}")


def _given(world: World, option: Json, value: Any, resolved: Json, channel: Channel) -> Json:
    """Return an option with its value; people and files go to what is resolved."""
    choices = [one["value"] for one in option.get("choices") or []]
    if choices and value not in choices:
        raise LookupError(f"{option['name']!r} is one of {choices}")
    if isinstance(value, Person):
        resolved.setdefault("users", {})[str(value.id)] = payloads.user(value)
        if channel.guild and value.id in channel.guild.members:
            member = payloads.member(channel.guild, value, with_user=False) | {
                "permissions": str(int(in_channel(channel, value)))
            }
            resolved.setdefault("members", {})[str(value.id)] = member
        value = str(value.id)
    elif isinstance(value, Attachment):
        resolved.setdefault("attachments", {})[str(value.id)] = payloads.attachment(value)
        value = str(value.id)
    elif isinstance(value, Channel):
        there = payloads.channel(value, world.me) | {"permissions": str(int(in_channel(value, world.me)))}
        resolved.setdefault("channels", {})[str(value.id)] = there
        value = str(value.id)
    return {"name": option["name"], "type": option["type"], "value": value}


def menu_data(world: World, command: Json, target: Message | Person) -> Json:
    """Return the data of a context menu; a message comes with its content, whatever the intents."""
    resolved: Json = {}
    if isinstance(target, Message):
        resolved["messages"] = {str(target.id): payloads.message(target, world.people, world.me)}
    else:
        resolved["users"] = {str(target.id): payloads.user(target)}
    kept = {"id": command["id"], "name": command["name"], "type": command["type"]}
    return kept | {"target_id": str(target.id), "resolved": resolved}


def find_component(message: Message, wanted: str) -> Json:
    """Return a button or select by its label or custom_id; a disabled one cannot be used."""
    for item in walk(message.components):
        if wanted in (item.get("label"), item.get("custom_id")) and "custom_id" in item:
            if item.get("disabled"):
                raise PermissionError(f"{wanted!r} is disabled")
            return item
    raise LookupError(f"no {wanted!r} in the message, only {[one.get('label') for one in walk(message.components)]}")


def modal_data(modal: Json, values: Mapping[str, str]) -> Json:
    """Return a modal as it is submitted, with values by custom_id."""
    unknown = set(values) - {item.get("custom_id") for item in walk(modal["components"])}
    if unknown:
        raise LookupError(f"the modal has no {sorted(unknown)}")
    return {"custom_id": modal["custom_id"], "components": [_filled(one, values) for one in modal["components"]]}


def _filled(item: Json, values: Mapping[str, str]) -> Json:
    kept: Json = {"type": item["type"], "id": item.get("id", 0)}
    if "components" in item:
        return kept | {"components": [_filled(one, values) for one in item["components"]]}
    if "component" in item:
        return kept | {"component": _filled(item["component"], values)}
    if "custom_id" not in item:
        return kept
    custom_id = item["custom_id"]
    return kept | {"custom_id": custom_id, "value": values.get(custom_id, item.get("value") or "")}


def begin(world: World, kind: int, channel: Channel, person: Person, data: Json) -> Interaction:
    one = world.ids.next()
    return Interaction(one, f"token-of-{one}", kind, channel, person, data, time.monotonic())
