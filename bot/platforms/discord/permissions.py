"""The permissions that the bot uses in Discord, each with its reason, and whether it may answer in a channel.

The invite, the table in docs/discord.md and the check before an answer all come from USES.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Flag, auto
from typing import TypeAlias

import discord
import structlog

log = structlog.get_logger()

Channel: TypeAlias = "discord.abc.MessageableChannel | discord.abc.GuildChannel"
Me: TypeAlias = discord.Member | discord.ClientUser


class Where(Flag):
    """Where the bot can't answer without a permission."""

    NOWHERE = 0
    CHANNELS = auto()
    THREADS = auto()
    EVERYWHERE = CHANNELS | THREADS


@dataclass(frozen=True, slots=True)
class Use:
    """A permission. flag: discord.py's name for it; name: that of Discord's settings; why: what the bot does with it.

    needed: where there is no answer without it; elsewhere only what it is for is missing.
    """

    flag: str
    name: str
    why: str
    needed: Where


# Not here: Embed Links (there are no embeds), Add Reactions, Manage Messages (its own messages it may edit and delete
# anyway), Create Private Threads, and Use Application Commands, which people need and the bot does not.
USES = (
    Use("view_channel", "View Channels", "hear what is said to it", Where.EVERYWHERE),
    Use("send_messages", "Send Messages", "answer in channels", Where.CHANNELS),
    Use("send_messages_in_threads", "Send Messages in Threads", "answer in threads", Where.THREADS),
    Use(
        "read_message_history",
        "Read Message History",
        "answer as a reply, which Discord allows with it alone, and see what was said before",
        Where.EVERYWHERE,
    ),
    Use("create_public_threads", "Create Public Threads", "open a thread for a conversation of its own", Where.NOWHERE),
    Use("attach_files", "Attach Files", "put the rest of a very long answer into a file", Where.NOWHERE),
)


def all_used(uses: Iterable[Use] = USES) -> discord.Permissions:
    """Return the permissions to ask for when the bot is invited: those that are used, and no others."""
    return discord.Permissions(**{use.flag: True for use in uses})


def missing(channel: Channel, me: Me) -> list[str]:
    """Return the names of the permissions that the bot lacks to answer in a channel; none in direct messages."""
    if not isinstance(channel, discord.abc.GuildChannel | discord.Thread) or not isinstance(me, discord.Member):
        return []
    here = Where.THREADS if isinstance(channel, discord.Thread) else Where.CHANNELS
    needed = [use for use in USES if use.needed & here]
    if isinstance(channel, discord.Thread) and channel.parent is None:
        return [
            use.name for use in needed
        ]  # a thread of no channel that we know: discord.py can't tell what is allowed
    allowed = channel.permissions_for(me)
    if not allowed.view_channel:
        return [use.name for use in needed if use.flag == "view_channel"]  # nothing else is allowed without it
    lacking = [use.name for use in needed if not getattr(allowed, use.flag)]
    if isinstance(channel, discord.Thread) and channel.locked and not allowed.manage_threads:
        lacking.append("Manage Threads")  # nobody writes in a locked thread without it
    return lacking


def may_answer(channel: Channel, me: Me) -> bool:
    """Tell whether the bot may write an answer in a channel.

    To be asked before anything is sent: Discord bans an address that makes 10,000 invalid requests in ten minutes.
    """
    return not missing(channel, me)


class Silence:
    """Where the bot stays silent as it may not write; the log tells so once for each channel, until it may again."""

    def __init__(self) -> None:
        self._told: set[int] = set()

    def kept(self, channel: Channel, me: Me) -> bool:
        """Tell whether the bot has to stay silent in a channel."""
        if may_answer(channel, me):
            self._told.discard(channel.id)
            return False
        if channel.id not in self._told:
            self._told.add(channel.id)
            log.info("silent for want of permissions", channel=channel.id, missing=", ".join(missing(channel, me)))
        return True
