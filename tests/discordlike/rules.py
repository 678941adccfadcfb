"""Limits and durations, Discord's own unless a test changes them."""

from dataclasses import dataclass

GUILD_MEMBERS = 1 << 1
GUILD_PRESENCES = 1 << 8
MESSAGE_CONTENT = 1 << 15
PRIVILEGED = GUILD_MEMBERS | GUILD_PRESENCES | MESSAGE_CONTENT


@dataclass
class Rules:
    """Durations are in seconds."""

    privileged: int = PRIVILEGED  # the intents switched on in the developer portal
    verified: bool = False  # as bots in 100 servers and more have to be
    heartbeat_interval: float = 41.25
    session_life: float = 300.0  # how long a lost session can be resumed (an assumption; Discord does not say)
    shards_required: int = 1
    answer_within: float = 3.0  # to an interaction
    token_life: float = 900.0  # of an interaction
    nonce_memory: float = 300.0  # "the past few minutes"
    old_after: float = 3600.0
    edits_of_old: int = 3  # Discord does not say how many
    old_edit_retry_after: float = 1.0
    file_bytes: int = 10 * 1024 * 1024
    attachment_life: float = 86_400.0  # of a signed address
    commands: int = 100
