"""Who may do what where, computed as Discord documents it."""

from tests.discordlike.records import ALL, MEMBERS, Can, Channel, Guild, Kind, Person, Role


def in_guild(guild: Guild, person: Person) -> Can:
    """Return what the person's roles allow."""
    if person is guild.owner:
        return ALL
    allowed = guild.everyone.permissions
    for role in guild.members.get(person.id, []):
        allowed |= role.permissions
    return ALL if Can.ADMINISTRATOR in allowed else allowed


def in_channel(channel: Channel, person: Person) -> Can:
    """Return what the person may do in a channel; nothing for those who are not there."""
    guild = channel.guild
    if guild is None:
        return MEMBERS if person.id in channel.people else Can(0)
    if person.id not in guild.members:
        return Can(0)
    allowed = in_guild(guild, person)
    if allowed == ALL:
        return ALL
    place = channel.parent if channel.is_thread and channel.parent else channel
    allowed = _overwritten(allowed, place, guild, person)
    if Can.VIEW_CHANNEL not in allowed:
        return Can(0)
    inside = person.id in channel.people or Can.MANAGE_THREADS in allowed
    return allowed if channel.kind != Kind.PRIVATE_THREAD or inside else Can(0)


def can_see(channel: Channel, person: Person) -> bool:
    return Can.VIEW_CHANNEL in in_channel(channel, person)


def may_send(channel: Channel) -> Can:
    """Return the permission that sending takes in this channel."""
    return Can.SEND_MESSAGES_IN_THREADS if channel.is_thread else Can.SEND_MESSAGES


def _overwritten(allowed: Can, place: Channel, guild: Guild, person: Person) -> Can:
    """Apply the overwrites of everyone, then of all roles together, then of the person."""
    roles = [role.id for role in guild.members[person.id]]
    for ids in ([guild.id], roles, [person.id]):
        found = [place.overwrites[one] for one in ids if one in place.overwrites]
        for _, _, denied in found:
            allowed &= ~denied
        for _, granted, _ in found:
            allowed |= granted
    return allowed


def target_kind(target: Role | Person) -> int:
    return 0 if isinstance(target, Role) else 1
