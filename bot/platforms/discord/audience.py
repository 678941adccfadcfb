"""Who can read a channel, from its real permissions."""

import discord

from memory.scope import Audience, Scope

DIRECT = "discord:@me"  # the tenant of direct messages: they belong to no guild

Place = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread | discord.DMChannel


def scope(
    channel: "discord.abc.MessageableChannel | discord.abc.GuildChannel", person: int, *, narrow: bool = False
) -> Scope:
    """Return where something is said in a channel, by whom, and who can read it there."""
    if isinstance(channel, discord.DMChannel):
        return Scope(DIRECT, str(channel.id), str(person), Audience.DIRECT, narrow=narrow)
    if isinstance(channel, discord.Thread):
        parent = channel.parent
        open_ = not channel.is_private()
        public = open_ and parent is not None and everyone_reads(parent)
        return Scope(
            tenant(channel.guild),
            str(channel.id),
            str(person),
            Audience.PUBLIC if public else Audience.PRIVATE,
            parent=str(channel.parent_id),
            open_to_parent=open_,
            narrow=narrow,
        )
    if isinstance(channel, discord.abc.GuildChannel):
        audience = Audience.PUBLIC if everyone_reads(channel) else Audience.PRIVATE
        return Scope(tenant(channel.guild), str(channel.id), str(person), audience, narrow=narrow)
    guild = channel.guild_id if isinstance(channel, discord.PartialMessageable) else None
    where = DIRECT if guild is None else f"discord:{guild}"  # a group DM, or a channel that is not known yet
    return Scope(where, str(channel.id), str(person), Audience.PRIVATE, narrow=narrow)


def tenant(guild: discord.Guild) -> str:
    """Return the tenant that a guild is."""
    return f"discord:{guild.id}"


def everyone_reads(channel: discord.abc.GuildChannel) -> bool:
    """Tell whether everyone in the guild can read a channel, its past too; an age-restricted one is not for all.

    Nor is one from which somebody, or a role, is kept out. What is written in a voice channel is read by those who may
    connect: https://discord.com/developers/docs/resources/message#get-channel-messages.
    """
    if getattr(channel, "nsfw", False):
        return False
    needed = discord.Permissions(view_channel=True, read_message_history=True)
    needed.connect = isinstance(channel, discord.VoiceChannel | discord.StageChannel)
    if not needed <= channel.permissions_for(channel.guild.default_role):
        return False
    denied = (overwrite.pair()[1] for who, overwrite in channel.overwrites.items() if not _a_bot(who))
    return not any(one.value & needed.value for one in denied)


def _a_bot(who: "discord.Role | discord.Member | discord.Object") -> bool:
    """Tell whether a bot is meant, or the role of one: it is nobody who reads."""
    return who.is_bot_managed() if isinstance(who, discord.Role) else isinstance(who, discord.Member) and who.bot


def roles(person: discord.abc.User) -> list[str]:
    """Return the ids of somebody's roles; outside of a guild nobody has any."""
    return [str(role.id) for role in person.roles] if isinstance(person, discord.Member) else []
