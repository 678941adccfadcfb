"""What a client has asked for that outlives a command."""

from dataclasses import dataclass, field

_COUNTED = frozenset((b"subscribe", b"unsubscribe", b"psubscribe", b"punsubscribe"))
_SHARDED = frozenset((b"ssubscribe", b"sunsubscribe"))


@dataclass(slots=True)
class State:
    """One client, as RESET leaves it."""

    welcome: bool  # logged in, or nobody has to
    protocol: int = 2
    database: int = 0
    transaction: bool = False  # since MULTI
    spoiled: bool = False  # a command within it was refused here, so that EXEC has to abort
    channels: int = 0
    shards: int = 0
    facts: dict[bytes, list[bytes]] = field(default_factory=dict)  # CLIENT SETNAME and SETINFO, for the connection

    @property
    def listening(self) -> bool:
        """Whether messages may come at any time."""
        return self.channels > 0 or self.shards > 0

    def confirmed(self, message: list[bytes | int]) -> None:
        """Take in what Redis says of a subscription."""
        kind, count = message[0], message[-1]
        if kind in _COUNTED:
            self.channels = int(count)
        elif kind in _SHARDED:
            self.shards = int(count)
