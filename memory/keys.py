"""Every key, index name and lifetime of memory and of the engine is born here.

A tenant's keys share the hash tag {tenant digest}, so that they live on one node of a cluster. Platform ids never
become part of a key or a tag as they are: RediSearch trims, folds and cuts tag values, so that two ids could meet.
"""

from dataclasses import dataclass
from hashlib import blake2b

EMBEDDING_TTL = 24 * 3600  # seconds; repeated texts come close together, and a cache must not outlive a forgotten turn
EVENT_TTL = 7 * 24 * 3600  # seconds; platforms redeliver within hours, people look at what failed within days


def tag(kind: str, *parts: str) -> str:
    """Return a digest (128 bits, 32 hex digits) of the parts; parts that differ in any way give another digest."""
    digest = blake2b(digest_size=16, person=kind.encode()[:16])
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Keys:
    """The names under one namespace; another namespace is another memory in the same Redis."""

    namespace: str = "lorebot"

    def _of(self, tenant: str, kind: str, *parts: str) -> str:
        return ":".join((self.namespace, kind, "{" + tag("tenant", tenant) + "}", *parts))

    @property
    def index(self) -> str:
        """The alias that searches go through."""
        return f"{self.namespace}:turns"

    @property
    def first_index(self) -> str:
        """The index behind the alias, until another embedder or schema takes its place."""
        return f"{self.namespace}:turns:1"

    @property
    def turns(self) -> str:
        """What every turn's key begins with, in all tenants."""
        return f"{self.namespace}:turn:"

    @property
    def embedder(self) -> str:
        """The embedder that the index was made with. Lives as long as the index."""
        return f"{self.namespace}:embedder"

    def tenant_turns(self, tenant: str) -> str:
        """What the keys of a tenant's turns begin with; a turn's digest follows."""
        return self._of(tenant, "turn", "")

    def turn(self, tenant: str, conversation: str, turn_id: str) -> str:
        """One turn, a hash. Lives until it is forgotten: remembering is what the bot is for."""
        return self.tenant_turns(tenant) + self.turn_digest(tenant, conversation, turn_id)

    @staticmethod
    def turn_digest(tenant: str, conversation: str, turn_id: str) -> str:
        """Name a turn within its tenant; platforms promise unique ids within a conversation only."""
        return tag("turn", tenant, conversation, turn_id)

    def timeline(self, tenant: str, conversation: str) -> str:
        """A conversation's turns by time, a sorted set. Lives as long as its turns."""
        return self._of(tenant, "timeline", tag("conversation", tenant, conversation))

    def order(self, tenant: str) -> str:
        """A counter that orders turns of the same millisecond. Lives as long as the tenant."""
        return self._of(tenant, "order")

    def speakers(self, tenant: str, conversation: str) -> str:
        """The names heard in a conversation, by when they last spoke. Lives as long as its turns."""
        return self._of(tenant, "speakers", tag("conversation", tenant, conversation))

    def fresh(self, tenant: str, conversation: str) -> str:
        """Where the conversation was last begun anew. Lives as long as its turns."""
        return self._of(tenant, "fresh", tag("conversation", tenant, conversation))

    def embedding(self, tenant: str, embedder: str, text: str) -> str:
        """A cached vector, by model and content, within its tenant. Lives for EMBEDDING_TTL."""
        return self._of(tenant, "embedding", tag("embedding", embedder, text))

    def event(self, tenant: str, conversation: str, event_id: str) -> str:
        """What is known of one incoming message. Lives for EVENT_TTL."""
        return self._of(tenant, "event", tag("event", tenant, conversation, event_id))

    def turn_taking(self, tenant: str, conversation: str) -> str:
        """The lease of whoever answers in a conversation. Lives as long as the lease."""
        return self._of(tenant, "lease", tag("conversation", tenant, conversation))

    def unfinished(self, tenant: str) -> str:
        """A tenant's events that were claimed and not finished, by the end of their lease. Emptied by finishing."""
        return self._of(tenant, "unfinished")
