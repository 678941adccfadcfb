"""What Discord checks of a message before it takes it."""

from tests.discordlike.records import Json, walk
from tests.discordlike.refusals import Refused, bad_form, too_long
from tests.discordlike.rules import Rules

V2 = 1 << 15  # the message consists of components


def check_message(body: Json, files: list[tuple[str, bytes]], rules: Rules, *, new: bool) -> None:
    """Raise a 50035, 50006 or 40005 for what the server would not take."""
    if len(body.get("content") or "") > 2000:
        raise too_long("content", 2000)
    if new and not (any(body.get(part) for part in ("content", "embeds", "components")) or files):
        raise Refused(50006)
    if len(files) > 10 or any(len(data) > rules.file_bytes for _, data in files):
        raise Refused(40005)
    if len(str(body.get("nonce") or "")) > 25:
        raise too_long("nonce", 25)
    _check_embeds(body.get("embeds") or [])
    check_components(body.get("components") or [], v2=bool((body.get("flags") or 0) & V2))


def _check_embeds(embeds: list[Json]) -> None:
    if len(embeds) > 10:
        raise bad_form("embeds", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")
    total = 0
    for at, embed in enumerate(embeds):
        for name, limit in (("title", 256), ("description", 4096)):
            if len(embed.get(name) or "") > limit:
                raise too_long(f"embeds.{at}.{name}", limit)
            total += len(embed.get(name) or "")
        total += sum(len(one["name"]) + len(one["value"]) for one in embed.get("fields") or [])
        total += len((embed.get("footer") or {}).get("text", ""))
    if total > 6000:
        raise bad_form("embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")


def check_components(components: list[Json], *, v2: bool) -> None:
    """Raise a 50035 for too many components, too long labels, or two with one custom_id."""
    every = walk(components)
    if (len(every) > 40) if v2 else (len(components) > 5):
        raise bad_form("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    if sum(len(item.get("content") or "") for item in every) > 4000:
        raise too_long("components", 4000)
    for item in every:
        if item["type"] == 1 and len(item.get("components", [])) > 5:
            raise bad_form("components.0.components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
        if item["type"] == 2 and len(item.get("label") or "") > 80:
            raise too_long("components.0.components.0.label", 80)
        if len(item.get("custom_id") or "") > 100:
            raise too_long("components.0.components.0.custom_id", 100)
    ids = [item["custom_id"] for item in every if item.get("custom_id")]
    if len(ids) != len(set(ids)):
        raise bad_form("components", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")


def check_commands(commands: list[Json], rules: Rules) -> None:
    """Raise a 50035 for commands that Discord would not register."""
    if len([one for one in commands if one.get("type", 1) == 1]) > rules.commands:
        raise bad_form("0", "APPLICATION_COMMANDS_EXCEEDED", "Maximum number of application commands reached (100).")
    names = [(one.get("type", 1), one["name"]) for one in commands]
    if len(names) != len(set(names)):
        raise bad_form("0", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")
    for at, command in enumerate(commands):
        if not 1 <= len(command["name"]) <= 32:
            raise too_long(f"{at}.name", 32)
        if command.get("type", 1) == 1:
            _check_slash(str(at), command)
        elif command.get("description"):
            raise bad_form(f"{at}.description", "APPLICATION_COMMAND_DESCRIPTION", "Context menus have no description")


def _check_slash(where: str, command: Json) -> None:
    name, options = command["name"], command.get("options") or []
    if name != name.lower() or not name.replace("-", "").replace("_", "").isalnum():
        raise bad_form(f"{where}.name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    if not 1 <= len(command.get("description") or "") <= 100:
        raise bad_form(f"{where}.description", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
    if len(options) > 25:
        raise bad_form(f"{where}.options", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    for at, option in enumerate(options):
        _check_slash(f"{where}.options.{at}", option)
        if len(option.get("choices") or []) > 25:
            raise bad_form(f"{where}.options.{at}.choices", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
