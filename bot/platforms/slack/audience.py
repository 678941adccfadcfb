"""Who can read a channel of Slack's."""

from bot.platforms.slack.people import Channel, Person
from bot.platforms.slack.tenants import tenant
from memory.scope import Audience, Scope

_AUDIENCES = {
    "public": Audience.PUBLIC,
    "private": Audience.PRIVATE,
    "group": Audience.PRIVATE,
    "direct": Audience.DIRECT,
}


def scope(
    team: str, channel: Channel, person: Person | str, thread: str | None = None, *, narrow: bool = False
) -> Scope:
    """Return where something is said, by whom, and who can read it there.

    A thread is a conversation of its own; whoever reads the channel reads it. Where guests or another team read along,
    or one of them asks, that conversation alone is recalled.
    """
    id_, outsider = (person, False) if isinstance(person, str) else (person.id, person.outsider)
    return Scope(
        tenant(team),
        channel.id if thread is None else f"{channel.id}:{thread}",
        id_,
        _AUDIENCES[channel.kind],
        parent=None if thread is None else channel.id,
        open_to_parent=thread is not None,
        outsiders=channel.outsiders or outsider,
        narrow=narrow,
    )


def place(conversation: str) -> tuple[str, str | None]:
    """Return the channel of a conversation, and its thread."""
    channel, _, thread = conversation.partition(":")
    return channel, thread or None
