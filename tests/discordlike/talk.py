"""What is said: messages posted, edited, deleted and reacted to, by people and by the bot."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.discordlike import payloads
from tests.discordlike.permissions import in_channel
from tests.discordlike.records import Attachment, Can, Channel, Json, Message, Person, Version
from tests.discordlike.world import World

THREAD_CREATED, REPLY, THREAD_STARTER = 18, 19, 21
LOADING = 1 << 7  # "thinking", until the answer is there
SETTABLE = 1 << 2 | 1 << 15  # by an edit: no embeds, components v2


@dataclass
class Draft:
    """A message before it is posted."""

    text: str = ""
    reply_to: int | None = None
    reference_channel: int | None = None
    type: int = 0
    attachments: list[Attachment] = field(default_factory=list)
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    flags: int = 0
    nonce: str | None = None
    allowed_mentions: Json | None = None
    invocation: Json | None = None
    seen_by: Person | None = None
    webhook: int | None = None
    at: datetime | None = None


class Talk:
    """Messages in a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.posted: list[Message] = []  # everywhere, in order
        self._nonces: dict[tuple[int, str], tuple[float, Message]] = {}

    def post(self, channel: Channel, author: Person, draft: Draft) -> Message:
        """Post a message and tell the bot, if it can see the channel."""
        message = Message(
            id=self.world.id_at(draft.at),
            channel=channel,
            author=author,
            text=draft.text,
            type=REPLY if draft.reply_to and not draft.type else draft.type,
            reply_to=draft.reply_to,
            reference_channel=draft.reference_channel,
            attachments=draft.attachments,
            embeds=draft.embeds,
            components=draft.components,
            flags=draft.flags,
            nonce=draft.nonce,
            history=[Version(time.monotonic(), draft.text)],
            invocation=draft.invocation,
            seen_by=draft.seen_by,
            webhook=draft.webhook,
        )
        self._mention(message, draft.allowed_mentions)
        channel.log[message.id] = message
        self.posted.append(message)
        if channel.archived:
            channel.archived = False
            self.world.changed(channel)
        if channel.is_thread:
            self._gather(channel, [author.id, *message.mentions])
        channel.typing = [(at, person) for at, person in channel.typing if person is not author]
        if draft.nonce is not None:
            self._nonces[author.id, draft.nonce] = (time.monotonic(), message)
        if message.seen_by is None:
            self.world.emit("MESSAGE_CREATE", self.data(message), channel)
        return message

    def same(self, author: Person, nonce: str) -> Message | None:
        """Return the message that this author posted with this nonce in the past few minutes."""
        at, message = self._nonces.get((author.id, nonce), (float("-inf"), None))
        return message if time.monotonic() - at < self.world.rules.nonce_memory else None

    def say(
        self,
        channel: Channel,
        author: Person,
        text: str = "",
        *,
        reply_to: Message | None = None,
        files: Sequence[tuple[str, bytes]] = (),
        at: datetime | None = None,
        ping: bool = True,
        webhook: bool = False,
        type: int = 0,
    ) -> Message:
        """Let a person say something: a reply that may ping, with files, at a past time, or through a webhook."""
        attachments = [self.world.attach(channel, name, data) for name, data in files]
        draft = Draft(text, reply_to and reply_to.id, attachments=attachments, at=at, type=type)
        draft.webhook = self.world.ids.next() if webhook else None
        draft.allowed_mentions = None if ping else {"parse": ["users", "roles", "everyone"], "replied_user": False}
        return self.post(channel, author, draft)

    def edit(self, message: Message, text: str) -> None:
        """Let the author of a message say it differently."""
        message.text = text
        message.history.append(Version(time.monotonic(), text))
        message.edited = datetime.now(UTC)
        self._mention(message, None)
        self.updated(message)

    def revise(self, message: Message, body: Json, attachments: list[Attachment] | None) -> None:
        """Change what a PATCH names and nothing else; flags keep what a client cannot set."""
        if "content" in body:
            message.text = body["content"] or ""
            message.history.append(Version(time.monotonic(), message.text))
        message.embeds = body.get("embeds", message.embeds) or []
        message.components = body.get("components", message.components) or []
        message.attachments = message.attachments if attachments is None else attachments
        message.flags = message.flags & ~LOADING | (body.get("flags") or 0) & SETTABLE
        message.edited = datetime.now(UTC)
        self._mention(message, body.get("allowed_mentions"))
        if message.seen_by is None:
            self.updated(message)

    def unfurl(self, message: Message) -> None:
        """Add a link's preview, which comes as an update in which nobody edited anything."""
        message.embeds.append({"type": "link", "url": "http://127.0.0.1/", "title": "A page"})
        self.updated(message)

    def updated(self, message: Message) -> None:
        self.world.emit("MESSAGE_UPDATE", self.data(message), message.channel)

    def delete(self, *messages: Message) -> None:
        """Delete a message, or several at once as a moderator does."""
        channel = messages[0].channel
        ids = [str(message.id) for message in messages]
        for message in messages:
            message.deleted = True
        where = {"channel_id": str(channel.id)} | ({"guild_id": str(channel.guild.id)} if channel.guild else {})
        if len(messages) == 1:
            self.world.emit("MESSAGE_DELETE", {"id": ids[0], **where}, channel)
        else:
            self.world.emit("MESSAGE_DELETE_BULK", {"ids": ids, **where}, channel)

    def react(self, message: Message, person: Person, emoji: str) -> None:
        if person.id not in message.reactions.setdefault(emoji, []):
            message.reactions[emoji].append(person.id)
            self._reaction("MESSAGE_REACTION_ADD", message, person, emoji)

    def unreact(self, message: Message, person: Person, emoji: str) -> None:
        if person.id in message.reactions.get(emoji, []):
            message.reactions[emoji].remove(person.id)
            self._reaction("MESSAGE_REACTION_REMOVE", message, person, emoji)

    def type(self, channel: Channel, person: Person) -> None:
        """Show for ten seconds, or until the person posts, that somebody is typing."""
        channel.typing.append((time.monotonic(), person))

    def typing(self, channel: Channel, person: Person) -> bool:
        return any(one is person and time.monotonic() - at < 10 for at, one in channel.typing)

    def data(self, message: Message) -> Json:
        """Return a message as the gateway has it, with its guild and the author's membership."""
        data = payloads.message(message, self.world.people, self.world.me)
        guild = message.channel.guild
        if guild is None:
            return data
        data["guild_id"] = str(guild.id)
        if message.author.id in guild.members and message.webhook is None:
            data["member"] = payloads.member(guild, message.author, with_user=False)
        return data

    def _gather(self, thread: Channel, ids: list[int]) -> None:
        """Add to a thread those who post in it, and those who are mentioned there."""
        for one in ids:
            if one not in thread.people and thread.guild and one in thread.guild.members:
                self.world.enter(thread, self.world.people[one])

    def _reaction(self, event: str, message: Message, person: Person, emoji: str) -> None:
        guild = message.channel.guild
        data: Json = {
            "user_id": str(person.id),
            "channel_id": str(message.channel.id),
            "message_id": str(message.id),
            "emoji": {"id": None, "name": emoji},
            "type": 0,
            "burst": False,
        }
        data |= {"guild_id": str(guild.id), "member": payloads.member(guild, person)} if guild else {}
        self.world.emit(event, data, message.channel)

    def _mention(self, message: Message, allowed: Json | None) -> None:
        """Work out who is mentioned: what the text names, less what `allowed_mentions` forbids."""
        guild, text = message.channel.guild, message.text
        people = [int(one) for one in re.findall(r"<@!?(\d+)>", text)]
        roles = [int(one) for one in re.findall(r"<@&(\d+)>", text)]
        parse = ["users", "roles", "everyone"] if allowed is None else allowed.get("parse", [])
        named = {} if allowed is None else allowed
        if "users" not in parse:
            people = [one for one in people if str(one) in map(str, named.get("users") or [])]
        if "roles" not in parse:
            roles = [one for one in roles if str(one) in map(str, named.get("roles") or [])]
        replied = message.channel.log.get(message.reply_to or 0)
        to_another = replied is not None and replied.author is not message.author
        if replied is not None and to_another and (allowed is None or allowed.get("replied_user")):
            people.append(replied.author.id)
        may_shout = guild is not None and Can.MENTION_EVERYONE in in_channel(message.channel, message.author)
        shouts = "@everyone" in text or "@here" in text
        message.mentions = list(dict.fromkeys(people))
        message.mention_roles = list(dict.fromkeys(one for one in roles if guild and one in guild.roles))
        message.mention_everyone = shouts and may_shout and "everyone" in parse
        message.broadcast |= message.mention_everyone or bool(message.mention_roles)
