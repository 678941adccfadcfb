"""Every key, index name and lifetime of memory and of the engine is born here.

A tenant's keys share the hash tag {tenant digest}, so that they live on one node of a cluster. Platform ids never
become part of a key or a tag as they are: RediSearch trims, folds and cuts tag values, so that two ids could meet.
"""

from dataclasses import dataclass
from hashlib import blake2b

EMBEDDING_TTL = 24 * 3600  # seconds; repeated texts come close together, and a cache must not outlive a forgotten turn
EVENT_TTL = 7 * 24 * 3600  # seconds; platforms redeliver within hours, people look at what failed within days
NOTE_TTL = 30 * 24 * 3600  # seconds; what a bot writes down for its next life is old news after a month
DEAD_JOB_TTL = 30 * 24 * 3600  # seconds; long enough to find out why, and it holds ids only
LIMIT_TTL = 60  # seconds; messages are limited by the minute
BUDGET_TTL = 26 * 3600  # seconds; a day has up to 25 hours, when summer time ends
OAUTH_STATE_TTL = 600  # seconds; people read what they are about to allow, and whoever stole a state should be too late


def tag(kind: str, *parts: str) -> str:
    """Return a digest (128 bits, 32 hex digits) of the parts; parts that differ in any way give another digest."""
    digest = blake2b(digest_size=16, person=kind.encode()[:16])
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.hexdigest()


def digest_of(key: bytes) -> str:
    """Return the digest of the turn that a key of the index belongs to, whether its own or a passage's."""
    return key.rpartition(b"}:")[2].partition(b":")[0].decode()


@dataclass(frozen=True, slots=True)
class Keys:
    """The names under one namespace; another namespace is another memory in the same Redis."""

    namespace: str = "lorebot"

    @property
    def index(self) -> str:
        """The alias of the index in use; listings go through it."""
        return f"{self.namespace}:turns"

    def generation(self, number: int) -> str:
        """The index of one generation: one embedder and one schema."""
        return f"{self.namespace}:turns:{number}"

    @property
    def generations(self) -> str:
        """What each generation was made with, and the numbers in use and last given: a hash. Lives with the indexes."""
        return f"{self.namespace}:generations"

    @property
    def first_embedder(self) -> str:
        """The embedder, where the first schema kept it. Deleted when that is migrated."""
        return f"{self.namespace}:embedder"

    @property
    def turns(self) -> str:
        """What every turn's key begins with, in all tenants."""
        return f"{self.namespace}:turn:"

    @property
    def passages(self) -> str:
        """What the keys of all further passages of long turns begin with, in all tenants."""
        return f"{self.namespace}:passage:"

    @property
    def migrating(self) -> str:
        """The lease of whoever brings memory to another schema. Lives as long as the lease."""
        return f"{self.namespace}:migrating"

    @property
    def unclean(self) -> str:
        """Set while the append-only file may hold what has been forgotten. Lives until that is rewritten."""
        return f"{self.namespace}:unclean"

    @property
    def limits(self) -> str:
        """What the keys of limits begin with; a colon and a digest follow.

        The messages of a person or tenant in the last minute, and the words about limits in a conversation, lists, and
        who was told: live for LIMIT_TTL. The tokens spent in a day, and who was told of that: live for BUDGET_TTL.
        """
        return f"{self.namespace}:limit"

    @property
    def channels_changed(self) -> str:
        """How often it was changed what the bot does in channels, a number. Lives for ever: it is one for all."""
        return f"{self.namespace}:channels-changed"

    def installation(self, *of: str) -> str:
        """The tokens that a workspace gave to an app, sealed: a hash. Lives until the app is uninstalled there."""
        return f"{self.namespace}:installation:{tag('installation', *of)}"

    def refreshing(self, *of: str) -> str:
        """The lease of whoever exchanges the tokens of an installation. Lives as long as the lease."""
        return f"{self.namespace}:refreshing:{tag('installation', *of)}"

    def oauth_state(self, state: str) -> str:
        """That somebody has begun to install the app. Lives for OAUTH_STATE_TTL, or until it is used."""
        return f"{self.namespace}:oauth-state:{tag('state', state)}"

    def workspaces(self, *of: str) -> str:
        """The workspaces heard of in an organisation that installed an app for all of them, a set.

        Lives for ever: it holds ids only, and tells what to erase when the organisation leaves.
        """
        return f"{self.namespace}:workspaces:{tag('workspaces', *of)}"

    @property
    def purges(self) -> str:
        """Tenants whose memory is to be erased, by when (milliseconds since 1970). Emptied by erasing them."""
        return f"{self.namespace}:purges"

    def every(self, kind: str) -> str:
        """The pattern that all tenants' keys of a kind match."""
        return f"{self.namespace}:{kind}:*"

    def tenant(self, tenant: str) -> "TenantKeys":
        """The keys of one tenant."""
        return TenantKeys(self.namespace, tag("tenant", tenant))

    def event(self, tenant: str, conversation: str, event_id: str) -> str:
        """The key of one incoming message."""
        return self.tenant(tenant).event(tag("event", tenant, conversation, event_id))

    def note(self, what: str, of: str) -> str:
        """What a platform's bot wrote down for its next life. Lives for NOTE_TTL."""
        return f"{self.namespace}:note:{what}:{tag('note', what, of)}"

    @property
    def stores(self) -> str:
        """What the names of all stores' indexes begin with."""
        return f"{self.namespace}:store:"

    def store(self, place: str) -> "StoreKeys":
        """The keys of one vector store."""
        return StoreKeys(self.namespace, place)

    def turn_of(self, key: bytes) -> str:
        """The key of the turn that a key of the index belongs to."""
        return self.tenant_of(key.decode()).turn(digest_of(key))

    def tenant_of(self, key: str) -> "TenantKeys":
        """The keys of the tenant that a key belongs to."""
        return TenantKeys(self.namespace, key.partition("{")[2].partition("}")[0])


@dataclass(frozen=True, slots=True)
class TenantKeys:
    """The keys of one tenant; conversations are named by their tags, so that nobody needs to know their ids."""

    namespace: str
    digest: str

    def of(self, kind: str) -> str:
        """What the tenant's keys of a kind begin with; a digest follows."""
        return f"{self.namespace}:{kind}:{{{self.digest}}}:"

    def _one(self, kind: str) -> str:
        return f"{self.namespace}:{kind}:{{{self.digest}}}"

    @property
    def turns(self) -> str:
        """What the keys of the tenant's turns begin with; a turn's digest follows."""
        return self.of("turn")

    def turn(self, digest: str) -> str:
        """One turn, a hash. Lives until it is forgotten: remembering is what the bot is for."""
        return self.turns + digest

    @property
    def passages(self) -> str:
        """What the keys of further passages begin with; the turn's digest, a colon and a number follow, from 1.

        Each is a hash and lives as long as its turn; the first passage is in the turn's own.
        """
        return self.of("passage")

    def conversation(self, tag: str) -> str:
        """Who can read a conversation, as last told: a hash. Lives as long as its tenant: it must not be misled."""
        return self.of("conversation") + tag

    def timeline(self, tag: str) -> str:
        """A conversation's turns by time, a sorted set. Lives as long as its turns."""
        return self.of("timeline") + tag

    def speakers(self, tag: str) -> str:
        """The names heard in a conversation, by when they last spoke. Lives as long as its turns."""
        return self.of("speakers") + tag

    def spoken(self, tag: str) -> str:
        """How often each name was heard in a conversation, a hash. Lives as long as its turns."""
        return self.of("spoken") + tag

    def summaries(self, tag: str) -> str:
        """A conversation's summaries by time, a sorted set. Lives as long as they do."""
        return self.of("summaries") + tag

    def pending(self, tag: str) -> str:
        """A conversation's turns that await a summary, by time, a sorted set. Lives until they have one."""
        return self.of("pending") + tag

    def covered(self, tag: str) -> str:
        """By which summary each turn of a conversation is covered, a hash. Lives as long as the summaries.

        Not in the turns themselves: writing there would index each of them again.
        """
        return self.of("covered") + tag

    def fresh(self, tag: str) -> str:
        """Where a conversation was last begun anew. Lives as long as its turns."""
        return self.of("fresh") + tag

    def threads(self, tag: str) -> str:
        """The threads that whoever reads a conversation reads too, a set. Lives as long as the conversation."""
        return self.of("threads") + tag

    @property
    def order(self) -> str:
        """A counter that orders turns of the same millisecond. Lives as long as the tenant."""
        return self._one("order")

    @property
    def closed(self) -> str:
        """Conversations that fewer people read than their turns' reach still says. Emptied by re-tagging."""
        return self._one("closed")

    @property
    def retag(self) -> str:
        """Conversations whose turns await another reach, a set. Emptied by re-tagging."""
        return self._one("retag")

    @property
    def jobs(self) -> str:
        """Conversations with enough turns for a summary, a stream. Deleted with its last job."""
        return self._one("jobs")

    @property
    def queued(self) -> str:
        """The job in the stream that each conversation has, a hash. Emptied by finishing them."""
        return self._one("queued")

    @property
    def dead_jobs(self) -> str:
        """Jobs that were given up, the last of them, a stream. Lives for DEAD_JOB_TTL after the last."""
        return self._one("dead-jobs")

    @property
    def paused(self) -> str:
        """People who do not want to be remembered for now, a set. Lives until they resume."""
        return self._one("paused")

    @property
    def pauses(self) -> str:
        """When people did not want to be remembered, a hash. Lives for ever: it may be read in a channel much later."""
        return self._one("pauses")

    @property
    def forgotten(self) -> str:
        """The digests of turns that were forgotten, a set. Lives with the tenant: the platform may have them still."""
        return self._one("forgotten")

    @property
    def retention(self) -> str:
        """After how many days turns are forgotten, and the tenant. Lives until it is lifted."""
        return self._one("retention")

    @property
    def channels(self) -> str:
        """What is switched on in which channel, a hash. Lives until it is switched off, or the channel is gone."""
        return self._one("channels")

    @property
    def lessons(self) -> str:
        """How far the past of which channel has been learned, a hash. Lives as long as the channel."""
        return self._one("lessons")

    @property
    def learning(self) -> str:
        """The channels whose past is being learned, a set. Emptied by coming to its end, or by being stopped."""
        return self._one("learning")

    def teaching(self, tag: str) -> str:
        """The lease of whoever learns a channel's past. Lives as long as the lease."""
        return self.of("teaching") + tag

    @property
    def everything(self) -> str:
        """The pattern that all of the tenant's keys match."""
        return f"{self.namespace}:*:{{{self.digest}}}*"

    def object(self, name: str) -> str:
        """One named object of this owner: a hash. Lives until it is removed, or as long as its owner said."""
        return self.of("object") + tag("object", name)

    @property
    def objects(self) -> str:
        """The names of this owner's objects, a set; some may be gone. Lives as long as any of them."""
        return self._one("objects")

    def embedding(self, embedder: str, text: str) -> str:
        """Cached vectors, by model and content. Live for EMBEDDING_TTL."""
        return self.of("embedding") + tag("embedding", embedder, text)

    def event(self, digest: str) -> str:
        """What is known of one incoming message. Lives for EVENT_TTL."""
        return self.of("event") + digest

    def turn_taking(self, tag: str) -> str:
        """The lease of whoever answers in a conversation. Lives as long as the lease."""
        return self.of("lease") + tag

    @property
    def unfinished(self) -> str:
        """Events that were claimed and not finished, by the end of their lease. Emptied by finishing."""
        return self._one("unfinished")


@dataclass(frozen=True, slots=True)
class StoreKeys:
    """The keys of one vector store, which share the hash tag {place}; all live until the store is dropped."""

    namespace: str
    place: str

    @property
    def index(self) -> str:
        """The alias of the index in use; searches go through it."""
        return f"{self.namespace}:store:{self.place}"

    @property
    def made_index(self) -> str:
        """The index behind the alias."""
        return f"{self.index}:1"

    @property
    def state(self) -> str:
        """How many numbers its vectors have, the automatic id last given, and whether it is being dropped: a hash."""
        return f"{self.namespace}:store:{{{self.place}}}"

    @property
    def ids(self) -> str:
        """The ids of its items in 20 digits, a sorted set in their order."""
        return f"{self.namespace}:items:{{{self.place}}}"

    @property
    def expiring(self) -> str:
        """Those of its ids that expire, by when (milliseconds since 1970): a sorted set."""
        return f"{self.namespace}:expiring:{{{self.place}}}"

    @property
    def items(self) -> str:
        """What the keys of its items begin with; an id in 20 digits follows."""
        return f"{self.namespace}:item:{{{self.place}}}:"

    def item(self, digits: str) -> str:
        """One item, a hash. Lives until it expires, if it has a time to live, or is removed."""
        return self.items + digits
